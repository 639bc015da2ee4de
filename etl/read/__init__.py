"""Read: an input -> chunks of text columns, with the line on which each row begins.

Apart from everything that knows what the text means. Nothing is guessed: neither types, nor encodings, nor delimiters.
An input is one path: a file, a member of an archive (`a.zip!calls.csv`), or for formats of one row a file a folder of
them. `inputs` says which inputs folders, globs and archives stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from etl.flow import Chunk
from etl.mapping.model import Source
from etl.read.files import Fingerprint, fingerprint, opened, seen, text_bytes, unchanged
from etl.read.inputs import format_of, inputs
from etl.read.limits import DEFAULT, Limits
from etl.read.remote import address_of

__all__ = [
    "Fingerprint",
    "Limits",
    "Unread",
    "at_hand",
    "fingerprint",
    "format_of",
    "header",
    "inputs",
    "is_remote",
    "read",
    "seen",
    "text_bytes",
    "unchanged",
    "unread",
]


_HEAD_BYTES = 1 << 16
#: Stands in the header of a reject file, between the columns of the rows and why they were rejected.
_REJECT_FILE = b",_etl_line,_etl_code,_etl_column,"


#: A chunk that is given when it is called for.
Unread = Callable[[], Chunk]


class _Format(NamedTuple):
    read: Callable[[Path, Source, int, Limits], Iterator[Chunk]]
    header: Callable[[Path, Source, Limits], tuple[str, ...]]


#: What `source.format` says -> who reads it: module, and its two functions. Imported when it is asked for.
_FORMATS = {
    "csv": ("delimited", "read", "header"),
    "excel": ("workbook", "read", "header"),
    "jsonl": ("jsonlines", "read", "header"),
    "parquet": ("parquet", "read", "header"),
    "mbox": ("mailbox", "read", "header"),
    "eml": ("folders", "read_eml", "eml_header"),
    "google_voice": ("folders", "read_voice", "voice_header"),
    "ics": ("calendar", "read", "header"),
}


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


def unread(path: Path, source: Source, *, chunk_bytes: int = 8 << 20, limits: Limits = DEFAULT) -> Iterator[Unread]:
    """What `read` gives, each chunk as a function that gives it and is fit to travel (pickle).

    Work on a chunk that needs no other chunk is left to the function, where the format allows: it can be called in
    another process. Raises as `read`; so does the function.
    """
    source = _as_written(path, source)
    if source.format == "csv":
        from etl.read import delimited

        return delimited.unread(path, source, chunk_bytes, limits)
    return map(at_hand, _format(source).read(path, source, chunk_bytes, limits))


def is_remote(path: Path) -> bool:
    """Whether the input is the address of a store (`s3://...`), and no path of this machine."""
    return address_of(path) is not None


def at_hand(chunk: Chunk) -> Unread:
    """A chunk that was read, to be given again."""
    return partial(_itself, chunk)


def header(path: Path, source: Source, *, limits: Limits = DEFAULT) -> tuple[str, ...]:
    """The names of the columns that `read` gives, from the head of the file alone. Raises as `read`."""
    source = _as_written(path, source)
    return _format(source).header(path, source, limits)


def _itself(chunk: Chunk) -> Chunk:
    return chunk


def _as_written(path: Path, source: Source) -> Source:
    """How to read the file: a reject file is always written in one way, whatever the way of the rows it holds."""
    if path.is_dir():
        return source
    with opened(path) as stream:
        first_line = stream.read(_HEAD_BYTES).split(b"\n", 1)[0]
    if _REJECT_FILE not in first_line:
        return source.model_copy(update={"format": format_of(path, source)}) if source.others else source
    own_way = Source(missing=tuple(dict.fromkeys(["", *source.missing])))
    return own_way.model_copy(update={"timezone": source.timezone, "region": source.region})


def _format(source: Source) -> _Format:
    module, read_, header_ = _FORMATS[source.format]
    found = import_module(f"etl.read.{module}")
    return _Format(getattr(found, read_), getattr(found, header_))
