"""Rows that come again, judged over the whole input and against all earlier ones.

The first stays. The same content again is `already`; other content under the same key is rejected, naming the line that
has it; other content of an earlier plan is `changed` where it was created, and taken where it was not sent.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import orjson

from etl.checkpoint.segments import load, read_cells
from etl.flow import Problem, Reject, key_text

if TYPE_CHECKING:
    from etl.checkpoint.folding import Folded

#: States in which a row that comes again takes the new payload: it was never sent, or it was taken back.
_REPLACEABLE = ("planned", "parked", "undone")
#: What the checkpoint holds under the keys of some rows of a chunk (?1: their places, ?2: keys, ?3: hashes, ?4: the plan).
_KNOWN = """SELECT j.value, row.id, row.state, coalesce(seen.line, row.line), input.plan = ?4 OR seen.row IS NOT NULL,
        coalesce(seen.hash, row.hash) = substr(?3, 1 + 16 * j.value, 16), row.hash = substr(?3, 1 + 16 * j.value, 16)
    FROM json_each(?1) AS j CROSS JOIN row ON row.key = substr(?2, 1 + 16 * j.value, 16)
    JOIN input ON input.id = row.input LEFT JOIN seen ON seen.row = row.id"""

#: Those of them that an earlier plan's run created, and that say what they said: places and row numbers.
_UNCHANGED = """SELECT json_group_array(j.value), json_group_array(row.id)
    FROM json_each(?1) AS j CROSS JOIN row ON row.key = substr(?2, 1 + 16 * j.value, 16)
    JOIN input ON input.id = row.input LEFT JOIN seen ON seen.row = row.id
    WHERE row.state = 'created' AND row.hash = substr(?3, 1 + 16 * j.value, 16) AND input.plan <> ?4 AND seen.row IS NULL"""


class Known(NamedTuple):
    """A row of a chunk whose key the checkpoint holds."""

    place: int  #: in the chunk
    number: int  #: of the row that is held
    state: str
    line: int  #: of the row that has the key, in this plan if it is there
    here: bool  #: whether an earlier row of this plan has the key
    same: bool  #: whether that row says the same
    held: bool  #: whether the row that is held says the same


class Repeat(NamedTuple):
    """A row that is refused because an earlier one has its key, or its value in a unique column."""

    code: str  #: repeated_key or not_unique
    column: str  #: the unique column
    line: int  #: of the row that stays


@dataclass(slots=True)
class Judged:
    """What becomes of the rows of a chunk whose keys were known."""

    fates: list[tuple[Known, str]] = field(default_factory=list)  #: rows of earlier plans; see `PLAN_SCHEMA`
    refused: dict[int, Repeat] = field(default_factory=dict)  #: by place
    already: int = 0
    changed: int = 0


def taken_values(db: sqlite3.Connection, input_: int, folded: Folded, unique: Sequence[str]) -> dict[int, Repeat]:
    """Rows whose value of a unique column stood in another row of the plan, by place.

    A row that comes again whole (same key and content) is not among them: it is `already`.
    """
    header = json.loads(db.execute("SELECT header FROM input WHERE id = ?", [input_]).fetchone()[0])
    taken: dict[int, Repeat] = {}
    find = "SELECT line, key, content FROM uniq WHERE name = ? AND hash = ?"
    for column in unique:
        for i, value in enumerate(folded.column(header.index(column))):
            if value is None:
                continue
            digest = sha256(value.encode()).digest()[:16]
            mine = [int(folded.lines[i]), folded.key(i), folded.hash(i)]
            db.execute("INSERT OR IGNORE INTO uniq VALUES (?, ?, ?, ?, ?)", [column, digest, *mine])
            line, *content = db.execute(find, [column, digest]).fetchone()
            if line != mine[0] and content != mine[1:]:
                taken[i] = Repeat("not_unique", column, line)
    return taken


def firsts_and_repeats(folded: Folded, left_out: Collection[int]) -> tuple[list[int], list[int]]:
    """The places of a chunk's rows: the first of each key, and the others; without those left out."""
    places = [place for place in range(len(folded)) if place not in left_out]
    first_of = {folded.key(place): place for place in reversed(places)}
    firsts = sorted(first_of.values())
    return firsts, sorted(set(places).difference(firsts)) if len(firsts) < len(places) else []


def unchanged(db: sqlite3.Connection, plan: int, folded: Folded, places: Sequence[int]) -> tuple[list[int], list[int]]:
    """The places and row numbers of rows that were created before and come as they were: on most nights, nearly all.

    Found apart from the others, in one answer, so that they cost next to nothing each.
    """
    values = [orjson.dumps(places).decode(), folded.keys, folded.hashes, plan]
    found, numbers = db.execute(_UNCHANGED, values).fetchone()
    return orjson.loads(found), orjson.loads(numbers)


def known(db: sqlite3.Connection, plan: int, folded: Folded, places: Sequence[int]) -> list[Known]:
    """Those of the rows whose keys the checkpoint holds, in their order."""
    values = [orjson.dumps(places).decode(), folded.keys, folded.hashes, plan]
    return [Known(*row) for row in db.execute(_KNOWN, values)]


def judge(rows: Iterable[Known]) -> Judged:
    """What becomes of rows whose keys are known."""
    judged = Judged()
    for row in rows:
        if row.here and not row.same:
            judged.refused[row.place] = Repeat("repeated_key", "", row.line)
        elif row.here:
            judged.already += 1
        else:
            judged.fates.append((row, _fate(row.state, same=row.held)))
            judged.already += row.state == "created"
            judged.changed += row.state == "created" and not row.held
    return judged


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


def _fate(state: str, *, same: bool) -> str:
    """What becomes of a row of an earlier plan that comes again: one that was not sent takes what came."""
    if state == "created":
        return "leave"
    takes = state in _REPLACEABLE or (state == "rejected" and not same)
    return "take" if takes else "move"
