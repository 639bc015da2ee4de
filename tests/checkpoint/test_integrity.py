"""A checkpoint that is damaged or fell back is noticed, not believed; and what is done then."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from etl.checkpoint import counts, integrity, journal, seals, staging
from etl.checkpoint.schema import FORMAT
from etl.checkpoint.store import Checkpoint, open_checkpoint
from etl.errors import ConfigError, DamagedCheckpoint, TryLater
from etl.flow import Outcome, key_text
from tests.conftest import key_of, make_linked, stage_all
from tests.virtual import Fate, Killed, doomed_commits

MINE = {"portal": "sandbox 1", "namespace": "test"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a checkpoint is, with two rows created, one in flight, one refused, one parked and one planned."""
    where = tmp_path / "c.sqlite"
    with closing(open_checkpoint(where, **MINE)) as opened:
        stage_all(opened, make_linked(list("abcdef"), parked=[None] * 4 + ["no contact", None]))
        run = journal.begin_run(opened, "first", 1)
        send(opened, run, 2, "created")
        send(opened, run, 1, None)
        send(opened, run, 1, "rejected")
    return where


def send(opened: Checkpoint, run: int, rows: int, state: Any, wire: str = "objects") -> int:
    """Sends the next planned rows; with no state the answer never comes."""
    due = journal.due(opened, "planned", after=0, rows=rows)
    numbers = [row.number for row in due]
    [request] = journal.write(opened, run, [journal.Intent(wire, numbers)], [])
    if state:
        ids = [str(9_000_000_000 + n) if state == "created" else "" for n in numbers]
        outcomes = [Outcome(row.engagement.key, state, id_) for row, id_ in zip(due, ids, strict=True)]
        journal.write(opened, run, [], [journal.Answer(request, numbers, outcomes, "done", "")])
    return request


def begin(path: Path, **how: Any) -> dict[str, int]:
    """Begins a run, and gives the states that it finds."""
    with closing(open_checkpoint(path, **MINE)) as opened:
        journal.begin_run(opened, f"run {random.random()}", 1, **how)
        return counts.states(opened)


def alter(path: Path, sql: str, *values: object) -> None:
    """Writes into the file behind the program's back."""
    with closing(sqlite3.connect(path)) as db:
        seals.register(db)
        assert db.execute(sql, values).rowcount
        db.commit()


COVERED = (
    "key",
    "hash",
    "type",
    "time_ms",
    "segment",
    "pos",
    "links",
    "state",
    "attempt",
    "doubts",
    "request",
    "remote_id",
)


def test_every_row_fits_its_seals_whatever_was_done_to_it(path: Path) -> None:
    assert begin(path) == {"created": 2, "unknown": 1, "rejected": 1, "parked": 1, "planned": 1}
    with closing(open_checkpoint(path, **MINE)) as opened:
        stage_all(opened, make_linked(list("abdefg"), bodies=["new"] * 6, parked=[None] * 5 + ["no contact"]))
        run = journal.begin_run(opened, "again", 2)
        [batch] = staging.parked(opened, 0, 10)
        staging.unpark(opened, run, [(n, "planned", "7|8,9|||", "2,0,0,0", None, None) for n, *_ in batch])
        [lost] = journal.due(opened, "unknown", after=0, rows=10)
        journal.settle_rows(opened, run, [Outcome(lost.engagement.key, "unresolved", "", "no one knows")])
        assert journal.retry_unresolved(opened) == 1
        journal.settle_rows(opened, run, [Outcome(lost.engagement.key, "created", "12345678901234567890", "twice")])
        send(opened, run, 1, "planned")
        send(opened, run, 2, "created", "v1")
        integrity.verify(opened)
    begin(path, reconcile=True)
    begin(path)


@pytest.mark.parametrize("column", [*COVERED, "content_seal", "fate_seal"])
def test_a_column_that_is_not_as_it_was_written_is_damage_and_its_line_is_named(path: Path, column: str) -> None:
    kind = (
        "text" if column in ("type", "links", "state", "remote_id") else "blob" if column in ("key", "hash") else "int"
    )
    new = {"text": f"replace({column}, substr({column}, -1), '7')", "int": f"coalesce({column}, 0) + 1",
           "blob": f"CAST(substr({column}, 1, 15) || 'x' AS BLOB)"}[kind]  # fmt: skip
    alter(path, f"UPDATE row SET {column} = {new} WHERE line = 3")

    with pytest.raises(DamagedCheckpoint, match=r"1 of its 6 rows .* \(in.csv:3\).* Nothing was sent") as e:
        begin(path)
    assert e.value.exit_code == 65
    assert "--reconcile" in e.value.hint


def test_damage_is_not_covered_up_by_what_is_written_later(path: Path) -> None:
    with closing(open_checkpoint(path, **MINE)) as opened:
        run = journal.begin_run(opened, "second", 1)
        opened.db.execute("UPDATE row SET doubts = 3 WHERE state = 'planned'")
        send(opened, run, 1, "created")
    with pytest.raises(DamagedCheckpoint, match=r"in\.csv:7"):
        begin(path)


def test_a_flipped_byte_anywhere_is_noticed_or_says_nothing_else(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        roots = dict(db.execute("SELECT name, rootpage FROM sqlite_master WHERE name IN ('row', 'row_key')"))
        size = db.execute("PRAGMA page_size").fetchone()[0]
        told = _told(db)
    sound = path.read_bytes()
    chance = random.Random(1)
    noticed = 0
    for root in roots.values():
        for _ in range(150):
            place = (root - 1) * size + chance.choice([chance.randrange(40), size - 1 - chance.randrange(900)])
            path.write_bytes(sound[:place] + bytes([sound[place] ^ 1 << chance.randrange(8)]) + sound[place + 1 :])
            try:
                with closing(open_checkpoint(path, **MINE)) as opened:
                    integrity.verify(opened)
                    assert _told(opened.db) == told, f"byte {place} was changed unnoticed"
            except DamagedCheckpoint:
                noticed += 1
    assert noticed > 60


def _told(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """What the rows say, by number and by key."""
    keys = [key for (key,) in db.execute("SELECT key FROM row NOT INDEXED")]
    by_key = [db.execute("SELECT id FROM row INDEXED BY row_key WHERE key = ?", [key]).fetchall() for key in keys]
    return [*db.execute(f"SELECT id, {', '.join(COVERED)} FROM row NOT INDEXED ORDER BY id"), *map(tuple, by_key)]


def test_a_damaged_segment_is_noticed_when_it_is_read(path: Path) -> None:
    alter(path, "UPDATE segment SET payloads = CAST(substr(payloads, 1, length(payloads) - 1) || 'x' AS BLOB)")
    with closing(open_checkpoint(path, **MINE)) as opened:
        journal.begin_run(opened, "second", 1)
        with pytest.raises(DamagedCheckpoint, match="segment 1"):
            journal.due(opened, "planned", after=0, rows=1)


def test_another_format_is_refused_by_its_name(path: Path) -> None:
    alter(path, "UPDATE meta SET value = '1' WHERE name = 'format'")
    with pytest.raises(ConfigError, match=f"has format 1; this version of etl writes format {FORMAT}"):
        begin(path)


# -- falling back --------------------------------------------------------------------------------------------------------


def _copied(path: Path) -> Path:
    """A copy of the file alone, as of now."""
    copy = path.with_name("copy")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(path, copy)
    return copy


def test_a_copy_from_before_the_last_start_is_not_believed(path: Path) -> None:
    copy = _copied(path)
    begin(path)
    copy.replace(path)

    with pytest.raises(TryLater, match="start 2, request 3, and holds start 1, request 3") as e:
        begin(path)
    assert (e.value.exit_code, e.value.code) == (75, "checkpoint_rolled_back")
    assert "--reconcile" in e.value.hint


def test_a_copy_from_before_the_last_request_is_not_believed(tmp_path: Path, path: Path) -> None:
    with closing(open_checkpoint(path, **MINE)) as opened:
        run = journal.begin_run(opened, "second", 1)
        copy = _copied(path)
        send(opened, run, 1, "created")
    copy.replace(path)
    with pytest.raises(TryLater, match="request 4, and holds start 2, request 3"):
        begin(path)


def test_commits_that_sqlite_lost_after_a_kill_are_noticed(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from etl.checkpoint import journal\n"
        "from etl.checkpoint.store import open_checkpoint\n"
        "opened = open_checkpoint(Path(sys.argv[1]), portal='sandbox 1', namespace='test')\n"
        "run = journal.begin_run(opened, 'killed', 1)\n"
        "[row] = journal.due(opened, 'planned', after=0, rows=1)\n"
        "journal.write(opened, run, [journal.Intent('objects', [row.number])], [])\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -signal.SIGKILL
    wal = Path(f"{path}-wal")
    content = bytearray(wal.read_bytes())
    content[-2000] ^= 1  # of the last commit: SQLite leaves it out, and says that all is well
    wal.write_bytes(content)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT max(id) FROM request").fetchone() == (3,)

    with pytest.raises(TryLater, match="its last commits were lost"):
        begin(path)


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda mark: mark.write_text("nonsense" * 99), lambda mark: mark.write_text("")]
)
def test_without_its_mark_a_checkpoint_that_has_sent_is_not_believed(path: Path, damage: Callable[[Path], Any]) -> None:
    damage(Path(f"{path}.epoch"))
    with pytest.raises(TryLater, match=r"c.sqlite.epoch, .* is missing or damaged"):
        begin(path)
    assert begin(path, reconcile=True)["unknown"] == 2
    begin(path)


def test_a_mark_that_lies_there_without_its_checkpoint_tells_that_one_was_lost(path: Path) -> None:
    path.unlink()
    with pytest.raises(TryLater, match="request 3, and holds start 0, request 0"):
        begin(path)
    begin(path, reconcile=True)
    begin(path)


def test_a_checkpoint_that_has_sent_nothing_needs_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with closing(open_checkpoint(path, **MINE)) as opened:
        stage_all(opened, make_linked(["a"]))
    Path(f"{path}.epoch").unlink()
    assert begin(path) == {"planned": 1}


@contextmanager
def _doomed(fate: Fate) -> Iterator[None]:
    """Lets a process die before and after each commit and each write of the mark."""
    pwrite = os.pwrite

    def doomed_pwrite(fd: int, text: bytes, place: int) -> int:
        point = "mark" if text.startswith(b"start") else "lock"
        fate.pass_(point)
        written = pwrite(fd, text, place)
        fate.pass_(point)
        return written

    with doomed_commits(fate), mock.patch.object(os, "pwrite", doomed_pwrite):
        yield


@pytest.mark.parametrize("point", ["before commit", "after commit", "mark"])
def test_no_kill_at_any_point_is_taken_for_a_lost_commit(tmp_path: Path, point: str) -> None:
    deaths = 0
    for at in range(1, 100):
        path = tmp_path / str(at) / "c.sqlite"
        fate = Fate(point, at)
        with suppress(Killed), ExitStack() as end:
            end.enter_context(_doomed(fate))
            opened = open_checkpoint(path, **MINE)
            end.callback(opened.close)
            stage_all(opened, make_linked(list("abc")))
            for name in ("first", "second", "third"):
                run = journal.begin_run(opened, name, 1, reconcile=name == "second")
                with suppress(IndexError):
                    send(opened, run, 1, "created")
                journal.end_run(opened, run, complete=True)
        if fate.passed[point] < at:
            break
        deaths += 1
        begin(path)
        begin(path)
    assert deaths >= 8


# -- what is done then ---------------------------------------------------------------------------------------------------


def test_what_may_have_been_sent_is_looked_for_by_the_wire_of_the_lost_requests_and_no_doubt_is_counted(
    path: Path,
) -> None:
    copy = _copied(path)
    with closing(open_checkpoint(path, **MINE)) as opened:
        send(opened, journal.begin_run(opened, "second", 1), 1, "created", "v1")
    copy.replace(path)

    states = begin(path, reconcile=True, wire="objects")

    assert states == {"created": 2, "unknown": 2, "rejected": 1, "parked": 1}
    with closing(open_checkpoint(path, **MINE)) as opened:
        lost, planned = journal.due(opened, "unknown", after=0, rows=10)
        assert (lost.wire, lost.doubts) == ("objects", 0)  # was in flight, and its request is known
        assert (planned.wire, planned.doubts, planned.engagement.attempt) == ("v1", 0, 0)
        [(what, rows)] = opened.rows("SELECT what, rows FROM operation")
        assert (what, rows) == ("reconcile", 2)
        settled(opened, 2)
        assert send(opened, 2, 1, "created") > 5, "requests are numbered beyond the lost ones"


def test_a_parked_row_of_a_checkpoint_that_was_not_believed_is_looked_for_when_it_is_freed(path: Path) -> None:
    begin(path, reconcile=True, wire="v1")
    with closing(open_checkpoint(path, **MINE)) as opened:
        run = journal.begin_run(opened, "later", 1)
        [[(number, *_)]] = staging.parked(opened, 0, 10)
        staging.unpark(opened, run, [(number, "planned", "|7|||", "1,0,0,0", None, None)])
        assert [row.wire for row in journal.due(opened, "unknown", after=0, rows=10)] == [
            "objects",
            "objects",
            "objects",
        ]


def test_rows_that_come_later_are_looked_for_too_since_a_lost_commit_may_have_sent_them(path: Path) -> None:
    """A copy of night 1 is put back after night 2; night 4 brings again what night 2 had sent."""
    copy = _copied(path)
    with closing(open_checkpoint(path, **MINE)) as opened:
        send(opened, journal.begin_run(opened, "night 2", stage_all(opened, make_linked(["n2"]))), 2, "created")
    copy.replace(path)
    begin(path, reconcile=True)
    with closing(open_checkpoint(path, **MINE)) as opened:
        settled(opened, journal.begin_run(opened, "night 3", 1))
        plan = stage_all(opened, make_linked(["n2", "n4", "d"], bodies=["n2", "n4", "corrected"]))
        journal.begin_run(opened, "night 4", plan)
        assert len(journal.due(opened, "unknown", after=0, rows=9)) == 3
        [looked_for] = journal.due(opened, "planned", after=0, rows=9)
        assert looked_for.engagement.key == key_text(key_of("f"))
        integrity.verify(opened)


def settled(opened: Checkpoint, run: int) -> None:
    """All unknown rows are looked for: one is absent, the others are there."""
    *there, absent = journal.due(opened, "unknown", after=0, rows=9)
    outcomes = [Outcome(row.engagement.key, "created", "77") for row in there]
    journal.settle_rows(opened, run, [*outcomes, Outcome(absent.engagement.key, "planned")])


def test_what_became_of_a_damaged_row_is_looked_for_and_a_row_that_is_damaged_itself_is_never_sent(path: Path) -> None:
    alter(path, "UPDATE row SET remote_id = '1' WHERE line = 2")
    alter(path, "UPDATE row SET links = '|5|||' WHERE line = 7")

    assert begin(path, reconcile=True) == {"created": 1, "unknown": 2, "rejected": 1, "parked": 1, "unresolved": 1}
    with closing(open_checkpoint(path, **MINE)) as opened:
        journal.begin_run(opened, "later", 1)
        assert {row.engagement.key for row in journal.due(opened, "unknown", after=0, rows=9)} == {
            key_text(key_of(name)) for name in "ac"
        }
        assert journal.retry_unresolved(opened) == 0
        [open_row] = counts.open_rows(opened, ("unresolved",))
        assert (open_row.line, open_row.reason) == (7, "its row in the checkpoint is damaged")


def test_a_parked_row_stays_parked_whatever_its_damaged_state_says(path: Path) -> None:
    alter(path, "UPDATE row SET state = 'planned' WHERE state = 'parked'")
    assert begin(path, reconcile=True)["parked"] == 1
    begin(path)


def test_a_lost_checkpoint_is_filled_again_and_its_rows_are_looked_for(path: Path) -> None:
    with closing(open_checkpoint(path.with_name("new"), **MINE)) as opened:
        stage_all(opened, make_linked(list("ab")))
        journal.begin_run(opened, "r", 1)
        assert [row.engagement.key for row in journal.sample(opened, 10)] == [key_text(key_of(n)) for n in "ab"]
        journal.doubt_planned(opened, "v1")
        assert [(row.wire, row.doubts) for row in journal.due(opened, "unknown", after=0, rows=9)] == [("v1", 0)] * 2
        integrity.verify(opened)


def test_what_a_person_ordered_is_logged(path: Path) -> None:
    with closing(open_checkpoint(path, **MINE)) as opened:
        run = journal.begin_run(opened, "second", 1)
        [lost] = journal.due(opened, "unknown", after=0, rows=9)
        journal.settle_rows(opened, run, [Outcome(lost.engagement.key, "unresolved", "", "why")])
        assert journal.retry_unresolved(opened) == 1
        [again] = journal.due(opened, "unknown", after=0, rows=9)
        assert (again.engagement.key, again.doubts) == (lost.engagement.key, 0)
        assert opened.rows("SELECT what, rows FROM operation") == [("retry unresolved", 1)]
