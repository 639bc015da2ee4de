"""Does the account hold what was loaded: every row read back and compared, and what nobody loaded noticed. Changes nothing.

Two passes. Lists of what is there, or of what carries an import key, show duplicates and what no checkpoint knows; a list
of whole engagements compares them too. What no list has shown is read by its id. Memory holds the ids of the rows, not
the rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from etl.checkpoint import loaded as rows_of
from etl.checkpoint.loaded import Ids, Known, Loaded
from etl.checkpoint.store import Checkpoint
from etl.compare import Difference, differences
from etl.errors import EtlError
from etl.flow import Key, RemoteId
from etl.hubspot.door import together
from etl.hubspot.held import MAIL_TYPES
from etl.hubspot.target import Held, Listing, Target
from etl.verify.findings import SYMBOLS, Finding, Symbol, Verified, explained
from etl.verify.ways import Ways, ways

__all__ = ["SYMBOLS", "Finding", "Verified", "Ways", "verify", "ways"]

#: Links that HubSpot makes by itself: from an activity to what its contact belongs to.
_AUTOMATIC: dict[str, Literal["companies", "deals"]] = {"companyIds": "companies", "dealIds": "deals"}


@dataclass(frozen=True, slots=True)
class Verifying:
    """What one verification works with."""

    checkpoints: Sequence[Checkpoint]  #: whose rows are read back
    neighbours: Sequence[Checkpoint]  #: others of the same account: what they know is not extra
    target: Target
    on_findings: Callable[[list[Finding]], None]
    verified: Verified = field(default_factory=Verified)


async def verify(
    checkpoints: Sequence[Checkpoint],
    neighbours: Sequence[Checkpoint],
    target: Target,
    *,
    lists: Sequence[Listing] = (),
    sample: int | None = None,
    on_findings: Callable[[list[Finding]], None] = lambda _: None,
) -> Verified:
    """Reads back every created row of `checkpoints` and holds it against what was sent.

    `lists` are those of `ways`. Without any, duplicates are looked for by their keys, and what no checkpoint knows is
    not looked for. With `sample`, so many rows taken at random. Raises `EtlError`s when the account cannot be read at
    all, `DamagedCheckpoint` for a row that cannot be read; a read that is refused is a finding (`!`).
    """
    work = Verifying(checkpoints, neighbours, target, on_findings)
    ids = [rows_of.ids(checkpoint) for checkpoint in checkpoints]
    wanted = [np.ones(len(own.rows), bool) for own in ids]
    if sample is not None:
        wanted = _sampled(wanted, sample)

    async def read_all() -> None:  # what a list has shown whole need not be read by id
        await together([partial(_sweep, work, ids, wanted, each) for each in lists if not each.keys_only])
        await _read_rows(work, ids, wanted, by_key=not lists)

    # searches have a limit of their own: at the same time
    searches: list[Callable[[], Awaitable[None]]] = [
        partial(_sweep, work, ids, wanted, each) for each in lists if each.keys_only
    ]
    await together([read_all, *searches])
    return work.verified


def _sampled(wanted: list[NDArray[np.bool_]], rows: int) -> list[NDArray[np.bool_]]:
    """As many rows as asked for, at random, over all checkpoints."""
    sizes = [len(each) for each in wanted]
    chosen = np.zeros(sum(sizes), bool)
    chosen[np.random.default_rng().choice(sum(sizes), min(rows, sum(sizes)), replace=False)] = True
    return np.split(chosen, np.cumsum(sizes)[:-1])


async def _read_rows(work: Verifying, ids: Sequence[Ids], wanted: Sequence[NDArray[np.bool_]], *, by_key: bool) -> None:
    """Reads the wanted rows by their ids, those of one type together."""
    for checkpoint, own, left in zip(work.checkpoints, ids, wanted, strict=True):
        waiting: dict[str, list[Loaded]] = defaultdict(list)
        for some in rows_of.in_order(checkpoint, own.rows[left]):
            for row in some:
                waiting[row.engagement.type].append(row)
            for type_ in [t for t, rows in waiting.items() if len(rows) >= rows_of.ROWS]:
                await _read_back(work, type_, waiting.pop(type_), by_key=by_key)
        for type_, rows in waiting.items():
            await _read_back(work, type_, rows, by_key=by_key)


async def _sweep(work: Verifying, ids: Sequence[Ids], wanted: Sequence[NDArray[np.bool_]], listing: Listing) -> None:
    """Goes through a list; what it shows whole of the rows is compared, and wanted no longer."""
    if not listing.keys_only and len(listing.types) == 1:
        listing = listing._replace(properties=tuple(await work.target.own_properties(listing.types[0])))
    after, seen = "", np.zeros(0, np.int64)
    while True:
        page = await work.target.page(_all_mail(listing), after)
        new = {held.remote_id: held for held in page.held if int(held.remote_id) not in seen}
        seen = np.array([int(held.remote_id) for held in page.held], np.int64)  # a page can repeat the one before
        strangers = dict(new)
        for checkpoint, own, left in zip(work.checkpoints, ids, wanted, strict=True):
            places = {i: at for i, at in zip(new, own.find(list(new)).tolist(), strict=True) if at >= 0}
            strangers = {i: held for i, held in strangers.items() if i not in places}
            due = [at for i, at in places.items() if left[at] and new[i].payload]
            rows = rows_of.loaded(checkpoint, own.rows[due].tolist())
            shown = [row for row in rows if _names(row) <= set(listing.properties) or work.target.wire == "v1"]
            left[[places[row.remote_id] for row in shown]] = False
            await _compared(work, shown, new)
        _judge_strangers(work, [held for held in strangers.values() if rows_of.is_key(held.key)])
        if not (after := page.after):
            return


def _all_mail(listing: Listing) -> Listing:
    """The listing with mail of every direction: a row of ours can be any of them."""
    return listing._replace(types=MAIL_TYPES) if listing.types == ("EMAIL",) else listing


def _names(row: Loaded) -> set[str]:
    """The properties that a row gives by their own names."""
    return set(orjson.loads(row.engagement.payload).get("properties") or ())


def _judge_strangers(work: Verifying, strangers: Sequence[Held]) -> None:
    """What has a key but is no row's: a second one, one that is not known to be there, or one that nobody here loaded."""
    keys = [held.key for held in strangers]
    known: dict[Key, Known] = {}
    for checkpoint in (*work.neighbours, *work.checkpoints):
        known |= rows_of.known(checkpoint, keys)
    findings = []
    for held in strangers:
        row = known.get(held.key)
        if row and row.remote_id == held.remote_id and row.state != "undone":
            continue  # a neighbour's
        twin = bool(row and row.remote_id and row.remote_id != held.remote_id)
        work.verified.duplicates += twin
        what = (
            "carries an import key that no checkpoint here knows" if row is None
            else f"duplicate of {row.remote_id}" if twin
            else f"is there, but the checkpoint calls its row {row.state}"
        )  # fmt: skip
        findings.append(Finding("+", held.key, held.remote_id, held.type, "", what))
    _note(work, findings)


async def _read_back(work: Verifying, type_: str, rows: Sequence[Loaded], *, by_key: bool) -> None:
    """Reads rows of one type by their ids and compares them; with `by_key`, looks for duplicates too."""
    names = {name for row in rows for name in _names(row)}
    try:
        held = await work.target.read(type_, [row.remote_id for row in rows], names)
        # through v1 a row that is linked to nothing is found by reading everything: not for this
        found = [
            row.engagement for row in rows if by_key and (work.target.wire != "v1" or any(row.engagement.links[1:]))
        ]
        twins = await work.target.find(found) if found else {}
    except EtlError as e:
        if e.code != "read_refused":
            raise
        _note(work, [_finding("!", row, e.message) for row in rows])
        return
    await _compared(work, rows, held)
    for row in rows:
        others = [i for i in twins.get(row.engagement.key, ()) if i != row.remote_id]
        work.verified.duplicates += len(others)
        key = row.engagement.key
        _note(work, [Finding("+", key, i, type_, "", f"duplicate of {row.remote_id}") for i in others])


async def _compared(work: Verifying, rows: Sequence[Loaded], held: Mapping[RemoteId, Held]) -> None:
    """The findings of rows whose engagements were read; what is not in `held` is missing."""
    wire = work.target.wire
    found = {
        row.remote_id: [] if row.is_adopted else differences(row.engagement, held[row.remote_id], (row.wire, wire))
        for row in rows
        if row.remote_id in held
    }
    await _forgive(work, rows, found)
    findings = []
    for row in rows:
        if row.remote_id not in found:
            findings.append(_finding("-", row, "is not there, or archived"))
            continue
        unlinked = not any(held[row.remote_id].payload["associations"].values())
        work.verified.unlinked += unlinked
        work.verified.fields.update(difference.field for difference in found[row.remote_id])
        notes = ["linked to nothing" if unlinked else "", "adopted: not compared" if row.is_adopted else ""]
        what = "; ".join(filter(None, [explained(found[row.remote_id]), *notes]))
        findings.append(_finding("*" if found[row.remote_id] else "=", row, what))
    _note(work, findings)


async def _forgive(work: Verifying, rows: Sequence[Loaded], found: dict[RemoteId, list[Difference]]) -> None:
    """Takes out companies and deals that came on top because the row's contact belongs to them: HubSpot's own doing."""
    for name, kind in _AUTOMATIC.items():
        path = f"associations.{name}"
        more = [row for row in rows if any(d.field == path and d.added for d in found.get(row.remote_id, ()))]
        contacts = {contact for row in more for contact in row.engagement.links.contacts}
        if not contacts:
            continue
        theirs = await work.target.look_up(kind, "contact", contacts)
        for row in more:
            own = {i for contact in row.engagement.links.contacts for i in theirs.get(contact, ())}
            sent = set(getattr(row.engagement.links, kind))
            found[row.remote_id] = [
                d for d in found[row.remote_id] if d.field != path or not set(d.held.split(",")) - sent <= own
            ]


def _finding(symbol: Symbol, row: Loaded, what: str) -> Finding:
    return Finding(symbol, row.engagement.key, row.remote_id, row.engagement.type, row.place, what)


def _note(work: Verifying, findings: list[Finding]) -> None:
    for finding in findings:
        work.verified.counts[finding.symbol] += 1
        work.verified.by_type[finding.type][finding.symbol] += 1
    if findings:
        work.on_findings(findings)
