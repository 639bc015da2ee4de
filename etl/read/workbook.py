"""Excel and OpenDocument workbooks -> chunks. A row's line is its number in the sheet.

A time at midnight comes as its date: `format: iso` reads both. A workbook lies in memory as a whole while it is read; a sheet has at most 1,048,576 rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from etl.errors import ConfigError, ContentError
from etl.flow import Chunk, Problem, Reject
from etl.mapping.model import Source
from etl.read.cells import text_of
from etl.read.files import empty, opened
from etl.read.gather import Row, chunks
from etl.read.headers import OWN_PREFIX, Header, refuse_repeated
from etl.read.limits import Limits

_BYTES = 512 << 20  # of the file; its sheets take several times as much


def read(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Chunk]:
    """The rows of one sheet; see `etl.read.read`."""
    sheet = _sheet(path, source, limits)
    found, begins = _header(path, sheet, source, limits)
    kept = [place for place, name in enumerate(found.names) if not name.startswith(OWN_PREFIX)]
    rows = _rows(path, sheet, found, begins, source)
    narrowed = (Row(each.line, [each.cells[p] for p in kept]) if isinstance(each, Row) else each for each in rows)
    yield from chunks(path, found.kept, narrowed, source.missing, chunk_bytes, limits)


def header(path: Path, source: Source, limits: Limits) -> tuple[str, ...]:
    """The names in the header row; see `etl.read.header`."""
    return _header(path, _sheet(path, source, limits), source, limits)[0].kept


def sheets(path: Path, limits: Limits) -> Iterator[tuple[str, list[list[str]]]]:
    """Every sheet of a workbook, lazily: its name, and its cells as text. Raises as `etl.read.read`."""
    for name, values in _sheets(path, None, limits):
        yield name, [[_cell(each) or "" for each in row] for row in values]


def _sheet(path: Path, source: Source, limits: Limits) -> list[list[Any]]:
    """The cells of the sheet that is named, or of the first."""
    return next(_sheets(path, source.sheet, limits))[1]


def _sheets(path: Path, wanted: str | None, limits: Limits) -> Iterator[tuple[str, list[list[Any]]]]:
    """The sheet of that name, or all; the cells from its first row and column on, empty ones too: so that places are right."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    with opened(path, limits) as raw:
        content = raw.read(_BYTES + 1)
        while len(content) <= _BYTES and (piece := raw.read(_BYTES)):
            content += piece
    if not content:
        raise empty(path, "it has 0 bytes")
    if len(content) > _BYTES:
        raise ContentError(f"{path}: over {_BYTES >> 20} MiB.", hint="Save it as CSV (UTF-8).", code="too_large")
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(content))
        if not book.sheet_names:
            raise empty(path, "the workbook has no sheet")
        if wanted is not None and wanted not in book.sheet_names:
            hint = f"It has {', '.join(map(repr, book.sheet_names[:20]))}; set `sheet` under `source:`."
            raise ContentError(f"{path}: there is no sheet {wanted!r}.", hint=hint, code="no_sheet")
        for name in book.sheet_names if wanted is None else [wanted]:
            yield name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except PasswordError:
        hint = "Save it without a password."
        raise ContentError(f"{path}: the workbook has a password.", hint=hint, code="bad_workbook") from None
    except CalamineError as error:
        hint = "Is it a workbook? Save it again as .xlsx, or as CSV (UTF-8) with `format: csv`."
        reason = str(error).split("\n", 1)[0][:200]
        message = f"{path}: this is no workbook that can be read: {reason}."
        raise ContentError(message, hint=hint, code="bad_workbook") from None


def _header(path: Path, sheet: list[list[Any]], source: Source, limits: Limits) -> tuple[Header, int]:
    """The header, and the place of the first row after it."""
    if source.header == "none":
        if not source.names:
            raise ConfigError("`source.header: none` needs `names`: the columns' names, in order.")
        found, begins = Header(source.names, 0), source.skip_rows
    else:
        at = source.skip_rows + source.header - 1
        while at < len(sheet) and not any(map(_cell, sheet[at])):
            at += 1
        if at >= len(sheet):
            raise empty(path, "the sheet has no header row")
        names = [_cell(each) for each in sheet[at]]
        while names and not names[-1]:
            names.pop()
        found = Header(tuple(name or f"column {place}" for place, name in enumerate(names, 1)), at + 1)
        begins = at + 1
    if len(found.names) > limits.columns:
        message = f"{path}, row {found.line}: {len(found.names):,} columns, where at most {limits.columns:,} are read."
        raise ContentError(message, hint="Is this the right sheet?", code="too_many_columns")
    refuse_repeated(path, found)
    return found, begins


def _rows(path: Path, sheet: list[list[Any]], header: Header, begins: int, source: Source) -> Iterator[Row | Reject]:
    width = len(header.names)
    footer = _footer(path, header, source)
    none = True
    for line, values in enumerate(sheet[begins:], begins + 1):
        cells = [_cell(each) for each in values]
        if not any(cells):
            continue
        if footer and all((cells[place] or "") == text for place, text in footer.items()):
            break
        none = False
        beyond = [cell for cell in cells[width:] if cell]
        if beyond:
            problem = Problem("ragged_row", "", beyond[0], f"expected {width} cells, found one in column {len(cells)}")
            yield Reject(line, (problem,), raw="\t".join(cell or "" for cell in cells))
        else:
            yield Row(line, (cells + [None] * width)[:width])
    if none:
        raise empty(path, "the sheet has no rows after its header")


def _footer(path: Path, header: Header, source: Source) -> dict[int, str]:
    stop_at = source.stop_at or {}
    if unknown := [name for name in stop_at if name not in header.names]:
        message = f"{path}: there is no column {unknown[0]!r}, which `source.stop_at` names."
        raise ContentError(message, hint=f"Columns: {', '.join(header.kept)}.", code="missing_column")
    return {header.names.index(name): text for name, text in stop_at.items()}


def _cell(value: Any) -> str | None:
    return text_of(value) or None
