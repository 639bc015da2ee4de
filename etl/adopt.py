"""Rows that another integration has logged already: recognised before they are created, so that nothing stands beside them.

Whoever logged a call of the same contact, at the same minute, with the same number, logged the same call. Apart from
settling, which looks for what we sent: that carries our key, and what is adopted carries none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import orjson

from etl.checkpoint import adopting, loaded
from etl.checkpoint.adopting import Waiting
from etl.checkpoint.loaded import Ids
from etl.checkpoint.store import Checkpoint
from etl.compare import plain_text
from etl.flow import Engagement, Json, RemoteId
from etl.hubspot.door import together
from etl.hubspot.held import MAIL_TYPES
from etl.hubspot.target import Held, Listing, Target

NEAR_MS = 60_000
#: Contacts whose lists are read, and what was found stored, at a time.
GROUP = 100
#: Digits in which two ways of writing a number agree: without trunk and country codes.
_DIGITS = 9
#: What says of each type that it is the same one.
_TITLES = {"EMAIL": ("subject",), "MEETING": ("title",), "TASK": ("subject",), "NOTE": ("body",)}
_NUMBERS = ("toNumber", "fromNumber")
Same = Literal["yes", "no", "perhaps"]


class Adopted(NamedTuple):
    """What came of looking."""

    adopted: int
    doubtful: int  #: rejected with the code `adopt_doubt`
    unlinked: int  #: rows that no contact's list could show


def requests(wire: str, waiting: Mapping[RemoteId, Sequence[Waiting]]) -> int:
    """At least how many reads `adopt` takes: the objects API shows a contact's engagements type by type."""
    if wire == "v1":
        return len(waiting)
    return 6 * sum(len({row.type for row in rows}) for rows in waiting.values())


async def adopt(checkpoint: Checkpoint, plan: int, run: int, target: Target) -> Adopted:
    """Looks for every planned row of the plan among its contact's engagements, and keeps what is found.

    Writes nothing to the account. Ended at any moment, it is begun again: rows that are still planned are looked for.
    """
    by_contact, unlinked = adopting.waiting(checkpoint, plan)
    own, contacts = loaded.ids(checkpoint), list(by_contact)
    counts = Counter[str]()
    for start in range(0, len(contacts), GROUP):
        some = contacts[start : start + GROUP]
        lists = await together([partial(_listed, target, contact, by_contact[contact]) for contact in some])
        fates: list[adopting.Fate] = []
        for contact, held in zip(some, lists, strict=True):
            fates += _judged(checkpoint, by_contact[contact], _of_others(held, own))
        adopting.store(checkpoint, run, fates)
        counts.update("adopted" if fate.remote_id else "doubtful" for fate in fates)
    return Adopted(counts["adopted"], counts["doubtful"], unlinked)


def same(row: Engagement, held: Held) -> Same:
    """Whether an engagement of the same contact says that it is this row; `perhaps` where one of them does not say."""
    if not _near(row.type, row.time_ms, held):
        return "no"
    mine, theirs = orjson.loads(row.payload).get("metadata") or {}, held.payload.get("metadata") or {}
    a, b = _words(row.type, mine), _words(row.type, theirs)
    if not a or not b:
        return "perhaps"
    return "yes" if a & b else "no"


async def _listed(target: Target, contact: RemoteId, rows: Sequence[Waiting]) -> list[Held]:
    """All engagements of a contact that are of the rows' types."""
    types = {row.type for row in rows}
    wanted = tuple(sorted(types - {"EMAIL"})) + (MAIL_TYPES if "EMAIL" in types else ())
    found: dict[RemoteId, Held] = {}
    after = ""
    while True:
        page = await target.page(Listing(wanted, contact=contact), after)
        found |= {held.remote_id: held for held in page.held}
        if not (after := page.after):
            return list(found.values())


def _of_others(held: Sequence[Held], own: Ids) -> list[Held]:
    """Without what this program made: by its key, or by its id where the wire shows no key."""
    known = own.find([each.remote_id for each in held])
    return [each for each, at in zip(held, known.tolist(), strict=True) if at < 0 and not loaded.is_key(each.key)]


def _judged(checkpoint: Checkpoint, rows: Sequence[Waiting], held: Sequence[Held]) -> list[adopting.Fate]:
    """What becomes of the rows of one contact; rows for which nothing is near are not among them."""
    near = [row.number for row in rows if any(_near(row.type, row.time_ms, each) for each in held)]
    if not near:
        return []
    engagements = adopting.engagements(checkpoint, near)
    found = {row.number: [(each, said) for each in held if (said := same(row, each)) != "no"] for row in engagements}
    times = {row.number: row.time_ms for row in engagements}
    taken: dict[int, RemoteId] = {}
    _pair(taken, {n: [h for h, said in hits if said == "yes" and h.time_ms == times[n]] for n, hits in found.items()})
    _pair(taken, {n: [h for h, said in hits if said == "yes"] for n, hits in found.items()})
    gone = set(taken.values())
    fates = [adopting.Fate(number, remote_id, "logged by another integration") for number, remote_id in taken.items()]
    for number, hits in found.items():
        left = [each.remote_id for each, _ in hits if each.remote_id not in gone]
        if number not in taken and left:
            why = f"the contact has an engagement of that minute that may be this one: {', '.join(sorted(left))}"
            fates.append(adopting.Fate(number, "", why))
    return fates


def _pair(taken: dict[int, RemoteId], candidates: Mapping[int, Iterable[Held]]) -> None:
    """Adds the pairs of rows and engagements in which each has only the other left."""
    gone = set(taken.values())
    left = {
        n: [h.remote_id for h in held if h.remote_id not in gone] for n, held in candidates.items() if n not in taken
    }
    claims: dict[RemoteId, list[int]] = defaultdict(list)
    for number, ids in left.items():
        for remote_id in ids:
            claims[remote_id].append(number)
    taken |= {number: ids[0] for number, ids in left.items() if len(ids) == 1 and len(claims[ids[0]]) == 1}


def _near(type_: str, time_ms: int, held: Held) -> bool:
    types = MAIL_TYPES if type_ == "EMAIL" else (type_,)
    return held.type in types and abs(held.time_ms - time_ms) <= NEAR_MS


def _words(type_: str, metadata: Json) -> set[str]:
    """What tells one engagement of a type from others of the same minute."""
    if type_ == "CALL":
        digits = ("".join(c for c in str(metadata.get(name) or "") if c.isdigit()) for name in _NUMBERS)
        return {number[-_DIGITS:] for number in digits if number}
    texts = (plain_text(metadata.get(name)).casefold() for name in _TITLES[type_])
    return {text for text in texts if text}
