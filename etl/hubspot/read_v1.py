"""Reading engagements back through Engagements v1: one by one, and by its lists, which alone show every type.

`paged` is everything, by ascending id. What changed since a moment comes from `modified/after`, whose cursor has no end
that is cut; where an account does not have it, or its token sees nothing in it, from `recent/modified` as far as that
reaches (30 days, 10,000 engagements), else from everything, filtered. Links come along in every answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from etl.flow import Json, RemoteId
from etl.hubspot.door import Door, together
from etl.hubspot.held import of_v1
from etl.hubspot.names import ENGAGEMENTS_V1, MAX_PAGE_V1, MAX_PAGED_V1
from etl.hubspot.paging import advancing
from etl.hubspot.target import Held, Listing, Page

#: A page of `modified/after`. HubSpot: at most 1,000; answers of some hundred are large enough.
MAX_MODIFIED_V1: Final = 250
#: How far `recent/modified` reaches back. HubSpot: 30 days, 10,000 engagements.
RECENT_MS: Final = 29 * 86_400_000
MAX_RECENT: Final = 10_000


async def read(door: Door, ids: Sequence[RemoteId]) -> Mapping[RemoteId, Held]:
    """See `target.Target.read`: one request an engagement, some at a time."""
    wanted = list(dict.fromkeys(ids))
    found = await together([partial(_read, door, remote_id) for remote_id in wanted])
    return {remote_id: held for remote_id, held in zip(wanted, found, strict=True) if held is not None}


async def page(door: Door, listing: Listing, after: str, now_ms: int) -> Page:
    """See `target.Target.page`. A cursor says which list it belongs to: ``paged:17``."""
    name, _, place = after.partition(":")
    name = name or await _list_for(door, listing, now_ms)

    async def ask() -> Page:
        held, rest = await _LISTS[name](door, listing, place)
        return Page([h for h in held if _wanted(h, listing)], f"{name}:{rest}" if rest else "")

    return await advancing(after, ask)


async def _read(door: Door, remote_id: RemoteId) -> Held | None:
    answer = await door.read("GET", f"{ENGAGEMENTS_V1}/{remote_id}", absent=(404,), empty=True)
    return of_v1(answer) if answer else None


async def _list_for(door: Door, listing: Listing, now_ms: int) -> str:
    """Which list shows what is asked for."""
    if listing.contact:
        return "associated"
    if not listing.since_ms:
        return "paged"
    first = await _modified(door, listing, "")
    if first[0]:
        return "modified"
    if listing.since_ms < now_ms - RECENT_MS:
        return "paged"
    query = urlencode({"count": 1, "since": listing.since_ms})
    recent: Json = await door.read("GET", f"{ENGAGEMENTS_V1}/recent/modified?{query}")
    return "recent" if int(recent.get("total") or 0) < MAX_RECENT else "paged"


def _wanted(held: Held, listing: Listing) -> bool:
    return held.updated_ms >= listing.since_ms and (not listing.types or held.type in listing.types)


async def _paged(door: Door, listing: Listing, place: str) -> tuple[list[Held], str]:
    del listing
    return await _by_offset(door, "paged", {"limit": MAX_PAGED_V1}, place)


async def _associated(door: Door, listing: Listing, place: str) -> tuple[list[Held], str]:
    return await _by_offset(door, f"associated/CONTACT/{listing.contact}/paged", {"limit": MAX_PAGE_V1}, place)


async def _recent(door: Door, listing: Listing, place: str) -> tuple[list[Held], str]:
    return await _by_offset(door, "recent/modified", {"count": MAX_PAGE_V1, "since": listing.since_ms}, place)


async def _modified(door: Door, listing: Listing, place: str) -> tuple[list[Held], str]:
    query = urlencode({"limit": MAX_MODIFIED_V1, "after": place or max(listing.since_ms - 1, 0)})
    answer: Json = await door.read("GET", f"{ENGAGEMENTS_V1}/modified/after?{query}", absent=(403, 404)) or {}
    return _held(answer), further(answer, "after", place)


def further(answer: Json, name: str, place: str) -> str:
    """The cursor behind the page at `place`, empty at the end of the list.

    One that leads to the beginning again leads to the page itself: where more is to come it is not the end.
    """
    if not answer.get("hasMore"):
        return ""
    rest = str(answer.get(name) or "0")
    return rest if rest != "0" else place or rest


async def _by_offset(door: Door, path: str, size: dict[str, int], place: str) -> tuple[list[Held], str]:
    """A page of a list with `offset`, which is there also where `hasMore` says that nothing follows."""
    query = urlencode({**size, "offset": place} if place else size)
    answer: Json = await door.read("GET", f"{ENGAGEMENTS_V1}/{path}?{query}", absent=(404,)) or {}
    return _held(answer), further(answer, "offset", place)


def _held(answer: Json) -> list[Held]:
    results: list[Any] = answer.get("results") or []
    return [of_v1(result) for result in results if isinstance(result.get("engagement"), dict)]


_LISTS: Final = {"paged": _paged, "associated": _associated, "recent": _recent, "modified": _modified}
