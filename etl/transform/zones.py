"""Local times to UTC by arithmetic over the clock changes of a zone.

A zone's changes are found once for each year that occurs, by asking `zoneinfo`; the times themselves are then placed
between them as numbers. What the machine's own zone is plays no part.

    offset before ──┬── a gap: clocks jump ahead, these local times do not exist
                    └── a fold: clocks go back, these local times happen twice (first: offset before; last: after)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

Ms = NDArray[np.int64]
Mask = NDArray[np.bool_]
_DAY_S = 86_400
_YEAR_MS = 31_556_952_000


class Placed(NamedTuple):
    """Local times in UTC: both readings where there are two, and which times are in a gap or a fold."""

    first: Ms  #: with the offset before the change: in a gap this is the time shifted by the gap's length
    last: Ms  #: with the offset after the change
    gap: Mask
    fold: Mask


@cache
def zone(name: str) -> ZoneInfo | None:
    """The zone of that IANA name, or None where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def place(local_ms: Ms, info: ZoneInfo) -> Placed:
    """The local times (ms since 1970 by the wall clock) in UTC. Times must lie between 1900 and 2200."""
    if not len(local_ms):
        none = np.zeros(0, np.bool_)
        return Placed(local_ms, local_ms, none, none)
    early, late = (1970 + int(local_ms.min()) // _YEAR_MS - 1, 1970 + int(local_ms.max()) // _YEAR_MS + 1)
    at, offsets = _changes(info, early, late)
    before, after = at + offsets[:-1], at + offsets[1:]  # the wall clock at each change, by the old and the new offset
    after_change = np.searchsorted(np.minimum(before, after), local_ms, side="right")
    last_change = np.maximum(after_change - 1, 0)
    if len(at):
        inside = (after_change > 0) & (local_ms < np.maximum(before, after)[last_change])
        ahead = offsets[last_change + 1] > offsets[last_change]
    else:
        inside = ahead = np.zeros(len(local_ms), np.bool_)
    first = local_ms - np.where(inside, offsets[last_change], offsets[after_change])
    return Placed(first, local_ms - offsets[after_change], inside & ahead, inside & ~ahead)


def _changes(info: ZoneInfo, early: int, late: int) -> tuple[Ms, Ms]:
    """The changes of the years `early` to `late` (ms, UTC), and the offsets (ms) before, between and after them."""
    found = [each for year in range(early, late + 1) for each in _changes_of_year(info, year)]
    first = _offset_s(info, _start_s(early)) * 1000
    return (
        np.array([at * 1000 for at, _ in found], np.int64),
        np.array([first, *(offset * 1000 for _, offset in found)], np.int64),
    )


@cache
def _changes_of_year(info: ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    """(second in UTC, offset from then on) for each change in a year, found by looking twice a day."""
    found = []
    start, end = _start_s(year), _start_s(year + 1)
    before = _offset_s(info, start)
    for at in range(start, end, _DAY_S // 2):
        step = min(at + _DAY_S // 2, end)
        offset = _offset_s(info, step)
        if offset != before:
            found.append((_first_second(info, at, step, offset), offset))
            before = offset
    return tuple(found)


def _first_second(info: ZoneInfo, early: int, late: int, offset: int) -> int:
    """The first second after `early`, at most `late`, from which the offset holds."""
    while late - early > 1:
        middle = (early + late) // 2
        if _offset_s(info, middle) == offset:
            late = middle
        else:
            early = middle
    return late


def _start_s(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _offset_s(info: ZoneInfo, at_s: int) -> int:
    offset = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)).astimezone(info).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())
