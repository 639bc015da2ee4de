"""Delimited text (CSV, TSV) -> chunks: rows that `cut` finds whole go to pyarrow, the others are rejects.

One way for files of any size: a stretch of rows is cut, checked and parsed before the next is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from etl.columns.rows import batch_of
from etl.errors import ConfigError, ContentError, Imbalance
from etl.flow import Chunk, Problem, Reject
from etl.mapping.model import Source
from etl.read import headers, text
from etl.read.cut import Rows
from etl.read.files import empty, unpacked
from etl.read.footer import until_footer
from etl.read.headers import Header
from etl.read.limits import RAW_CHARACTERS, Limits
from etl.read.stretches import Stretch, stretches

_STRETCH = 1 << 20  # bytes: what is cut and parsed at a time stays in the processor's cache
_HOPELESS = 1_000  # rows, none of them good, after which a file is given up


def read(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Chunk]:
    """The chunks of a delimited file; see `etl.read.read`."""
    return (chunk() for chunk in unread(path, source, chunk_bytes, limits))


def unread(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Callable[[], Chunk]]:
    """The same, cut into rows but not yet into cells; see `etl.read.unread`."""
    with _opened(path, source, min(chunk_bytes, _STRETCH), limits) as (header, parts):
        wanted = until_footer(path, parts, header, source.stop_at, source.delimiter)
        seen = False
        for group in _grouped(_fitting(path, header, wanted), chunk_bytes):
            seen = True
            yield _cut(path, group, header, source)
        if not seen:
            raise empty(
                path, f"nothing follows the header on line {header.line}" if header.line else "the footer is first"
            )


def header(path: Path, source: Source, limits: Limits) -> tuple[str, ...]:
    """The names of the columns; see `etl.read.header`."""
    with _opened(path, source, 1 << 16, limits) as (found, _):
        return found.kept


@contextmanager
def _opened(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[tuple[Header, Iterator[Stretch]]]:
    """The header and the rows after it."""
    delimiter = _delimiter(source)
    if source.header != "none" and source.header < 1:
        raise ConfigError("`source.header` counts from 1; without a header it is `none`, with `names`.")
    skip = source.skip_rows + (0 if source.header == "none" else source.header - 1)
    with unpacked(path, limits) as stream:
        pieces = text.pieces(path, stream, source.encoding, chunk_bytes)
        parts = stretches(
            path, pieces, delimiter, skip=skip, size=chunk_bytes, limits=limits, mend=source.quotes == "lenient"
        )
        yield headers.find(path, parts, source, limits)


def _delimiter(source: Source) -> int:
    sign = source.delimiter
    if len(sign) != 1 or not sign.isascii() or sign in '"\r\n\0':
        hint = r'For example "," or ";" or "\t".'
        raise ConfigError(
            f"`source.delimiter` is one ASCII character, no quote and no line end, not {sign!r}.", hint=hint
        )
    return ord(sign)


def _fitting(path: Path, header: Header, parts: Iterator[Stretch]) -> Iterator[Stretch]:
    """The same stretches; refuses a file of which every row has the same number of fields, and it is not the header's."""
    width, found = len(header.names), Counter[int]()
    hint = (
        "Look for a missing name, a delimiter at the end of each row, and at `header` and `delimiter` under `source:`."
    )
    for part in chain(parts, [None]):
        if part and width not in found and len(found) < 2:
            found.update(part.rows.fields.tolist())
        if len(found) == 1 and width not in found and found.total() >= (_HOPELESS if part else 2):
            names = f"the header on line {header.line}" if header.line else "`source.names`"
            message = f"{path}: {names} has {width} fields, and each of the {found.total():,} rows has {max(found)}."
            raise ContentError(message, hint=hint, code="ragged_file")
        if part:
            yield part


def _grouped(parts: Iterator[Stretch], size: int) -> Iterator[list[Stretch]]:
    """The stretches that have rows, in groups of at least `size` bytes (but the last)."""
    group: list[Stretch] = []
    for part in parts:
        group += [part] if len(part.rows) else []
        if sum(len(one.block) for one in group) >= size:
            yield group
            group = []
    if group:
        yield group


def _cut(path: Path, parts: list[Stretch], header: Header, source: Source) -> Callable[[], Chunk]:
    """The good rows of these stretches, still to be parsed, and the others as rejects."""
    good = [_good(part.rows, len(header.names)) for part in parts]
    block = b"".join(piece for part, flags in zip(parts, good, strict=True) for piece in _clean(part, flags))
    lines = np.concatenate([part.rows.lines[flags] for part, flags in zip(parts, good, strict=True)])
    rejects = [
        _reject(part, int(row), len(header.names))
        for part, flags in zip(parts, good, strict=True)
        for row in np.flatnonzero(~flags)
    ]
    longest = max(part.longest for part in parts)
    return partial(_chunk, str(path), block, lines, rejects, header, source, longest)


def _chunk(
    path: str,
    block: bytes,
    lines: NDArray[np.int64],
    rejects: list[Reject],
    header: Header,
    source: Source,
    longest: int,
) -> Chunk:
    """The rows of a block, parsed."""
    rows = _parsed(block, header, source, longest)
    if rows.num_rows != len(lines):
        raise Imbalance(f"{path}, up to line {lines[-1]}: {len(lines)} rows were cut, {rows.num_rows} parsed.")
    return Chunk(path, rows, lines, rejects)


def _good(rows: Rows, width: int) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = rows.fields == width
    good[list(rows.faults)] = False
    return good


def _clean(part: Stretch, good: NDArray[np.bool_]) -> Iterator[memoryview]:
    """The bytes of the good rows: what lies between the others."""
    rows, view = part.rows, memoryview(part.block)
    if good.any():
        bad = np.flatnonzero(~good)
        firsts = [rows.starts[0], *rows.ends[bad]]
        lasts = [*rows.starts[bad], rows.ends[-1]]
        yield from (view[first:last] for first, last in zip(firsts, lasts, strict=True))


def _parsed(block: bytes, header: Header, source: Source, longest: int) -> pa.RecordBatch:
    """The rows as text columns, nothing guessed; what the mapping calls missing is null, quoted or not."""
    kept = header.kept
    if not block:
        return batch_of({name: pa.array([], pa.string()) for name in kept})
    if block.startswith(text.BOM):
        block = b"\n" + block  # a cell's own: pyarrow would take it for the file's mark
    table = pa.csv.read_csv(
        pa.BufferReader(block),
        read_options=pa.csv.ReadOptions(
            use_threads=False, block_size=max(_STRETCH, 2 * longest), column_names=header.names
        ),
        parse_options=pa.csv.ParseOptions(delimiter=source.delimiter, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(kept, pa.string()),
            include_columns=kept,
            null_values=source.missing,
            strings_can_be_null=True,
            check_utf8=False,  # proved by `text.check`
        ),
    )
    return batch_of({name: table[name].combine_chunks() for name in kept})


def _reject(part: Stretch, row: int, width: int) -> Reject:
    """The row with everything that is wrong with it, and its text as read."""
    rows = part.rows
    problems = rows.faults.get(row, [])
    if rows.fields[row] != width and not any(p.code == "bad_quotes" for p in problems):
        problems = [*problems, Problem("ragged_row", "", "", f"expected {width} fields, found {rows.fields[row]}")]
    raw = part.raw(row)[: 4 * RAW_CHARACTERS].decode(errors="ignore")
    return Reject(int(rows.lines[row]), tuple(problems), raw=raw[:RAW_CHARACTERS])
