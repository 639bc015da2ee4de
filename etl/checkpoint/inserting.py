"""The rows of a chunk into the tables, a chunk in one SQL statement.

Binding a million rows value by value costs more than all that SQLite does with them. So each row is written as a record
of fixed width, all records are bound as one blob, and the statement cuts them apart. Texts of any length come beside it
in one JSON list, over which the statement runs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.checkpoint import segments
from etl.checkpoint.folding import KEY_BYTES, Folded
from etl.checkpoint.seals import new_fate_seal, placed
from etl.checkpoint.segments import SEGMENT_ROWS
from etl.columns.arrays import as_mask

if TYPE_CHECKING:
    from etl.checkpoint.repeats import Known

_LINE_DIGITS, _TIME_DIGITS, _SEAL_DIGITS = 12, 15, 19


class _Field(NamedTuple):
    """One part of every record."""

    name: str
    bytes: NDArray[np.uint8]  #: a row for each record
    as_sql: str = "{}"  #: what makes a value of the part


def insert(
    db: sqlite3.Connection,
    input_: int,
    folded: Folded,
    fresh: Sequence[int] | None = None,
    fates: Sequence[tuple[Known, str]] = (),
    *,
    keep_changed: bool = False,
) -> None:
    """Stores the rows at `fresh` (all, where it is not given), and in `seen` what becomes of rows that were known.

    Segments are made for the rows whose payload is wanted, and for no others.
    """
    kept = [row.place for row, fate in fates if _wants_payload(row, fate, keep_changed)]
    order = None if fresh is None else [*fresh, *kept]
    if folded.table is not None:
        packed = list(segments.pack(folded.table if order is None else folded.table.take(pa.array(order, pa.int64()))))
    else:
        assert order is None or order == list(range(len(folded))), "what is packed is stored as it is"
        packed = list(folded.packed)
    first = segments.store(db, input_, packed)
    if fresh is None or fresh:
        _insert_rows(db, input_, folded, None if fresh is None else np.array(fresh, np.int64), first)
    if fates:
        begin = len(fresh or ())
        _insert_seen(db, input_, folded, fates, {place: begin + i for i, place in enumerate(kept)}, first)


def leave(db: sqlite3.Connection, input_: int, folded: Folded, places: Sequence[int], numbers: Sequence[int]) -> None:
    """Notes in `seen` that these rows came again as they are; `numbers` are those of the rows that are held."""
    at = np.array(places, np.int64)
    records = np.concatenate([_rows_of(folded.hashes, at), _digits(folded.lines[at], _LINE_DIGITS)], axis=1)
    width = KEY_BYTES + _LINE_DIGITS
    db.execute(
        f"""INSERT INTO seen (row, fate, input, hash, line)
            SELECT j.value, 'leave', ?1, substr(?2, 1 + {width} * j.key, {KEY_BYTES}),
                CAST(substr(?2, {1 + KEY_BYTES} + {width} * j.key, {_LINE_DIGITS}) AS INTEGER)
            FROM json_each(?3) AS j""",
        [input_, records.tobytes(), orjson.dumps(numbers).decode()],
    )


def _wants_payload(row: Known, fate: str, keep_changed: bool) -> bool:
    return fate == "take" or (fate == "leave" and keep_changed and not row.held)


def _insert_rows(
    db: sqlite3.Connection, input_: int, folded: Folded, places: NDArray[np.int64] | None, first_segment: int
) -> None:
    def chosen(column: Any) -> Any:
        if places is None:
            return column
        return column[places] if isinstance(column, np.ndarray) else column.take(pa.array(places))

    types, shapes, reasons = chosen(folded.types), chosen(folded.shapes), chosen(folded.reasons)
    fields = [
        _Field("key", _rows_of(folded.keys, places)),
        _Field("hash", _rows_of(folded.hashes, places)),
        _Field("line", _digits(chosen(folded.lines), _LINE_DIGITS), "CAST({} AS INTEGER)"),
        _Field("time_ms", _digits(chosen(folded.times_ms), _TIME_DIGITS), "CAST({} AS INTEGER)"),
        _Field("base", _digits(chosen(folded.bases), _SEAL_DIGITS), "CAST({} AS INTEGER)"),
        _text("type", types),
        _text("shape", shapes),
    ]
    texts = _texts(chosen(folded.links), chosen(folded.wanted), reasons)
    records = np.concatenate([field.bytes for field in fields], axis=1)
    statement = _statement(fields, some_parked=reasons.null_count < len(reasons))
    done = db.execute(statement, [input_, first_segment, records.tobytes(), orjson.dumps(texts).decode()])
    assert done.rowcount == len(reasons), f"{done.rowcount:,} of {len(reasons):,} rows were inserted"
    _count(db, pc.if_else(reasons.is_valid(), "parked", "planned"), types, shapes)


def _count(db: sqlite3.Connection, states: pa.StringArray, types: pa.StringArray, shapes: pa.StringArray) -> None:
    counted = pc.value_counts(pc.binary_join_element_wise(states, types, shapes, "|"))
    names, rows = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    db.executemany(
        "INSERT INTO temp.inserted VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
        [(*name.split("|"), n) for name, n in zip(names, rows, strict=True)],
    )


def _statement(fields: Sequence[_Field], *, some_parked: bool) -> str:
    """``?1``: the input, ``?2``: the first segment, ``?3``: the records, ``?4``: the texts.

    To ask of each text whether it is a list takes a fifth of the time, so that is left out where none is.
    """

    def either(parked: str, planned: str) -> str:
        return f"iif(j.type = 'array', {parked}, {planned})" if some_parked else planned

    width, at, cut = sum(field.bytes.shape[1] for field in fields), 1, {}
    for name, part, as_sql in fields:
        cut[name] = as_sql.format(f"substr(?3, {at} + {width} * j.key, {part.shape[1]})")
        at += part.shape[1]
    segment, pos = f"?2 + j.key / {SEGMENT_ROWS}", f"j.key % {SEGMENT_ROWS}"
    return f"""INSERT INTO row (input, state, key, hash, line, segment, pos, type, time_ms, links, shape, wanted, reason,
            content_seal, fate_seal, parked_ms)
        SELECT ?1, {either("'parked'", "'planned'")}, {cut["key"]}, {cut["hash"]}, {cut["line"]},
            {segment}, {pos}, {cut["type"]}, {cut["time_ms"]}, {either("j.value ->> 0", "j.value")},
            {cut["shape"]}, {either("j.value ->> 1", "NULL")}, {either("j.value ->> 2", "NULL")},
            {placed(cut["base"], segment, pos)}, {either(str(new_fate_seal("parked")), str(new_fate_seal("planned")))},
            {either(str(int(time() * 1000)), "NULL")}
        FROM json_each(?4) AS j"""


def _texts(links: pa.StringArray, wanted: pa.StringArray, reasons: pa.StringArray) -> list[Any]:
    """Each row's links, of a parked one with its words and its reason."""
    texts: list[Any] = links.to_pylist()
    if reasons.null_count == len(reasons):
        return texts
    for place in np.flatnonzero(as_mask(reasons.is_valid())).tolist():
        texts[place] = [texts[place], wanted[place].as_py(), reasons[place].as_py()]
    return texts


def _insert_seen(
    db: sqlite3.Connection,
    input_: int,
    folded: Folded,
    fates: Sequence[tuple[Known, str]],
    stored: dict[int, int],
    first_segment: int,
) -> None:
    """Keeps aside what becomes of rows that were known; `stored` says where among the segments' rows a payload lies."""
    plain = [
        [row.number, fate, row.place, int(folded.lines[row.place])] for row, fate in fates if row.place not in stored
    ]
    db.execute(
        """INSERT INTO seen (row, fate, input, hash, line)
           SELECT value ->> 0, value ->> 1, ?1, substr(?2, 1 + 16 * (value ->> 2), 16), value ->> 3 FROM json_each(?3)""",
        [input_, folded.hashes, json.dumps(plain)],
    )
    for row, fate in fates:
        if row.place not in stored:
            continue
        place, at = row.place, stored[row.place]
        segment, pos = first_segment + at // SEGMENT_ROWS, at % SEGMENT_ROWS
        columns = (folded.types, folded.links, folded.shapes, folded.wanted, folded.reasons)
        type_, links, shape, wanted, reason = (column[place].as_py() for column in columns)
        db.execute(
            f"""INSERT INTO seen (row, fate, input, hash, line, segment, pos, type, time_ms, links, shape, wanted, reason,
                    content_seal)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, {placed("?14", "?6", "?7")})""",
            [row.number, fate, input_, folded.hash(place), int(folded.lines[place]), segment, pos, type_,
             int(folded.times_ms[place]), links, shape, wanted, reason, int(folded.bases[place])],
        )  # fmt: skip


def _rows_of(blob: bytes, places: NDArray[np.int64] | None) -> NDArray[np.uint8]:
    """Some of the 16-byte records of a blob, or all."""
    rows = np.frombuffer(blob, np.uint8).reshape(-1, KEY_BYTES)
    return rows if places is None else rows[places]


def _digits(numbers: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """The numbers in decimal, one row each, with zeros in front. None is negative."""
    out = np.empty((len(numbers), width), np.uint8)
    left = numbers.astype(np.uint64)
    for column in range(width - 1, -1, -1):
        left, out[:, column] = np.divmod(left, np.uint64(10))
    out += ord("0")
    return out


def _text(name: str, texts: pa.StringArray) -> _Field:
    """Texts of ASCII; those that are shorter than others have spaces behind, which SQL takes off again."""
    lengths = pc.min_max(pc.binary_length(texts))
    width = max(1, lengths["max"].as_py() or 1)
    padded = pc.ascii_rpad(texts, width)
    data = np.frombuffer(padded.buffers()[2], np.uint8)
    data = data[padded.offset * width :][: len(texts) * width].reshape(-1, width)
    return _Field(name, data, "CAST({} AS TEXT)" if lengths["min"].as_py() == width else "rtrim(CAST({} AS TEXT))")
