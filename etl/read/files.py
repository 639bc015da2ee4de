"""The file itself: opened safely, unpacked with a cap, and its fingerprint.

Apart from the formats, because each of them begins here: only regular files, never a pipe or a device that hangs.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from etl.errors import ContentError, InputError
from etl.read.archives import member_of, opened_member, unpacked_bytes
from etl.read.limits import DEFAULT, Limits
from etl.read.remote import address_of, opened_remote, state

#: First bytes of files that are no text, what they are, and the format by which a mapping reads them.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive", "excel"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "excel"),
    (b"PAR1", "a Parquet file", "parquet"),
    (b"%PDF", "a PDF", ""),
    (b"SQLite format 3\x00", "an SQLite database", ""),
)
_PIECE = 1 << 20
_USUAL_RATIO = 10  # of text that is packed
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file was when it was read; `unchanged` compares all but the digest."""

    path: Path
    size: int  #: bytes
    mtime_ns: int
    inode: int
    device: int
    sha256: str  #: hex, over the bytes as they lie on the disk (compressed where they are)


def fingerprint(path: Path) -> Fingerprint:
    """The file's size, place on disk and digest; reads all of it, in bounded memory. Raises `InputError`.

    Of a folder, the digest is over the names and bytes of the files in it; of an archive's member, over its own bytes.
    """
    digest = hashlib.sha256()
    before = _stat(path)
    for each in _below(path) if path.is_dir() else [path]:
        digest.update(f"{each.relative_to(path)}\0".encode("utf-8", "surrogateescape") if each != path else b"")
        with opened(each) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    return Fingerprint(path, *before, digest.hexdigest())


def unchanged(seen: Fingerprint) -> bool:
    """Whether the path still leads to the same file with the same size and time of change; reads nothing."""
    try:
        return _stat(seen.path) == (seen.size, seen.mtime_ns, seen.inode, seen.device)
    except (OSError, InputError):
        return False


def seen(path: Path) -> tuple[int, int] | None:
    """Size and time of change of an input as this machine sees it, or None where it does not; reads nothing."""
    try:
        return _stat(path)[:2]
    except (OSError, InputError):
        return None


def text_bytes(path: Path) -> int:
    """About how many bytes of text an input holds, unpacked: what its size on the disk says, for whoever divides work."""
    member = member_of(path)
    size = unpacked_bytes(member) if member else _stat(path)[0]
    return size * _USUAL_RATIO if path.suffix.lower() in (".gz", ".zip") else size


@contextmanager
def opened(path: Path, limits: Limits = DEFAULT) -> Iterator[BinaryIO]:
    """The bytes of a regular file (a link to one is fine), or of a member of an archive (`a.zip!name`), from the start.

    Opened without blocking and judged by what was opened, so that neither a FIFO nor a swap in between can hang it.
    Raises `InputError`; for a member, `ContentError` too.
    """
    if address := address_of(path):
        with opened_remote(address) as stream:
            yield stream
        return
    member = member_of(path)
    with _regular(member.archive if member else path) as raw:
        yield opened_member(member, raw, limits) if member else raw


def _below(folder: Path) -> list[Path]:
    """Every file in a folder and below, by name."""
    return sorted(each for each in folder.rglob("*") if each.is_file())


def _stat(path: Path) -> tuple[int, int, int, int]:
    """Size (bytes), time of change (ns), inode and device; of a folder, the sizes' sum and the latest time."""
    if address := address_of(path):
        return *state(address), 0, 0
    member = member_of(path)
    try:
        own = (member.archive if member else path).stat()
        parts = [each.stat() for each in _below(path)] if path.is_dir() else [own]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.", hint="Check the path.", code="missing_file") from None
    except OSError as error:
        raise _unreadable(path, error.strerror or "cannot be opened") from None
    latest = max((each.st_mtime_ns for each in parts), default=own.st_mtime_ns)
    return sum(each.st_size for each in parts), latest, own.st_ino, own.st_dev


@contextmanager
def _regular(path: Path) -> Iterator[BinaryIO]:
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.", hint="Check the path.", code="missing_file") from None
    except OSError as error:
        raise _unreadable(path, error.strerror or "cannot be opened") from None
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        raise _unreadable(path, f"it is {_kind(mode)}, and only regular files are read")
    with os.fdopen(number, "rb", buffering=0) as raw:
        try:
            yield raw
        except OSError as error:
            if isinstance(error, gzip.BadGzipFile) or error.errno is None:
                raise
            raise _unreadable(path, error.strerror or "reading failed") from None


@contextmanager
def unpacked(path: Path, limits: Limits) -> Iterator[BinaryIO]:
    """The bytes of a file that should hold text; one whose name ends in ``.gz`` is unpacked on the way.

    Raises `InputError` as `opened` and for 0 bytes, `ContentError` for what is plainly another format.
    """
    with opened(path, limits) as raw:
        if not raw.read(1):
            raise empty(path, "it has 0 bytes")
        raw.seek(0)
        packed = path.suffix.lower() == ".gz"
        stream: BinaryIO = io.BufferedReader(_Unpacked(path, raw, limits)) if packed else raw
        _refuse_other_formats(path, stream.read(16), packed=packed)
        stream.seek(0)
        yield stream


def empty(path: Path, found: str) -> InputError:
    """The error for a file without rows: its own exit code, because a nightly export of nothing is an alarm."""
    hint = "Look at what wrote the file: an export without rows is usually an export that failed."
    return InputError(f"{path}: there are no rows: {found}.", hint=hint, code="empty_file")


def _unreadable(path: Path, why: str) -> InputError:
    return InputError(f"{path}: cannot be read: {why}.", hint="Give a file that this user may read.", code="unreadable")


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a pipe (FIFO)"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in kinds if test(mode)), "a device")


def _refuse_other_formats(path: Path, head: bytes, *, packed: bool) -> None:
    """Names the format where text was expected, before its bytes give a puzzling error about encodings."""
    found, format_ = next(((name, format_) for magic, name, format_ in _MAGIC if head.startswith(magic)), ("", ""))
    hint = (
        f"Save it as CSV (UTF-8){f', or write `format: {format_}` below `source:` of the mapping' if format_ else ''}."
    )
    if head.startswith(_GZIP):
        found = "compressed (gzip) once more inside" if packed else "compressed (gzip)"
        hint = "Unpack it first." if packed else "Let its name end in .gz, or unpack it first."
    if found:
        raise ContentError(f"{path}: this is no text file: it is {found}.", hint=hint, code="not_text")


class _Unpacked(io.RawIOBase):
    """A gzip stream as raw bytes that refuses to grow out of proportion, and names damage as such."""

    def __init__(self, path: Path, raw: BinaryIO, limits: Limits) -> None:
        self._path, self._raw, self._limits = path, raw, limits
        self._gzip = gzip.GzipFile(fileobj=raw, mode="rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._gzip.seek(offset, whence)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            piece = self._gzip.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            hint = "Transfer or export the file again; nothing of it was used."
            message = f"{self._path}: the gzip data is damaged or cut off ({error})."
            raise ContentError(message, hint=hint, code="bad_gzip") from None
        self._refuse_bomb(self._gzip.tell(), self._raw.tell())
        buffer[: len(piece)] = piece
        return len(piece)

    def _refuse_bomb(self, out: int, read: int) -> None:
        limits = self._limits
        ratio = out / max(read, 1)
        if out > limits.unpacked_bytes or (out > limits.unpacked_free and ratio > limits.unpacked_ratio):
            found = f"{read:,} bytes gave {out:,} (limits: {limits.unpacked_ratio} for one, {limits.unpacked_bytes:,})"
            hint = "If the file is what it should be, unpack it first and give the unpacked one."
            raise ContentError(f"{self._path}: it unpacks out of proportion: {found}.", hint=hint, code="gzip_bomb")
