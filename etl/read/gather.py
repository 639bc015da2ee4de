"""Rows that a reader makes one at a time -> chunks: the formats that are no columns on the disk.

Apart from the delimited reader, which cuts whole stretches at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from etl.columns.rows import batch_of
from etl.flow import Chunk, Problem, Reject
from etl.read.limits import RAW_CHARACTERS, Limits

_ROWS = 20_000  # at most in a chunk, however short they are


class Row(NamedTuple):
    """One row as read: where it begins, and its cells in the order of the header."""

    line: int
    cells: Sequence[str | None]


def chunks(
    path: Path, names: Sequence[str], rows: Iterable[Row | Reject], missing: Sequence[str], size: int, limits: Limits
) -> Iterator[Chunk]:
    """The rows in chunks of about `size` characters; texts of `missing` are null.

    A cell that is too long, or holds a NUL, rejects its row.
    """
    good: list[Row] = []
    bad: list[Reject] = []
    held = 0
    for row in rows:
        if isinstance(row, Reject):
            bad.append(row)
            held += len(row.raw)
        elif problems := _problems(names, row, limits):
            bad.append(Reject(row.line, problems, raw=_raw(row)))
        else:
            good.append(row)
            held += sum(map(len, filter(None, row.cells)))
        if held >= size or len(good) + len(bad) >= _ROWS:
            yield _chunk(path, names, good, bad, missing)
            good, bad, held = [], [], 0
    if good or bad:
        yield _chunk(path, names, good, bad, missing)


def unreadable(line: int, message: str, raw: bytes | str = "") -> Reject:
    """A piece of a file that is no row; `message` says what was expected."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    return Reject(line, (Problem("unreadable_row", "", "", message),), raw=clean(text)[:RAW_CHARACTERS])


def clean(text: str) -> str:
    """The text without what no text of a payload may hold: NUL and halves of surrogate pairs."""
    return text.replace("\0", "") if text.isascii() else text.replace("\0", "").encode("utf-8", "replace").decode()


def _problems(names: Sequence[str], row: Row, limits: Limits) -> tuple[Problem, ...]:
    found = []
    for name, cell in zip(names, row.cells, strict=True):
        if cell is None:
            continue
        if len(cell) > limits.field_bytes:
            message = f"expected at most {limits.field_bytes:,} characters in a cell, found {len(cell):,}"
            found.append(Problem("field_too_long", name, "", message))
        if "\0" in cell:
            found.append(Problem("nul_byte", name, "", "expected text, found a NUL character"))
    return tuple(found)


def _raw(row: Row) -> str:
    return clean("\t".join((cell or "")[:RAW_CHARACTERS] for cell in row.cells))[:RAW_CHARACTERS]


def _chunk(path: Path, names: Sequence[str], good: list[Row], bad: list[Reject], missing: Sequence[str]) -> Chunk:
    empty = frozenset(missing)
    columns = zip(*(row.cells for row in good), strict=True) if good else ([] for _ in names)
    arrays = {
        name: pa.array([None if cell in empty else cell for cell in column], pa.string())
        for name, column in zip(names, columns, strict=True)
    }
    lines = np.array([row.line for row in good], np.int64)
    return Chunk(str(path), batch_of(arrays), lines, bad)
