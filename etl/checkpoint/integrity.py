"""Whether a checkpoint can be believed, and what is done when it cannot: its rows are looked for before anything is sent.

Two things can be wrong with it. It can be damaged: then seals do not fit. Or it can have fallen back, because a copy was
put in its place or its last commits were lost: then it is behind the mark that lies beside it.
"""

from __future__ import annotations

import sqlite3

from etl.checkpoint import seals
from etl.checkpoint.beside import Mark
from etl.checkpoint.store import Checkpoint, now, storage_errors
from etl.errors import DamagedCheckpoint, TryLater

ROLLED_BACK = "checkpoint_rolled_back"
_RECONCILE = "Run the same command with --reconcile: it reads the account before it sends anything."
_DAMAGED = "its row in the checkpoint is damaged"
_DOUBTED = "the checkpoint was not believed"
_NOTE = "doubt"  #: in `meta`: number of the first request that was not forgotten, and the wire of those that were


def verify(checkpoint: Checkpoint, *, index: bool = True) -> None:
    """Raises `DamagedCheckpoint` where a row does not fit its seals, and `TryLater` where commits were lost.

    That has the code `checkpoint_rolled_back`. Reads every row once, and the index of keys where that is asked for.
    """
    with storage_errors(checkpoint.path):
        _check_mark(checkpoint)
        seen = seals.look(checkpoint.db, index=index)
    if seen.broken:
        lines = seals.broken_lines(checkpoint.db, 5)
        raise DamagedCheckpoint(
            f"The checkpoint {checkpoint.path} is damaged: {seen.broken:,} of its {seen.rows:,} rows are not as they were"
            f" written ({', '.join(lines)}{', ...' if seen.broken > len(lines) else ''}). Nothing was sent.",
            hint=_RECONCILE,
        )
    if not seen.is_index_sound:
        raise DamagedCheckpoint(
            f"The checkpoint {checkpoint.path} is damaged: its index of keys does not fit its rows. Nothing was sent.",
            hint=_RECONCILE,
        )


def mark_of(db: sqlite3.Connection) -> Mark:
    """How far the checkpoint itself has come."""
    epoch = int(db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])
    request, wire = db.execute("SELECT max(id), wire FROM request").fetchone()
    return Mark(epoch, request or 0, wire or "")


def begin_epoch(db: sqlite3.Connection, beside: Mark) -> Mark:
    """Counts a start, beyond whatever was counted before; gives the mark to lay beside once that is on disk."""
    here = mark_of(db)
    mark = here._replace(epoch=max(here.epoch, beside.epoch) + 1)
    db.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", [str(mark.epoch)])
    return mark


def disbelieve(db: sqlite3.Connection, run: int, wire: str, beside: Mark) -> None:
    """Notes that requests may have been forgotten, for good: rows that none of the later ones held may be in the account.

    That holds for rows to come too: an export can bring again what a lost commit had sent. `wire` is how they are read.
    """
    first = max(beside.request, mark_of(db).request) + 1
    _add_request(db, run, wire, first, 0)
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [_NOTE, f"{first} {wire}"])


def doubt(db: sqlite3.Connection, run: int) -> int:
    """Where `disbelieve` was called once: makes planned rows unknown, so that they are looked for before they are sent.

    It is as if a request had held them, but no doubt is counted. Parked rows stay parked, and are looked for when they
    are freed. Gives the number of rows.
    """
    note = db.execute("SELECT value FROM meta WHERE name = ?", [_NOTE]).fetchone()
    if not note:
        return 0
    first, wire = note[0].split()
    request = mark_of(db).request + 1
    open_ = f"coalesce(request, 0) < {first} AND input IN (SELECT i.id FROM input AS i JOIN plan ON plan.id = i.plan WHERE finished)"
    looked_for, marked = seals.sealed(state="'unknown'", request="?1"), seals.sealed(request="?1")
    rows = db.execute(
        f"UPDATE row SET {looked_for}, reason = ?2 WHERE state = 'planned' AND {open_}", [request, _DOUBTED]
    ).rowcount
    where = f"(state = 'parked' AND {open_}) OR (state = 'unknown' AND request IS NULL)"
    rows += db.execute(f"UPDATE row SET {marked} WHERE {where}", [request]).rowcount
    if rows:
        _add_request(db, run, wire, request, rows)
    return rows


def repair(db: sqlite3.Connection, run: int) -> None:
    """What became of a damaged row is unknown; a row whose content is damaged is unresolved, and never sent."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'row_key'").fetchone():
        db.execute("REINDEX row_key")
    state = "iif(wanted IS NULL, 'unknown', 'parked')"  # a row that waits has words, which are under the other seal
    anew = {"state": state, "attempt": "1", "doubts": "0", "request": "NULL", "remote_id": "NULL"}
    columns = ", ".join(f"{column} = {value}" for column, value in anew.items())
    left = seals.sealed(state="'unresolved'")
    for change, damaged in (
        (f"{columns}, fate_seal = {seals.fate_seal(**anew)}", seals.BROKEN_FATE),
        (left, seals.BROKEN_CONTENT),
    ):
        db.execute(f"UPDATE row SET {change}, reason = ?, run = ? WHERE {damaged}", [_DAMAGED, run])


def _add_request(db: sqlite3.Connection, run: int, wire: str, number: int, rows: int) -> None:
    """A request that was not sent, but that stands for some that may have been."""
    sql = "INSERT INTO request (id, run, wire, rows, sent_at, verdict) VALUES (?, ?, ?, ?, ?, 'doubted')"
    db.execute(sql, [number, run, wire, rows, now()])


def _check_mark(checkpoint: Checkpoint) -> None:
    here, beside = mark_of(checkpoint.db), checkpoint.high_water.read()
    if beside is None and here == Mark():
        return
    if beside is None:
        why = f"{checkpoint.high_water.path}, which tells whether it is up to date, is missing or damaged"
    elif here.epoch < beside.epoch or here.request < beside.request:
        why = (
            f"it had come to start {beside.epoch}, request {beside.request}, and holds start {here.epoch}, request"
            f" {here.request}: an old copy was put in its place, or its last commits were lost"
        )
    else:
        return
    raise TryLater(
        f"The checkpoint {checkpoint.path} cannot be believed: {why}. Nothing was sent.",
        hint=_RECONCILE,
        code=ROLLED_BACK,
    )
