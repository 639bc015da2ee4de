"""The journaled send, when the disk fails under it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from etl.checkpoint import counts, integrity, journal
from etl.checkpoint.store import Checkpoint, open_checkpoint
from etl.dispatch import open_journal
from etl.errors import StorageError
from etl.flow import Outcome
from tests.conftest import make_linked, stage_all


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def staged(path: Path) -> tuple[Checkpoint, int]:
    opened = open_checkpoint(path, portal="sandbox 1", namespace="test")
    plan = stage_all(opened, make_linked([f"n{i}" for i in range(1000)]))
    return opened, journal.begin_run(opened, "r", plan)


def fill(folder: Path) -> None:
    """Leaves not a byte."""
    with (folder / "full").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def intent(opened: Checkpoint, after: int, rows: int) -> tuple[journal.Intent, list[Outcome]]:
    due = journal.due(opened, "planned", after=after, rows=rows)
    outcomes = [Outcome(row.engagement.key, "created", str(10_000_000 + row.number)) for row in due]
    return journal.Intent("objects", [row.number for row in due]), outcomes


def test_when_the_disk_is_full_the_ballast_makes_room_for_answers_and_no_intent_is_taken_any_more(
    small_disk: Path,
) -> None:
    opened, run = staged(small_disk / "c.sqlite")
    first, outcomes = intent(opened, 0, 300)
    second, _ = intent(opened, 300, 300)

    async def main() -> None:
        async with open_journal(opened, run) as journal_:
            request = await journal_.write(first)
            opened.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            fill(small_disk)
            told = await asyncio.gather(
                journal_.write(journal.Answer(request, first.rows, outcomes, "done", "")),
                journal_.write(second),
                return_exceptions=True,
            )
            assert told[0] == request
            assert isinstance(told[1], StorageError)
            assert told[1].exit_code == 73
            with pytest.raises(StorageError, match="full"):
                await journal_.write(second)

    with closing(opened):
        asyncio.run(main())
        assert counts.states(opened) == {"created": 300, "planned": 700}
        assert not opened.ballast.path.exists()
    (small_disk / "full").unlink()
    with closing(open_checkpoint(small_disk / "c.sqlite", portal="sandbox 1", namespace="test")) as again:
        integrity.verify(again)


def test_a_commit_that_fails_otherwise_is_not_tried_again_and_its_rows_stay_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, run = staged(tmp_path / "c.sqlite")
    first, outcomes = intent(opened, 0, 10)
    second, _ = intent(opened, 10, 10)
    tries = []

    def broken(*_: object) -> list[int]:
        tries.append(1)
        raise StorageError("disk I/O error")

    async def main() -> None:
        async with open_journal(opened, run) as journal_:
            request = await journal_.write(first)
            monkeypatch.setattr(journal, "write", broken)
            with pytest.raises(StorageError, match="I/O"):
                await journal_.write(journal.Answer(request, first.rows, outcomes, "done", ""))
            monkeypatch.undo()
            with pytest.raises(StorageError, match="I/O"):
                await journal_.write(second)

    with closing(opened):
        asyncio.run(main())
        assert tries == [1]
        assert counts.states(opened) == {"in_flight": 10, "planned": 990}
        assert opened.ballast.path.exists()
        journal.end_run(opened, run, complete=False)
        assert not opened.ballast.path.exists()


def test_without_room_for_the_ballast_no_run_begins(small_disk: Path) -> None:
    opened, run = staged(small_disk / "c.sqlite")
    with closing(opened):
        journal.end_run(opened, run, complete=False)
        fill(small_disk)
        with pytest.raises(StorageError, match="No space") as e:
            journal.begin_run(opened, "again", 1)
        assert "Make room" in e.value.hint
