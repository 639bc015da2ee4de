"""The wire for the current API: 100 engagements in one request, matched by their import keys.

Results come back in any order, and a batch can succeed in part; nothing here relies on a position or on a status alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import orjson

from etl.engagement import EngagementType
from etl.flow import LINK_KINDS, Engagement, Json, Key, LinkKind, Outcome, RemoteId, State
from etl.hubspot import account, changing, contacts, read_objects, uploads
from etl.hubspot.door import Door
from etl.hubspot.lookups import LookUps
from etl.hubspot.names import ASSOCIATION_IDS, KEY_PROPERTY, MAX_BATCH, OBJECT_TYPES, OBJECTS
from etl.hubspot.properties import properties
from etl.hubspot.search import found, groups, search
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
from etl.hubspot.verdicts import KEY_TAKEN, complaint, plain
from etl.hubspot.words import words

#: category of an error in a 207 -> what its row becomes. A conflict may be our own key, created by an attempt whose
#: answer was lost: that is looked up. A category that is not here says nothing certain: unknown.
ROW_ERRORS: dict[str, State] = {"VALIDATION_ERROR": "rejected", "OBJECT_NOT_FOUND": "rejected", "CONFLICT": "unknown"}


class ObjectsTarget:
    """An account reached through the objects API; see `target.Target`."""

    wire = "objects"
    max_batch = MAX_BATCH

    def __init__(self, door: Door) -> None:
        self._door = door
        self._look_ups = LookUps(door)
        #: engagement type -> whether its import key is a unique property, so that `find` reads by it; else it searches.
        #: Filled by `prepare`.
        self.finds_by_key: dict[EngagementType, bool] = {}

    async def portal(self) -> Portal:
        """The account behind the token."""
        return await account.portal(self._door)

    async def prepare(self) -> None:
        """Makes the property that carries the keys on each type, unique where the account allows it."""
        for engagement_type in OBJECT_TYPES:
            self.finds_by_key[engagement_type] = await account.key_property(self._door, engagement_type)

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
        """One attempt at one batch; the rows are of one type."""
        path = f"{OBJECTS}/{_object_type(rows[0].type)}/batch/create"
        answer, verdict, fate = await self._door.create(path, batch(rows), len(rows))
        if verdict.next not in {"done", "per_row"}:
            return Sent([Outcome(row.key, fate, "", verdict.reason) for row in rows], verdict)
        if _list(answer, "errors"):
            verdict = verdict._replace(next="per_row")
        return Sent(outcomes([row.key for row in rows], answer), verdict)

    async def add_contact(self, properties: Mapping[str, str]) -> Outcome:
        """One attempt to create a contact; see `contacts.add`."""
        return await contacts.add(self._door, properties)

    async def upload(self, name: str, content: bytes) -> Outcome:
        """One attempt to upload a file; see `uploads.upload`."""
        return await uploads.upload(self._door, name, content)

    async def find(self, rows: Sequence[Engagement]) -> Mapping[Key, list[RemoteId]]:
        """By the unique property where there is one, else by search, whose index lags some seconds behind."""
        if not self.finds_by_key:
            await self.prepare()
        keys: dict[str, list[Key]] = defaultdict(list)
        for row in rows:
            keys[row.type].append(row.key)
        seen: dict[Key, set[RemoteId]] = defaultdict(set)
        for engagement_type, wanted in keys.items():
            for hit in await self._hits(cast("EngagementType", engagement_type), wanted):
                seen[str(hit["properties"].get(KEY_PROPERTY))].add(str(hit["id"]))
        return {row.key: sorted(seen[row.key], key=int) for row in rows if row.key in seen}

    def writes(self, step: Step, patches: Sequence[Patch]) -> list[Write]:
        """The requests of one step; see `changing`."""
        return changing.objects(step, patches)

    async def write(self, write: Write) -> Wrote:
        """One attempt at one of these."""
        return await changing.write(self._door, write)

    async def look_up(self, to: ObjectType, by: str, values: Collection[str]) -> Mapping[str, list[RemoteId]]:
        """The ids that match each value; see `LookUps`."""
        return await self._look_ups.look_up(to, by, values)

    async def read(
        self, type_: str, ids: Sequence[RemoteId], properties: Collection[str] = ()
    ) -> Mapping[RemoteId, Held]:
        """The engagements with these ids; see `read_objects`."""
        return await read_objects.read(self._door, type_, ids, properties)

    async def page(self, listing: Listing, after: str = "") -> Page:
        """One page of a listing; see `read_objects`."""
        return await read_objects.page(self._door, listing, after)

    async def words(self, kind: LinkKind | Literal["owners"], ids: Collection[RemoteId]) -> Mapping[RemoteId, Json]:
        """What identifies contacts, companies, deals and owners elsewhere."""
        return await words(self._door, kind, ids)

    async def count(self) -> Mapping[str, int]:
        """About how many engagements of each of the five types the account has."""
        return await read_objects.count(self._door)

    async def own_properties(self, type_: str) -> list[str]:
        """Names of the properties that the account has added to this type."""
        return await read_objects.own_properties(self._door, type_)

    async def close(self) -> None:
        """Closes the connections."""
        await self._door.close()

    async def _hits(self, engagement_type: EngagementType, keys: list[Key]) -> list[Json]:
        object_type = OBJECT_TYPES[engagement_type]
        if not self.finds_by_key[engagement_type]:
            return await search(self._door, object_type, [KEY_PROPERTY], keys, [KEY_PROPERTY])
        hits: list[Json] = []
        for group in groups(keys, MAX_BATCH):
            body = {"idProperty": KEY_PROPERTY, "properties": [KEY_PROPERTY], "inputs": [{"id": key} for key in group]}
            hits += found(await self._door.read("POST", f"{OBJECTS}/{object_type}/batch/read", body))
        return hits


def batch(rows: Sequence[Engagement]) -> bytes:
    """The body of one batch create: for each row its properties, its links, and its key as trace id.

    With a trace id for each input one bad row is refused alone; without, the whole batch would be.
    """
    return orjson.dumps(
        {
            "inputs": [
                {"objectWriteTraceId": row.key, "properties": properties(row), "associations": _associations(row)}
                for row in rows
            ]
        }
    )


def outcomes(keys: Iterable[Key], answer: Answer) -> list[Outcome]:
    """One outcome a key, from an answer that says that it was worked on: what it does not say of a key is unknown."""
    named, refused = _named(_list(answer, "results")), _refused(_list(answer, "errors"))
    sure = {key: ids[0] for key, ids in named.items() if len(ids) == 1 and ids[0] and key not in refused}
    if len(set(sure.values())) < len(sure):
        times = Counter(sure.values())
        sure = {key: remote_id for key, remote_id in sure.items() if times[remote_id] == 1}
    return [
        Outcome(key, "created", sure[key]) if key in sure else _doubtful(key, key in named, refused.get(key))
        for key in keys
    ]


def _doubtful(key: Key, named: bool, refusal: tuple[State, str] | None) -> Outcome:
    """What becomes of a row that was not simply created."""
    if named:
        return Outcome(key, "unknown", "", "the answer contradicts itself about this row")
    if refusal:
        return Outcome(key, refusal[0], "", refusal[1])
    return Outcome(key, "unknown", "", "the answer does not name this row")


def _named(results: list[Json]) -> dict[Key, list[RemoteId]]:
    """By key, the ids that results give for it; an id that is no id, or that two keys have, is an empty text."""
    if (plainly := _plainly_named(results)) is not None:
        return plainly
    ids: dict[Key, list[RemoteId]] = {}
    for result in results:
        own = result.get("properties")
        key, trace = own.get(KEY_PROPERTY) if own else None, result.get("objectWriteTraceId")
        remote_id = str(result.get("id"))
        echoed = {str(name) for name in (key, trace) if name is not None}
        for name in echoed:
            ids.setdefault(name, []).append(remote_id if len(echoed) == 1 and remote_id.isdigit() else "")
    return ids


def _plainly_named(results: list[Json]) -> dict[Key, list[RemoteId]] | None:
    """The same where nothing is odd, as it nearly always is: in fewer steps, for this is done for every row sent."""
    try:
        keys = [result["properties"][KEY_PROPERTY] for result in results]
        ids = [result["id"] for result in results]
        traces = {result.get("objectWriteTraceId") for result in results}
        is_plain = traces <= {None} and len(set(keys)) == len(keys) and all(map(str.isdigit, ids)) and None not in keys
    except (KeyError, TypeError):
        return None
    return {key: [remote_id] for key, remote_id in zip(keys, ids, strict=True)} if is_plain else None


def _refused(errors: list[Json]) -> dict[Key, tuple[State, str]]:
    """By key, what its error makes of it and why. One error can name several rows, one row can have several errors."""
    refused: dict[Key, tuple[State, str]] = {}
    for error in errors:
        where = error.get("context")
        keys = where.get("objectWriteTraceId") if isinstance(where, dict) else None
        why = plain(complaint(error)) or str(error.get("category"))
        state = "unknown" if KEY_TAKEN in why.upper() else ROW_ERRORS.get(str(error.get("category")), "unknown")
        for key in keys if isinstance(keys, list) else []:
            before = refused.get(key, (state, ""))
            certain = state if before[0] == state else "unknown"
            refused[key] = (certain, plain("; ".join(filter(None, [before[1], why]))))
    return refused


#: engagement type -> for each kind of link, in the order of `Links`: the JSON of an association, `%s` for the id.
_LINKS: dict[str, list[str]] = {
    engagement_type: [
        f'{{"to":{{"id":"%s"}},"types":[{{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":{ids[kind]}}}]}}'
        for kind in LINK_KINDS
    ]
    for engagement_type, ids in ASSOCIATION_IDS.items()
}


def _associations(row: Engagement) -> orjson.Fragment:
    """The row's links. As text, for ids are digits, and four dicts for each row would cost as much as its payload."""
    kinds = zip(_LINKS[row.type], row.links[1:], strict=True)
    return orjson.Fragment(f"[{','.join([link % to for link, ids in kinds for to in ids])}]")


def _object_type(engagement_type: str) -> str:
    return OBJECT_TYPES[cast("EngagementType", engagement_type)]


def _list(answer: Answer, name: str) -> list[Json]:
    body: Any = answer.json
    values = body.get(name) if isinstance(body, dict) else None
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
