"""Durations to milliseconds, once for each distinct text (a log has a few thousand of them)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import pyarrow as pa

from etl.columns.arrays import Column, lost, per_distinct, to_text
from etl.transform.frame import Frame, Step

_UNIT_MS = {"s": 1_000, "ms": 1, "min": 60_000}
_NUMBER = re.compile(r"([0-9]{1,15})(?:[.]([0-9]{1,9}))?")
_CLOCK = {
    "H:MM:SS": re.compile(r"(?P<h>[0-9]{1,9}):(?P<m>[0-5][0-9]):(?P<s>[0-5][0-9])(?:[.](?P<f>[0-9]{1,9}))?"),
    "M:SS": re.compile(r"(?P<m>[0-9]{1,9}):(?P<s>[0-5][0-9])(?:[.](?P<f>[0-9]{1,9}))?"),
}
_WORDS_MS = {
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1_000),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1),
    **dict.fromkeys(("d", "day", "days"), 86_400_000),
}
_PART = re.compile(r"([0-9]{1,9}(?:[.][0-9]{1,9})?)\s*([a-z]+)[.]?(?:\s*(?:,|and)\s*|\s*)", re.IGNORECASE)


def to_duration(formats: tuple[str, ...], label: str) -> Step:
    """`as: duration`: texts to milliseconds (int). Negative ones are none."""
    readers = [duration_reader(each) for each in formats or ("s",)]
    message = f"expected a duration as {' or '.join(formats or ('s',))}"

    @lru_cache(maxsize=50_000)
    def read(value: str) -> int | None:
        return next((ms for reader in readers if (ms := reader(value)) is not None), None)

    def compute(frame: Frame, column: Column) -> Column:
        texts = to_text(column)
        found = per_distinct(texts, read, pa.int64())
        frame.refuse(lost(found, texts), "bad_duration", label, texts, message)
        return Column("int", found)

    return compute


def duration_reader(format_: str) -> Callable[[str], int | None]:
    """A function from one text to milliseconds, or None where it is no duration in that format.

    >>> duration_reader("H:MM:SS")("0:00:38"), duration_reader("text")("1 min 5 sec"), duration_reader("s")("-3")
    (38000, 65000, None)
    """
    if format_ in _UNIT_MS:
        unit_ms = _UNIT_MS[format_]
        return lambda value: _number_ms(value, unit_ms)
    if format_ in _CLOCK:
        clock = _CLOCK[format_]
        return lambda value: _clock_ms(clock, value)
    return _text_ms


def _number_ms(value: str, unit_ms: int) -> int | None:
    found = _NUMBER.fullmatch(value)
    if not found:
        return None
    whole, fraction = found.groups("")
    part = int(fraction) * unit_ms // 10 ** len(fraction) if fraction else 0  # integers: no float may round
    return int(whole) * unit_ms + part


def _clock_ms(clock: re.Pattern[str], value: str) -> int | None:
    found = clock.fullmatch(value)
    if not found:
        return None
    part = {name: int(text) for name, text in found.groupdict("0").items() if name != "f"}
    fraction = (found.groupdict("").get("f") or "").ljust(3, "0")[:3]
    return ((part.get("h", 0) * 60 + part["m"]) * 60 + part["s"]) * 1000 + int(fraction)


def _text_ms(value: str) -> int | None:
    total, place = 0, 0
    while place < len(value):
        found = _PART.match(value, place)
        unit_ms = _WORDS_MS.get(found.group(2).lower()) if found else None
        if found is None or unit_ms is None:
            return None
        amount = _number_ms(found.group(1), unit_ms)
        assert amount is not None
        total, place = total + amount, found.end()
    return total if value else None
