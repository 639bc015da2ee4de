"""Planned rows -> outcomes, many requests at a time, each with its intent on disk before it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from etl.checkpoint.counts import accepted
from etl.checkpoint.journal import due
from etl.checkpoint.segments import SEGMENT_ROWS
from etl.checkpoint.store import Checkpoint
from etl.dispatch import Journal, dispatch
from etl.errors import TooManyRejects
from etl.flow import Engagement, Outcome
from etl.hubspot.target import Sent, Target
from etl.hubspot.verdicts import stopped

CONNECTIONS = 10
PAGE_ROWS = SEGMENT_ROWS  #: a segment of payloads is unpacked as a whole
#: Sending pauses to settle when so many rows are unknown: a read-back must stay short, and v1's recent list is cut.
MAX_UNKNOWN = 500
_ALIKE = attrgetter("engagement.type", "doubts")
GRACE_S = 30.0  #: how long answers are waited for once the run is asked to stop
LOOK_S = 1.0  #: so often a worker that waits for a place looks whether the run is over
#: A mapping that the account refuses is noticed by the first rows: judged over so many answers, from so many refusals on.
PROBE_ROWS, PROBE_REFUSED = 1_000, 50


@dataclass(slots=True)
class Sending:
    """How the sending goes; shared by the workers of one `load`."""

    stop: asyncio.Event  #: set by a signal: take up nothing new
    closing: asyncio.Event  #: set when time is nearly over: take up nothing new, but settle what is unknown
    on_outcomes: Callable[[list[Outcome]], None]
    on_notice: Callable[[str], None]  #: told what holds the sending up, once each time
    max_refused: float = 0.2  #: share of the first answers that may be refusals
    error: Exception | None = None  #: why the run cannot go on
    unknown: int = 0  #: rows whose fate became unknown in this pass
    answered: int = 0  #: rows, with those of the same plan that were created before
    refused: int = 0
    noticed: str = ""
    last_doubt_s: float = float("-inf")  #: when a row last became unknown, on the loop's clock

    @property
    def over(self) -> bool:
        """Whether nothing new is taken up."""
        return (
            self.stop.is_set() or self.closing.is_set() or self.error is not None or self.unknown >= MAX_UNKNOWN
        )  # fmt: skip


async def load(
    checkpoint: Checkpoint, target: Target, journal: Journal, sending: Sending, plan: int | None = None
) -> None:
    """Sends every planned row (of that plan only, if one is given) once; some may be planned again or unknown afterwards.

    Returns when a stop is asked for (after at most `GRACE_S` for answers under way), or when too many rows are
    unknown; raises what `sending.error` says once all answers are stored.
    """
    sending.unknown = 0
    if sending.answered < PROBE_ROWS:  # what the account took before was mapped in the same way
        sending.answered = max(sending.answered, accepted(checkpoint, journal.run, PROBE_ROWS))
    batches = planned_batches(checkpoint, target.max_batch, plan)
    workers = [asyncio.create_task(_work(batches, target, journal, sending)) for _ in range(CONNECTIONS)]
    try:
        await _ended(workers, sending.stop)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    if sending.error:
        raise sending.error


def planned_batches(checkpoint: Checkpoint, max_batch: int, plan: int | None = None) -> Iterator[list[Engagement]]:
    """Planned rows in the order of the input, in batches of one type.

    Rows that were in doubt go in smaller batches, so that the one that spoils its batch is alone in the end: 100, 25,
    6, 1.
    """
    waiting: dict[tuple[str, int], list[Engagement]] = {}
    last = 0
    while page := due(checkpoint, "planned", after=last, rows=PAGE_ROWS, plan=plan):
        last = page[-1].number
        for (type_, doubts), rows in groupby(page, _ALIKE):
            size = max(1, max_batch >> 2 * doubts)
            together = [*waiting.pop((type_, size), ()), *(row.engagement for row in rows)]
            whole = len(together) // size * size
            yield from (together[first : first + size] for first in range(0, whole, size))
            if together[whole:]:
                waiting[type_, size] = together[whole:]
    yield from waiting.values()


async def _ended(workers: list[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Waits until all workers have ended, after a stop for `GRACE_S` at most."""
    asked = asyncio.create_task(stop.wait())
    left: set[asyncio.Task[Any]] = set(workers)
    while left and not asked.done():
        await asyncio.wait({asked, *left}, return_when=asyncio.FIRST_COMPLETED)
        left = {worker for worker in left if not worker.done()}
    asked.cancel()
    if left:
        await asyncio.wait(left, timeout=GRACE_S)


async def _work(batches: Iterator[list[Engagement]], target: Target, journal: Journal, sending: Sending) -> None:
    """One of the workers; they share the batches, so that each is taken once."""
    try:
        while not sending.over and (batch := next(batches, None)):
            await _send(batch, target, journal, sending)
    except Exception as e:  # noqa: BLE001 - `load` raises it once the others have their answers
        sending.error = sending.error or e


async def _send(batch: list[Engagement], target: Target, journal: Journal, sending: Sending) -> None:
    """A batch in as many requests as the account's places ask for; what is not taken up stays planned."""
    while batch and not sending.over:
        place = target.place()
        if not place.rows:
            _notice(target.notice(), sending)
            await _pause(place.wait_s, sending)
            continue
        now, batch = batch[: place.rows], batch[place.rows :]
        sent = await dispatch(now, target, journal)
        sending.on_outcomes(sent.outcomes)
        _judge(sent, sending)


def _judge(sent: Sent, sending: Sending) -> None:
    """What an answer means for those to come: go on, or stop. When to send the next is the target's business."""
    doubtful = sum(outcome.state == "unknown" for outcome in sent.outcomes)
    if doubtful:
        sending.unknown += doubtful
        sending.last_doubt_s = asyncio.get_running_loop().time()
    if sent.verdict.next == "stop":
        sending.error = sending.error or stopped(sent.verdict)
    if sending.answered < PROBE_ROWS:
        _probe(sent.outcomes, sending)


def _probe(outcomes: list[Outcome], sending: Sending) -> None:
    sending.answered += sum(outcome.state in ("created", "rejected") for outcome in outcomes)
    sending.refused += sum(outcome.state == "rejected" for outcome in outcomes)
    if sending.refused >= PROBE_REFUSED and sending.refused > sending.max_refused * sending.answered:
        why = next((outcome.reason for outcome in outcomes if outcome.state == "rejected"), "")
        sending.error = sending.error or TooManyRejects(
            f"HubSpot refused {sending.refused} of the first {sending.answered} rows; nothing more was sent. "
            f"The last reason: {why}",
            hint="The mapping is wrong rather than the rows: see the reject file. --max-rejects 100% goes on anyway.",
        )


def _notice(text: str, sending: Sending) -> None:
    if text and text != sending.noticed:
        sending.on_notice(text)
    sending.noticed = text


async def _pause(seconds: float, sending: Sending) -> None:
    """Waits, at most `LOOK_S`, or until a stop is asked for."""
    try:
        await asyncio.wait_for(sending.stop.wait(), min(seconds, LOOK_S))
    except TimeoutError:
        return
