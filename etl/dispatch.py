"""The journaled send: intent on disk, one attempt, outcome on disk. Nothing else in the program sends what writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from etl.checkpoint import journal
from etl.checkpoint.journal import Answer, Intent
from etl.checkpoint.store import Checkpoint
from etl.flow import Engagement
from etl.hubspot.target import Sent, Target


class Journal:
    """The checkpoint's only writer while requests are under way: what comes while it commits shares the next commit.

    A commit costs one fsync however much is in it, so ten concurrent requests cost little more than one.
    """

    def __init__(self, checkpoint: Checkpoint, run: int) -> None:
        self.checkpoint = checkpoint
        self.run = run
        self._waiting: asyncio.Queue[tuple[Intent | Answer, asyncio.Future[int]]] = asyncio.Queue()

    async def write(self, entry: Intent | Answer) -> int:
        """Returns when `entry` is durable; the request's number for an intent. Raises `StorageError`."""
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((entry, done))
        return await done

    async def _commit_for_ever(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await asyncio.shield(self._commit(batch))

    async def _commit(self, batch: list[tuple[Intent | Answer, asyncio.Future[int]]]) -> None:
        intents = [(entry, done) for entry, done in batch if isinstance(entry, Intent)]
        answers = [(entry, done) for entry, done in batch if isinstance(entry, Answer)]
        try:
            numbers = await asyncio.to_thread(
                journal.write, self.checkpoint, self.run, [i for i, _ in intents], [a for a, _ in answers]
            )
        except Exception as e:  # noqa: BLE001 - whatever it is, it belongs to those who wait for this commit
            for _, done in batch:
                if not done.done():
                    done.set_exception(e)
            return
        results = [*zip(intents, numbers, strict=True), *((a, a[0].request) for a in answers)]
        for (_, done), number in results:
            if not done.done():
                done.set_result(number)


@asynccontextmanager
async def open_journal(checkpoint: Checkpoint, run: int) -> AsyncIterator[Journal]:
    """A journal whose writer runs until the block ends."""
    opened = Journal(checkpoint, run)
    writer = asyncio.create_task(opened._commit_for_ever())  # noqa: SLF001 - its own module
    try:
        yield opened
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


async def dispatch(rows: Sequence[Engagement], target: Target, journal_: Journal) -> Sent:
    """One attempt to create `rows`, in flight on disk before it leaves; what came of it is on disk when this returns.

    Cancelled in between, the rows stay in flight, and the next start finds out what became of them.
    """
    request = await journal_.write(Intent(target.wire, tuple(row.key for row in rows)))
    sent = await target.create(rows)
    await journal_.write(Answer(request, sent.outcomes, sent.verdict.next, sent.verdict.reason))
    return sent
