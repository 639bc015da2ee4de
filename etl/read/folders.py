"""Formats of which one file is one row (e-mails as .eml, call records of Google Voice): a file, a folder or an archive.

A folder's rows come by the names of its files, in order; a row's line is its place among the rows, and the column `file`
has the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from etl.flow import Chunk, Reject
from etl.mapping.model import Source
from etl.read import message, voice
from etl.read.archives import each_member, member_of
from etl.read.files import empty, opened, unpacked
from etl.read.gather import Row, chunks, unreadable
from etl.read.inputs import SUFFIXES
from etl.read.limits import Limits
from etl.read.mailbox import MESSAGE_BYTES


def read_eml(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Chunk]:
    """The e-mails; see `etl.read.read`."""
    rows = (_mail(line, name, raw) for line, (name, raw) in enumerate(_found(path, "eml", limits), 1))
    yield from chunks(path, message.NAMES, rows, source.missing, chunk_bytes, limits)


def read_voice(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Chunk]:
    """The calls, voicemails and texts; see `etl.read.read`. Each text of a conversation is a row."""
    found = (row for name, raw in _found(path, "google_voice", limits) for row in _calls(name, raw))
    rows = (row._replace(line=n) for n, row in enumerate(found, 1))
    yield from chunks(path, voice.NAMES, rows, source.missing, chunk_bytes, limits)


def eml_header(path: Path, source: Source, limits: Limits) -> tuple[str, ...]:
    """The columns of mail; looks whether there is any."""
    return _header(path, source, limits, message.NAMES)


def voice_header(path: Path, source: Source, limits: Limits) -> tuple[str, ...]:
    """The columns of call records; looks whether there are any."""
    return _header(path, source, limits, voice.NAMES)


def _header(path: Path, source: Source, limits: Limits, names: tuple[str, ...]) -> tuple[str, ...]:
    next(iter(_found(path, source.format, limits)))
    return names


def _found(path: Path, format_: str, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Each file's name and bytes, cut off one byte beyond what is read. Raises `InputError` where there is none."""
    found = _files(path, SUFFIXES[format_], limits)
    first = next(found, None)
    if first is None:
        raise empty(path, f"it has no file that ends in {' or '.join(SUFFIXES[format_])}")
    yield first
    yield from found


def _files(path: Path, suffixes: tuple[str, ...], limits: Limits) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.name.lower().endswith(suffixes) and not each.name.startswith(".") and each.is_file():
                with opened(each) as stream:
                    yield str(each.relative_to(path)), _all(stream.read)
    elif path.suffix.lower() == ".zip" and not member_of(path):
        with opened(path) as raw:
            yield from each_member(path, raw, suffixes, limits)
    else:
        with unpacked(path, limits) as stream:
            yield path.name, _all(stream.read)


def _all(read: Callable[[int], bytes]) -> bytes:
    """All bytes of a stream that may give fewer than asked for, up to the cap."""
    parts, left = [], MESSAGE_BYTES + 1
    while left and (piece := read(left)):
        parts.append(piece)
        left -= len(piece)
    return b"".join(parts)


def _mail(line: int, name: str, raw: bytes) -> Row | Reject:
    if len(raw) > MESSAGE_BYTES:
        return unreadable(line, f"{name}: expected a message of at most {MESSAGE_BYTES >> 20} MiB", raw[:1024])
    cells = message.cells(raw, name)
    return Row(line, cells) if cells else unreadable(line, f"{name}: expected a message, with headers first", raw)


def _calls(name: str, raw: bytes) -> Iterable[Row | Reject]:
    """A page's rows; their lines come later, since each row of an input has one of its own."""
    found = voice.rows(raw, name)
    if not found:
        return [unreadable(0, f"{name}: expected a record of Google Voice, with a time", raw)]
    return [Row(0, cells) for cells in found]
