"""JSON by columns: a column of values becomes a column of JSON text without a Python object for each row.

Plain texts are quoted as they are; only those with a quote, a backslash or a control character go through `orjson`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Column, as_mask, flat, lists, replaced, rows_with

#: A piece of a line: the same text in every row, or one text for each row.
Piece = Any


class Fragment(NamedTuple):
    """JSON text of each row, not joined yet: `before`, the row's text, `after`; null where the row has nothing."""

    before: str
    array: Any
    after: str


def fragment(column: Column) -> Fragment:
    """A column as JSON, whatever its kind."""
    if column.kind == "text":
        return Fragment('"', escaped(column.array), '"')
    if column.kind == "texts":
        return list_fragment(column.array, quote=True)
    return bare(column.array if column.kind == "json" else pc.cast(column.array, pa.string()))


def bare(array: Any) -> Fragment:
    """Texts that are JSON already."""
    return Fragment("", array, "")


def json_text(column: Column) -> Any:
    """A column as JSON text; null stays null."""
    return joined(*fragment(column))


def list_fragment(array: Any, *, quote: bool) -> Fragment:
    """A list<string> array as JSON lists; a null list stays null, null elements are left out.

    Elements that are not to be quoted must be JSON already (digits, objects).
    """
    values, owners = flat(array)
    if not len(values) and not array.null_count:
        return Fragment("[", pa.repeat("", len(array)), "]")
    inner = pc.binary_join(lists(quoted(values) if quote else values, owners, len(array), bare=True), ",")
    if array.null_count:
        inner = pc.if_else(array.is_valid(), inner, pa.scalar(None, pa.string()))
    return Fragment("[", inner, "]")


def json_object(members: Sequence[tuple[str, Fragment]], rows: int) -> Any:
    """One JSON object a row from named fragments; null members are left out. Never null."""
    names = [orjson.dumps(name).decode() + ":" for name, _ in members]
    return joined("{", *with_commas([each for _, each in members], rows, names), "}", null="")


def with_commas(fragments: Sequence[Fragment], rows: int, starts: Sequence[str] = ()) -> list[Piece]:
    """The pieces of each row's fragments with commas between, each after its start; null ones are left out.

    The pieces are for `joined`, which must get one column at least; one that is null is left out.
    """
    pieces: list[Piece] = [pa.repeat(pa.scalar(""), rows)] if all(_hollow(each) for each in fragments) else []
    seen = np.zeros(rows, np.bool_)  # the rows that have something before the next comma
    for (before, array, after), start in zip(fragments, starts or [""] * len(fragments), strict=True):
        if array.null_count == len(array):
            continue
        comma: Piece = ("," if seen.all() else "") + start + before
        if seen.any() and not seen.all():
            comma = pc.if_else(pa.array(seen), "," + comma, comma)
        pieces += [comma, array, after] if array.null_count == 0 else [joined(comma, array, after)]
        seen |= as_mask(array.is_valid())
    return pieces


def quoted(array: Any) -> Any:
    """The texts as JSON strings; null stays null."""
    return joined('"', escaped(array), '"')


def escaped(array: Any) -> Any:
    """The texts as they stand between the quotes of a JSON string (UTF-8 is left as it is)."""
    odd = rows_with(array, _must_escape)
    if not odd.any():
        return array
    plain = array.filter(pa.array(odd)).to_pylist()
    return replaced(array, odd, pa.array([orjson.dumps(value)[1:-1].decode() for value in plain], pa.string()))


def joined(*pieces: Piece, null: str | None = None) -> Any:
    """The pieces of each row as one text, null where one of them is null, or with `null` in its place.

    One piece at least is a column.
    """
    few: list[Piece] = []
    rows = 0
    for piece in pieces:
        if not isinstance(piece, str):
            rows = len(piece)
            piece = _same(piece)  # noqa: PLW2901
        if isinstance(piece, str) and few and isinstance(few[-1], str):
            few[-1] += piece  # texts side by side cost one copy instead of two
        elif not isinstance(piece, str) or piece:
            few.append(piece)
    if all(isinstance(piece, str) for piece in few):
        return pa.repeat("".join(few), rows)
    if null is None:
        return pc.binary_join_element_wise(*few, "")
    return pc.binary_join_element_wise(*few, "", null_handling="replace", null_replacement=null)


def _same(array: Any) -> Piece:
    """The text that stands in every row, or the array: an array costs as much as a copy of it for each row."""
    first = array[0].as_py() if len(array) and not array.null_count else None
    if first is None or array[-1].as_py() != first or not pc.all(pc.equal(array, first)).as_py():
        return array
    return first


def _hollow(each: Fragment) -> bool:
    return bool(each.array.null_count == len(each.array))


def _must_escape(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    odd: NDArray[np.bool_] = (data < 0x20) | (data == 0x22) | (data == 0x5C)
    return odd
