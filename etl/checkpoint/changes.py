"""What is done to rows that are in the account already: planned, sent and answered like creates, but told by reading.

    planned ──intend──> in_flight ──record──> done | failed | planned (once more) | unknown
    planned ──as read──> done (it says so already) | conflict (a person changed it)
    in_flight ──a new start──> unknown ──read after the settle time──> planned

A change says what is to be, so that doing it again does no harm; and everything planned is read before it is sent, so that
it is not done again either. A change and its row swap contents when it is done: what the change holds then is what undoing
it needs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from etl.checkpoint.seals import sealed
from etl.checkpoint.store import Checkpoint, now
from etl.flow import RemoteId, key_bytes

if TYPE_CHECKING:
    from etl.flow import Engagement

What = Literal["update", "archive", "restore"]
State = Literal["planned", "in_flight", "unknown", "done", "conflict", "failed"]

_CONTENT = ("hash", "segment", "pos", "time_ms", "links", "shape", "content_seal")
#: Inputs of a plan (?1).
_INPUTS = "(SELECT id FROM input WHERE plan = ?1)"


class Fate(NamedTuple):
    """What became of one change."""

    number: int
    state: State
    reason: str = ""


class Due(NamedTuple):
    """A change that waits to be carried out."""

    number: int
    what: What
    remote_id: RemoteId
    before: Engagement  #: what was sent last
    after: Engagement  #: what is wanted; for `archive` the same
    wire: str  #: by which the row was created


class Told(NamedTuple):
    """A change, for people."""

    what: str
    state: str
    type: str
    key: bytes
    remote_id: RemoteId
    path: str
    line: int
    reason: str


def plan_changes(db: sqlite3.Connection, plan: int, *, vanished: bool) -> None:
    """Takes over from `seen` what the plan says of created rows: their new content, in place of what still waits.

    With `vanished` (the plan saw its inputs whole) notes the created rows of the time that the inputs cover and do not
    hold. Rows that were refused with their key are not among them.
    """
    db.execute(
        """DELETE FROM change WHERE what = 'update' AND state IN ('planned', 'conflict', 'failed')
           AND row IN (SELECT row FROM temp.seen)"""
    )
    columns = ", ".join(_CONTENT)
    db.execute(
        f"""INSERT INTO change (row, what, state, plan, remote_id, reason, at, input, line, {columns})
            SELECT row.id, 'update', iif(s.reason IS NULL AND s.type = row.type, 'planned', 'failed'), ?1, row.remote_id,
                iif(s.type = row.type, s.reason, 'it was ' || row.type || ' and is ' || s.type || ' now: no type can be changed'),
                ?2, s.input, s.line, {", ".join(f"s.{name}" for name in _CONTENT)}
            FROM temp.seen AS s JOIN row ON row.id = s.row
            WHERE s.fate = 'leave' AND s.segment IS NOT NULL AND row.state = 'created' ORDER BY row.id""", [plan, now()]
    )  # fmt: skip
    if vanished:
        _note_vanished(db, plan)


def plan_undo(checkpoint: Checkpoint, run: int, row: int | None = None) -> None:
    """Plans to archive what a run created and to restore what it updated; what was left alone before is tried again."""
    with checkpoint.transaction() as db:
        again = (
            "UPDATE change SET state = 'planned', reason = NULL WHERE undoes = ?1 AND state IN ('conflict', 'failed')"
        )
        db.execute(f"{again} AND (?2 IS NULL OR row = ?2)", [run, row])
        db.execute(
            """INSERT INTO change (row, what, state, undoes, remote_id, at)
               SELECT id, 'archive', 'planned', ?1, remote_id, ?3 FROM row
               WHERE state = 'created' AND run = ?1 AND (?2 IS NULL OR id = ?2)
                   AND id NOT IN (SELECT row FROM change WHERE undoes = ?1) ORDER BY id""", [run, row, now()]
        )  # fmt: skip
        columns = ", ".join(_CONTENT)
        db.execute(
            f"""INSERT INTO change (row, what, state, undoes, remote_id, at, {columns})
                SELECT c.row, 'restore', 'planned', ?1, c.remote_id, ?3, {", ".join(f"c.{name}" for name in _CONTENT)}
                FROM change AS c JOIN row ON row.id = c.row WHERE {_RESTORABLE} AND (?2 IS NULL OR c.row = ?2)
                ORDER BY c.id""", [run, row, now()]
        )  # fmt: skip


#: Updates of a run (?1) that can be taken back: the last ones of rows that the run did not create itself.
_RESTORABLE = """c.run = ?1 AND c.what = 'update' AND c.state = 'done' AND row.state = 'created' AND row.run <> ?1
    AND c.row NOT IN (SELECT row FROM change WHERE undoes = ?1)
    AND c.id = (SELECT max(id) FROM change WHERE row = c.row AND state = 'done')"""


class Undoing(NamedTuple):
    """What taking a run back amounts to."""

    archive: dict[str, int]  #: by type
    restore: dict[str, int]  #: by type
    overtaken: int  #: rows that the run updated and that a later run has updated since: they stay
    unknown: int  #: rows of unknown fate, which no undo touches


def undoing(checkpoint: Checkpoint, run: int, row: int | None = None) -> Undoing:
    """What `plan_undo` would plan, and what waits of it already."""
    waiting = """SELECT type FROM change AS c JOIN row ON row.id = c.row WHERE c.what = '{}' AND c.undoes = ?1
        AND c.state <> 'done' AND (?2 IS NULL OR c.row = ?2)"""
    archive = f"""SELECT type, count(*) FROM (SELECT type FROM row WHERE state = 'created' AND run = ?1
        AND (?2 IS NULL OR id = ?2) AND id NOT IN (SELECT row FROM change WHERE undoes = ?1)
        UNION ALL {waiting.format("archive")}) GROUP BY 1 ORDER BY 1"""
    restore = f"""SELECT type, count(*) FROM (SELECT type FROM change AS c JOIN row ON row.id = c.row WHERE {_RESTORABLE}
        AND (?2 IS NULL OR c.row = ?2) UNION ALL {waiting.format("restore")}) GROUP BY 1 ORDER BY 1"""
    overtaken = """SELECT count(DISTINCT c.row) FROM change AS c JOIN row ON row.id = c.row WHERE c.run = ?1
        AND c.what = 'update' AND c.state = 'done' AND row.state = 'created' AND row.run <> ?1
        AND EXISTS (SELECT 1 FROM change AS d WHERE d.row = c.row AND d.what = 'update' AND d.state = 'done' AND d.id > c.id)"""
    return Undoing(
        dict(checkpoint.rows(archive, run, row)),
        dict(checkpoint.rows(restore, run, row)),
        checkpoint.one(overtaken, run),
        checkpoint.one(
            "SELECT count(*) FROM row WHERE run = ?1 AND state IN ('in_flight', 'unknown', 'unresolved')", run
        ),
    )


def due(checkpoint: Checkpoint, undoes: int | None, *, after: int, rows: int) -> list[Due]:
    """The next planned changes beyond number `after`: updates, or what takes back the run `undoes`."""
    from etl.checkpoint import journal

    found = checkpoint.rows(
        """SELECT c.id, c.what, c.remote_id, row.id, key, type, coalesce(wire, ''),
               row.time_ms, row.segment, row.pos, row.links, c.time_ms, c.segment, c.pos, c.links
           FROM change AS c JOIN row ON row.id = c.row LEFT JOIN request ON request.id = row.request
           WHERE c.state = 'planned' AND c.undoes IS ?1 AND c.id > ?2 ORDER BY c.id LIMIT ?3""", undoes, after, rows
    )  # fmt: skip
    befores = journal.engagements(
        checkpoint, [(row, key, type_, *had[:4], 0, 0, wire) for _, _, _, row, key, type_, wire, *had in found]
    )
    afters = iter(
        journal.engagements(
            checkpoint,
            [(row, key, type_, *had[4:], 0, 0, wire)
             for _, what, _, row, key, type_, wire, *had in found if what != "archive"],
        )
    )  # fmt: skip
    return [
        Due(number, what, remote_id, before.engagement,
            before.engagement if what == "archive" else next(afters).engagement, before.wire)
        for (number, what, remote_id, *_), before in zip(found, befores, strict=True)
    ]  # fmt: skip


def waiting(checkpoint: Checkpoint, undoes: int | None) -> int:
    """How many changes are not carried out yet."""
    sql = "SELECT count(*) FROM change WHERE undoes IS ? AND state IN ('planned', 'in_flight', 'unknown')"
    return checkpoint.one(sql, undoes)


def in_doubt(checkpoint: Checkpoint) -> bool:
    """Whether a lost answer left a change unknown."""
    return bool(checkpoint.one("SELECT EXISTS (SELECT 1 FROM change WHERE state = 'unknown')"))


def read_again(checkpoint: Checkpoint) -> None:
    """Plans what is unknown once more: whatever was on its way has arrived by now, and reading will tell."""
    with checkpoint.transaction() as db:
        db.execute("UPDATE change SET state = 'planned' WHERE state = 'unknown'")


def doubt(db: sqlite3.Connection, reason: str) -> None:
    """What an earlier process left in flight is unknown."""
    db.execute("UPDATE change SET state = 'unknown', reason = ? WHERE state = 'in_flight'", [reason])


def intend(db: sqlite3.Connection, request: int, numbers: Sequence[int]) -> None:
    """A request about to leave holds these changes."""
    changed = db.execute(
        "UPDATE change SET state = 'in_flight', request = ?1 WHERE id IN (SELECT value FROM json_each(?2)) AND state = 'planned'",
        [request, json.dumps(list(numbers))],
    ).rowcount
    assert changed == len(numbers), "a change that was not planned was about to be sent"


def record(db: sqlite3.Connection, run: int, fates: Sequence[Fate]) -> None:
    """Stores what became of changes; of those that are done, the row takes the content, or is undone."""
    if not fates:
        return
    db.executemany(
        "UPDATE change SET state = ?2, reason = nullif(?3, ''), run = ?4, at = ?5 WHERE id = ?1 AND state <> 'done'",
        [(*fate, run, now()) for fate in fates],
    )
    done = json.dumps([fate.number for fate in fates if fate.state == "done"])
    undone = sealed(state="'undone'", remote_id="NULL")
    rows = "(SELECT row FROM change WHERE what = 'archive' AND id IN (SELECT value FROM json_each(?2)))"
    db.execute(f"UPDATE row SET {undone}, run = ?1 WHERE id IN {rows}", [run, done])
    _swap(db, done)


def records(checkpoint: Checkpoint, run: int, fates: Sequence[Fate]) -> None:
    """The same in a transaction of its own, for what reading told without any request that writes."""
    with checkpoint.transaction() as db:
        record(db, run, fates)


def told(checkpoint: Checkpoint, *, plan: int | None = None, undoes: int | None = None) -> Iterator[Told]:
    """The changes of a plan, or those that take a run back, in the order of the input."""
    sql = """SELECT c.what, c.state, type, key, c.remote_id, coalesce(i.path, j.path), coalesce(c.line, row.line),
            coalesce(c.reason, '') FROM change AS c JOIN row ON row.id = c.row JOIN input AS j ON j.id = row.input
            LEFT JOIN input AS i ON i.id = c.input
        WHERE iif(?2 IS NULL, c.what = 'update' AND c.plan = ?1, c.undoes = ?2) ORDER BY c.id"""
    for row in checkpoint.db.execute(sql, [plan, undoes]):
        yield Told(*row)


def vanished(checkpoint: Checkpoint, plan: int) -> Iterator[Told]:
    """The rows that `plan_changes` noted."""
    sql = """SELECT '', state, type, key, coalesce(remote_id, ''), path, line, '' FROM vanished AS v
        JOIN row ON row.id = v.row JOIN input ON input.id = row.input WHERE v.plan = ? ORDER BY row.id"""
    for row in checkpoint.db.execute(sql, [plan]):
        yield Told(*row)


def counted(
    checkpoint: Checkpoint, *, plan: int | None = None, undoes: int | None = None
) -> dict[tuple[str, str], int]:
    """How many changes of a plan, or of an undo, there are by (what, state)."""
    sql = """SELECT what, state, count(*) FROM change
        WHERE iif(?2 IS NULL, what = 'update' AND plan = ?1, undoes = ?2) GROUP BY 1, 2"""
    return {(what, state): rows for what, state, rows in checkpoint.rows(sql, plan, undoes)}


def updated(checkpoint: Checkpoint, plan: int, run: int) -> int:
    """Rows of the plan whose content this run changed."""
    sql = "SELECT count(DISTINCT row) FROM change WHERE what = 'update' AND state = 'done' AND plan = ? AND run = ?"
    return checkpoint.one(sql, plan, run)


def _note_vanished(db: sqlite3.Connection, plan: int) -> None:
    """The span is that of the rows that the plan holds: new ones, and those it saw again."""
    refused = db.execute(f"SELECT key FROM reject WHERE key IS NOT NULL AND input IN {_INPUTS}", [plan]).fetchall()
    keys = json.dumps([key_bytes(key).hex() for (key,) in refused])
    db.execute(
        f"""INSERT INTO vanished WITH span AS (
                SELECT min(time_ms) AS first, max(time_ms) AS last FROM row
                WHERE input IN {_INPUTS} OR id IN (SELECT row FROM temp.seen))
            SELECT ?1, row.id FROM row, span WHERE state = 'created' AND time_ms BETWEEN first AND last
                AND input NOT IN {_INPUTS} AND row.id NOT IN (SELECT row FROM temp.seen)
                AND lower(hex(key)) NOT IN (SELECT value FROM json_each(?2))""", [plan, keys]
    )  # fmt: skip


def _swap(db: sqlite3.Connection, numbers: str) -> None:
    """Rows take the contents of these changes, which keep those that they had."""
    of_row, of_change = (", ".join(f"{table}.{name}" for name in _CONTENT) for table in ("row", "c"))
    found = db.execute(
        f"""SELECT c.id, c.row, {of_row}, {of_change} FROM change AS c JOIN row ON row.id = c.row
            WHERE c.what <> 'archive' AND c.id IN (SELECT value FROM json_each(?))""", [numbers]
    ).fetchall()  # fmt: skip
    columns, width = ", ".join(f"{name} = ?" for name in _CONTENT), 2 + len(_CONTENT)
    db.executemany(f"UPDATE row SET {columns} WHERE id = ?", [(*each[width:], each[1]) for each in found])
    db.executemany(f"UPDATE change SET {columns} WHERE id = ?", [(*each[2:width], each[0]) for each in found])
