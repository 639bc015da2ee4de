"""The checkpoint file itself."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from etl.checkpoint import journal
from etl.checkpoint.store import Checkpoint, open_checkpoint
from etl.errors import ConfigError, DamagedCheckpoint, StorageError, TryLater
from tests.conftest import make_linked, stage_all


def test_a_second_process_is_refused_and_told_who_holds_it(checkpoint: Checkpoint) -> None:
    code = (
        "import sys; from pathlib import Path; from etl.checkpoint.store import open_checkpoint\n"
        "from etl.errors import TryLater\n"
        "try: open_checkpoint(Path(sys.argv[1]), portal='sandbox 1', namespace='test')\n"
        "except TryLater as e: print(e.exit_code, e.message)"
    )
    said = subprocess.run([sys.executable, "-c", code, checkpoint.path], capture_output=True, text=True, check=True)

    assert said.stdout.startswith("75 ")
    assert f"process {os.getpid()}" in said.stdout


def test_the_lock_dies_with_its_process_and_not_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    open_checkpoint(path, portal="p", namespace="n").close()
    again = open_checkpoint(path, portal="p", namespace="n")
    with pytest.raises(TryLater):
        open_checkpoint(path, portal="p", namespace="n")
    again.close()


@pytest.mark.parametrize("other", [{"portal": "hubspot 2"}, {"namespace": "mail"}])
def test_a_checkpoint_of_another_portal_or_namespace_is_refused(tmp_path: Path, other: dict[str, str]) -> None:
    path = tmp_path / "c.sqlite"
    mine = {"portal": "sandbox 1", "namespace": "calls"}
    open_checkpoint(path, **mine).close()

    with pytest.raises(ConfigError, match="belongs to"):
        open_checkpoint(path, **{**mine, **other})
    open_checkpoint(path, **mine).close()


def test_its_files_are_for_the_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        opened = open_checkpoint(tmp_path / "new" / "c.sqlite", portal="p", namespace="n")
    finally:
        os.umask(before)
    try:
        files = list((tmp_path / "new").iterdir())
        assert {"c.sqlite", "c.sqlite-wal", "c.sqlite.lock"} <= {file.name for file in files}
        for file in [*files, tmp_path / "new"]:
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    finally:
        opened.close()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "c.sqlite").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError):
        open_checkpoint(tmp_path / "c.sqlite", portal="p", namespace="n")


def test_a_file_that_is_no_checkpoint_is_a_damaged_checkpoint_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"this is no database" * 500)

    with pytest.raises(DamagedCheckpoint, match="not a database"):
        open_checkpoint(tmp_path / "c.sqlite", portal="p", namespace="n")


def test_a_failed_transaction_changes_nothing(checkpoint: Checkpoint) -> None:
    def half_done() -> None:
        with checkpoint.transaction() as db:
            db.execute("INSERT INTO directory VALUES ('contacts', 'email', 'half', '[]')")
            raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StorageError, match="full"):
        half_done()
    assert checkpoint.one("SELECT count(*) FROM directory") == 0


def test_commits_reach_the_disk(checkpoint: Checkpoint) -> None:
    assert checkpoint.rows("PRAGMA journal_mode") == [("wal",)]
    assert checkpoint.one("PRAGMA synchronous") == 2


def test_what_was_in_flight_when_the_process_died_is_unknown_never_planned(checkpoint: Checkpoint) -> None:
    plan = stage_all(checkpoint, make_linked(["a", "b"]))
    run = journal.begin_run(checkpoint, "first", plan)
    [row, _] = journal.due(checkpoint, "planned", after=0, rows=10)
    journal.write(checkpoint, run, [journal.Intent("v1", [row.number])], [])

    journal.begin_run(checkpoint, "second", plan)

    [unknown] = journal.due(checkpoint, "unknown", after=0, rows=10)
    assert (unknown.engagement.key, unknown.wire, unknown.doubts) == (row.engagement.key, "v1", 0)
    assert len(journal.due(checkpoint, "planned", after=0, rows=10)) == 1


def test_a_row_that_is_not_planned_cannot_be_sent(checkpoint: Checkpoint) -> None:
    plan = stage_all(checkpoint, make_linked(["a"]))
    run = journal.begin_run(checkpoint, "r", plan)
    [row] = journal.due(checkpoint, "planned", after=0, rows=10)
    intent = journal.Intent("objects", [row.number])
    journal.write(checkpoint, run, [intent], [])

    with pytest.raises(AssertionError):
        journal.write(checkpoint, run, [intent], [])
