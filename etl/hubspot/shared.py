"""The account's windows, shared by the processes of this machine: a small file, locked for microseconds.

It holds when the last requests of all of them left and until when nothing may leave, on the kernel's monotonic clock,
which is the same for all processes until the machine starts again. Nothing depends on it but the pace: content that is
damaged or of an earlier start of the machine is forgotten.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

from etl.errors import StorageError
from etl.hubspot.pace import Pace

#: Most moments of one pace in the file, and the largest limit for which it is used: no account has more.
MOMENTS = 1000
#: Older moments are dropped. HubSpot: the windows of all limits are shorter.
KEPT_S = 20.0
#: A moment that is not this much ahead was read from the clock before another process had the lock.
_AHEAD_S = 1.0
#: So often, and after so long each time, the lock is tried: it is held for some 20 us.
_TRIES, _TRY_S = 100, 0.0005
_MARK = b"etlpace1"
#: mark, checksum of the rest, length of the rest
_HEAD = struct.Struct("<8sII")
_WRITTEN = struct.Struct("<d")
#: of one pace: held until, number of moments
_PACE = struct.Struct("<dI")
_LEAST_BYTES = _HEAD.size + _WRITTEN.size + 2 * _PACE.size
_MAX_BYTES = _LEAST_BYTES + 2 * 8 * MOMENTS


class Shared:
    """The file at `path`, made when it is not there. Raises `StorageError` when it cannot be had."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            self._lock()
            fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as problem:
            message = f"{path}, by which processes share the account's limit, cannot be opened: {problem.strerror}."
            raise StorageError(message, hint="Remove it, or what stands in its way.") from problem

    @contextmanager
    def lent(self, now: float, paces: Sequence[Pace]) -> Iterator[None]:
        """The paces as the file has them; what they are at the end of the block is in the file then."""
        if not self._lock():
            yield
            return
        try:
            _fill(paces, os.pread(self._file, _MAX_BYTES, 0), now)
            yield
            with suppress(OSError):  # a full disk: the checkpoint says so; here it costs a 429 at worst
                os.pwrite(self._file, _bytes(paces, now), 0)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Gives the file back."""
        os.close(self._file)

    def _lock(self) -> bool:
        """Waits for the lock; not for long, since who holds it for longer was stopped, and may stay so."""
        for _ in range(_TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(_TRY_S)
        return False


def _fill(paces: Sequence[Pace], content: bytes, now: float) -> None:
    """Sets moments and holds; content that is no such file's changes nothing."""
    if len(content) < _LEAST_BYTES:
        return
    mark, checksum, length = _HEAD.unpack_from(content)
    rest = content[_HEAD.size : _HEAD.size + length]  # the file does not shrink: after this stands what was before
    if mark != _MARK or not length or checksum != crc32(rest) or _WRITTEN.unpack_from(rest)[0] > now + _AHEAD_S:
        return
    at = _WRITTEN.size
    for pace in paces:
        pace.held_until, count = _PACE.unpack_from(rest, at)
        at += _PACE.size
        pace.moments = array("d", rest[at : at + 8 * count])
        at += 8 * count


def _bytes(paces: Sequence[Pace], now: float) -> bytes:
    parts = [_WRITTEN.pack(now)]
    for pace in paces:
        del pace.moments[: bisect_left(pace.moments, now - KEPT_S)]
        moments = pace.moments[-MOMENTS:]
        parts += (_PACE.pack(pace.held_until, len(moments)), moments.tobytes())
    rest = b"".join(parts)
    return _HEAD.pack(_MARK, crc32(rest), len(rest)) + rest
