"""Unknown rows -> known ones, by reading back; nothing is sent again before its absence is proved.

A create may show up late, so a read counts only after the settle time; an empty answer may be a read that sees nothing
at all, so a row known to exist must be in it; and one look is not enough, so there are two. What stays in doubt is
unresolved: listed, and never sent by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from etl.checkpoint.journal import Due, due, last_created, sample, settle_rows
from etl.checkpoint.store import Checkpoint
from etl.flow import Key, Outcome, RemoteId
from etl.hubspot.target import Target

MAX_DOUBTS = 4  #: batches shrink 100, 25, 6, 1 with each doubt; after the single one there is nothing left to try
SLICE_ROWS = 20_000  #: looked for twice with one wait between
GROUP_ROWS = 1_000  #: looked for at a time
CONTROL_TRIES = 5
SAMPLE_ROWS = 100


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read back in one run."""

    checkpoint: Checkpoint
    run: int
    target_for: Callable[[str], Target]  #: the target of the wire by which a row was sent
    settle_s: float  #: how long after its request a create may still become visible
    stop: asyncio.Event
    on_outcomes: Callable[[list[Outcome]], None]


async def settle(reading: Reading, since_s: float) -> bool:
    """Finds out what became of every unknown row. Returns whether there were any; earlier when a stop is asked for.

    `since_s` is when the last doubt arose, on the loop's clock (for rows of a dead process: the start of this one).
    """
    if not due(reading.checkpoint, "unknown", after=0, rows=1):
        return False
    await _wait(since_s + reading.settle_s - asyncio.get_running_loop().time(), reading.stop)
    last = 0
    while not reading.stop.is_set() and (
        rows := due(reading.checkpoint, "unknown", after=last, rows=SLICE_ROWS)
    ):  # fmt: skip
        last = rows[-1].number
        missing = await _look(reading, rows, _stays)
        if missing and not reading.stop.is_set():
            await _wait(reading.settle_s / 2, reading.stop)
            await _look(reading, missing, _absent)
    return True


async def was_here_before(checkpoint: Checkpoint, target: Target) -> bool:
    """Whether the account has rows of which this checkpoint, which has created none, knows nothing: it was lost."""
    rows = [row.engagement for row in sample(checkpoint, SAMPLE_ROWS)]
    if target.max_batch == 1:  # a read for each contact, and without any link a read of everything: a few must do
        rows = [row for row in rows if any(row.links[1:])][: SAMPLE_ROWS // 10]
    return bool(rows and await target.find(rows))


async def _look(reading: Reading, rows: Sequence[Due], absent: Callable[[Due], Outcome | None]) -> list[Due]:
    """Looks for the rows once and stores what is certain; gives those that were not seen and have no outcome yet.

    `absent` judges a row that is not seen by a read which shows what is known to exist.
    """
    left: list[Due] = []
    for group in _groups(rows):
        if reading.stop.is_set():
            break
        seen = await _read(reading, group)
        if seen is None and reading.stop.is_set():
            break
        outcomes = []
        for row in group:
            outcome = _in_doubt(row) if seen is None else _created(row, seen) or absent(row)
            if outcome:
                outcomes.append(outcome)
            else:
                left.append(row)
        settle_rows(reading.checkpoint, reading.run, outcomes)
        reading.on_outcomes(outcomes)
    return left


def _groups(rows: Sequence[Due]) -> Iterator[list[Due]]:
    """Rows of one wire and type, some at a time."""
    for _, same in groupby(sorted(rows, key=_way), key=_way):
        together = list(same)
        for start in range(0, len(together), GROUP_ROWS):
            yield together[start : start + GROUP_ROWS]


def _way(row: Due) -> tuple[str, str]:
    return row.wire, row.engagement.type


async def _read(reading: Reading, rows: Sequence[Due]) -> Mapping[Key, list[RemoteId]] | None:
    """What the account shows of rows of one wire and type; None where not even the control can be seen, or on a stop."""
    wire, type_ = _way(rows[0])
    control = last_created(reading.checkpoint, type_, wire)
    wanted = [row.engagement for row in rows]
    for _ in range(CONTROL_TRIES):
        if reading.stop.is_set():
            return None
        seen = await reading.target_for(wire).find([*wanted, control.engagement] if control else wanted)
        if control is None or control.engagement.key in seen:
            return seen
        await _wait(max(reading.settle_s, 0.1), reading.stop)
    return None


def _created(row: Due, seen: Mapping[Key, list[RemoteId]]) -> Outcome | None:
    ids = seen.get(row.engagement.key)
    if not ids:
        return None
    lowest, *others = sorted(ids, key=int)
    also = f"found more than once: also {', '.join(others)}" if others else ""
    return Outcome(row.engagement.key, "created", lowest, also)


def _stays(row: Due) -> Outcome | None:
    """After one look a row that is not seen stays unknown."""
    del row
    return None


def _absent(row: Due) -> Outcome | None:
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
