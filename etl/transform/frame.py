"""Frames: the rows that a value is computed on, and the problems found on the way.

A compiled value is a function from a frame to a column. `cases` and `first` compute their branches on smaller frames,
`each` on a frame with one row for each element; all of them share the cells and the list of problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.columns.arrays import Column, Rows, to_text, trimmed
from etl.flow import Problem

#: The longest part of a cell that a problem repeats, in characters.
SHOWN = 200

#: A value, compiled: what it is on the rows of a frame.
Compiled: TypeAlias = "Callable[[Frame], Column]"
#: A step on a value: the rows that it works on, what it gets, what it gives.
Step: TypeAlias = "Callable[[Frame, Column], Column]"


class Problems:
    """What is wrong with which rows of one chunk, in the order in which it was found."""

    def __init__(self) -> None:
        self._found: list[tuple[Rows, str, str, Any, str]] = []

    def add(self, rows: Rows, code: str, column: str, values: Any, message: str) -> None:
        """Notes one problem on each of `rows`; `values` are the texts found there (None: nothing was)."""
        if len(rows):
            self._found.append((rows, code, column, values, message))

    def mark(self) -> int:
        """How much has been found so far, to ask `since` later."""
        return len(self._found)

    def since(self, mark: int) -> Rows:
        """The rows on which something was found after `mark`."""
        return np.concatenate([np.zeros(0, np.int64), *(rows for rows, *_ in self._found[mark:])])

    def by_row(self) -> dict[int, tuple[Problem, ...]]:
        """The problems of each row that has any, each said once, rows ascending."""
        rows: dict[int, dict[Problem, None]] = {}
        for places, code, column, values, message in self._found:
            shown = [""] * len(places) if values is None else values.to_pylist()
            for row, value in zip(places.tolist(), shown, strict=True):
                rows.setdefault(row, {})[Problem(code, column, (value or "")[:SHOWN], message)] = None
        return {row: tuple(rows[row]) for row in sorted(rows)}


@dataclass(slots=True, eq=False)
class Frame:
    """Some rows of a chunk. `rows[i]` is the place in the chunk of the frame's row i."""

    cells: Mapping[str, Any]  #: column name -> string array over the whole chunk, as read
    rows: Rows
    problems: Problems
    item: Column | None = None  #: the element at hand, inside `each`
    parent: Frame | None = None
    within: Rows | None = None  #: the place in the parent of each row
    memo: dict[str, Column] = field(default_factory=dict)  #: cells and defined values already computed here

    def __len__(self) -> int:
        return len(self.rows)

    def raw(self, name: str) -> Column:
        """The cells of a column, white space and all."""
        return self._kept(f"raw {name}", lambda whole: _cells(whole.cells[name]))

    def cell(self, name: str) -> Column:
        """The cells of a column without white space around them."""
        return self._kept(f"cell {name}", lambda whole: _trimmed(_cells(whole.cells[name])))

    def defined(self, name: str, compute: Compiled) -> Column:
        """A defined value, computed once on these rows, or taken from a frame around that has it already."""
        key = f"define {name}"
        found = self._known(key)
        if found is None:
            found = self.memo[key] = compute(self)
        return found

    def part(self, mask: NDArray[np.bool_]) -> tuple[Rows, Frame]:
        """The rows where the mask holds as a frame, and their places in this one."""
        places = np.flatnonzero(mask)
        return places, self if len(places) == len(self) else self.at(places)

    def at(self, places: Rows, item: Column | None = None) -> Frame:
        """A frame of the rows at `places` (which may repeat)."""
        if item is None and self.item is not None:
            item = self.item.take(places)
        return Frame(self.cells, self.rows[places], self.problems, item, self, places)

    def failed(self, mark: int) -> NDArray[np.bool_]:
        """Which of the rows have a problem that was found after `mark`."""
        found = self.problems.since(mark)
        return np.isin(self.rows, found) if len(found) else np.zeros(len(self), np.bool_)

    def refuse(self, mask: NDArray[np.bool_], code: str, column: str, values: Any, message: str) -> None:
        """Notes one problem on each row where the mask holds; `values` are the frame's: a string array or a column."""
        if mask.any():
            if isinstance(values, Column):
                values = to_text(values.take(np.flatnonzero(mask)))
            elif values is not None:
                values = values.filter(pa.array(mask))
            self.problems.add(self.rows[mask], code, column, values, message)

    def _known(self, key: str) -> Column | None:
        found = self.memo.get(key)
        if found is None and self.parent is not None and self.within is not None:
            above = self.parent._known(key)  # noqa: SLF001 -- the same class
            if above is not None:
                found = self.memo[key] = above.take(self.within)
        return found

    def _kept(self, key: str, compute: Compiled) -> Column:
        found = self._known(key)
        if found is None:
            whole = self
            while whole.parent is not None:
                whole = whole.parent
            whole.memo[key] = compute(whole)
            found = self._known(key)
            assert found is not None
        return found


def whole(cells: Mapping[str, Any], rows: int) -> Frame:
    """The frame of all rows of a chunk."""
    return Frame(cells, np.arange(rows), Problems())


def _cells(array: Any) -> Column:
    """A column as read: text, or lists of texts where the reader gives lists (the addresses of a mail)."""
    return Column("texts" if pa.types.is_list(array.type) else "text", array)


def _trimmed(column: Column) -> Column:
    return trimmed(column.array) if column.kind == "text" else column
