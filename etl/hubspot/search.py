"""Searching: everything of which a property is one of some values, in all its pages.

Apart from the look-ups, because settling searches too. The index behind it lags some seconds behind the account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etl.flow import Json
from etl.hubspot.door import Door
from etl.hubspot.names import MAX_BATCH, MAX_FOUND, MAX_PAGE, OBJECTS


async def search(
    door: Door, object_type: str, names: Sequence[str], values: Sequence[str], properties: Sequence[str]
) -> list[Json]:
    """The objects of which one of the properties `names` is one of `values`, with their `properties`; some may repeat."""
    hits: list[Json] = []
    for group in groups(values, MAX_BATCH):
        hits += await _search(door, object_type, names, group, properties)
    return hits


def groups(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The values in runs of at most `size`.

    >>> list(groups(["a", "b", "c"], 2))
    [['a', 'b'], ['c']]
    """
    return (values[i : i + size] for i in range(0, len(values), size))


def found(page: Json) -> list[Json]:
    """The objects of a batch read or a search page: those that have an id, each with its `properties`."""
    results = page.get("results")
    return [hit for hit in results or [] if str(hit.get("id")).isdigit() and isinstance(hit.get("properties"), dict)]


def following(page: Json) -> str:
    """The cursor of the page after this one; empty where this is the last."""
    return str((((page.get("paging") or {}).get("next")) or {}).get("after") or "")


async def _search(
    door: Door, object_type: str, names: Sequence[str], values: Sequence[str], properties: Sequence[str]
) -> list[Json]:
    body: Json = {
        "filterGroups": [
            {"filters": [{"propertyName": name, "operator": "IN", "values": list(values)}]} for name in names
        ],
        "properties": list(properties),
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "limit": MAX_PAGE,
    }
    hits: list[Json] = []
    while True:
        page: Json = await door.read("POST", f"{OBJECTS}/{object_type}/search", body, search=True)
        if page.get("total", 0) > MAX_FOUND and len(values) > 1:
            break
        hits += found(page)
        after = following(page)
        if not after or len(hits) >= MAX_FOUND:
            return hits
        body["after"] = after
    # more than HubSpot gives for one query, in however many pages: ask for fewer values at once
    middle = len(values) // 2
    first = await _search(door, object_type, names, values[:middle], properties)
    return first + await _search(door, object_type, names, values[middle:], properties)
