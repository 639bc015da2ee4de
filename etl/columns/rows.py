"""Rows of a chunk: as columns, without some, and as rejects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.flow import Chunk, Keys, Problem, Reject, key_text


def arrow_columns(rows: pd.DataFrame) -> dict[str, Any]:
    """The frame's columns as pyarrow arrays, by name; nothing is copied."""
    return {str(name): _array(rows[name]) for name in rows.columns}


def keep(chunk: Chunk, mask: NDArray[np.bool_]) -> Chunk:
    """The chunk with only the rows where the mask holds."""
    if mask.all():
        return chunk
    return Chunk(chunk.source, keep_rows(chunk.rows, mask), chunk.lines[mask], chunk.rejects)


def keep_rows(rows: pd.DataFrame, mask: NDArray[np.bool_]) -> pd.DataFrame:
    """The frame's rows where the mask holds, numbered from 0."""
    if mask.all():
        return rows
    index = pd.RangeIndex(int(mask.sum()))
    kept = {name: array.filter(pa.array(mask)) for name, array in arrow_columns(rows).items()}
    return pd.DataFrame({name: pd.arrays.ArrowExtensionArray(array) for name, array in kept.items()}, index=index)


def rejects_of(chunk: Chunk, problems: Mapping[int, tuple[Problem, ...]], keys: Keys | None = None) -> list[Reject]:
    """One reject for each row of the chunk that has problems, with its cells as read."""
    return rejects_of_rows(chunk.rows, chunk.lines, problems, keys)


def rejects_of_rows(
    rows: pd.DataFrame,
    lines: NDArray[np.int64],
    problems: Mapping[int, tuple[Problem, ...]],
    keys: Keys | None = None,
) -> list[Reject]:
    """One reject for each row that has problems; `lines` and `keys` are those of the rows."""
    if not problems:
        return []
    places = pa.array(list(problems))
    cells = [_texts(array.take(places)) for array in arrow_columns(rows).values()]
    return [
        Reject(int(lines[row]), found, tuple(values), key=key_text(keys[row]) if keys is not None else "")
        for (row, found), *values in zip(problems.items(), *cells, strict=True)
    ]


def _array(series: Any) -> Any:
    array = pa.array(series.array)
    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    return array


def _texts(array: Any) -> list[str | None]:
    """The cells as text, lists joined by `;`."""
    texts: list[str | None] = (pc.binary_join(array, ";") if pa.types.is_list(array.type) else array).to_pylist()
    return texts
