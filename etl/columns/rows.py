"""Rows of a chunk: as columns, without some, and as rejects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.flow import Cells, Chunk, Keys, Problem, Reject, key_text


def arrow_columns(rows: pa.RecordBatch) -> dict[str, Any]:
    """The columns by name; nothing is copied."""
    return dict(zip(rows.schema.names, rows.columns, strict=True))


def batch_of(columns: Mapping[str, Any]) -> pa.RecordBatch:
    """Columns of one length as rows."""
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def keep(chunk: Chunk, mask: NDArray[np.bool_]) -> Chunk:
    """The chunk with only the rows where the mask holds."""
    if mask.all():
        return chunk
    good = pa.array(mask)
    rows = batch_of({name: array.filter(good) for name, array in arrow_columns(chunk.rows).items()})  # twice as quick
    return Chunk(chunk.source, rows, chunk.lines[mask], chunk.rejects)


def rejects_of(chunk: Chunk, problems: Mapping[int, tuple[Problem, ...]], keys: Keys | None = None) -> list[Reject]:
    """One reject for each row of the chunk that has problems, with its cells as read."""
    return rejects_of_rows(chunk.rows, chunk.lines, problems, keys)


def rejects_of_rows(
    rows: pa.RecordBatch | Cells,
    lines: NDArray[np.int64],
    problems: Mapping[int, tuple[Problem, ...]],
    keys: Keys | None = None,
) -> list[Reject]:
    """One reject for each row that has problems; `lines` and `keys` are those of the rows."""
    if not problems:
        return []
    places = np.array(list(problems), np.int64)
    cells = [_texts(array) for array in rows.take(places).columns]
    return [
        Reject(int(lines[row]), found, tuple(values), key=key_text(keys[row]) if keys is not None else "")
        for (row, found), *values in zip(problems.items(), *cells, strict=True)
    ]


def _texts(array: Any) -> list[str | None]:
    """The cells as text, lists joined by `;`."""
    texts: list[str | None] = (pc.binary_join(array, ";") if pa.types.is_list(array.type) else array).to_pylist()
    return texts
