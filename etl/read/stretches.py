"""A stream of pieces -> stretches of whole rows, cut and checked, each with its place in the file.

A piece ends anywhere, a stretch ends with a row: what follows the last whole row leads the next stretch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from etl.errors import ContentError
from etl.read import lenient, text
from etl.read.cut import Faults, Rows, cut
from etl.read.files import empty
from etl.read.limits import Limits
from etl.read.quotes import Uncertain

_CTRL_Z = b"\x1a"  # how old programs end a text file
_HINT = "Close the quote, or double quotes that belong to the text; after this place nobody can say what a row is."


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole rows of a file: bytes (UTF-8) and where in them the rows lie; what follows the last row is not its own."""

    block: bytes
    rows: Rows

    @property
    def longest(self) -> int:
        """Bytes of the longest row."""
        return int((self.rows.ends - self.rows.starts).max(initial=0))

    def raw(self, row: int) -> bytes:
        """The row's bytes without its line end."""
        return self.block[self.rows.starts[row] : self.rows.ends[row]].rstrip(b"\r\n")

    def after(self, row: int) -> Stretch:
        """The same stretch without the rows before `row`."""
        faults = {place - row: problems for place, problems in self.rows.faults.items() if place >= row}
        return self._with(slice(row, None), faults)

    def before(self, row: int) -> Stretch:
        """The same stretch without `row` and those after it."""
        return self._with(slice(row), {place: p for place, p in self.rows.faults.items() if place < row})

    def _with(self, kept: slice, faults: Faults) -> Stretch:
        rows = self.rows
        starts, ends, lines, fields = (column[kept] for column in (rows.starts, rows.ends, rows.lines, rows.fields))
        return Stretch(self.block, replace(rows, starts=starts, ends=ends, lines=lines, fields=fields, faults=faults))


def stretches(
    path: Path, pieces: Iterator[bytes], delimiter: int, *, skip: int, size: int, limits: Limits, mend: bool = False
) -> Iterator[Stretch]:
    """All rows after the first `skip` lines, in stretches of at least `size` bytes (but the last).

    With `mend`, quotes that do not enclose a field are part of its text, where else they would reject the row.
    Raises `ContentError` for bytes that are not UTF-8, for a quote that is never closed, and where quotes make it
    uncertain which rows there are; `InputError` where there are fewer than `skip` lines.
    """
    rest, offset = _after_preamble(path, pieces, skip)
    line, held, wanted = 1 + skip, [rest], size
    for piece, last in _with_last(pieces):
        held.append(piece)
        if sum(map(len, held)) < wanted and not last:
            continue
        block = _ended(b"".join(held)) if last else b"".join(held)
        whole = memoryview(block)[: block.rfind(b"\n") + 1]
        text.check(path, whole, first_line=line, offset=offset)
        rows = _cut(path, whole, delimiter, line, limits)
        if mend and (mended := lenient.mended(block[: rows.used], rows, delimiter)):
            yield Stretch(mended, _cut(path, memoryview(mended), delimiter, line, limits))
        elif len(rows):
            yield Stretch(block, rows)
        rest = block[rows.used :]
        if rest and (last or (not rows.used and _too_long(rest, limits))):
            raise _endless(path, rows.open_line, line + rows.lines_used, len(rest))
        line, offset, held = line + rows.lines_used, offset + rows.used, [rest]
        wanted = size if rows.used else min(2 * len(rest), limits.row_bytes + 1)


def _after_preamble(path: Path, pieces: Iterator[bytes], skip: int) -> tuple[bytes, int]:
    """What is left of the pieces read, without byte order marks (some files have two) and the lines to skip.

    With the number of bytes left out.
    """
    block = b""
    while len(block) < 16 and (piece := next(pieces, b"")):
        block += piece
    start, passed = 0, 0
    while block.startswith(text.BOM, start):
        start += len(text.BOM)
    for _ in range(skip):
        while (feed := block.find(b"\n", start)) < 0:
            passed, start, block = passed + len(block), 0, next(pieces, b"")
            if not block:
                raise empty(path, f"the {skip} lines to be skipped are all that it has")
        start = feed + 1
    return block[start:], passed + start


def _with_last(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The pieces, each with whether it is the last; an empty one where there are none left."""
    before = next(pieces, b"")
    for piece in pieces:
        yield before, False
        before = piece
    yield before, True


def _ended(block: bytes) -> bytes:
    """The end of a file, made to end with a line."""
    block = block.removesuffix(_CTRL_Z)
    return block if not block or block.endswith(b"\n") else block + b"\n"


def _cut(path: Path, whole: memoryview, delimiter: int, line: int, limits: Limits) -> Rows:
    try:
        return cut(np.frombuffer(whole, np.uint8), delimiter, first_line=line, limits=limits)
    except Uncertain as error:
        block = bytes(whole)
        opened, at = (line + block.count(b"\n", 0, place) for place in (error.opened, error.at))
        start = block.rfind(b"\n", 0, error.at) + 1
        character = len(block[start : error.at].decode()) + 1
        place = f"at line {at}, character {character}, a quote stands in the middle of a field"
        message = f"{path}, line {opened}: a quote opens here and is not closed as it should be: {place}."
        raise ContentError(message, hint=_HINT, code="unclosed_quote") from None


def _too_long(rest: bytes, limits: Limits) -> bool:
    return len(rest) > limits.row_bytes or rest.count(b"\n") > limits.row_lines


def _endless(path: Path, open_line: int | None, line: int, size: int) -> ContentError:
    if open_line is not None:
        message = f"{path}, line {open_line}: the quote that opens here is never closed."
        return ContentError(message, hint=_HINT, code="unclosed_quote")
    message = f"{path}, line {line}: after {size:,} bytes the line has not ended."
    return ContentError(message, hint="Is this a text file with a row a line?", code="endless_row")
