"""The head of a table that is no delimited text: a workbook, JSON lines, Parquet.

Apart from `head`, whose questions (encoding, delimiter) these files answer themselves; what is asked of the rows is the same.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from etl.flow import Chunk
from etl.guess.head import ROWS, Head, judged
from etl.mapping.model import Source
from etl.read import header, read
from etl.read.files import empty, opened
from etl.read.inputs import SUFFIXES
from etl.read.limits import DEFAULT
from etl.read.workbook import sheets

_FORMATS = ("excel", "jsonl", "parquet")
#: How files begin whose name does not tell: a workbook is a ZIP archive, or what came before that.
_BEGINS = ((b"PAR1", "parquet"), (b"PK\x03\x04", "excel"), (b"\xd0\xcf\x11\xe0", "excel"), (b'{"', "jsonl"))
_TAIL = 50


def table_format(path: Path) -> str:
    """`excel`, `jsonl` or `parquet`, by the file's name, else by its first bytes; no text for all other files.

    Raises `InputError` for a file that is missing or no regular file.
    """
    named = path.name.lower().removesuffix(".gz")
    for format_ in _FORMATS:
        if named.endswith(SUFFIXES[format_]):
            return format_
    if named.endswith(SUFFIXES["csv"]) or path.suffix.lower() == ".zip":
        return ""
    with opened(path) as file:
        first = file.read(8)
    return next((format_ for mark, format_ in _BEGINS if first.startswith(mark)), "")


def read_table(path: Path, format_: str) -> Head:
    """The first rows of the file, of a workbook those of its first sheet that has a table. Raises as `etl.read.read`."""
    if format_ == "excel":
        return _workbook(path)
    source = Source.model_validate({"format": format_})
    names = header(path, source)
    rows, lines = _rows(next(iter(read(path, source)))) if names else ([], [])
    return Head("utf-8", ",", 0, True, names, rows, lines, format=format_)


def _workbook(path: Path) -> Head:
    """A sheet with a title above its header, a totals line and empty columns beside it is a table too."""
    for place, (name, values) in enumerate(sheets(path, DEFAULT)):
        filled = [(line, cells) for line, cells in enumerate(values, 1) if any(cells)]
        width = max((at for _, cells in filled for at, cell in enumerate(cells, 1) if cell), default=0)
        if width < 2 or len(filled) < 2:
            continue
        rows = [tuple((*cells, *[""] * width)[:width]) for _, cells in filled]
        lines = [line for line, _ in filled]
        head = Head("utf-8", ",", 0, True, (), rows[:ROWS], lines[:ROWS], format="excel", sheet=name if place else "")
        return judged(path, head, rows[-_TAIL:] if len(rows) > ROWS else [])
    raise empty(path, "no sheet of it holds a table of two columns and two rows")


def _rows(chunk: Chunk) -> tuple[list[tuple[str, ...]], list[int]]:
    """The first rows of a chunk as texts, and the line of each."""
    columns = [[cell or "" for cell in array[:ROWS].to_pylist()] for array in chunk.rows.columns]
    return list(islice(zip(*columns, strict=True), ROWS)), chunk.lines[:ROWS].tolist()
