"""The `as` kinds that are judged text by text: numbers, truth values, ids and JSON."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.arrays import Column, lost, per_distinct, to_text
from etl.columns.numbers import all_digits, parse_bools, parse_ints, parse_numbers
from etl.transform.frame import Frame


def to_int(frame: Frame, column: Column, label: str) -> Column:
    """`as: int`."""
    if column.kind == "int":
        return column
    texts = to_text(column)
    return _judged(frame, Column("int", parse_ints(texts)), texts, "bad_number", label, "expected a whole number")


def to_number(frame: Frame, column: Column, label: str) -> Column:
    """`as: number`."""
    if column.kind in ("int", "number"):
        return column
    texts = to_text(column)
    return _judged(frame, Column("number", parse_numbers(texts)), texts, "bad_number", label, "expected a number")


def to_bool(frame: Frame, column: Column, label: str) -> Column:
    """`as: bool`."""
    if column.kind == "bool":
        return column
    texts = to_text(column)
    message = "expected true or false (yes/no, on/off, 1/0)"
    return _judged(frame, Column("bool", parse_bools(texts)), texts, "bad_bool", label, message)


def to_id(frame: Frame, column: Column, label: str) -> Column:
    """`as: id`: the digits as text."""
    texts = to_text(column)
    fit = pc.if_else(all_digits(texts, 20), texts, pa.scalar(None, pa.string()))
    return _judged(frame, Column("text", fit), texts, "bad_id", label, "expected an id: 1 to 20 digits")


def to_json(frame: Frame, column: Column, label: str) -> Column:
    """`as: json`: the value itself, written without white space."""
    if column.kind == "json":
        return column
    texts = to_text(column)
    return _judged(
        frame, Column("json", per_distinct(texts, _json, pa.string())), texts, "bad_json", label, "expected JSON"
    )


def _json(text: str) -> str | None:
    try:
        return orjson.dumps(orjson.loads(text)).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _judged(frame: Frame, made: Column, texts: Any, code: str, label: str, message: str) -> Column:
    """The made column, after every text that became nothing was refused."""
    frame.refuse(lost(made.array, texts), code, label, texts, message)
    return made
