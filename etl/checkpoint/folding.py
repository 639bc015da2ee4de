"""One chunk folded for the checkpoint: hashes, seals, texts of links, and the compressed segments.

Apart from `staging`, because none of it needs the database: it is done where the chunk was mapped, in another process
if need be, and what it gives is plain bytes and arrays that travel well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from etl.checkpoint import segments
from etl.checkpoint.seals import content_base
from etl.checkpoint.segments import Packed
from etl.columns.arrays import text_bytes
from etl.flow import LINK_KINDS, Drafts, Linked

KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Folded:
    """Rows on their way into the checkpoint, one element a row."""

    keys: bytes  #: 16 bytes a row
    hashes: bytes  #: 16 bytes a row, over what it says: its payload, and its links in words
    lines: NDArray[np.int64]
    times_ms: NDArray[np.int64]
    types: pa.StringArray
    links: pa.StringArray  #: as the column `links` keeps them
    shapes: pa.StringArray
    wanted: pa.StringArray  #: null for a row that can be sent
    reasons: pa.StringArray  #: why the row is parked, null for a row that can be sent
    bases: NDArray[np.int64]  #: the `content_seal` but for the place, which is not known yet
    table: pa.Table | None  #: payload (first column) and cells as read; None where they are packed
    packed: tuple[Packed, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def key(self, row: int) -> bytes:
        """The key of one row."""
        return self.keys[KEY_BYTES * row : KEY_BYTES * (row + 1)]

    def hash(self, row: int) -> bytes:
        """The hash of one row."""
        return self.hashes[KEY_BYTES * row : KEY_BYTES * (row + 1)]

    def column(self, place: int) -> list[str | None]:
        """One column of the cells as read; only where they are not packed."""
        assert self.table is not None
        return self.table[str(place)].to_pylist()  # type: ignore[no-any-return]

    def cells(self, row: int) -> tuple[str | None, ...]:
        """One row as it was read, in the order of the header."""
        if self.table is not None:
            return segments.cells_of(self.table.slice(row, 1).drop_columns([segments.PAYLOAD]))
        return segments.read_cells(self.packed[row // segments.SEGMENT_ROWS].cells, row % segments.SEGMENT_ROWS)


def fold(linked: Linked, *, pack: bool) -> Folded:
    """Folds a chunk; with `pack` its segments are made at once, which is right where none of its rows can be known."""
    d = linked.drafts
    payloads = segments.payloads_of(linked)
    links, shapes = segments.links_text(linked.owner_ids, linked.links)
    hashes = _hashes(payloads, d)
    keys = b"".join(d.keys)
    table = segments.table_of(payloads, d.cells)
    return Folded(
        keys=keys,
        hashes=hashes,
        lines=d.lines,
        times_ms=d.times_ms,
        types=d.types,
        links=links,
        shapes=shapes,
        wanted=linked.wanted,
        reasons=linked.parked,
        bases=content_base(_crcs(keys, hashes, d.types, links, linked.wanted), d.times_ms),
        table=None if pack else table,
        packed=tuple(segments.pack(table)) if pack else (),
    )


def _hashes(payloads: pa.StringArray, drafts: Drafts) -> bytes:
    """Over payload and words, each way's words with its name; a way in which a row wants nothing does not count."""
    pieces: list[Any] = [payloads, drafts.owner]
    for kind in LINK_KINDS:
        for way in drafts.wanted.get(kind, ()):
            named = f"{kind} {way.by} {way.table}", pc.binary_join(way.values, "\x1f")
            pieces += [pc.binary_join_element_wise(*named, "\0")] if way.values.null_count else named
    offsets, data = text_bytes(pc.binary_join_element_wise(*pieces, "\0", null_handling="skip"))
    ends, contents = offsets.tolist(), data.data  # to make Python's own bytes of each takes twice as long
    # no secret is kept by it: SHA-256 takes twenty times as long
    return b"".join([xxh3_128_digest(contents[start:end]) for start, end in pairwise(ends)])


def _crcs(
    keys: bytes, hashes: bytes, types: pa.StringArray, links: pa.StringArray, wanted: pa.StringArray
) -> list[int]:
    """A CRC-32 for each row over all of it, as `seals` computes it again."""
    fixed = pa.binary(KEY_BYTES)
    parts = [pa.Array.from_buffers(fixed, len(types), [None, pa.py_buffer(data)]) for data in (keys, hashes)]
    texts = [pc.cast(text, pa.binary()) for text in (types, links, pc.fill_null(wanted, ""))]
    whole = pc.binary_join_element_wise(*(pc.cast(part, pa.binary()) for part in parts), *texts, b"")
    return [crc32(content) for content in whole.to_pylist()]
