"""Times to milliseconds, UTC: by strptime formats, ISO 8601 or epochs; strict, and never by the machine's zone.

Most texts are read as bytes (`layouts`). What no layout fits (single digits, month names in full, odd fractions) is
read once for each distinct text by a regular expression made from the format, with English names and the digits 0-9.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.columns.arrays import as_mask
from etl.transform import layouts

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOUR, _MINUTE = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_DIRECTIVES = {
    "Y": r"(?P<Y>[0-9]{4})", "y": r"(?P<y>[0-9]{2})", "m": r"(?P<m>1[0-2]|0?[1-9])", "d": r"(?P<d>3[01]|[12][0-9]|0?[1-9])",
    "H": r"(?P<H>2[0-3]|1[0-9]|0?[0-9])", "I": r"(?P<I>1[0-2]|0?[1-9])", "M": r"(?P<M>[0-5]?[0-9])",
    "S": r"(?P<S>[0-5]?[0-9])", "f": r"(?P<f>[0-9]{1,9})", "p": r"(?P<p>[ap]m)",
    "j": r"(?P<j>36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0?[1-9][0-9]|0{0,2}[1-9])",
    "b": f"(?P<b>{'|'.join(name[:3] for name in _MONTHS)})", "B": f"(?P<b>{'|'.join(_MONTHS)})",
    "a": f"(?:{'|'.join(name[:3] for name in _DAYS)})", "A": f"(?:{'|'.join(_DAYS)})",
    "z": f"(?P<z>z|[+-]{_HOUR}:?{_MINUTE})", "Z": r"(?P<Z>utc|gmt|z)", "%": "%",
}  # fmt: skip
_ISO = re.compile(
    r"(?P<Y>[0-9]{4})-?(?P<m>[0-9]{2})-?(?P<d>[0-9]{2})"
    r"(?:[T ](?P<H>[0-9]{2}):?(?P<M>[0-9]{2})(?::?(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?"
    f" ?(?P<z>z|[+-]{_HOUR}(?::?{_MINUTE})?)?)?",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"-?[0-9]{1,15}")
#: ISO 8601 as exports write it; `fixed` lays them out, the rest goes by `_ISO`.
_DATE = ("Y", b"-", "m", b"-", "d")
_CLOCK = (*_DATE, b"T ", "H", b":", "M", b":", "S")
_TAILS: tuple[tuple[str | bytes, ...], ...] = (
    (), (b"Z",), (":z",), ("z",), (b".", "3f"), (b".", "3f", b"Z"), (b".", "3f", "z"), (b".", "3f", ":z"),
    (b".", "6f"), (b".", "6f", b"Z"), (b".", "6f", ":z"),
)  # fmt: skip


class Found(NamedTuple):
    """Times as read from texts."""

    ok: NDArray[np.bool_]
    local_ms: NDArray[np.int64]  #: by the wall clock where `offset_ms` is unknown, else by that offset
    offset_ms: NDArray[np.int64]
    own: NDArray[np.bool_]  #: the text itself says its offset
    dated: NDArray[np.bool_]  #: a date without a time


class _One(NamedTuple):
    """One text's time."""

    local_ms: int
    offset_ms: int | None
    dated: bool


def reader(format_: str) -> Callable[[Any], Found]:
    """A function from texts to times, for a strptime format, `iso`, `epoch_s` or `epoch_ms`."""
    if format_ in ("epoch_s", "epoch_ms"):
        unit_ms = 1000 if format_ == "epoch_s" else 1
        return lambda texts: _by_distinct(texts, lambda value: _epoch(value, unit_ms))
    if format_ == "iso":
        dates = (layouts.fixed(*_DATE),)
        clocks = tuple(layouts.fixed(*_CLOCK, *tail) for tail in _TAILS)
        return lambda texts: _by_layouts(texts, ((dates, True, False), *_iso_groups(clocks)), _iso)
    layout = layouts.layout(format_)
    slow = strptime(format_)
    if layout is None:
        return lambda texts: _by_distinct(texts, slow)
    own = any(directive in ("z", ":z") for directive, _ in layout.fields)
    groups = (((layout,), not re.search("%[HI]", format_), own),)
    return lambda texts: _by_layouts(texts, groups, slow)


def strptime(format_: str) -> Callable[[str], _One | None]:
    """A function from one text to its time by a strptime format, or None where it does not fit.

    As `datetime.strptime`, but for ASCII digits and English names only, fractions of up to nine digits, no second 60.
    """
    made = "".join(_piece(part) for part in re.findall(r"%.|\s+|[^%\s]", format_))
    compiled = re.compile(made, re.IGNORECASE)

    def read(value: str) -> _One | None:
        found = compiled.fullmatch(value)
        return _one(found.groupdict()) if found else None

    return read


def _iso_groups(clocks: tuple[layouts.Layout, ...]) -> tuple[tuple[tuple[layouts.Layout, ...], bool, bool], ...]:
    """The layouts that leave the offset open, and those that say it."""
    own = [clock for clock in clocks if clock.literals[-1][1] == b"Z" or clock.fields[-1][0] in ("z", ":z")]
    return ((tuple(clock for clock in clocks if clock not in own), False, False), (tuple(own), False, True))


def _piece(part: str) -> str:
    if part.isspace():
        return r"\s+"
    return _DIRECTIVES[part[1]] if part[0] == "%" else re.escape(part)


def _by_layouts(
    texts: Any, groups: tuple[tuple[tuple[layouts.Layout, ...], bool, bool], ...], slow: Callable[[str], _One | None]
) -> Found:
    size = len(texts)
    ok, own, dated = np.zeros(size, np.bool_), np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    local_ms, offset_ms = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for some, is_date, is_own in groups:
        if ok.all():
            break
        read = layouts.read(texts, some)
        new = read.ok & ~ok
        ok |= new
        local_ms = np.where(new, read.local_ms, local_ms)
        own |= new & is_own
        dated |= new & is_date
        if read.offset_ms is not None:
            offset_ms = np.where(new, read.offset_ms, offset_ms)
    found = Found(ok, local_ms, offset_ms, own, dated)
    rest = ~ok & as_mask(texts.is_valid())
    return _merged(found, rest, _by_distinct(texts.filter(pa.array(rest)), slow)) if rest.any() else found


def _merged(found: Found, rest: NDArray[np.bool_], others: Found) -> Found:
    for mine, theirs in zip(found, others, strict=True):
        mine[rest] = theirs
    return found


def _by_distinct(texts: Any, read: Callable[[str], _One | None]) -> Found:
    coded = texts.dictionary_encode()
    ones = [read(value) for value in coded.dictionary.to_pylist()] + [None]
    codes = coded.indices.fill_null(len(ones) - 1).to_numpy(zero_copy_only=False)
    spread = [
        np.array([one is not None for one in ones], np.bool_),
        np.array([one.local_ms if one else 0 for one in ones], np.int64),
        np.array([(one.offset_ms or 0) if one else 0 for one in ones], np.int64),
        np.array([one is not None and one.offset_ms is not None for one in ones], np.bool_),
        np.array([one is not None and one.dated for one in ones], np.bool_),
    ]
    return Found(*(values[codes] for values in spread))


def _epoch(value: str, unit_ms: int) -> _One | None:
    return _One(int(value) * unit_ms, 0, False) if _EPOCH.fullmatch(value) else None


def _iso(value: str) -> _One | None:
    found = _ISO.fullmatch(value)
    return _one(found.groupdict()) if found else None


def _one(parts: dict[str, str | None]) -> _One | None:
    """The time that the named parts of a match say, or None where there is no such day or hour."""
    number = {name: int(text) for name, text in parts.items() if text and name in "YymdHIMSj"}
    year = number.get("Y", 1900)
    if "y" in number:
        year = number["y"] + (1900 if number["y"] >= 69 else 2000)
    month = number.get("m", 1)
    if parts.get("b"):
        month = [name[:3] for name in _MONTHS].index(str(parts["b"])[:3].lower()) + 1
    exists, day = (each[0] for each in layouts.days(*(np.array([n]) for n in (year, month, number.get("d", 1)))))
    hour = number.get("H", 0)
    if "I" in number:
        hour = number["I"] % 12 + (12 if str(parts.get("p")).lower() == "pm" else 0)
    minute, second = number.get("M", 0), number.get("S", 0)
    if not exists or hour > 23 or minute > 59 or second > 59:
        return None
    day = int(day) + number.get("j", 1) - 1
    fraction = int((parts.get("f") or "").ljust(3, "0")[:3])
    clock_ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction
    dated = "H" not in number and "I" not in number
    return _One(day * 86_400_000 + clock_ms, _offset_ms(parts), dated)


def _offset_ms(parts: dict[str, str | None]) -> int | None:
    text = parts.get("z") or parts.get("Z")
    if not text:
        return None
    if text[0] not in "+-":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    sign = -1 if text[0] == "-" else 1
    return sign * (int(digits[:2]) * 60 + int(digits[2:])) * 60_000
