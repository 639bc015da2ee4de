"""Read: a file -> chunks of text columns, with the line on which each row begins.

Apart from everything that knows what the text means. Nothing is guessed: neither types, nor encodings, nor delimiters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from etl.errors import ConfigError
from etl.flow import Chunk
from etl.mapping.model import Source
from etl.read import delimited
from etl.read.files import Fingerprint, fingerprint, opened, unchanged
from etl.read.limits import DEFAULT, Limits

__all__ = ["Fingerprint", "Limits", "fingerprint", "header", "read", "unchanged"]


_HEAD_BYTES = 1 << 16
#: Stands in the header of a reject file, between the columns of the rows and why they were rejected.
_REJECT_FILE = b",_etl_line,_etl_code,_etl_column,"


class _Format(NamedTuple):
    read: Callable[[Path, Source, int, Limits], Iterator[Chunk]]
    header: Callable[[Path, Source, Limits], tuple[str, ...]]


#: What `source.format` says -> who reads it.
_FORMATS = {"csv": _Format(delimited.read, delimited.header)}


def read(path: Path, source: Source, *, chunk_bytes: int = 8 << 20, limits: Limits = DEFAULT) -> Iterator[Chunk]:
    """The file's rows in chunks of about `chunk_bytes` bytes of text, in the order of the file, lazily.

    Rows that cannot be read are in the chunks' `rejects`; `len(rows) + len(rejects)` over all chunks is the number of
    rows, where empty lines are no rows and a footer that `stop_at` describes ends the file. Columns whose names begin
    with ``_etl_`` (of a reject file) are left out. Raised when reached, so before the first chunk or after any:
    `InputError` for a file that is missing, unreadable, no regular file, or without rows; `ContentError` for one
    whose bytes, quotes or header cannot be trusted; `ConfigError` for settings that cannot be.
    """
    source = _as_written(path, source)
    return _format(source).read(path, source, chunk_bytes, limits)


def header(path: Path, source: Source, *, limits: Limits = DEFAULT) -> tuple[str, ...]:
    """The names of the columns that `read` gives, from the head of the file alone. Raises as `read`."""
    source = _as_written(path, source)
    return _format(source).header(path, source, limits)


def _as_written(path: Path, source: Source) -> Source:
    """How to read the file: a reject file is always written in one way, whatever the way of the rows it holds."""
    with opened(path) as stream:
        first_line = stream.read(_HEAD_BYTES).split(b"\n", 1)[0]
    if _REJECT_FILE not in first_line:
        return source
    own_way = Source(missing=tuple(dict.fromkeys(["", *source.missing])))
    return own_way.model_copy(update={"timezone": source.timezone, "region": source.region})


def _format(source: Source) -> _Format:
    try:
        return _FORMATS[source.format]
    except KeyError:
        hint = "Save the file as CSV (UTF-8)."
        raise ConfigError(f"`source.format: {source.format}`: this version reads csv.", hint=hint) from None
