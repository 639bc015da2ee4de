"""Engagements out of an account into a file: all types, in flat memory, and to be gone on with where it stopped.

Public: `export`, `Exported`. The objects API has a list for each type, which are read at the same time; v1 has one for
all. Beside every id stand the words by which another account finds the same contact, company or deal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from etl.engagement import TYPES
from etl.export.columns import Known, nameless, row_of
from etl.export.part import Part
from etl.flow import LINK_KINDS, Json, LinkKind, RemoteId
from etl.hubspot.door import together
from etl.hubspot.names import ASSOCIATIONS_V1
from etl.hubspot.target import Held, Listing, Page, Target

#: Words that are kept; with more, all are forgotten and asked for again.
MOST_WORDS = 200_000


@dataclass(frozen=True, slots=True)
class Exported:
    """What a file holds at the end."""

    by_type: dict[str, int]  #: engagements by type, those of earlier attempts too
    unknown: int  #: of them, those of types that nothing can create
    resumed_at: int  #: engagements that earlier attempts had written
    nameless: int  #: links, of this attempt, to what has no word by which another account could find it


@dataclass(slots=True)
class Words:
    """What is known of contacts, companies, deals and owners: asked for once each."""

    target: Target
    outcomes: Mapping[str, str]  #: GUID -> label of the account's call outcomes
    known: dict[str, dict[RemoteId, Json]] = field(default_factory=dict)
    nameless: int = 0  #: links to what has no words

    async def of(self, held: Sequence[Held]) -> Known:
        """The words for all that these engagements lead to, asked for where they are not known yet."""
        found: dict[str, dict[RemoteId, Json]] = {}
        for kind in LINK_KINDS:
            ids = {str(i) for one in held for i in one.payload["associations"].get(ASSOCIATIONS_V1[kind]) or ()}
            found[kind] = await self._of(kind, ids)
        owners = {str(one.payload["engagement"].get("ownerId") or "") for one in held} - {""}
        return {**found, "owners": await self._of("owners", owners)}

    async def _of(self, kind: LinkKind | Literal["owners"], ids: Collection[RemoteId]) -> dict[RemoteId, Json]:
        known = self.known.setdefault(kind, {})
        if new := set(ids) - known.keys():
            found = await self.target.words(kind, new)
            known.update({**{i: {} for i in new}, **found})
        wanted = {i: known[i] for i in ids}
        if len(known) > MOST_WORDS:
            self.known[kind] = {}
        return wanted


async def export(
    target: Target, portal: str, listing: Listing, part: Part, on_rows: Callable[[int], None] = lambda _: None
) -> Exported:
    """Writes every engagement of the listing into `part`, each once, and finishes the file.

    What was written by an earlier attempt stays, and each list is gone on with behind it. Raises the `EtlError`s of
    reading; the same call goes on afterwards.
    """
    resumed_at = sum(part.by_type.values())
    on_rows(resumed_at)
    outcomes = {guid: label for label, guid in (await target.dispositions()).items()}
    words = Words(target, outcomes)
    streams = await _streams(target, listing)
    left = {name: own for name, own in streams.items() if not part.is_done(name)}
    await together([partial(_stream, target, portal, name, own, part, words, on_rows) for name, own in left.items()])
    part.finish()
    unknown = sum(n for type_, n in part.by_type.items() if type_ not in TYPES and not type_.endswith("_EMAIL"))
    return Exported(dict(part.by_type), unknown, resumed_at, words.nameless)


async def _streams(target: Target, listing: Listing) -> dict[str, Listing]:
    """The lists that are read at the same time, by name."""
    if target.wire == "v1":
        return {"all": listing}
    wanted = {"EMAIL" if type_.endswith("_EMAIL") else type_ for type_ in listing.types}
    streams: dict[str, Listing] = {}
    for type_ in TYPES:
        if not wanted or type_ in wanted:
            own = tuple(await target.own_properties(type_))
            mail = ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL") if type_ == "EMAIL" else (type_,)
            types = tuple(t for t in mail if not listing.types or t in listing.types)
            streams[type_] = listing._replace(types=types, properties=own)
    return streams


async def _stream(
    target: Target, portal: str, name: str, listing: Listing, part: Part, words: Words, on_rows: Callable[[int], None]
) -> None:
    """One list to its end; the next page is under way while this one is written."""
    coming: asyncio.Task[Page] | None = asyncio.create_task(target.page(listing, part.cursors.get(name, "")))
    try:
        while coming is not None:
            page = await coming
            coming = asyncio.create_task(target.page(listing, page.after)) if page.after else None
            new = part.fresh(page.held)
            known = await words.of(new)
            words.nameless += sum(nameless(one, known) for one in new)
            part.write([row_of(one, portal, known, words.outcomes) for one in new], name, page.after)
            on_rows(len(new))
    finally:
        if coming is not None:
            coming.cancel()
