"""Ids to words: what identifies a contact, company, deal or owner in another account.

The look-ups the other way round; 100 a request, and each distinct id is asked for by whoever has not asked before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final, Literal
from urllib.parse import urlencode

from etl.flow import Json, LinkKind, RemoteId
from etl.hubspot.door import Door, together
from etl.hubspot.names import MAX_BATCH, MAX_OWNERS, OBJECTS, OWNERS
from etl.hubspot.search import following, found, groups

#: kind -> word -> the properties that may hold it, first choice first.
WORDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "contacts": {"email": ("email",), "phone": ("phone", "mobilephone")},
    "companies": {"domain": ("domain",), "name": ("name",)},
    "deals": {"name": ("dealname",)},
    "tickets": {"name": ("subject",)},
}


async def words(door: Door, kind: LinkKind | Literal["owners"], ids: Collection[RemoteId]) -> Mapping[RemoteId, Json]:
    """See `target.Target.words`."""
    if kind == "owners":
        return {**await _owners(door, archived=True), **await _owners(door, archived=False)}
    wanted = list(dict.fromkeys(ids))
    parts = await together([partial(_read, door, kind, group) for group in groups(wanted, MAX_BATCH)])
    return {remote_id: found_ for part in parts for remote_id, found_ in part.items()}


async def _read(door: Door, kind: LinkKind, ids: Sequence[RemoteId]) -> dict[RemoteId, Json]:
    names = [name for several in WORDS[kind].values() for name in several]
    body = {"properties": names, "inputs": [{"id": i} for i in ids]}
    hits = found(await door.read("POST", f"{OBJECTS}/{kind}/batch/read", body))
    return {str(hit["id"]): _of(kind, hit["properties"]) for hit in hits}


def _of(kind: LinkKind, own: Json) -> Json:
    firsts = {
        word: next((str(own[name]) for name in names if own.get(name)), "") for word, names in WORDS[kind].items()
    }
    return {word: value for word, value in firsts.items() if value}


async def _owners(door: Door, *, archived: bool) -> dict[RemoteId, Json]:
    owners: dict[RemoteId, Json] = {}
    after = ""
    while True:
        query = {"limit": MAX_OWNERS, "archived": str(archived).lower(), **({"after": after} if after else {})}
        answer: Json = await door.read("GET", f"{OWNERS}?{urlencode(query)}")
        for owner in answer.get("results") or []:
            owners[str(owner["id"])] = {"email": str(owner["email"])} if owner.get("email") else {}
        if not (after := following(answer)):
            return owners
