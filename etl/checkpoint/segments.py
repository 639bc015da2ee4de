"""What lies beside the narrow rows: payloads and cells as read, some thousand rows to a compressed segment.

Both are Arrow IPC streams (zstd), cut out of a chunk's columns without a Python object per row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import DamagedCheckpoint
from etl.flow import LINK_KINDS, LinkKind

if TYPE_CHECKING:
    import pandas as pd

    from etl.flow import Linked

SEGMENT_ROWS = 2_000
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


def payloads_of(linked: Linked) -> pa.StringArray:
    """Each row's v1 payload as JSON, without owner and associations."""
    d = linked.drafts
    extra = pc.fill_null(pc.binary_join_element_wise(',"properties":', d.properties, ""), "")
    return pc.binary_join_element_wise(
        '{"engagement":{', d.engagement, '},"attachments":', d.attachments, ',"metadata":', d.metadata, extra, "}", "",
    )  # fmt: skip


def store(
    db: sqlite3.Connection, input_: int, payloads: pa.StringArray, cells: pd.DataFrame
) -> tuple[list[int], list[int]]:
    """Stores a chunk in segments; gives for each row the segment and the place in it."""
    table = pa.Table.from_pandas(cells, preserve_index=False).replace_schema_metadata(None)
    lines = pa.table({"payload": payloads})
    numbers: list[int] = []
    places: list[int] = []
    for start in range(0, len(payloads), SEGMENT_ROWS):
        rows = min(SEGMENT_ROWS, len(payloads) - start)
        blobs = [_stream(lines.slice(start, rows)), _stream(table.slice(start, rows))]
        values = [input_, *blobs, *map(crc32, blobs)]
        sql = "INSERT INTO segment (input, payloads, cells, payloads_crc, cells_crc) VALUES (?, ?, ?, ?, ?)"
        segment = db.execute(sql, values).lastrowid
        assert segment is not None
        numbers += [segment] * rows
        places += range(rows)
    return numbers, places


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
    return tuple(_table(blob).slice(place, 1).to_pylist()[0].values())


def links_text(owner_ids: pa.StringArray, links: Mapping[LinkKind, pa.ListArray]) -> tuple[list[str], list[str]]:
    """Each row's ids as the columns `links` and `shape` keep them: ``7|2,3|5||`` and ``2,1,0,0``."""
    none = pa.scalar("")
    ids = [pc.fill_null(pc.binary_join(links[kind], ","), none) if kind in links else none for kind in LINK_KINDS]
    texts = pc.binary_join_element_wise(pc.fill_null(owner_ids, none), *ids, "|")
    if not links:
        return texts.to_pylist(), ["0,0,0,0"] * len(owner_ids)
    counts = [
        pc.fill_null(pc.cast(pc.list_value_length(links[kind]), pa.string()), "0") if kind in links else "0"
        for kind in LINK_KINDS
    ]
    return texts.to_pylist(), pc.binary_join_element_wise(*counts, ",").to_pylist()


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _table(blob: bytes) -> pa.Table:
    with pa.ipc.open_stream(blob) as stream:
        return stream.read_all()
