"""`as: datetime`: texts to instants, with the rules of a mapping about formats, zones, gaps and folds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.columns.arrays import Column, as_mask, to_text
from etl.engagement import EARLIEST_MS, LATEST_AHEAD_MS
from etl.mapping.model import From
from etl.transform import times, zones
from etl.transform.frame import Compiled, Frame, Step

_Mask = NDArray[np.bool_]
_Ms = NDArray[np.int64]


def to_time(step: From, zone: Compiled | str | None, now_ms: int, label: str) -> Step:
    """`as: datetime`: texts to milliseconds, UTC (int).

    `zone` is the IANA name for times that carry no offset, or the column that holds one. Times before 1990 or more
    than 366 days after `now_ms` are refused.
    """
    formats = step.formats or ("iso",)
    readers = [times.reader(each) for each in formats]
    at_ms = _clock_ms(step.at)

    def compute(frame: Frame, column: Column) -> Column:
        texts = to_text(column)
        filled = as_mask(texts.is_valid())
        found = _read(texts, filled, readers)
        frame.refuse(filled & ~found.ok, "bad_time", label, texts, f"expected a time as {' or '.join(formats)}")
        local_ms = found.local_ms + np.where(found.dated, at_ms, 0)
        near = np.abs(local_ms - now_ms) < 100 * 31_556_952_000  # zones are not asked about times far away
        naive = found.ok & ~found.own & near
        made = local_ms - found.offset_ms
        good = found.ok.copy()
        if naive.any():
            placed, fine = _placed(frame, naive, local_ms, zone, step, texts, label)
            made[naive], good[naive] = placed[naive], fine[naive]
        far = good & ((made < EARLIEST_MS) | (made > now_ms + LATEST_AHEAD_MS))
        frame.refuse(far, "time_range", label, texts, "expected a time from 1990 to a year from now")
        return Column("int", pa.array(made, mask=~good | far))

    return compute


def _read(texts: Any, filled: _Mask, readers: list[Callable[[Any], times.Found]]) -> times.Found:
    """The times by the first format that fits each text."""
    found = readers[0](texts)
    for reader in readers[1:]:
        rest = filled & ~found.ok
        if not rest.any():
            break
        for mine, theirs in zip(found, reader(texts.filter(pa.array(rest))), strict=True):
            mine[rest] = theirs
    return found


def _placed(
    frame: Frame, naive: _Mask, local_ms: _Ms, zone: Compiled | str | None, step: From, texts: Any, label: str
) -> tuple[_Ms, _Mask]:
    """The times in UTC where `naive` holds, and which of them came out well; the others are refused."""
    made, good = local_ms.copy(), naive.copy()
    for name, rows in _by_zone(frame, naive, zone):
        info = zones.zone(name) if name else None
        if info is None:
            message = f"there is no time zone `{name}`" if name else "the time says no zone: give `timezone`"
            frame.refuse(rows, "bad_time", label, texts, message)
            good &= ~rows
            continue
        placed = zones.place(local_ms[rows], info)
        made[rows] = placed.last if step.fold == "last" else placed.first
        good[rows] = _judged(frame, rows, placed, step, texts, label, name)
    return made, good


def _by_zone(frame: Frame, naive: _Mask, zone: Compiled | str | None) -> list[tuple[str, _Mask]]:
    if zone is None or isinstance(zone, str):
        return [(zone or "", naive)]
    coded = to_text(zone(frame)).fill_null("").dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    parts = [(name, naive & (codes == code)) for code, name in enumerate(coded.dictionary.to_pylist())]
    return [(name, rows) for name, rows in parts if rows.any()]


def _judged(frame: Frame, rows: _Mask, placed: zones.Placed, step: From, texts: Any, label: str, name: str) -> _Mask:
    """Which of the placed times stay, by the policies for gaps and folds."""
    good = np.ones(len(placed.first), np.bool_)
    for policy, odd, code, message in (
        (step.gap, placed.gap, "time_gap", f"clocks skip this time in {name}"),
        (step.fold, placed.fold, "time_fold", f"this time happens twice in {name}"),
    ):
        if policy == "reject" and odd.any():
            mask = np.zeros(len(rows), np.bool_)
            mask[np.flatnonzero(rows)[odd]] = True
            frame.refuse(mask, code, label, texts, message)
            good &= ~odd
    return good


def _clock_ms(at: str | None) -> int:
    if not at:
        return 0
    hour, minute = at.split(":")
    return (int(hour) * 60 + int(minute)) * 60_000
