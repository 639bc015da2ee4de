"""The names of a file's columns, and everything that can be wrong with them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from etl.errors import ConfigError, ContentError
from etl.mapping.model import Source
from etl.read.files import empty
from etl.read.limits import Limits
from etl.read.stretches import Stretch

#: Columns that a reject file adds to the original ones; ignored when it is loaded again.
OWN_PREFIX = "_etl_"
_DELIMITERS = {",": '","', ";": '";"', "\t": r'"\t"', "|": '"|"'}
_SEP_LINE = re.compile(r'"?sep=.?"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """A file's columns. `names` are all of them, in order; `kept` those that are read."""

    names: tuple[str, ...]
    line: int  #: of the file; 0 where the names come from the mapping

    @property
    def kept(self) -> tuple[str, ...]:
        """The names without the columns that a reject file adds."""
        return tuple(name for name in self.names if not name.startswith(OWN_PREFIX))


def find(path: Path, parts: Iterator[Stretch], source: Source, limits: Limits) -> tuple[Header, Iterator[Stretch]]:
    """The header and the rows after it. Lines of white space before it are passed over.

    Raises `InputError` where there is nothing else, `ContentError` for a header that cannot be used.
    """
    for part in parts:
        for row in range(len(part.rows)):
            if part.raw(row).strip():
                header, first = _header(path, part, row, source, limits)
                return header, chain([part.after(first)], parts)
    raise empty(path, "it holds only white space")


def _header(path: Path, part: Stretch, row: int, source: Source, limits: Limits) -> tuple[Header, int]:
    """The header, given its row or (without one) the first row of data; and the row at which data begins."""
    line, width = int(part.rows.lines[row]), int(part.rows.fields[row])
    if source.header != "none" and (problems := part.rows.faults.get(row)):
        message = f"{path}, line {line}: the header cannot be read: {problems[0].message}."
        raise ContentError(message, hint="Correct the header line.", code="bad_header")
    if width > limits.columns:
        hint = "Is the delimiter right? See `delimiter` under `source:`."
        message = f"{path}, line {line}: {width:,} columns, where at most {limits.columns:,} are read."
        raise ContentError(message, hint=hint, code="too_many_columns")
    if source.header == "none":
        if not source.names:
            raise ConfigError("`source.header: none` needs `names`: the columns' names, in order.")
        header = Header(_as_wide(source.names, part, row), 0)
    else:
        header = Header(_names(path, line, part.raw(row).decode(), source.delimiter), line)
        _refuse_wrong_line(path, part, row, header, source.delimiter)
    refuse_repeated(path, header)
    if not header.kept:
        raise ContentError(f"{path}, line {line}: no columns but `{OWN_PREFIX}...`.", code="bad_header")
    return header, row + (source.header != "none")


def _as_wide(names: tuple[str, ...], part: Stretch, row: int) -> tuple[str, ...]:
    """The names of the columns that are there: files without a header may end before the last ones that are named.

    How wide the file is, most of its first rows say. One column is none too few, it is a wrong delimiter.
    """
    width = int(np.bincount(part.rows.fields[row:]).argmax())
    return names[:width] if 1 < width < len(names) else names


def _names(path: Path, line: int, text: str, delimiter: str) -> tuple[str, ...]:
    """The cells of the header; one without a name is called by its place: ``column 3``."""
    try:
        cells = next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        message = f"{path}, line {line}: the header cannot be read: {error}."
        raise ContentError(message, hint="Correct the header line.", code="bad_header") from None
    return tuple(cell if cell.strip() else f"column {place}" for place, cell in enumerate(cells, 1))


def _refuse_wrong_line(path: Path, part: Stretch, row: int, header: Header, delimiter: str) -> None:
    """Refuses a line that is no header, or that has another delimiter than the mapping says."""
    text = part.raw(row).decode()
    if _SEP_LINE.fullmatch(text.strip()):
        message = f"{path}, line {header.line}: `{text.strip()}` tells a spreadsheet the delimiter; it is no header."
        raise ContentError(message, hint="Set `skip_rows: 1` under `source:`.", code="bad_header")
    below = part.raw(row + 1).decode() if row + 1 < len(part.rows) else text
    others = [d for d in _DELIMITERS if d != delimiter and text.count(d) and below.count(d)]
    if len(header.names) == 1 and others:
        right = max(others, key=text.count)
        message = f"{path}, line {header.line}: the header is one column, {header.names[0][:80]!r}."
        hint = (
            f"The file looks delimited by {_DELIMITERS[right]}: set `delimiter: {_DELIMITERS[right]}` under `source:`."
        )
        raise ContentError(message, hint=hint, code="wrong_delimiter")


def refuse_repeated(path: Path, header: Header) -> None:
    """Refuses two names that are the same but for case and white space: `$Name` could mean either."""
    seen: dict[str, int] = {}
    where = f"{path}, line {header.line}" if header.line else f"{path}: `source.names`"
    for place, name in enumerate(header.names, 1):
        first = seen.setdefault("".join(name.split()).casefold(), place)
        if first != place:
            message = (
                f"{where}: column {place} ({name!r}) has the name of column {first} ({header.names[first - 1]!r})."
            )
            raise ContentError(message, hint="Give each column its own name.", code="duplicate_header")
