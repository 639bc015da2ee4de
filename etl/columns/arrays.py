"""Columns: what a value of a mapping becomes, and the few operations that every step needs.

A column is one pyarrow array and a word for what it holds, so that a step knows numbers from text without looking at
rows. Apart, because nothing here knows mappings, frames or problems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

#: text (string), int (int64; times and durations are ms), number (double), bool, texts (list<string>),
#: json (string that holds one JSON value). Null is empty in all of them.
Kind = Literal["text", "int", "number", "bool", "texts", "json"]
Rows = NDArray[np.int64]
TYPES: dict[Kind, Any] = {
    "text": pa.string(),
    "int": pa.int64(),
    "number": pa.float64(),
    "bool": pa.bool_(),
    "texts": pa.list_(pa.string()),
    "json": pa.string(),
}
_KINDS: dict[type, Kind] = {str: "text", int: "int", float: "number", bool: "bool"}


class Column(NamedTuple):
    """One value for each row of a frame."""

    kind: Kind
    array: Any  #: pa.Array of `TYPES[kind]`

    def take(self, rows: Rows) -> Column:
        """The values of some rows, which may repeat."""
        return Column(self.kind, self.array.take(pa.array(rows)))

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Which rows hold nothing."""
        return as_mask(self.array.is_null())

    @property
    def hollow(self) -> bool:
        """Whether no row holds anything, so that the kind does not matter."""
        return bool(self.array.null_count == len(self.array))


def text(array: Any) -> Column:
    """A text column; texts of no characters are empty."""
    if len(array) and pc.min(pc.binary_length(array)).as_py() == 0:
        array = pc.if_else(pc.equal(pc.binary_length(array), 0), pa.scalar(None, pa.string()), array)
    return Column("text", array)


def nothing(rows: int) -> Column:
    """A column in which every row is empty."""
    return Column("text", pa.nulls(rows, pa.string()))


def constant(value: str | float | bool | None, rows: int) -> Column:
    """The same value in every row; an empty text is empty."""
    if value is None or value == "":
        return nothing(rows)
    kind = _KINDS[type(value)]
    return Column(kind, pa.repeat(pa.scalar(value, TYPES[kind]), rows))


def to_text(column: Column) -> Any:
    """The column as a string array: lists joined by `;`, numbers and truth values as JSON writes them."""
    if column.kind in ("text", "json"):
        return column.array
    if column.kind == "texts":
        return pc.binary_join(column.array, ";")
    return pc.cast(column.array, pa.string())


def to_texts(column: Column) -> Any:
    """The column as a list<string> array: a text is a list of one, an empty value is null."""
    if column.kind == "texts":
        return column.array
    values = to_text(column)
    filled = as_mask(values.is_valid())
    return lists(values.filter(pa.array(filled)), np.flatnonzero(filled), len(values))


def unify(columns: Sequence[Column]) -> list[Column]:
    """The columns as one kind: their own if they share it, a list where one is a list, else text."""
    kinds = {column.kind for column in columns if not column.hollow} or {columns[0].kind}
    kind: Kind = "text"
    if len(kinds) == 1:
        kind = next(iter(kinds))
    elif kinds == {"int", "number"}:
        kind = "number"
    elif kinds == {"text", "texts"}:
        kind = "texts"
    return [as_kind(column, kind) for column in columns]


def as_kind(column: Column, kind: Kind) -> Column:
    """The column as another kind, where that loses nothing."""
    if column.kind == kind:
        return column
    if column.hollow:
        return Column(kind, pa.nulls(len(column.array), TYPES[kind]))
    if kind == "texts":
        return Column(kind, to_texts(column))
    return Column(kind, to_text(column) if kind == "text" else pc.cast(column.array, TYPES[kind]))


def scatter(parts: Sequence[tuple[Rows, Column]], rows: int) -> Column:
    """One column of `rows` rows from parts that each know their places; later parts win, the rest is empty."""
    if len(parts) == 1 and len(parts[0][0]) == rows:
        return parts[0][1]
    same = unify([column for _, column in parts]) if parts else []
    if not same:
        return nothing(rows)
    source = np.full(rows, -1, np.int64)
    start = 0
    for places, _ in parts:
        source[places] = start + np.arange(len(places))
        start += len(places)
    pool = pa.concat_arrays([column.array for column in same])
    return Column(same[0].kind, pool.take(pa.array(source, mask=source < 0)))


def lists(values: Any, owners: Rows, rows: int, *, bare: bool = False) -> Any:
    """A list<string> array: `values[i]` belongs to row `owners[i]` (ascending).

    Rows that own none are null, or with `bare` lists of nothing.
    """
    counts = np.bincount(owners, minlength=rows) if rows else np.zeros(0, np.int64)
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    mask = None if bare else pa.array(counts == 0)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)


def flat(array: Any) -> tuple[Any, Rows]:
    """The elements of a list<string> array without the empty ones, and the row of each."""
    values, owners = array.flatten(), pc.list_parent_indices(array).to_numpy(zero_copy_only=False).astype(np.int64)
    if values.null_count:
        keep = as_mask(values.is_valid())
        values, owners = values.filter(pa.array(keep)), owners[keep]
    return values, owners


def as_mask(array: Any) -> NDArray[np.bool_]:
    """A boolean array as numpy; null counts as false."""
    if array.null_count:
        array = pc.fill_null(array, False)
    mask: NDArray[np.bool_] = array.to_numpy(zero_copy_only=False)
    return mask


def lost(made: Any, texts: Any) -> NDArray[np.bool_]:
    """Which rows had a text and became nothing: what a conversion could not take."""
    if made.null_count == texts.null_count:  # nothing comes of nothing, so equal counts are the same rows
        return np.zeros(len(made), np.bool_)
    return as_mask(pc.and_(made.is_null(), texts.is_valid()))


def replaced(array: Any, mask: NDArray[np.bool_], values: Any) -> Any:
    """The array with `values` where the mask holds, in order."""
    return pc.replace_with_mask(array, pa.array(mask), values)


def per_distinct(array: Any, convert: Callable[[str], Any], type_: Any) -> Any:
    """`convert` of each distinct value, once; null stays null and `None` becomes null."""
    coded = array.dictionary_encode()
    known = pa.array([convert(value) for value in coded.dictionary.to_pylist()], type_)
    return known.take(coded.indices)


def text_bytes(array: Any) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Offsets (from 0, one more than rows) and bytes of a string array, without a copy of the bytes."""
    _, offsets_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32, len(array) + 1, array.offset * 4)
    if data_buffer is None or not len(array):
        return np.zeros(len(array) + 1, np.int32), np.zeros(0, np.uint8)
    data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], data


def rows_with(array: Any, odd: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Which rows of a string array hold a byte that `odd` marks."""
    offsets, data = text_bytes(array)
    found = np.zeros(len(array), np.bool_)
    places = np.flatnonzero(odd(data))
    found[np.searchsorted(offsets, places, side="right") - 1] = True
    return found


def trimmed(array: Any) -> Column:
    """The texts without white space around them; what is nothing then is empty."""
    offsets, data = text_bytes(array)
    starts, ends = offsets[:-1], offsets[1:]
    filled = np.flatnonzero(ends > starts)
    every = len(filled) == len(array) - array.null_count  # none of them is a text of no characters
    if len(filled) < len(array):
        starts, ends = starts[filled], ends[filled]
    odd = _at_edge(data[starts]) | _at_edge(data[ends - 1])
    if not odd.any():
        return Column("text", array) if every else text(array)
    mask = np.zeros(len(array), np.bool_)
    mask[filled[odd]] = True
    return text(replaced(array, mask, pc.utf8_trim_whitespace(array.filter(pa.array(mask)))))


def _at_edge(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which bytes may belong to white space: it is at most 0x20, or begins and ends with a byte of 0x80 and more."""
    odd: NDArray[np.bool_] = (data - np.uint8(0x21)) >= 0x5F  # below 0x21 it wraps around
    return odd
