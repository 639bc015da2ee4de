"""The wire for the legacy Engagements v1 API: one engagement a request, its import key in `engagement.uid`.

The payload is this API's own, so that it is sent as it is, but for the fields that v1 has no place for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from functools import partial
from time import time
from typing import Literal, cast
from urllib.parse import urlencode

import orjson

from etl.engagement import FIELDS, EngagementType
from etl.flow import Engagement, Json, Key, LinkKind, Outcome, RemoteId
from etl.hubspot import account, changing, contacts, read_objects, read_v1, uploads
from etl.hubspot.door import Door, together
from etl.hubspot.lookups import LookUps
from etl.hubspot.names import (
    ANCHORS_V1,
    ASSOCIATIONS_V1,
    ENGAGEMENTS_V1,
    MAX_PAGE_V1,
    MAX_PAGED_V1,
)
from etl.hubspot.paging import advancing
from etl.hubspot.target import (
    Allowance,
    Held,
    Listing,
    ObjectType,
    Page,
    Patch,
    Place,
    Portal,
    Sent,
    Step,
    Write,
    Wrote,
)
from etl.hubspot.transport import Answer
from etl.hubspot.words import words

#: Fields of `metadata` that v1 drops without a word.
NOT_ON_V1 = {of: {name for name, field in fields.items() if "v1" not in field.wires} for of, fields in FIELDS.items()}


class V1Target:
    """An account reached through Engagements v1; see `target.Target`."""

    wire = "v1"
    max_batch = 1

    def __init__(self, door: Door) -> None:
        self._door = door
        self._look_ups = LookUps(door)

    async def portal(self) -> Portal:
        """The account behind the token."""
        return await account.portal(self._door)

    async def prepare(self) -> None:
        """Nothing: `uid` is there."""

    async def dispositions(self) -> Mapping[str, str]:
        """The account's call outcomes: label -> GUID."""
        return await account.dispositions(self._door)

    def allowance(self) -> Allowance:
        """What the account has told of its limits so far."""
        return self._door.allowance()

    def notice(self) -> str:
        """What holds creates up at the moment, for people."""
        return self._door.notice()

    def place(self) -> Place:
        """A place for one create, or how long to wait for one."""
        return self._door.place(self.max_batch)

    async def create(self, rows: Sequence[Engagement]) -> Sent:
        """One attempt at one row."""
        (row,) = rows
        answer, verdict, fate = await self._door.create(ENGAGEMENTS_V1, payload(row), 1)
        if verdict.next != "done":
            return Sent([Outcome(row.key, fate, "", verdict.reason)], verdict)
        return Sent([outcome(row.key, answer)], verdict)

    async def add_contact(self, properties: Mapping[str, str]) -> Outcome:
        """One attempt to create a contact; see `contacts.add`."""
        return await contacts.add(self._door, properties)

    async def upload(self, name: str, content: bytes) -> Outcome:
        """One attempt to upload a file; see `uploads.upload`."""
        return await uploads.upload(self._door, name, content)

    async def find(self, rows: Sequence[Engagement]) -> Mapping[Key, list[RemoteId]]:
        """By the list of the first contact (or company, or deal) that a row is linked to, which is short and complete.

        A row without such a link is looked for in the list of what changed lately and, since HubSpot cuts that list
        at 10,000 and 30 days so that it proves no absence, in the list of everything: one request for 190 engagements
        of the account.
        """
        keys_at: dict[tuple[str, RemoteId], set[Key]] = defaultdict(set)
        for row in rows:
            keys_at[_anchor(row)].add(row.key)
        seen: dict[Key, set[RemoteId]] = defaultdict(set)
        reads = [partial(self._found, *anchor, keys) for anchor, keys in keys_at.items()]
        for part in await together(reads):
            for key, found in part.items():
                seen[key] |= found
        return {key: sorted(ids, key=int) for key, ids in seen.items()}

    def writes(self, step: Step, patches: Sequence[Patch]) -> list[Write]:
        """The requests of one step; see `changing`."""
        return changing.v1(step, patches)

    async def write(self, write: Write) -> Wrote:
        """One attempt at one of these."""
        return await changing.write(self._door, write)

    async def look_up(self, to: ObjectType, by: str, values: Collection[str]) -> Mapping[str, list[RemoteId]]:
        """The ids that match each value; see `LookUps`."""
        return await self._look_ups.look_up(to, by, values)

    async def read(
        self, type_: str, ids: Sequence[RemoteId], properties: Collection[str] = ()
    ) -> Mapping[RemoteId, Held]:
        """The engagements with these ids, of any type; see `read_v1`."""
        del type_, properties
        return await read_v1.read(self._door, ids)

    async def page(self, listing: Listing, after: str = "") -> Page:
        """One page of a listing; see `read_v1`."""
        return await read_v1.page(self._door, listing, after, int(time() * 1000))

    async def words(self, kind: LinkKind | Literal["owners"], ids: Collection[RemoteId]) -> Mapping[RemoteId, Json]:
        """What identifies contacts, companies, deals and owners elsewhere."""
        return await words(self._door, kind, ids)

    async def count(self) -> Mapping[str, int]:
        """About how many engagements of each of the five types the account has."""
        return await read_objects.count(self._door)

    async def own_properties(self, type_: str) -> list[str]:
        """None: v1 shows only what has a name of its own."""
        del type_
        return []

    async def close(self) -> None:
        """Closes the connections."""
        await self._door.close()

    async def _found(self, kind: str, remote_id: RemoteId, keys: set[Key]) -> dict[Key, set[RemoteId]]:
        if kind:
            return await self._seen(
                f"{ENGAGEMENTS_V1}/associated/{kind}/{remote_id}/paged", {"limit": MAX_PAGE_V1}, keys
            )
        seen = await self._seen(f"{ENGAGEMENTS_V1}/recent/modified", {"count": MAX_PAGE_V1}, keys)
        if len(seen) == len(keys):
            return seen
        return await self._seen(f"{ENGAGEMENTS_V1}/paged", {"limit": MAX_PAGED_V1}, keys)

    async def _seen(self, path: str, size: dict[str, int], keys: set[Key]) -> dict[Key, set[RemoteId]]:
        """Ids by key, from all pages of one list; pages can repeat what they said."""
        seen: dict[Key, set[RemoteId]] = defaultdict(set)
        async for engagement in self._listed(path, size):
            if engagement.get("uid") in keys:
                seen[engagement["uid"]].add(str(engagement["id"]))
        return seen

    async def _listed(self, path: str, size: dict[str, int]) -> AsyncIterator[Json]:
        """The `engagement` of everything in a list, some of it more than once where a page leads to itself."""
        place, found = "", list[Json]()

        async def ask() -> Page:
            query = urlencode({**size, "offset": place} if place else size)
            answer: Json = await self._door.read("GET", f"{path}?{query}", absent=(404,)) or {}
            found.extend(result["engagement"] for result in answer.get("results") or [])
            return Page([], read_v1.further(answer, "offset", place))

        while True:
            found.clear()
            page = await advancing(place, ask)
            for engagement in found:
                yield engagement
            if not page.after:
                return
            place = page.after


def payload(row: Engagement) -> bytes:
    """The body of one create: the planned payload with its links, its owner and its key."""
    body: Json = orjson.loads(row.payload)
    body.pop("properties", None)
    engagement: Json = {**body["engagement"], "uid": row.key}
    if row.links.owner:
        engagement["ownerId"] = int(row.links.owner)
    dropped = NOT_ON_V1[cast("EngagementType", row.type)]
    metadata = {name: value for name, value in (body.get("metadata") or {}).items() if name not in dropped}
    links = {name: [int(to) for to in getattr(row.links, kind)] for kind, name in ASSOCIATIONS_V1.items()}
    return orjson.dumps({**body, "engagement": engagement, "associations": links, "metadata": metadata})


def outcome(key: Key, answer: Answer) -> Outcome:
    """What a successful answer says of the one row: created only with an id, and not under another key."""
    body = answer.json if isinstance(answer.json, dict) else {}
    engagement = body.get("engagement")
    engagement = engagement if isinstance(engagement, dict) else {}
    remote_id = engagement.get("id")
    if not isinstance(remote_id, int) or isinstance(remote_id, bool):
        return Outcome(key, "unknown", "", "the answer has no id")
    if engagement.get("uid") not in {None, key}:
        return Outcome(key, "unknown", "", "the answer has another key")
    return Outcome(key, "created", str(remote_id))


def _anchor(row: Engagement) -> tuple[str, RemoteId]:
    """What the row is linked to, as v1 names it, with its id; empty texts where it is linked to nothing."""
    for kind, name in ANCHORS_V1.items():
        if ids := getattr(row.links, kind):
            return name, ids[0]
    return "", ""
