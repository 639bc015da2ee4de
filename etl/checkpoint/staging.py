"""Half one's side of the checkpoint: rows staged chunk by chunk, repeats judged, and the plan made sendable at once.

Rows that the checkpoint does not know are inserted as they come; what becomes of those it knows is kept aside in `seen`
and applied by `finish_plan` in one transaction with the flag that lets the plan be sent. A plan that was not finished
has changed nothing, and the next one throws it away.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from etl.checkpoint import repeats, seals, segments
from etl.checkpoint.repeats import reject_of
from etl.checkpoint.schema import KEY_INDEX, PLAN_SCHEMA
from etl.checkpoint.store import Checkpoint, now
from etl.flow import Linked, Reject

if TYPE_CHECKING:
    import pyarrow as pa

RESUMABLE_DAYS = 1.0
#: What is the same for all rows of an input stands in the statement: the time to insert goes by the values bound.
_INSERT = f"""INSERT OR IGNORE INTO row
    (input, state, key, hash, line, segment, pos, type, time_ms, links, shape, wanted, reason, content_seal, fate_seal)
    VALUES ({{input}}, iif(?11 IS NULL, 'planned', 'parked'), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
    iif(?11 IS NULL, {seals.new_fate_seal("planned")}, {seals.new_fate_seal("parked")}))"""
#: A parked row that a request has held may have been sent by a commit that was lost: it is looked for first.
_FREED = "iif(row.state = 'parked' AND request IS NOT NULL, 'unknown', 'planned')"
_KEPT_WORDS = "iif(?2 = 'parked', wanted, NULL)"


def begin_plan(checkpoint: Checkpoint, fingerprint: str, mapping: str) -> int:
    """A new plan's number; what an unfinished one left behind is thrown away, and look-ups will be asked again.

    `fingerprint` stands for inputs, mapping and options, `mapping` for the mapping alone (both hex digests). An
    unfinished plan with the same fingerprint leaves its look-ups: they are as fresh as its own would be.
    """
    checkpoint.db.executescript(PLAN_SCHEMA)
    with checkpoint.transaction() as db:
        same = db.execute("SELECT 1 FROM plan WHERE NOT finished AND fingerprint = ?", [fingerprint]).fetchone()
        _discard_unfinished(db)
        if not same:
            db.execute("DELETE FROM directory")
        if not db.execute("SELECT 1 FROM row LIMIT 1").fetchone():
            db.execute("DROP INDEX IF EXISTS row_key")
        values = [fingerprint, mapping, now()]
        plan = db.execute("INSERT INTO plan (fingerprint, mapping, started_at) VALUES (?, ?, ?)", values).lastrowid
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


def stage(
    checkpoint: Checkpoint,
    input_: int,
    linked: Linked | None,
    *,
    read: int,
    rejects: Iterable[Reject],
    skipped: dict[str, int],
    unique: Sequence[str] = (),
) -> None:
    """Stores one chunk: its linked drafts, its rejects, and the counts of rows read and skipped, in one transaction.

    Rows that come again are judged as `repeats` says, in the first plan of a checkpoint by `judge_repeats` at the end.
    `unique` names columns whose values may stand only once in a plan.
    """
    with checkpoint.transaction() as db:
        db.execute("UPDATE input SET read = read + ? WHERE id = ?", [read, input_])
        for reason, rows in skipped.items():
            db.execute(
                "INSERT INTO skipped VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
                [input_, reason, rows],
            )
        again = _stage_rows(db, input_, linked, unique) if linked is not None and len(linked) else []
        _insert_rejects(db, input_, [*rejects, *again])


def judge_repeats(checkpoint: Checkpoint, plan: int) -> None:
    """Judges what `stage` left: rows of a first plan that repeat an earlier one are taken out, and rejected or counted."""
    with checkpoint.transaction() as db:
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'row_key'").fetchone():
            return
        try:
            db.execute(KEY_INDEX)
        except sqlite3.IntegrityError:  # some key stands there twice
            for input_, reject in repeats.judge_all(db, plan):
                _insert_rejects(db, input_, [reject])
            db.execute(KEY_INDEX)


def finish_plan(checkpoint: Checkpoint, plan: int) -> None:
    """Makes the plan sendable: applies what `seen` holds and sets the flag, in one durable transaction.

    Comes after `judge_repeats`.
    """
    with checkpoint.transaction() as db:
        db.execute(f"""
            UPDATE row SET hash = s.hash, input = s.input, line = s.line, segment = s.segment, pos = s.pos,
                type = s.type, time_ms = s.time_ms, links = s.links, shape = s.shape, wanted = s.wanted,
                reason = s.reason, content_seal = s.content_seal,
                {seals.sealed(state=f"iif(s.reason IS NULL, {_FREED}, 'parked')", doubts="0")}
            FROM seen AS s WHERE s.row = row.id AND s.fate = 'take'""")
        db.execute(
            "UPDATE row SET input = s.input, line = s.line FROM seen AS s WHERE s.row = row.id AND s.fate = 'move'"
        )
        db.execute("UPDATE plan SET finished = 1 WHERE id = ?", [plan])


def parked(checkpoint: Checkpoint, plan: int, rows: int) -> Iterator[list[tuple[int, str]]]:
    """The parked rows of other plans than this one, `rows` at a time: row number and wanted links as JSON."""
    last = 0
    while batch := checkpoint.rows(
        """SELECT id, wanted FROM row WHERE state = 'parked' AND id > ?
           AND input NOT IN (SELECT id FROM input WHERE plan = ?) ORDER BY id LIMIT ?""", last, plan, rows
    ):  # fmt: skip
        yield batch
        last = batch[-1][0]


def unpark(checkpoint: Checkpoint, run: int, rows: Iterable[tuple[int, str, str, str, str | None]]) -> None:
    """Stores what looking again gave for parked rows: (row number, new state, links, shape, reason) each."""
    with checkpoint.transaction() as db:
        db.executemany(
            f"""UPDATE row SET links = ?3, shape = ?4, reason = ?5, run = ?6, wanted = {_KEPT_WORDS},
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


def _stage_rows(db: sqlite3.Connection, input_: int, linked: Linked, unique: Sequence[str]) -> list[Reject]:
    """Stages the drafts and gives back those that repeat an earlier row with other content."""
    drafts = _drafts(db, input_, linked)
    refused = repeats.taken_values(db, drafts, linked.drafts.cells, unique) if unique else {}
    fresh = [draft for i, draft in enumerate(drafts) if i not in refused] if refused else drafts
    before = db.total_changes
    db.executemany(_INSERT.format(input=input_), fresh)
    if db.total_changes - before < len(fresh):
        refused |= repeats.judge_known(db, input_, drafts, refused.keys())
    d = linked.drafts
    return [
        reject_of(refused[i], int(d.lines[i]), d.keys[i], [v if isinstance(v, str) else None for v in d.cells.iloc[i]])
        for i in sorted(refused)
    ]


def _drafts(db: sqlite3.Connection, input_: int, linked: Linked) -> list[tuple[Any, ...]]:
    """The drafts as rows for the tables, in the order of `repeats.Draft`, their payloads and cells stored in segments."""
    import pyarrow as pa
    import pyarrow.compute as pc

    d = linked.drafts
    payloads = segments.payloads_of(linked)
    numbers, places = segments.store(db, input_, payloads, d.cells)
    links, shapes = segments.links_text(linked.owner_ids, linked.links)
    wanted = pc.if_else(linked.parked.is_valid(), linked.wanted, pa.scalar(None, pa.string()))
    hashes = _hashes(payloads, linked.wanted)
    texts = _bytes(pc.binary_join_element_wise(d.types, pa.array(links), pc.fill_null(wanted, ""), ""))
    columns = zip(
        d.keys, hashes, d.lines.tolist(), numbers, places, d.types.to_pylist(),
        d.times_ms.tolist(), links, shapes, wanted.to_pylist(), linked.parked.to_pylist(),
        seals.content_seals(d.keys, hashes, texts, d.times_ms, np.array(numbers), np.array(places)), strict=True,
    )  # fmt: skip
    return list(columns)


def _hashes(payloads: pa.StringArray, wanted: pa.StringArray) -> list[bytes]:
    """16 bytes for each row over what it says: its payload, and its links in words."""
    import pyarrow.compute as pc

    contents = _bytes(pc.binary_join_element_wise(payloads, wanted, "\0"))
    return [sha256(content).digest()[:16] for content in contents]


def _bytes(texts: pa.StringArray) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.cast(texts, pa.binary()).to_pylist()  # type: ignore[no-any-return]


def _insert_rejects(db: sqlite3.Connection, input_: int, rejects: Iterable[Reject]) -> None:
    values = (
        (
            input_,
            r.line,
            r.key or None,
            json.dumps(r.problems, ensure_ascii=False),
            json.dumps(r.cells, ensure_ascii=False),
            r.raw,
        )
        for r in rejects
    )
    while batch := list(islice(values, 10_000)):
        db.executemany("INSERT INTO reject VALUES (?, ?, ?, ?, ?, ?)", batch)
