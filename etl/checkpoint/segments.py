"""What lies beside the narrow rows: payloads and cells as read, some thousand rows to a compressed segment.

Both are Arrow IPC streams (zstd), cut out of a chunk's columns without a Python object per row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import DamagedCheckpoint
from etl.flow import LINK_KINDS, LinkKind

if TYPE_CHECKING:
    from etl.flow import Cells, Linked

SEGMENT_ROWS = 4_000
#: The column of a chunk's table that holds the payloads.
PAYLOAD = "payload"
#: Threads of Arrow's own are not worth it: each core has a process that folds.
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)


class Packed(NamedTuple):
    """One segment: Arrow IPC streams."""

    payloads: bytes
    cells: bytes


def payloads_of(linked: Linked) -> pa.StringArray:
    """Each row's v1 payload as JSON, without owner and associations."""
    d = linked.drafts
    extra = pc.fill_null(pc.binary_join_element_wise(',"properties":', d.properties, ""), "")
    return pc.binary_join_element_wise(
        '{"engagement":{', d.engagement, '},"attachments":', d.attachments, ',"metadata":', d.metadata, extra, "}", "",
    )  # fmt: skip


def table_of(payloads: pa.StringArray, cells: Cells) -> pa.Table:
    """Payloads and cells side by side, the payload first; cells without names, as the input's header has them."""
    columns = cells.all().columns
    return pa.table([payloads, *columns], names=[PAYLOAD, *map(str, range(len(columns)))])


def pack(table: pa.Table) -> Iterator[Packed]:
    """The table in segments of `SEGMENT_ROWS` rows (the last may have fewer), compressed."""
    payloads, cells = table.select([PAYLOAD]), table.drop_columns([PAYLOAD])
    for start in range(0, len(table), SEGMENT_ROWS):
        yield Packed(_stream(payloads.slice(start, SEGMENT_ROWS)), _stream(cells.slice(start, SEGMENT_ROWS)))


def store(db: sqlite3.Connection, input_: int, packed: Sequence[Packed]) -> int:
    """Stores segments; gives the number of the first: the others follow it without a gap."""
    first: int = db.execute("SELECT coalesce(max(id), 0) + 1 FROM segment").fetchone()[0]
    sql = "INSERT INTO segment (id, input, payloads, cells, payloads_crc, cells_crc) VALUES (?, ?, ?, ?, ?, ?)"
    rows = ((first + i, input_, *part, crc32(part.payloads), crc32(part.cells)) for i, part in enumerate(packed))
    db.executemany(sql, rows)
    return first


def load(db: sqlite3.Connection, segment: int, part: Literal["payloads", "cells"]) -> bytes:
    """One part of a segment. Raises `DamagedCheckpoint` where it is not what was stored."""
    blob, crc = db.execute(f"SELECT {part}, {part}_crc FROM segment WHERE id = ?", [segment]).fetchone() or (b"", -1)
    if blob is None or crc32(blob) != crc:
        raise DamagedCheckpoint(
            f"The {part} of rows in segment {segment} of the checkpoint are damaged. Nothing more was sent.",
            hint="Move the checkpoint away and run the same command with --reconcile.",
        )
    return bytes(blob)


def read_payloads(blob: bytes) -> list[bytes]:
    """The payloads of a segment, in the order of its rows."""
    return pc.cast(_table(blob).column(0), pa.binary()).to_pylist()  # type: ignore[no-any-return]


def read_cells(blob: bytes, place: int) -> tuple[str | None, ...]:
    """One row of a segment as it was read, in the order of the header."""
    return cells_of(_table(blob).slice(place, 1))


def cells_of(row: pa.Table) -> tuple[str | None, ...]:
    """The cells of a table of one row; lists joined by `;`."""
    cells = (column[0].as_py() for column in row.columns)
    return tuple(";".join(cell) if isinstance(cell, list) else cell for cell in cells)


def links_text(
    owner_ids: pa.StringArray, links: Mapping[LinkKind, pa.ListArray]
) -> tuple[pa.StringArray, pa.StringArray]:
    """Each row's ids as the columns `links` and `shape` keep them: ``7|2,3|5||`` and ``2,1,0,0``."""
    none = pa.scalar("")
    ids = [pc.fill_null(pc.binary_join(links[kind], ","), none) if kind in links else none for kind in LINK_KINDS]
    texts = pc.binary_join_element_wise(pc.fill_null(owner_ids, none), *ids, "|")
    if not links:
        return texts, pa.repeat("0,0,0,0", len(owner_ids))
    counts = [
        pc.fill_null(pc.cast(pc.list_value_length(links[kind]), pa.string()), "0") if kind in links else "0"
        for kind in LINK_KINDS
    ]
    return texts, pc.binary_join_element_wise(*counts, ",")


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _table(blob: bytes) -> pa.Table:
    with pa.ipc.open_stream(blob) as stream:
        return stream.read_all()
