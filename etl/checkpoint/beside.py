"""What lies beside a checkpoint: its high-water mark and its ballast.

The mark tells whether commits were lost: by a copy put back, or by the tail of SQLite's log. It names the last start and
the last request, and is written only once those are on disk in the checkpoint. So it may lag behind, at a kill or a power
cut, which is harmless; it is never ahead unless the checkpoint fell back.

The ballast is room kept for the answers that are still on their way when the disk is full.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

BALLAST_BYTES = 1024 * 1024
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_LINE = re.compile(rb"start (\d{10}) request (\d{20}) wire (.{16}) crc ([0-9a-f]{8})\n")


class Mark(NamedTuple):
    """How far a checkpoint had come."""

    epoch: int = 0  #: starts
    request: int = 0  #: number of the last request
    wire: str = ""  #: by which it was sent


class HighWater:
    """The file that holds the mark."""

    def __init__(self, checkpoint: Path) -> None:
        self.path = Path(f"{checkpoint}.epoch")
        self._mark = Mark()
        self._fd: int | None = None

    def read(self) -> Mark | None:
        """The mark; None where the file is missing or no mark can be read in it."""
        try:
            found = _LINE.fullmatch(self.path.read_bytes())
        except FileNotFoundError:
            return None
        if not found or crc32(found[0][:-14]) != int(found[4], 16):
            return None
        return Mark(int(found[1]), int(found[2]), found[3].decode().strip())

    def write(self, mark: Mark, *, durable: bool = False) -> None:
        """Writes the mark over the last one in one call, which a kill does not cut in two."""
        new = self._fd is None and not self.path.exists()
        if self._fd is None:
            self._fd = os.open(self.path, _FLAGS, 0o600)
        text = b"start %010d request %020d wire %-16s" % (mark.epoch, mark.request, mark.wire.encode())
        size = os.pwrite(self._fd, b"%b crc %08x\n" % (text, crc32(text)), 0)
        if durable or new:
            os.ftruncate(self._fd, size)  # whatever else lay there
            os.fsync(self._fd)
        if new:
            _sync_folder(self.path.parent)
        self._mark = mark

    def advance(self, request: int, wire: str) -> None:
        """Notes that this request is on disk. Not synced: it may lag behind after a power cut."""
        self.write(self._mark._replace(request=request, wire=wire))

    def close(self) -> None:
        """Closes the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Ballast:
    """A file that is there to be deleted."""

    def __init__(self, checkpoint: Path) -> None:
        self.path = Path(f"{checkpoint}.ballast")

    def lay_by(self) -> None:
        """Makes it, of bytes that no file system can leave out."""
        with open(os.open(self.path, _FLAGS | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - made with its mode
            file.write(os.urandom(BALLAST_BYTES))

    def drop(self) -> bool:
        """Deletes it; whether it was there."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        return True


def _sync_folder(folder: Path) -> None:
    """Makes the names of the files in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
