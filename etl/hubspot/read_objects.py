"""Reading engagements back through the objects API: by id, 100 a request, and by lists; links along with them.

A list of everything gives the links in the same answer. What is read by id, or found by a search, gets them from the
associations API: four requests, one for each kind, for up to 1,000 engagements. Searches begin again behind the last
id that they gave, so that HubSpot's limit of 10,000 results is met by none, and a list that moves hides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast
from urllib.parse import urlencode

from etl.engagement import TYPES, EngagementType
from etl.flow import LINK_KINDS, Json, LinkKind, RemoteId
from etl.hubspot.door import Door, together
from etl.hubspot.held import MAIL_TYPES, asked, object_links, of_object
from etl.hubspot.names import (
    ASSOCIATIONS,
    KEY_PROPERTY,
    MAX_ASSOCIATIONS,
    MAX_BATCH,
    MAX_PAGE,
    OBJECT_TYPES,
    OBJECTS,
    PROPERTIES,
)
from etl.hubspot.paging import advancing
from etl.hubspot.search import following, found, groups
from etl.hubspot.target import Held, Listing, Page

#: A page of a list, with properties and links. HubSpot: 100 objects.
_LISTED: Final = 100
#: Links that stand in one answer about an object.
_LINKS: Final = 500
#: Separates the type from the place in it, in a cursor.
_MARK: Final = ":"

LinkLists = dict[LinkKind, list[int]]


async def read(
    door: Door, type_: str, ids: Sequence[RemoteId], properties: Collection[str] = ()
) -> Mapping[RemoteId, Held]:
    """See `target.Target.read`."""
    wanted = list(dict.fromkeys(ids))
    parts = await together([partial(_read, door, _known(type_), group, properties) for group in groups(wanted, 1000)])
    return {remote_id: held for part in parts for remote_id, held in part.items()}


async def page(door: Door, listing: Listing, after: str) -> Page:
    """See `target.Target.page`. Types that the objects API does not know are not in it: v1 alone shows those."""
    return await advancing(after, partial(_page, door, listing, after))


async def own_properties(door: Door, type_: str) -> list[str]:
    """See `target.Target.own_properties`."""
    answer: Json = await door.read("GET", f"{PROPERTIES}/{OBJECT_TYPES[_known(type_)]}")
    return [
        str(p["name"])
        for p in answer.get("results") or []
        if not p.get("hubspotDefined") and not p.get("calculated") and p.get("name") != KEY_PROPERTY
    ]


async def count(door: Door) -> dict[str, int]:
    """See `target.Target.count`."""
    found_: dict[str, int] = {}
    for type_ in TYPES:
        path = f"{OBJECTS}/{OBJECT_TYPES[type_]}/search"
        # a token for v1 alone may not search: then nothing is known, which is no error
        answer: Json = await door.read("POST", path, {"limit": 1}, search=True, absent=(400, 403, 404)) or {}
        found_[type_] = int(answer.get("total") or 0)
    return found_


async def links_of(door: Door, type_: EngagementType, ids: Sequence[RemoteId]) -> dict[RemoteId, LinkLists]:
    """The links of engagements, by id and kind; ids ascending. An id without links is there with empty lists."""
    links: dict[RemoteId, LinkLists] = {remote_id: {kind: [] for kind in LINK_KINDS} for remote_id in ids}
    for group in groups(ids, MAX_ASSOCIATIONS):
        reads = [partial(_links, door, type_, group, kind) for kind in LINK_KINDS]
        for kind, found_ in zip(LINK_KINDS, await together(reads), strict=True):
            for remote_id, to in found_.items():
                links[remote_id][kind] = sorted(to)
    return links


async def _page(door: Door, listing: Listing, after: str) -> Page:
    """One page, of the type that the cursor names; behind the last of a type comes the first of the next."""
    types = [t for t in TYPES if not listing.types or t in {_known(wanted) for wanted in listing.types}]
    if not types:
        return Page([], "")
    name, _, place = after.partition(_MARK)
    type_ = cast("EngagementType", name or types[0])
    if listing.contact:
        held, rest = await _of_contact(door, type_, listing, place)
    elif listing.since_ms or listing.keys_only:
        held, rest = await _searched(door, type_, listing, place)
    else:
        held, rest = await _listed(door, type_, listing, place)
    if listing.types:  # mail of another direction has a type of its own
        held = [h for h in held if h.type in listing.types]
    if rest:
        return Page(held, f"{type_}{_MARK}{rest}")
    later = types[types.index(type_) + 1 :]
    return Page(held, f"{later[0]}{_MARK}" if later else "")


async def _read(
    door: Door, type_: EngagementType, ids: Sequence[RemoteId], properties: Collection[str]
) -> dict[RemoteId, Held]:
    path, names = f"{OBJECTS}/{OBJECT_TYPES[type_]}/batch/read", asked(type_, properties)
    bodies = [{"properties": names, "inputs": [{"id": i} for i in group]} for group in groups(ids, MAX_BATCH)]
    answers = await together([partial(door.read, "POST", path, body) for body in bodies])
    there = {str(r["id"]): r for answer in answers for r in found(answer) if not r.get("archived")}
    links = await links_of(door, type_, list(there)) if there else {}
    return {i: of_object(type_, result, links[i], properties) for i, result in there.items()}


async def _listed(door: Door, type_: EngagementType, listing: Listing, after: str) -> tuple[list[Held], str]:
    """A page of the list of everything; the links come with it, but for those of an object that has very many."""
    query: dict[str, Any] = {
        "limit": _LISTED,
        "properties": ",".join(asked(type_, listing.properties)),
        "associations": ",".join(LINK_KINDS),
    }
    if after:
        query["after"] = after
    answer: Json = await door.read("GET", f"{OBJECTS}/{OBJECT_TYPES[type_]}?{urlencode(query)}")
    results = found(answer)
    shown = {str(result["id"]): object_links(result) for result in results}
    cut = [remote_id for remote_id, (_, more) in shown.items() if more]
    links = {remote_id: lists for remote_id, (lists, _) in shown.items()} | await links_of(door, type_, cut)
    held = [of_object(type_, result, links[str(result["id"])], listing.properties) for result in results]
    return held, following(answer)


async def _searched(door: Door, type_: EngagementType, listing: Listing, after: str) -> tuple[list[Held], str]:
    """A page of what changed since, or of what carries a key, by ascending id."""
    filters: list[Json] = [{"propertyName": "hs_object_id", "operator": "GT", "value": after or "0"}]
    if listing.keys_only:
        filters.append({"propertyName": KEY_PROPERTY, "operator": "HAS_PROPERTY"})
    else:
        since = {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": str(listing.since_ms)}
        filters.append(since)
    body: Json = {
        "filterGroups": [{"filters": filters}],
        "properties": [KEY_PROPERTY] if listing.keys_only else asked(type_, listing.properties),
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "limit": MAX_PAGE,
    }
    # the property of the keys is not there (400) before the first load through this wire
    absent = (400,) if listing.keys_only else ()
    path = f"{OBJECTS}/{OBJECT_TYPES[type_]}/search"
    answer: Json = await door.read("POST", path, body, search=True, absent=absent) or {}
    results = found(answer)
    ids = [str(result["id"]) for result in results]
    last = str(max(map(int, ids))) if ids and following(answer) else ""
    if listing.keys_only:
        return [_key_only(type_, result) for result in results], last
    links = await links_of(door, type_, ids)
    return [of_object(type_, r, links[str(r["id"])], listing.properties) for r in results], last


async def _of_contact(door: Door, type_: EngagementType, listing: Listing, after: str) -> tuple[list[Held], str]:
    query = urlencode({"limit": _LINKS, **({"after": after} if after else {})})
    path = f"{OBJECTS}/contacts/{listing.contact}/associations/{OBJECT_TYPES[type_]}"
    answer: Json = await door.read("GET", f"{path}?{query}", absent=(404,)) or {}
    ids = [str(result.get("toObjectId") or result.get("id")) for result in answer.get("results") or []]
    held = await read(door, type_, ids, listing.properties)
    return [held[i] for i in dict.fromkeys(ids) if i in held], following(answer)


async def _links(
    door: Door, type_: EngagementType, ids: Sequence[RemoteId], kind: LinkKind
) -> dict[RemoteId, set[int]]:
    """The links of one kind; who has more than one answer shows is asked about again, behind the last."""
    path = f"{ASSOCIATIONS}/{OBJECT_TYPES[type_]}/{kind}/batch/read"
    linked: dict[RemoteId, set[int]] = {}
    inputs: list[Json] = [{"id": remote_id} for remote_id in ids]
    while inputs:
        answer: Json = await door.read("POST", path, {"inputs": inputs})
        inputs = []
        for result in answer.get("results") or []:
            from_id = str(result["from"]["id"])
            linked.setdefault(from_id, set()).update(int(to["toObjectId"]) for to in result.get("to") or [])
            if after := following(result):
                inputs.append({"id": from_id, "after": after})
    return linked


def _key_only(type_: EngagementType, result: Json) -> Held:
    key = str(result["properties"].get(KEY_PROPERTY) or "")
    return Held(str(result["id"]), type_, key, 0, 0, 0, {})


def _known(type_: str) -> EngagementType:
    """The type under which the objects API keeps it: mail of any direction is mail."""
    return cast("EngagementType", "EMAIL" if type_ in MAIL_TYPES else type_)
