"""Parquet -> chunks: typed columns as text, in the same way at every run. A row's line is its number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.errors import ContentError
from etl.flow import Chunk
from etl.mapping.model import Source
from etl.read.cells import text_of
from etl.read.files import empty, opened
from etl.read.headers import Header, refuse_repeated
from etl.read.limits import Limits

_ROWS = 65_536


def read(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Chunk]:
    """The rows of a file; see `etl.read.read`."""
    del chunk_bytes  # rows are read by number: their size is not known before
    names = header(path, source, limits)
    with opened(path, limits) as raw:
        read_rows = 0
        for texts in _batches(path, raw, names):
            columns = [_missing(column, source) for column in texts]
            rows = pa.RecordBatch.from_arrays(columns, list(names))
            lines = np.arange(read_rows + 1, read_rows + 1 + len(rows), dtype=np.int64)
            read_rows += len(rows)
            yield Chunk(str(path), rows, lines)
        if not read_rows:
            raise empty(path, "it has a schema alone")


def header(path: Path, source: Source, limits: Limits) -> tuple[str, ...]:
    """The names of the columns; see `etl.read.header`."""
    del source
    with opened(path, limits) as raw:
        names = tuple(_file(path, raw).schema_arrow.names)
    if not names or len(names) > limits.columns:
        message = f"{path}: {len(names):,} columns, where 1 to {limits.columns:,} are read."
        raise ContentError(message, hint="Is this the right file?", code="too_many_columns")
    found = Header(names, 1)
    refuse_repeated(path, found)
    return found.kept


def _file(path: Path, raw: Any) -> Any:
    with _damage_named(path):
        return pq.ParquetFile(raw)


def _batches(path: Path, raw: Any, names: tuple[str, ...]) -> Iterator[list[Any]]:
    """The columns as text, some rows at a time; text that is not UTF-8 is damage."""
    batches = _file(path, raw).iter_batches(_ROWS, columns=list(names))
    while True:
        with _damage_named(path):
            batch = next(batches, None)
            texts = [_texts(batch.column(name)) for name in names] if batch is not None else []
            for each in texts:
                each.validate(full=True)
        if batch is None:
            return
        yield texts


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n", 1)[0][:200]
        message = f"{path}: this is no Parquet file that can be read: {reason}."
        raise ContentError(message, hint="Export it again, or see `source.format`.", code="bad_parquet") from None


def _texts(column: Any) -> Any:
    """A column as text: by Arrow where its text is ours, else each distinct value by `text_of`."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_large_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_dictionary(kind):
        return _texts(column.dictionary_decode())
    if pa.types.is_nested(kind):
        return pa.array(map(text_of, column.to_pylist()), pa.string())
    coded = column.dictionary_encode()
    known = coded.dictionary
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # Python's datetime has microseconds
        known = pc.cast(known, pa.timestamp("us", kind.tz), safe=False)
    return pa.array(map(text_of, known.to_pylist()), pa.string()).take(coded.indices)


def _missing(texts: Any, source: Source) -> Any:
    empty_ = pc.is_in(texts, pa.array(source.missing, pa.string()))
    return pc.if_else(pc.fill_null(empty_, False), pa.scalar(None, pa.string()), texts)
