"""Planned rows -> outcomes, many requests at a time, each with its intent on disk before it leaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic

from etl.checkpoint.journal import Due, due
from etl.checkpoint.store import Checkpoint
from etl.dispatch import Journal, dispatch
from etl.errors import RemoteDown
from etl.flow import Engagement, Outcome
from etl.hubspot.target import Sent, Target
from etl.hubspot.verdicts import stopped

CONNECTIONS = 10
PAGE_ROWS = 2_000
#: Sending pauses to settle when so many rows are unknown: a read-back must stay short, and v1's recent list is cut.
MAX_UNKNOWN = 500
#: Requests in a row without a useful answer after which the API counts as down.
MAX_FAILURES = 8
BACKOFF_S, BACKOFF_CAP_S = 0.5, 30.0
GRACE_S = 30.0  #: how long answers are waited for once the run is asked to stop


@dataclass(slots=True)
class Sending:
    """How the sending goes; shared by the workers of one `load`."""

    stop: asyncio.Event  #: set by a signal: take up nothing new
    on_outcomes: Callable[[list[Outcome]], None]
    error: Exception | None = None  #: why the run cannot go on
    failures: int = 0  #: requests in a row without a useful answer
    unknown: int = 0  #: rows whose fate became unknown in this pass
    last_doubt_mono_s: float = field(default_factory=monotonic)  #: when a row last became unknown

    @property
    def over(self) -> bool:
        """Whether nothing new is taken up."""
        return self.stop.is_set() or self.error is not None or self.unknown >= MAX_UNKNOWN


async def load(
    checkpoint: Checkpoint, target: Target, journal: Journal, sending: Sending, plan: int | None = None
) -> None:
    """Sends every planned row (of that plan only, if one is given) once; some may be planned again or unknown afterwards.

    Returns when the stop event is set (after at most `GRACE_S` for answers under way), or when too many rows are
    unknown; raises what `sending.error` says once all answers are stored.
    """
    sending.unknown = 0
    batches: asyncio.Queue[list[Engagement]] = asyncio.Queue(maxsize=CONNECTIONS)
    workers = [asyncio.create_task(_work(batches, target, journal, sending)) for _ in range(CONNECTIONS)]
    try:
        for batch in planned_batches(checkpoint, target.max_batch, plan):
            if sending.over:
                break
            await _put(batches, batch, sending)
        await _drain(batches, sending)
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
        for row in page:
            yield from _collect(waiting, row, max(1, max_batch >> 2 * row.doubts))
    yield from waiting.values()


def _collect(waiting: dict[tuple[str, int], list[Engagement]], row: Due, size: int) -> Iterator[list[Engagement]]:
    batch = waiting.setdefault((row.engagement.type, size), [])
    batch.append(row.engagement)
    if len(batch) >= size:
        yield waiting.pop((row.engagement.type, size))


async def _put(batches: asyncio.Queue[list[Engagement]], batch: list[Engagement], sending: Sending) -> None:
    """Hands a batch to the workers; gives up when nothing new is to be taken up."""
    while not sending.over:
        try:
            await asyncio.wait_for(batches.put(batch), 0.2)
        except TimeoutError:
            continue
        return


async def _drain(batches: asyncio.Queue[list[Engagement]], sending: Sending) -> None:
    """Waits until every batch has its answer, or the grace of a stop is over."""
    done = asyncio.create_task(batches.join())
    stopped = asyncio.create_task(sending.stop.wait())
    await asyncio.wait({done, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not done.done():
        await asyncio.wait({done}, timeout=GRACE_S)
    done.cancel()
    stopped.cancel()


async def _work(batches: asyncio.Queue[list[Engagement]], target: Target, journal: Journal, sending: Sending) -> None:
    while True:
        batch = await batches.get()
        try:
            if not sending.over:
                sent = await dispatch(batch, target, journal)
                sending.on_outcomes(sent.outcomes)
                await _judge(sent, sending)
        except Exception as e:  # noqa: BLE001 - `load` raises it once the others have their answers
            sending.error = sending.error or e
        finally:
            batches.task_done()


async def _judge(sent: Sent, sending: Sending) -> None:
    """What an answer means for those to come: go on, back off, or stop."""
    verdict = sent.verdict
    doubtful = sum(outcome.state == "unknown" for outcome in sent.outcomes)
    if doubtful:
        sending.unknown += doubtful
        sending.last_doubt_mono_s = monotonic()
    if verdict.next == "stop":
        sending.error = sending.error or stopped(verdict)
    elif verdict.next in ("not_sent", "unknown"):
        sending.failures += 1
        if sending.failures >= MAX_FAILURES:
            sending.error = sending.error or RemoteDown(
                f"The API gave no useful answer {sending.failures} times in a row; the last was: {verdict.reason}.",
                hint="Everything is saved: run the same command again later.",
            )
        await _pause(random.uniform(0, min(BACKOFF_CAP_S, BACKOFF_S * 2**sending.failures)), sending)  # noqa: S311
    elif verdict.next == "wait":
        await _pause(verdict.wait_s, sending)
    else:
        sending.failures = 0


async def _pause(seconds: float, sending: Sending) -> None:
    try:
        await asyncio.wait_for(sending.stop.wait(), seconds)
    except TimeoutError:
        return
