"""The journaled send: intent on disk, one attempt, outcome on disk. Nothing else in the program sends what writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from etl.checkpoint import journal
from etl.checkpoint.journal import Answer, Intent
from etl.checkpoint.store import DISK_FULL, Checkpoint
from etl.errors import StorageError
from etl.flow import Engagement
from etl.hubspot.target import Sent, Target


class Journal:
    """The checkpoint's only writer while requests are under way: what comes while it commits shares the next commit.

    A commit costs one fsync however much is in it, so ten concurrent requests cost little more than one. Once a commit
    failed no intent is taken any more; answers are, and when the disk is full the ballast makes room for them.
    """

    def __init__(self, checkpoint: Checkpoint, run: int) -> None:
        self.checkpoint = checkpoint
        self.run = run
        self._waiting: asyncio.Queue[_Entry] = asyncio.Queue()
        self._failed: Exception | None = None

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

    async def _commit(self, batch: list[_Entry]) -> None:
        if self._failed is None:
            try:
                await self._store(batch)
            except Exception as e:  # noqa: BLE001 - whatever it is, it belongs to those who wait for this commit
                self._failed = e
            else:
                return
            if not (_is_full(self._failed) and self.checkpoint.ballast.drop()):
                _fail(batch, self._failed)
                return
        answers = [waiting for waiting in batch if isinstance(waiting[0], Answer)]
        _fail([waiting for waiting in batch if isinstance(waiting[0], Intent)], self._failed)
        try:
            await self._store(answers)
        except Exception as e:  # noqa: BLE001 - as above
            _fail(answers, e)

    async def _store(self, batch: list[_Entry]) -> None:
        """Commits the entries and tells those who wait for them."""
        intents = [(entry, done) for entry, done in batch if isinstance(entry, Intent)]
        answers = [(entry, done) for entry, done in batch if isinstance(entry, Answer)]
        numbers = await asyncio.to_thread(
            journal.write, self.checkpoint, self.run, [i for i, _ in intents], [a for a, _ in answers]
        )
        for (_, done), number in [*zip(intents, numbers, strict=True), *((a, a[0].request) for a in answers)]:
            if not done.done():
                done.set_result(number)


_Entry = tuple[Intent | Answer, "asyncio.Future[int]"]


def _is_full(error: Exception) -> bool:
    return isinstance(error, StorageError) and error.code == DISK_FULL


def _fail(batch: list[_Entry], error: Exception) -> None:
    for _, done in batch:
        if not done.done():
            done.set_exception(error)


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
    numbers = {row.key: row.number for row in rows}
    request = await journal_.write(Intent(target.wire, list(numbers.values())))
    sent = await target.create(rows)
    answered = [numbers[outcome.key] for outcome in sent.outcomes]
    await journal_.write(Answer(request, answered, sent.outcomes, sent.verdict.next, sent.verdict.reason))
    return sent
