"""Half one's side of the checkpoint: rows staged chunk by chunk, repeats judged, and the plan made sendable at once.

Rows that the checkpoint does not know are inserted as they come; what becomes of those it knows is kept aside in `seen`
and applied by `finish_plan` in one transaction with the flag that lets the plan be sent. A plan that was not finished
has changed nothing, and the next one throws it away.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from time import time
from typing import TYPE_CHECKING

import orjson

from etl.checkpoint import changes, looked, repeats, seals
from etl.checkpoint.repeats import reject_of
from etl.checkpoint.schema import KEY_INDEX, PLAN_SCHEMA
from etl.checkpoint.store import Checkpoint, now
from etl.flow import Reject

if TYPE_CHECKING:
    from etl.checkpoint.folding import Folded

RESUMABLE_DAYS = 1.0
#: A parked row that a request has held may have been sent by a commit that was lost: it is looked for first.
_FREED = "iif(row.state = 'parked' AND request IS NOT NULL, 'unknown', 'planned')"
_KEPT_WORDS = "iif(?2 = 'planned', NULL, wanted)"  # one that is rejected may be tried again


def begin_plan(checkpoint: Checkpoint, fingerprint: str, mapping: str, *, looking: bool = False) -> int:
    """A new plan's number; what an unfinished one left behind is thrown away, and look-ups will be asked again.

    `fingerprint` stands for inputs, mapping and options, `mapping` for the mapping alone (both hex digests). An
    unfinished plan with the same fingerprint leaves its look-ups: they are as fresh as its own would be. With `looking`
    it is not sent unless a run takes it up, see `looked`; an earlier plan of that kind is dropped.
    """
    checkpoint.db.executescript(PLAN_SCHEMA)
    with checkpoint.transaction() as db:
        same = db.execute("SELECT 1 FROM plan WHERE NOT finished AND fingerprint = ?", [fingerprint]).fetchone()
        _discard_unfinished(db)
        looked.drop(db)
        if not same:
            db.execute("DELETE FROM directory")
        if not db.execute("SELECT 1 FROM row LIMIT 1").fetchone():
            db.execute("DROP INDEX IF EXISTS row_key")
        values = [fingerprint, mapping, now(), looking]
        plan = db.execute(
            """INSERT INTO plan (fingerprint, mapping, started_at, looked, first_row)
               VALUES (?, ?, ?, ?, (SELECT coalesce(max(id), 0) FROM row))""", values
        ).lastrowid  # fmt: skip
    assert plan is not None
    return plan


def resumable_plan(checkpoint: Checkpoint, fingerprint: str) -> int | None:
    """The newest plan, if it is finished, has this fingerprint, no run has come to its end with it, and it is of today.

    An older one is made again: contacts may have moved since its look-ups.
    """
    found = checkpoint.rows(
        """SELECT id FROM plan WHERE id = (SELECT max(id) FROM plan) AND fingerprint = ? AND finished AND NOT sent
           AND julianday('now') - julianday(started_at) BETWEEN 0 AND ?""", fingerprint, RESUMABLE_DAYS
    )  # fmt: skip
    return int(found[0][0]) if found else None


def add_input(checkpoint: Checkpoint, plan: int, path: str, header: Sequence[str]) -> int:
    """The number of a new input of the plan."""
    with checkpoint.transaction() as db:
        values = [plan, path, json.dumps(list(header), ensure_ascii=False)]
        number = db.execute("INSERT INTO input (plan, path, header) VALUES (?, ?, ?)", values).lastrowid
    assert number is not None
    return number


def is_empty(checkpoint: Checkpoint) -> bool:
    """Whether no row of any plan is there yet, so that none that comes can be known."""
    return not checkpoint.rows("SELECT 1 FROM row LIMIT 1")


def stage(
    checkpoint: Checkpoint,
    input_: int,
    folded: Folded | None,
    *,
    read: int,
    rejects: Iterable[Reject],
    skipped: dict[str, int],
    merged: int = 0,
    unique: Sequence[str] = (),
    keep_changed: bool = False,
) -> None:
    """Stores one chunk: its rows, its rejects, and the counts of rows read, skipped and merged, in one transaction.

    Rows that come again are judged as `repeats` says, in the first plan of a checkpoint by `judge_repeats` at the end;
    nothing is stored for one that says what it said before. `unique` names columns whose values may stand only once in
    a plan. With `keep_changed` the new payloads of rows are kept that were created with other content.
    """
    with checkpoint.transaction() as db:
        db.execute("UPDATE input SET read = read + ?, merged = merged + ? WHERE id = ?", [read, merged, input_])
        for reason, rows in skipped.items():
            db.execute(
                "INSERT INTO skipped VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
                [input_, reason, rows],
            )
        again = _stage_rows(db, input_, folded, unique, keep_changed) if folded is not None and len(folded) else []
        _insert_rejects(db, input_, [*rejects, *again])


def judge_repeats(checkpoint: Checkpoint, plan: int) -> None:
    """Judges what `stage` left: rows of a first plan that repeat an earlier one are taken out, and rejected or counted."""
    with checkpoint.sorting(), checkpoint.transaction() as db:
        if not _has_index(db):
            try:
                db.execute(KEY_INDEX)
            except sqlite3.IntegrityError:  # some key stands there twice
                for input_, reject in repeats.judge_all(db, plan):
                    _insert_rejects(db, input_, [reject])
                db.execute(KEY_INDEX)
            else:
                return
        db.execute("DELETE FROM temp.inserted")  # there are other rows, or fewer


def finish_plan(checkpoint: Checkpoint, plan: int, *, again: bool = False, vanished: bool = False) -> None:
    """Makes the plan sendable: applies what `seen` holds and sets the flag, in one durable transaction.

    Comes after `judge_repeats`. A row that was undone stays so unless `again`; `vanished` is what `plan_changes` takes.
    """
    with checkpoint.transaction() as db:
        changes.plan_changes(db, plan, vanished=vanished)
        looked.keep_as_they_were(db, plan)
        stays = f"state = 'undone' AND NOT {int(again)}"
        state = f"CASE WHEN {stays} THEN state WHEN s.reason IS NULL THEN {_FREED} ELSE 'parked' END"
        waits = f"iif({stays} OR s.reason IS NULL, NULL, coalesce(parked_ms, {int(time() * 1000)}))"
        db.execute(f"""
            UPDATE row SET hash = s.hash, input = s.input, line = s.line, segment = s.segment, pos = s.pos,
                type = s.type, time_ms = s.time_ms, links = s.links, shape = s.shape, wanted = s.wanted,
                reason = s.reason, content_seal = s.content_seal, code = NULL, parked_ms = {waits}, {seals.sealed(state=state, doubts="0")}
            FROM seen AS s WHERE s.row = row.id AND s.fate = 'take'""")
        db.execute(
            "UPDATE row SET input = s.input, line = s.line FROM seen AS s WHERE s.row = row.id AND s.fate = 'move'"
        )
        db.execute("UPDATE plan SET finished = 1 WHERE id = ?", [plan])


def parked(checkpoint: Checkpoint, plan: int, rows: int) -> Iterator[list[tuple[int, str, float]]]:
    """The parked rows of other plans than this one, `rows` at a time.

    Row number, wanted links as JSON, and for how many days it waits, however often an input brought it since.
    """
    last = 0
    while batch := checkpoint.rows(
        """SELECT row.id, wanted, (?4 - coalesce(parked_ms, ?4)) / 86400000.0
           FROM row JOIN input ON input.id = row.input JOIN plan ON plan.id = input.plan
           WHERE state = 'parked' AND row.id > ?1 AND plan.id <> ?2 ORDER BY row.id LIMIT ?3""",
        last, plan, rows, int(time() * 1000),
    ):  # fmt: skip
        yield batch
        last = batch[-1][0]


def unpark(checkpoint: Checkpoint, run: int, rows: Iterable[tuple[int, str, str, str, str | None, str | None]]) -> None:
    """Stores what looking again gave for parked rows: (row number, new state, links, shape, reason, code) each."""
    with checkpoint.transaction() as db:
        db.executemany(
            f"""UPDATE row SET links = ?3, shape = ?4, reason = ?5, code = ?6, run = ?7, wanted = {_KEPT_WORDS},
                    parked_ms = iif(?2 = 'parked', parked_ms, NULL),
                    content_seal = {seals.content_seal(links="?3", wanted=_KEPT_WORDS)},
                    {seals.sealed(state=f"iif(?2 = 'planned', {_FREED}, ?2)")}
                WHERE id = ?1""", ((*row, run) for row in rows)
        )  # fmt: skip


def _discard_unfinished(db: sqlite3.Connection) -> None:
    if not db.execute("SELECT 1 FROM plan WHERE NOT finished").fetchone():
        return
    inputs = "(SELECT id FROM input WHERE plan IN (SELECT id FROM plan WHERE NOT finished))"
    for table in ("row", "segment", "reject", "skipped"):
        db.execute(f"DELETE FROM {table} WHERE input IN {inputs}")
    db.execute("DELETE FROM input WHERE plan IN (SELECT id FROM plan WHERE NOT finished)")
    db.execute("DELETE FROM plan WHERE NOT finished")


def _has_index(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'row_key'").fetchone() is not None


def _stage_rows(
    db: sqlite3.Connection, input_: int, folded: Folded, unique: Sequence[str], keep_changed: bool
) -> list[Reject]:
    """Stages the rows and gives back those that repeat an earlier one with other content."""
    from etl.checkpoint import inserting

    refused = repeats.taken_values(db, input_, folded, unique) if unique else {}
    if _has_index(db):
        refused |= _stage_known(db, input_, folded, refused, keep_changed)
    elif refused:
        inserting.insert(db, input_, folded, [place for place in range(len(folded)) if place not in refused])
    else:
        inserting.insert(db, input_, folded)
    return [reject_of(refused[i], int(folded.lines[i]), folded.key(i), folded.cells(i)) for i in sorted(refused)]


def _stage_known(
    db: sqlite3.Connection, input_: int, folded: Folded, left_out: Collection[int], keep_changed: bool
) -> dict[int, repeats.Repeat]:
    """The same where rows are there already; gives those to refuse, by place."""
    from etl.checkpoint import inserting

    plan = db.execute("SELECT plan FROM input WHERE id = ?", [input_]).fetchone()[0]
    firsts, others = repeats.firsts_and_repeats(folded, left_out)
    same, numbers = repeats.unchanged(db, plan, folded, firsts)
    inserting.leave(db, input_, folded, same, numbers)
    left = sorted(set(firsts).difference(same))
    judged = repeats.judge(found := repeats.known(db, plan, folded, left))
    fresh = sorted(set(left).difference(row.place for row in found))
    inserting.insert(db, input_, folded, fresh, judged.fates, keep_changed=keep_changed)
    last = repeats.judge(repeats.known(db, plan, folded, others))
    counts = [len(same) + judged.already + last.already, judged.changed + last.changed, plan]
    db.execute("UPDATE plan SET already = already + ?, changed = changed + ? WHERE id = ?", counts)
    return judged.refused | last.refused


def _insert_rejects(db: sqlite3.Connection, input_: int, rejects: Iterable[Reject]) -> None:
    values = (
        (
            input_,
            r.line,
            r.key or None,
            orjson.dumps([*map(tuple, r.problems)]).decode(),
            orjson.dumps(r.cells).decode(),
            r.raw,
        )
        for r in rejects
    )
    while batch := list(islice(values, 10_000)):
        db.executemany("INSERT INTO reject VALUES (?, ?, ?, ?, ?, ?)", batch)
