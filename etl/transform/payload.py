"""The fields of a payload: what the tables of `engagement` allow, checked by columns, and the JSON of what passed.

One function for each kind of field. It gets the value's column, refuses what the API would not take, and gives JSON
text (null where the field is left out).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Column, as_mask, flat, lists, lost, rows_with, to_text, to_texts
from etl.columns.fragments import Fragment, bare, fragment, joined, json_object, list_fragment
from etl.columns.numbers import parse_bools, parse_ints
from etl.engagement import EARLIEST_MS, FIELDS, LATEST_AHEAD_MS, MAX_BODY, MAX_LINE, EngagementType, Field, Kind
from etl.mapping.model import Value
from etl.transform.frame import Compiled, Frame
from etl.transform.values import Names, compile_value

#: Checks a column and writes it as JSON.
Write: TypeAlias = Callable[[Frame, Column], Fragment]
_Mask = NDArray[np.bool_]
_GUID = "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"
_URL = r"^(?i:https?)://[^\s/?#]"  #: the beginning; white space is looked for apart, which is faster


def compile_metadata(
    type_: EngagementType, block: Mapping[str, Value], names: Names, attachments: Callable[[Frame], Any]
) -> Callable[[Frame], Any]:
    """A function from a frame to one JSON object a row: the `metadata` of that type, checked.

    A note with `attachments` needs no other field.
    """
    fields = FIELDS[type_]
    values = {name: compile_value(value, names, f"metadata.{name}") for name, value in block.items()}
    writers = {name: writer(fields[name], f"metadata.{name}", names.now_ms) for name in values}

    def compute(frame: Frame) -> Any:
        mark = frame.problems.mark()
        columns = {name: value(frame) for name, value in values.items()}
        broken = frame.failed(mark)
        _check_required(frame, fields, columns, broken, type_, attachments if type_ == "NOTE" else None)
        members = [(name, writers[name](frame, column)) for name, column in columns.items()]
        if type_ == "MEETING":
            _check_order(frame, columns)
        return json_object(members, len(frame))

    return compute


def compile_properties(block: Mapping[str, Value], names: Names) -> Callable[[Frame], Any]:
    """A function from a frame to one JSON object a row, every value a text; null where no property has one."""
    values = {name: compile_value(value, names, f"properties.{name}") for name, value in block.items()}

    def compute(frame: Frame) -> Any:
        members = [(name, fragment(Column("text", to_text(value(frame))))) for name, value in values.items()]
        made = json_object(members, len(frame))
        return pc.if_else(pc.equal(made, "{}"), pa.scalar(None, pa.string()), made)

    return compute


def compile_file_ids(ids: Value | None, names: Names) -> Callable[[Frame], Any]:
    """A function from a frame to one JSON list a row: the `attachments`, file ids."""
    value: Compiled | None = compile_value(ids, names, "attachments") if ids is not None else None

    def compute(frame: Frame) -> Any:
        if value is None:
            return pa.repeat(pa.scalar("[]"), len(frame))
        digits, owners = _digits(frame, to_texts(value(frame)), "attachments", "bad_id")
        objects = joined('{"id":', digits, "}")
        return joined(*list_fragment(lists(objects, owners, len(frame), bare=True), quote=False))

    return compute


def writer(field: Field, label: str, now_ms: int) -> Write:
    """The function that checks and writes fields of that kind."""
    writers: dict[Kind, Write] = {
        "text": _texts(label, field.max_length or MAX_LINE),
        "html": _texts(label, field.max_length or MAX_BODY),
        "choice": _one_of(label, field.choices),
        "guid": _guids(label),
        "url": _urls(label),
        "bool": _bools(label),
        "times": _id_list(label),
        "ids": _id_list(label),
        "address": _as_it_is,
        "addresses": _as_it_is,
        "int": _ints(label),
        "time": _moments(label, now_ms),
        "duration": _durations(label),
    }
    return writers[field.kind]


def checked_time(frame: Frame, column: Column, label: str, now_ms: int) -> Any:
    """The column as int64 milliseconds; what is no time, or far from today, is refused."""
    numbers = _whole(frame, column, label, "bad_time", "expected milliseconds: use `as: datetime`")
    far = as_mask(pc.or_(pc.less(numbers, EARLIEST_MS), pc.greater(numbers, now_ms + LATEST_AHEAD_MS)))
    message = "expected a time from 1990 to a year from now, in milliseconds"
    frame.refuse(far, "time_range", label, column, message)
    return numbers


def _check_required(
    frame: Frame,
    fields: Mapping[str, Field],
    columns: Mapping[str, Column],
    broken: _Mask,
    type_: str,
    instead: Callable[[Frame], Any] | None,
) -> None:
    """Refuses rows without a field that they need; one that has a list of something `instead` needs none."""
    for name, field in fields.items():
        if field.required:
            lacks = ~broken & (columns[name].empty if name in columns else np.ones(len(frame), np.bool_))
            if instead is not None and lacks.any():
                places, part = frame.part(lacks)
                mark = part.problems.mark()
                lacks[places] = as_mask(pc.equal(instead(part), "[]")) & ~part.failed(mark)
            frame.refuse(lacks, "field_missing", f"metadata.{name}", None, f"a {type_} needs `{name}`")


def _check_order(frame: Frame, columns: Mapping[str, Column]) -> None:
    start, end = columns.get("startTime"), columns.get("endTime")
    if start is not None and end is not None and start.kind == end.kind == "int":
        wrong = as_mask(pc.less(end.array, start.array))
        frame.refuse(wrong, "bad_order", "metadata.endTime", end, "expected an end that is not before the start")


def _texts(label: str, limit: int) -> Write:
    def write(frame: Frame, column: Column) -> Fragment:
        texts = to_text(column)
        if len(texts) and (pc.max(pc.binary_length(texts)).as_py() or 0) > limit:  # no fewer bytes than characters
            long = as_mask(pc.greater(pc.utf8_length(texts), limit))
            frame.refuse(long, "too_long", label, texts, f"expected at most {limit:,} characters")
        return fragment(Column("text", texts))

    return write


def _one_of(label: str, choices: tuple[str, ...]) -> Write:
    known = pa.array(choices)

    def write(frame: Frame, column: Column) -> Fragment:
        texts = to_text(column)
        odd = ~as_mask(pc.is_in(texts, known)) & as_mask(texts.is_valid())
        frame.refuse(odd, "bad_choice", label, texts, f"expected one of: {', '.join(choices)}")
        return Fragment('"', texts, '"') if not odd.any() else fragment(Column("text", texts))

    return write


def _guids(label: str) -> Write:
    def write(frame: Frame, column: Column) -> Fragment:
        texts = to_text(column)
        coded = texts.dictionary_encode()  # a handful of outcomes
        fit = as_mask(pc.match_substring_regex(coded.dictionary, _GUID).take(coded.indices))
        message = "expected a call outcome's GUID: add `lookup: disposition`"
        frame.refuse(~fit & as_mask(texts.is_valid()), "bad_choice", label, texts, message)
        return fragment(Column("text", texts))

    return write


def _urls(label: str) -> Write:
    def write(frame: Frame, column: Column) -> Fragment:
        texts = to_text(column)
        fit = as_mask(pc.match_substring_regex(texts, _URL)) & ~rows_with(texts, lambda data: data <= np.uint8(0x20))
        message = "expected an address that begins with http:// or https://"
        frame.refuse(~fit & as_mask(texts.is_valid()), "bad_url", label, texts, message)
        return fragment(Column("text", texts))

    return write


def _bools(label: str) -> Write:
    def write(frame: Frame, column: Column) -> Fragment:
        texts = to_text(column)
        truths = column.array if column.kind == "bool" else parse_bools(texts)
        odd = lost(truths, texts)
        frame.refuse(odd, "bad_bool", label, texts, "expected true or false")
        return bare(pc.cast(truths, pa.string()))

    return write


def _ints(label: str) -> Write:
    def write(frame: Frame, column: Column) -> Fragment:
        return bare(pc.cast(_whole(frame, column, label, "bad_number", "expected a whole number"), pa.string()))

    return write


def _durations(label: str) -> Write:
    def write(frame: Frame, column: Column) -> Fragment:
        numbers = _whole(frame, column, label, "bad_duration", "expected a whole number of milliseconds")
        negative = as_mask(pc.less(numbers, 0))
        frame.refuse(negative, "bad_duration", label, column, "expected a duration that is not negative")
        return bare(pc.cast(numbers, pa.string()))

    return write


def _moments(label: str, now_ms: int) -> Write:
    return lambda frame, column: bare(pc.cast(checked_time(frame, column, label, now_ms), pa.string()))


def _whole(frame: Frame, column: Column, label: str, code: str, message: str) -> Any:
    """The column as int64; what is no whole number is refused."""
    if column.kind == "int":
        return column.array
    texts = to_text(column)
    numbers = parse_ints(texts)
    frame.refuse(lost(numbers, texts), code, label, texts, message)
    return numbers


def _id_list(label: str) -> Write:
    def write(frame: Frame, column: Column) -> Fragment:
        digits, owners = _digits(frame, to_texts(column), label, "bad_number")
        return list_fragment(lists(digits, owners, len(frame)), quote=False)

    return write


def _digits(frame: Frame, array: Any, label: str, code: str) -> tuple[Any, NDArray[np.int64]]:
    """The elements that are digits (JSON knows no leading zeros) with the row of each; the others are refused."""
    values, owners = flat(array)
    numbers = parse_ints(values)
    fit = as_mask(pc.greater_equal(pc.fill_null(numbers, -1), 0))
    odd = pa.array(~fit)
    frame.problems.add(frame.rows[owners[~fit]], code, label, values.filter(odd), "expected digits")
    return pc.cast(numbers.filter(pa.array(fit)), pa.string()), owners[fit]


def _as_it_is(_: Frame, column: Column) -> Fragment:
    """Objects and lists of them: their shape was judged when the mapping was read."""
    return fragment(column)
