"""Files that rows attach, uploaded before the rows that need them: each content once.

Apart from `load`, which sends only what is complete. An upload whose answer was lost is repeated: the account is asked to
answer with the file of the same content that the folder of imports has already, and where it does not, the first one is
left there without harm.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from etl.checkpoint import changes, journal, uploads
from etl.checkpoint.store import Checkpoint
from etl.checkpoint.uploads import File
from etl.errors import RemoteDown
from etl.flow import Outcome
from etl.hubspot.door import together
from etl.hubspot.target import Target

#: Attempts at one file whose answer is lost each time.
TRIES = 4
PAGE_ROWS = 2_000
LARGE_BYTES = 20_000_000
GRACE_S = 30.0  #: how long answers are waited for once the run is asked to stop
LOOK_S = 1.0
#: What is done with rows (or changes) whose file cannot be had: numbers, code, reason.
Refuse = Callable[[Sequence[int], str, str], None]


@dataclass(frozen=True, slots=True)
class Attaching:
    """How the files of one run are uploaded."""

    checkpoint: Checkpoint
    run: int
    target: Target
    stop: asyncio.Event
    closing: asyncio.Event
    on_notice: Callable[[str], None]
    large: asyncio.Lock = field(default_factory=asyncio.Lock)  #: large files go one by one: each lies in memory, twice

    @property
    def over(self) -> bool:
        """Whether nothing new is taken up."""
        return self.stop.is_set() or self.closing.is_set()


async def upload_planned(attaching: Attaching, plan: int | None = None) -> None:
    """Uploads what planned rows (of this plan, if one is given) attach, until all of it has ids or a stop is asked for.

    Rows whose file is gone, changed since the plan, or refused by the account are rejected. Raises what ends any run,
    and `RemoteDown` for a file that has no answer after `TRIES`, with every id that came stored.
    """
    checkpoint, run = attaching.checkpoint, attaching.run
    await _upload_all(attaching, _planned(checkpoint, plan), partial(uploads.refuse_rows, checkpoint, run))


async def upload_changed(attaching: Attaching) -> None:
    """The same for what rows are to attach that are changed in the account; a change whose file cannot be had fails."""

    def refuse(numbers: Sequence[int], code: str, reason: str) -> None:
        fates = [changes.Fate(number, "failed", f"{reason} [{code}]") for number in numbers]
        changes.records(attaching.checkpoint, attaching.run, fates)

    await _upload_all(attaching, _changed(attaching.checkpoint), refuse)


def _planned(checkpoint: Checkpoint, plan: int | None) -> Iterator[list[tuple[int, bytes]]]:
    last = 0
    while page := journal.due(checkpoint, "planned", after=last, rows=PAGE_ROWS, plan=plan):
        last = page[-1].number
        yield [(due.number, due.engagement.payload) for due in page]


def _changed(checkpoint: Checkpoint) -> Iterator[list[tuple[int, bytes]]]:
    last = 0
    while page := changes.due(checkpoint, None, after=last, rows=PAGE_ROWS):
        last = page[-1].number
        yield [(due.number, due.after.payload) for due in page]


async def _upload_all(attaching: Attaching, pages: Iterator[list[tuple[int, bytes]]], refuse: Refuse) -> None:
    files, size = uploads.waiting(attaching.checkpoint)
    if not files:  # nearly always: no row is looked at
        return
    said = False
    for page in pages:
        if attaching.over:
            return
        wanted = uploads.open_files(attaching.checkpoint, page)
        if wanted and not said:
            attaching.on_notice(f"Uploading what rows attach: {files:,} files, {size / 1e6:,.1f} MB.")
            said = True
        work = asyncio.ensure_future(together([partial(_upload, attaching, *each, refuse) for each in wanted]))
        await _ended(work, attaching.stop)


async def _ended(work: asyncio.Future[Any], stop: asyncio.Event) -> None:
    """Waits for the work, after a stop for `GRACE_S` at most; what has no answer then is uploaded again."""
    asked: asyncio.Future[Any] = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({work}, timeout=GRACE_S if asked.done() else None)
        if work.done():
            work.result()
    finally:
        asked.cancel()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _upload(attaching: Attaching, file: File, rows: Sequence[int], refuse: Refuse) -> None:
    """One file, until it has an id or cannot be had."""
    async with attaching.large if file.bytes > LARGE_BYTES else nullcontext():
        if attaching.over:
            return
        content = await asyncio.to_thread(_read, file)
        if isinstance(content, str):
            refuse(rows, "file_missing", content)
            return
        outcome = await _sent(attaching, file, content)
    if outcome is not None and outcome.state == "created":
        await asyncio.to_thread(uploads.record, attaching.checkpoint, file.sha256, outcome.remote_id)
    elif outcome is not None:
        refuse(rows, "file_refused", outcome.reason)


def _read(file: File) -> bytes | str:
    """The content that was planned, or why it is not there."""
    try:
        content = file.path.read_bytes()
    except OSError as error:
        return f"{file.path} cannot be read: {error.strerror}"
    if hashlib.sha256(content).hexdigest() != file.sha256:
        return f"{file.path} changed since it was planned"
    return content


async def _sent(attaching: Attaching, file: File, content: bytes) -> Outcome | None:
    """What the account made of the file; None where a stop came first."""
    lost = 0
    while not attaching.over:
        place = attaching.target.place()
        if not place.rows:
            await asyncio.sleep(min(place.wait_s, LOOK_S))
            continue
        outcome = await attaching.target.upload(file.path.name, content)
        if outcome.state in ("created", "rejected"):
            return outcome
        lost += outcome.state == "unknown"
        if lost == TRIES:
            raise RemoteDown(
                f"The attachment {file.path} could not be uploaded: {outcome.reason}",
                hint="The same command goes on later.",
            )
    return None
