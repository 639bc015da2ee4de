"""Where the rows of a file end before the file does: at the first row that the mapping's `stop_at` describes.

Judged on the text of rows, before anything else is, so that a footer may be ragged and what follows it may be anything.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from etl.errors import ContentError
from etl.read.headers import Header
from etl.read.stretches import Stretch


def until_footer(
    path: Path, parts: Iterator[Stretch], header: Header, stop_at: Mapping[str, str] | None, delimiter: str
) -> Iterator[Stretch]:
    """The stretches up to the first row whose cells are those of `stop_at`; reads nothing after it.

    Raises `ContentError` where the file has no such column.
    """
    if not stop_at:
        yield from parts
        return
    if unknown := [name for name in stop_at if name not in header.kept]:
        message = f"{path}: there is no column {unknown[0]!r}, which `source.stop_at` names."
        raise ContentError(message, hint=f"Columns: {', '.join(header.kept)}.", code="missing_column")
    places = {header.names.index(name): value for name, value in stop_at.items()}
    for part in parts:
        footer = _footer(part, places, delimiter)
        if footer is not None:
            yield part.before(footer)
            return
        yield part


def _footer(part: Stretch, places: Mapping[int, str], delimiter: str) -> int | None:
    """The first row with these cells, looked for among the rows that hold the longest of the texts at all."""
    longest = max(places.values(), key=len).replace('"', '""').encode()
    row = 0
    while row < len(part.rows):
        found = part.block.find(longest, part.rows.starts[row])
        row = max(row, int(np.searchsorted(part.rows.ends, found, side="right")))
        if found < 0 or row == len(part.rows):
            return None
        if _has(part.raw(row).decode(), delimiter, places):
            return row
        row += 1
    return None


def _has(raw: str, delimiter: str, places: Mapping[int, str]) -> bool:
    try:
        cells = next(csv.reader([raw], delimiter=delimiter), [])
    except csv.Error:
        return False
    return all(place < len(cells) and cells[place] == value for place, value in places.items())
