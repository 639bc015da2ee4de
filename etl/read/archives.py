"""Members of ZIP archives as streams, nothing extracted: `exports.zip!calls/monday.csv` is an input like any other.

Apart from `files`, which opens what lies on the disk. A member is read where it lies, so a name that points elsewhere
(`../x`) is only a name, and memory does not grow with what it unpacks to.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from etl.errors import ContentError, InputError
from etl.read.limits import Limits

_MARK = ".zip!"
_LOCAL_HEADER = 30  # bytes, before the member's name; APPNOTE.TXT 4.3.7
_ENCRYPTED = 1


class Member(NamedTuple):
    """Where a member's name leads."""

    archive: Path
    name: str


def member_of(path: Path) -> Member | None:
    """The archive and the member that such a path names, or None for a plain path."""
    text = str(path)
    place = text.lower().find(_MARK)
    if place < 0 or path.exists():
        return None
    return Member(Path(text[: place + len(_MARK) - 1]), text[place + len(_MARK) :])


def members(archive: Path) -> tuple[str, ...]:
    """The files in an archive, by name; without those that operating systems add. Raises `ContentError`."""
    seen = archive.stat()
    names = sorted(_directory(archive, seen.st_size, seen.st_mtime_ns))
    return tuple(name for name in names if not _added(name))


def unpacked_bytes(member: Member) -> int:
    """How long a member says it is; 0 where there is none of that name."""
    seen = member.archive.stat()
    found = _directory(member.archive, seen.st_size, seen.st_mtime_ns).get(member.name)
    return found.file_size if found else 0


def opened_member(member: Member, raw: BinaryIO, limits: Limits) -> BinaryIO:
    """The member's bytes, given the open archive.

    Raises `InputError` where there is none of that name, `ContentError` where it is damaged, encrypted, packed in a
    way that is not read, or unpacks out of proportion.
    """
    seen = member.archive.stat()
    found = _directory(member.archive, seen.st_size, seen.st_mtime_ns).get(member.name)
    path = Path(f"{member.archive}!{member.name}")
    if found is None:
        hint = f"It has {', '.join(members(member.archive)[:8]) or 'no files'}."
        raise InputError(f"{path}: the archive has no such file.", hint=hint, code="missing_file")
    if found.flag_bits & _ENCRYPTED:
        raise ContentError(f"{path}: it is encrypted.", hint="Unpack it first.", code="bad_zip")
    if found.file_size > limits.unpacked_bytes or (
        found.file_size > limits.unpacked_free and found.file_size > limits.unpacked_ratio * found.compress_size
    ):
        message = f"{path}: it unpacks out of proportion: {found.compress_size:,} bytes to {found.file_size:,}."
        hint = "If the file is what it should be, unpack it first and give the unpacked one."
        raise ContentError(message, hint=hint, code="zip_bomb")
    return io.BufferedReader(_Stream(path, raw, found))


def each_member(archive: Path, raw: BinaryIO, suffixes: tuple[str, ...], limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Each member with one of these suffixes, whole: for formats of one row a file."""
    for name in members(archive):
        if name.lower().endswith(suffixes):
            with opened_member(Member(archive, name), raw, limits) as stream:
                yield name, stream.read(limits.row_bytes + 1)


@lru_cache(maxsize=4)  # the directory of an archive with many members is not read again for each of them
def _directory(archive: Path, size: int, mtime_ns: int) -> dict[str, zipfile.ZipInfo]:
    del size, mtime_ns  # of the file as it was: part of what is remembered
    try:
        with zipfile.ZipFile(archive) as opened:
            return {each.filename: each for each in opened.infolist() if not each.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise _damaged(archive, error) from None


def _added(name: str) -> bool:
    return name.startswith("__MACOSX/") or any(part.startswith(".") for part in name.split("/"))


def _damaged(path: Path, error: Exception) -> ContentError:
    hint = "Transfer or export the file again; nothing of it was used."
    return ContentError(f"{path}: the ZIP archive is damaged or cut off ({error}).", hint=hint, code="bad_zip")


class _Stream(io.RawIOBase):
    """A member as raw bytes, with damage named as such."""

    def __init__(self, path: Path, raw: BinaryIO, found: zipfile.ZipInfo) -> None:
        self._path, self._raw, self._info = path, raw, found
        self._member = self._begun()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._member.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._member.seek(offset, whence)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            piece = self._member.read(len(buffer))
        except (EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise _damaged(self._path, error) from None
        buffer[: len(piece)] = piece
        return len(piece)

    def _begun(self) -> zipfile.ZipExtFile:
        """The member at its first byte. Its length and checks come from the archive's directory, which `zipfile` reads."""
        self._raw.seek(self._info.header_offset)
        head = self._raw.read(_LOCAL_HEADER)
        if len(head) < _LOCAL_HEADER or not head.startswith(b"PK\x03\x04"):
            raise _damaged(self._path, ValueError("no file where its directory says"))
        self._raw.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), io.SEEK_CUR)
        try:
            return zipfile.ZipExtFile(self._raw, "r", self._info)
        except NotImplementedError as error:  # a method of compression that Python has not
            raise ContentError(f"{self._path}: {error}.", hint="Unpack it first.", code="bad_zip") from None
