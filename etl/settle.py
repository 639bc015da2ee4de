"""Unknown rows -> known ones, by reading back; nothing is sent again before its absence is proved.

A create may show up late, so a read counts only after the settle time; an empty answer may be a read that sees nothing
at all, so a row known to exist must be in it; and one look is not enough, so there are two. What stays in doubt is
unresolved: listed, and never sent by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from time import monotonic

from etl.checkpoint.journal import Due, due, last_created, settle_rows
from etl.checkpoint.store import Checkpoint
from etl.flow import Key, Outcome, RemoteId
from etl.hubspot.target import Target

MAX_DOUBTS = 4  #: batches shrink 100, 25, 6, 1 with each doubt; after the single one there is nothing left to try
GROUP_ROWS = 1_000
CONTROL_TRIES = 5


async def settle(
    checkpoint: Checkpoint,
    run: int,
    target_for: Callable[[str], Target],
    *,
    settle_s: float,
    since_mono_s: float,
    stop: asyncio.Event,
    on_outcomes: Callable[[list[Outcome]], None],
) -> bool:
    """Finds out what became of every unknown row. Returns whether there were any; earlier when `stop` is set.

    `target_for` gives the target of the wire by which a row was sent, `since_mono_s` is the monotonic time of the last
    doubt (for rows of a dead process: the start of this one).
    """
    if not due(checkpoint, "unknown", after=0, rows=1):
        return False
    await _wait(since_mono_s + settle_s - monotonic(), stop)
    last = 0
    while not stop.is_set() and (page := due(checkpoint, "unknown", after=last, rows=GROUP_ROWS)):
        last = page[-1].number
        for (wire, type_), group in groupby(sorted(page, key=_way), key=_way):
            control = last_created(checkpoint, type_, wire)
            outcomes = await _resolve(target_for(wire), list(group), control, settle_s, stop)
            settle_rows(checkpoint, run, outcomes)
            on_outcomes(outcomes)
    return True


def _way(row: Due) -> tuple[str, str]:
    return row.wire, row.engagement.type


async def _resolve(
    target: Target, rows: Sequence[Due], control: Due | None, settle_s: float, stop: asyncio.Event
) -> list[Outcome]:
    """Outcomes of rows of one wire and type; none for a row that a stop left in doubt."""
    first = await _read(target, rows, control, settle_s, stop)
    if first is None:
        return [] if stop.is_set() else [_in_doubt(row) for row in rows]
    found = [_created(row, ids) for row in rows if (ids := first.get(row.engagement.key))]
    missing = [row for row in rows if row.engagement.key not in first]
    if not missing:
        return found
    await _wait(settle_s / 2, stop)
    second = await _read(target, missing, control, settle_s, stop)
    if stop.is_set():
        return found
    if second is None:
        return found + [_in_doubt(row) for row in missing]
    return found + [_created(row, ids) if (ids := second.get(row.engagement.key)) else _absent(row) for row in missing]


async def _read(
    target: Target, rows: Sequence[Due], control: Due | None, settle_s: float, stop: asyncio.Event
) -> Mapping[Key, list[RemoteId]] | None:
    """What the account shows of these rows; None where not even the control can be seen, or on a stop."""
    wanted = [row.engagement for row in rows]
    for _ in range(CONTROL_TRIES):
        if stop.is_set():
            return None
        seen = await target.find([*wanted, control.engagement] if control else wanted)
        if control is None or control.engagement.key in seen:
            return seen
        await _wait(max(settle_s, 0.1), stop)
    return None


def _created(row: Due, ids: list[RemoteId]) -> Outcome:
    lowest, *others = sorted(ids, key=int)
    also = f"found more than once: also {', '.join(others)}" if others else ""
    return Outcome(row.engagement.key, "created", lowest, also)


def _absent(row: Due) -> Outcome:
    if row.doubts >= MAX_DOUBTS:
        reason = f"the account does not show it, and {row.doubts} attempts ended in doubt"
        return Outcome(row.engagement.key, "unresolved", reason=reason)
    return Outcome(row.engagement.key, "planned")


def _in_doubt(row: Due) -> Outcome:
    reason = "the account does not show a row that is known to exist, so its silence proves nothing"
    return Outcome(row.engagement.key, "unresolved", reason=reason)


async def _wait(seconds: float, stop: asyncio.Event) -> None:
    """Waits, on the monotonic clock, or until `stop` is set."""
    if seconds <= 0:
        return
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
