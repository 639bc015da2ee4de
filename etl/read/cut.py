"""Where the rows of a block begin and end, and what is wrong with any of them; numpy over bytes, no Python per row.

A block is whole lines of UTF-8, beginning where a row begins. Only a few of its bytes matter, its *marks*: quotes,
delimiters, line feeds, and what may not be there (CR alone, NUL). Everything is computed over those::

    bytes    a , " x , ↵ y " ↵ b , c ↵        two rows: [a | x,↵y] and [b | c]
    marks      , "   , ↵   " ↵   ,   ↵
    inside     0 1   1 1   0 0   0   0        running parity of the quotes
    splits     *                 *            delimiters outside quotes: a row's splits + 1 are its fields
    row ends                 *       *        line feeds outside quotes
    lines      1                 3            line feeds before the row, quoted ones too, + 1

A line ends with LF, CR LF or CR CR LF (what text mode makes of CR LF). Empty lines are counted, and are no rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl.flow import Problem
from etl.read.limits import Limits
from etl.read.quotes import opening, settle

NUL, LF, CR, QUOTE = 0, 10, 13, 34
_SLICE = 1 << 18  # bytes compared at a time: a mask of this size stays in the processor's cache

Positions = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Faults = dict[int, list[Problem]]


class Marks(NamedTuple):
    """The bytes of a block that matter, one element each."""

    at: Positions  #: where in the block
    kind: Bytes  #: the byte itself
    inside: Flags  #: whether it stands inside quotes; an opening quote does, a closing one does not

    def outside(self, kind: int) -> Flags:
        """Which marks are of this kind and outside quotes."""
        flags: Flags = (self.kind == kind) & ~self.inside
        return flags


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a block, one element a row; empty lines have none."""

    starts: Positions  #: first byte of the row
    ends: Positions  #: one past its line feed
    lines: Positions  #: line of the file on which it begins
    fields: Positions  #: its fields, at least 1
    faults: Faults  #: by row: what is wrong besides the number of fields
    used: int  #: bytes of the block that were cut; the rest begins a row that does not end in it
    lines_used: int  #: lines in those
    open_line: int | None  #: line of the quote that is still open at the end of the block

    def __len__(self) -> int:
        return len(self.starts)


def cut(data: Bytes, delimiter: int, *, first_line: int, limits: Limits) -> Rows:
    """The rows of a block, which ends with a line feed and begins on line `first_line` of the file.

    Raises `quotes.Uncertain` where quotes are set so that different readings end a row at different places.
    """
    at = _marked(data, delimiter)
    kind = data[at]
    feeds = np.flatnonzero(kind == LF)
    broken, inside = settle(data, at, kind, at[feeds], delimiter)
    marks = Marks(at, kind, inside)
    row_feeds = feeds[~inside[feeds]]
    ends = at[row_feeds] + 1
    starts = _shifted(ends)
    lines_after = np.searchsorted(feeds, row_feeds, side="right")  # line feeds up to the end of each row
    lines_before = _shifted(lines_after)
    real = ~_empty_lines(data, starts, ends)
    starts, ends, breaks = starts[real], ends[real], (lines_after - lines_before)[real] - 1
    lines = first_line + lines_before[real]
    return Rows(
        starts=starts,
        ends=ends,
        lines=lines,
        fields=_fields(marks, row_feeds, delimiter)[real],
        faults=_merged(
            _broken_quotes(ends, broken),
            _strange_bytes(ends, data, marks),
            _many_lines(lines, breaks, limits.field_lines),
            _long_fields(starts, ends, marks, delimiter, limits.field_bytes),
        ),
        used=int(at[row_feeds[-1]]) + 1 if len(row_feeds) else 0,
        lines_used=int(lines_after[-1]) if len(row_feeds) else 0,
        open_line=_open_line(marks, feeds, first_line),
    )


def _marked(data: Bytes, delimiter: int) -> Positions:
    """Positions of all bytes that matter: quote, delimiter and the control characters up to CR."""
    found = [np.zeros(0, np.int64)]
    for first in range(0, len(data), _SLICE):
        part = data[first : first + _SLICE]
        mask = (part <= CR) | (part == QUOTE)
        mask |= part == delimiter
        found.append(np.flatnonzero(mask) + first)
    return np.concatenate(found)


def _shifted(ends: Positions) -> Positions:
    """Where each begins, given where each ends: ``[4, 9, 11] -> [0, 4, 9]``."""
    return np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1]])


def _empty_lines(data: Bytes, starts: Positions, ends: Positions) -> Flags:
    """Rows that hold no byte but their line end: LF, CR LF or CR CR LF."""
    length = ends - starts
    bare: Flags = length == 1
    for short in (2, 3):
        rows = np.flatnonzero(length == short)
        bare[rows] = (data[starts[rows]] == CR) & (data[ends[rows] - 2] == CR)
    return bare


def _fields(marks: Marks, row_feeds: Positions, delimiter: int) -> Positions:
    """Fields of each row: the delimiters outside quotes up to its end, less those of the rows before, and one."""
    total = np.cumsum(marks.outside(delimiter), dtype=np.int64)[row_feeds]
    return np.diff(total, prepend=0) + 1


def _open_line(marks: Marks, feeds: Positions, first_line: int) -> int | None:
    if not marks.inside[-1:].any():
        return None
    quotes = marks.at[np.flatnonzero(np.diff(marks.inside, prepend=False))]
    return first_line + int(np.searchsorted(marks.at[feeds], opening(quotes)))


def _broken_quotes(ends: Positions, broken: Positions) -> Faults:
    message = "expected quotes around whole fields, and quotes inside them doubled"
    return _blamed(ends, broken, Problem("bad_quotes", "", "", message))


def _strange_bytes(ends: Positions, data: Bytes, marks: Marks) -> Faults:
    """Rows that hold NUL, or outside quotes a CR which is not part of a line end."""
    nul = Problem("nul_byte", "", "", "expected text, found a NUL character")
    alone = Problem("lone_cr", "", "", "expected LF or CR LF at the end of a line, found a carriage return alone")
    places = marks.at[marks.outside(CR)]
    follower = data[places + 1]  # exists: a block ends with LF
    after_that = data[np.minimum(places + 2, len(data) - 1)]
    ending = (follower == LF) | ((follower == CR) & (after_that == LF))
    return _merged(_blamed(ends, marks.at[marks.kind == NUL], nul), _blamed(ends, places[~ending], alone))


def _many_lines(lines: Positions, breaks: Positions, limit: int) -> Faults:
    """Rows that run over many lines: usually two stray quotes far apart, with rows swallowed between them."""
    long = np.flatnonzero(breaks > limit)
    message = "expected at most {:,} line breaks, but the row ends on line {}: look for stray quotes"
    return {
        int(row): [Problem("field_too_long", "", "", message.format(limit, lines[row] + breaks[row]))] for row in long
    }


def _long_fields(starts: Positions, ends: Positions, marks: Marks, delimiter: int, limit: int) -> Faults:
    """Rows with a field of too many bytes; only rows that are longer than the limit can have one."""
    faults: Faults = {}
    long = np.flatnonzero(ends - starts > limit)
    splits = marks.at[marks.outside(delimiter)] if len(long) else marks.at[:0]
    for row in long:
        own = splits[slice(*np.searchsorted(splits, [starts[row], ends[row]]))]
        longest = int(np.diff(own, prepend=starts[row] - 1, append=ends[row] - 1).max()) - 1
        if longest > limit:
            message = f"expected at most {limit:,} bytes in a field, found {longest:,}"
            faults[int(row)] = [Problem("field_too_long", "", "", message)]
    return faults


def _blamed(ends: Positions, places: Positions, problem: Problem) -> Faults:
    """The problem for each row that holds one of these bytes; bytes past the last row belong to none yet."""
    rows = np.unique(np.searchsorted(ends, places, side="right")) if len(places) else places
    return {int(row): [problem] for row in rows if row < len(ends)}


def _merged(*parts: Faults) -> Faults:
    whole: Faults = {}
    for part in parts:
        for row, problems in part.items():
            whole[row] = [*whole.get(row, []), *problems]
    return whole
