"""Rows that come again, judged over the whole input and against all earlier ones.

The first stays. The same content again is `already`; other content under the same key is rejected, naming the line that
has it; other content of an earlier plan is `changed` where it was created, and taken where it was not sent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from etl.checkpoint.segments import load, read_cells
from etl.flow import Problem, Reject, key_text

if TYPE_CHECKING:
    import pandas as pd

#: States in which a row that comes again takes the new payload: it was never sent.
_REPLACEABLE = ("planned", "parked")
_SEEN = """INSERT INTO seen (row, fate, input, hash, line, segment, pos, type, time_ms, links, shape, wanted, reason,
    content_seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class Draft(NamedTuple):
    """One row on its way into the tables `row` or `seen`; its input is known, and it is parked if there is a reason."""

    key: bytes
    hash: bytes
    line: int
    segment: int
    pos: int
    type: str
    time_ms: int
    links: str
    shape: str
    wanted: str | None
    reason: str | None
    content_seal: int


class Repeat(NamedTuple):
    """A draft that is refused because an earlier row has its key, or its value in a unique column."""

    code: str  #: repeated_key or not_unique
    column: str  #: the unique column
    line: int  #: of the row that stays


def taken_values(
    db: sqlite3.Connection, drafts: Sequence[tuple[Any, ...]], cells: pd.DataFrame, unique: Sequence[str]
) -> dict[int, Repeat]:
    """Drafts whose value of a unique column stood in another row of the plan, by position.

    A row that comes again whole (same key and content) is not among them: it is `already`.
    """
    taken: dict[int, Repeat] = {}
    find = "SELECT line, key, content FROM uniq WHERE name = ? AND hash = ?"
    for column in unique:
        for i, (draft, value) in enumerate(zip(map(Draft._make, drafts), cells[column].tolist(), strict=True)):
            if not isinstance(value, str):
                continue
            digest = sha256(value.encode()).digest()[:16]
            values = [column, digest, draft.line, draft.key, draft.hash]
            db.execute("INSERT OR IGNORE INTO uniq VALUES (?, ?, ?, ?, ?)", values)
            line, *content = db.execute(find, [column, digest]).fetchone()
            if line != draft.line and content != [draft.key, draft.hash]:
                taken[i] = Repeat("not_unique", column, line)
    return taken


def judge_known(
    db: sqlite3.Connection, input_: int, drafts: Sequence[tuple[Any, ...]], left_out: Collection[int]
) -> dict[int, Repeat]:
    """What becomes of drafts whose key stood there before they came; gives those to reject, by position.

    A draft is known by the place that the stored row names: its own, or another's.
    """
    refused: dict[int, Repeat] = {}
    already = changed = 0
    plan = db.execute("SELECT plan FROM input WHERE id = ?", [input_]).fetchone()[0]
    for i, draft, row in _stored(db, drafts):
        number, hash_, line, segment, pos, state, plan_of_row, hash_seen, line_seen = row
        if i in left_out or (segment, pos) == (draft.segment, draft.pos):
            continue
        here = plan_of_row == plan or line_seen is not None  # an earlier row of this plan has the key
        if here and (hash_seen or hash_) != draft.hash:
            refused[i] = Repeat("repeated_key", "", line_seen or line)
        elif here or state == "created":
            already += 1
            changed += hash_ != draft.hash and not here
        if not here:
            fate = _fate(state, same=hash_ == draft.hash)
            db.execute(_SEEN, [number, fate, input_, *draft[1:]])
    db.execute("UPDATE plan SET already = already + ?, changed = changed + ? WHERE id = ?", [already, changed, plan])
    return refused


def judge_all(db: sqlite3.Connection, plan: int) -> Iterator[tuple[int, Reject]]:
    """The same for rows that were staged without an index, all of one plan: takes out those that repeat an earlier one.

    Gives the rejects among them, each with its input. Sorting the keys once at the end costs a fraction of keeping
    them sorted while a million rows come in.
    """
    db.execute("CREATE TEMP TABLE again AS SELECT key FROM row GROUP BY key HAVING count(*) > 1")
    repeated = db.execute(
        "SELECT id, key, hash, input, line, segment, pos FROM row WHERE key IN (SELECT key FROM again) ORDER BY id"
    ).fetchall()
    db.execute("DROP TABLE again")
    first: dict[bytes, tuple[bytes, int]] = {}
    for number, key, hash_, input_, line, segment, pos in repeated:
        if key not in first:
            first[key] = hash_, line
            continue
        db.execute("DELETE FROM row WHERE id = ?", [number])
        if first[key][0] == hash_:
            db.execute("UPDATE plan SET already = already + 1 WHERE id = ?", [plan])
            continue
        cells = read_cells(load(db, segment, "cells"), pos)
        yield input_, reject_of(Repeat("repeated_key", "", first[key][1]), line, key, cells)


def reject_of(repeat: Repeat, line: int, key: bytes, cells: Sequence[str | None]) -> Reject:
    """The row on `line` as a reject."""
    what = "the same key and other content" if repeat.code == "repeated_key" else f"the same value in {repeat.column!r}"
    message = f"line {repeat.line} has {what}; it stays, this row does not"
    return Reject(line, (Problem(repeat.code, repeat.column, "", message),), tuple(cells), key=key_text(key))


def _stored(db: sqlite3.Connection, drafts: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Draft, tuple]]:  # type: ignore[type-arg]
    """Each draft with the row that the checkpoint holds under its key."""
    find = """SELECT row.id, row.hash, row.line, row.segment, row.pos, row.state, input.plan, seen.hash, seen.line
        FROM row JOIN input ON input.id = row.input LEFT JOIN seen ON seen.row = row.id WHERE row.key = ?"""
    for i, draft in enumerate(map(Draft._make, drafts)):
        if found := db.execute(find, [draft.key]).fetchone():
            yield i, draft, found


def _fate(state: str, *, same: bool) -> str:
    """What becomes of a row of an earlier plan that comes again: one that was not sent takes what came."""
    if state == "created":
        return "leave"
    takes = state in _REPLACEABLE or (state == "rejected" and not same)
    return "take" if takes else "move"
