"""Chunks of whole groups: rows that belong together may stand far apart in a file, and memory stays that of a chunk.

    chunks, in the order of the file ──▶ spill 0 │ 1 │ 2 │ ...  (by a hash of the group's name) ──▶ a chunk each

A group is in one spill as a whole, so each spill can be mapped for itself. A spill is a nameless temporary file of Arrow
batches: it is gone with the process, however that ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.rows import arrow_columns, batch_of
from etl.flow import Chunk

#: Files that are open at once: systems allow a process 256 at the least.
MAX_SPILLS = 128
_LINES = "line"

#: The name of each row's group; null for a row that stands alone.
NamesOf = Callable[[Chunk], pa.StringArray]


def whole_groups(chunks: Iterable[Chunk], names_of: NamesOf, spills: int) -> Iterator[Chunk]:
    """The same rows in chunks that hold whole groups, about so many chunks; what could not be read comes first.

    In a chunk the rows of a group stand together, in the order of the file, and groups in the order of their first rows.
    The same file gives the same chunks. With one spill nothing is written.
    """
    spills = min(max(spills, 1), MAX_SPILLS)
    if spills == 1:
        yield from _in_memory(list(chunks), names_of)
        return
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile(prefix="etl-")) for _ in range(spills)]
        writers: list[Any] = []
        for chunk in chunks:
            if chunk.rejects:
                yield Chunk(chunk.source, chunk.rows[:0], chunk.lines[:0], chunk.rejects)
            table = _table(chunk)
            writers = writers or [pa.ipc.new_stream(pa.PythonFile(file, mode="w"), table.schema) for file in files]
            _spread(table, _spill_of(names_of(chunk), chunk.lines, spills), writers)
            source = chunk.source
        for writer, file in zip(writers, files, strict=False):
            writer.close()
            if len(table := _read(file)):
                yield _in_order(_chunk(source, table), names_of)


def end_of_group(chunk: Chunk, names_of: NamesOf, line: int) -> int:
    """How many rows such a chunk has up to the end of the group in which the row of that line stands."""
    names = names_of(chunk)
    place = int(np.flatnonzero(chunk.lines == line)[0])
    name = names[place].as_py()
    if name is None:
        return place + 1
    return int(np.flatnonzero(pc.equal(names, name).fill_null(False).to_numpy(zero_copy_only=False))[-1]) + 1


def _in_memory(chunks: list[Chunk], names_of: NamesOf) -> Iterator[Chunk]:
    if chunks:
        whole = _chunk(chunks[0].source, pa.concat_tables([_table(chunk) for chunk in chunks]))
        found = _in_order(whole, names_of)
        rejects = [reject for chunk in chunks for reject in chunk.rejects]
        yield Chunk(found.source, found.rows, found.lines, rejects)


def _table(chunk: Chunk) -> pa.Table:
    """The chunk's columns with their lines before them; two columns of a file may not have one name, so theirs do not count."""
    columns = arrow_columns(chunk.rows)
    return pa.table([pa.array(chunk.lines), *columns.values()], names=[_LINES, *(f"cell {name}" for name in columns)])


def _chunk(source: str, table: pa.Table) -> Chunk:
    arrays = [column.combine_chunks() for column in table.columns]
    cells = {name.removeprefix("cell "): array for name, array in zip(table.column_names[1:], arrays[1:], strict=True)}
    return Chunk(source, batch_of(cells), arrays[0].to_numpy(zero_copy_only=False))


def _spill_of(names: Any, lines: NDArray[np.int64], spills: int) -> NDArray[np.int64]:
    """The spill of each row: by a hash of the group's name that is the same in every process."""
    from pandas.util import hash_array  # few mappings group rows, and pandas takes a third of a second

    coded = names.dictionary_encode()
    hashes = hash_array(np.array(coded.dictionary.to_pylist(), dtype=object), categorize=False)
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    found: NDArray[np.uint64] = np.append(hashes, np.uint64(0))[codes]
    found = np.where(codes < 0, lines.astype(np.uint64), found)
    return (found % np.uint64(spills)).astype(np.int64)


def _spread(table: pa.Table, spill: NDArray[np.int64], writers: list[Any]) -> None:
    ordered = table.take(pa.array(np.argsort(spill, kind="stable")))
    ends = np.cumsum(np.bincount(spill, minlength=len(writers))).tolist()
    for writer, start, end in zip(writers, [0, *ends], ends, strict=False):
        if end > start:
            writer.write_table(ordered.slice(start, end - start))


def _read(file: IO[bytes]) -> pa.Table:
    file.seek(0)
    with pa.ipc.open_stream(file) as stream:
        return stream.read_all()


def _in_order(chunk: Chunk, names_of: NamesOf) -> Chunk:
    """The rows with each group's together, groups in the order of their first rows."""
    coded = names_of(chunk).dictionary_encode().indices
    codes = pc.fill_null(coded, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    firsts = np.arange(len(codes))
    named = np.flatnonzero(codes >= 0)
    if len(named):
        _, first, inverse = np.unique(codes[named], return_index=True, return_inverse=True)
        firsts[named] = named[first][inverse]
    order = np.lexsort((np.arange(len(codes)), firsts))
    if (order == np.arange(len(order))).all():
        return chunk
    table = _table(chunk).take(pa.array(order))
    return _chunk(chunk.source, table)
