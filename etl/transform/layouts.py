"""Times with every character in a fixed place, read from the bytes of a whole column at once.

A strptime format with directives of fixed width (nearly every export's) is a layout: so many bytes, digits here, a
separator there. Texts of that length are read as a matrix of bytes; what does not fit is left to `times`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl.columns.arrays import text_bytes

#: Directive -> how many bytes it takes. `3f` and `6f` are fractions, `z` is `+0100`, `:z` is `+01:00`, `Z` is itself.
WIDTHS = {
    "Y": 4,
    "y": 2,
    "m": 2,
    "d": 2,
    "H": 2,
    "I": 2,
    "M": 2,
    "S": 2,
    "p": 2,
    "b": 3,
    "3f": 3,
    "6f": 6,
    "z": 5,
    ":z": 6,
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_CODES = np.array([int.from_bytes(name.encode(), "big") for name in MONTHS])
_DAY_MS = 86_400_000
_Numbers = NDArray[np.int64]
_Mask = NDArray[np.bool_]
_Matrix = NDArray[np.uint8]


class Layout(NamedTuple):
    """The directives and the literal bytes of a format, each with the place where it begins."""

    length: int
    fields: tuple[tuple[str, int], ...]
    literals: tuple[tuple[int, bytes], ...]  #: a place, and the bytes any of which may stand there


class Read(NamedTuple):
    """What a layout made of some rows; `local_ms` means something where `ok` holds."""

    ok: _Mask
    local_ms: _Numbers
    offset_ms: _Numbers | None  #: of times that carry their own offset


def layout(format_: str) -> Layout | None:
    """The layout of a strptime format, or None where one of its directives has no fixed width."""
    parts: list[str | bytes] = []
    place = 0
    while place < len(format_):
        if format_[place] == "%":
            directive = format_[place + 1 : place + 2]
            directive = {"f": "6f", "%": ""}.get(directive, directive)
            if directive not in WIDTHS:
                return None
            parts.append(directive)
            place += 2
        elif format_[place].isascii() and not format_[place].isdigit():
            parts.append(format_[place].encode())
            place += 1
        else:
            return None
    return fixed(*parts)


def fixed(*parts: str | bytes) -> Layout:
    """A layout from directives (str) and places where one of some bytes stands (bytes)."""
    fields, literals, place = [], [], 0
    for part in parts:
        if isinstance(part, bytes):
            literals.append((place, part))
            place += 1
        else:
            fields.append((part, place))
            place += WIDTHS[part]
    return Layout(place, tuple(fields), tuple(literals))


def read(array: object, layouts: tuple[Layout, ...]) -> Read:
    """Every row by the first of the layouts that fits it."""
    offsets, data = text_bytes(array)
    lengths = np.diff(offsets)
    ok = np.zeros(len(lengths), np.bool_)
    local_ms, offset_ms = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), np.int64)
    own = False
    for each in layouts:
        rows = np.flatnonzero((lengths == each.length) & ~ok)
        if not len(rows):
            continue
        found = _read(each, _matrix(offsets, data, rows, each.length))
        rows, fit = rows[found.ok], found.ok
        ok[rows], local_ms[rows] = True, found.local_ms[fit]
        if found.offset_ms is not None:
            offset_ms[rows], own = found.offset_ms[fit], True
    return Read(ok, local_ms, offset_ms if own else None)


def days(year: _Numbers, month: _Numbers, day: _Numbers) -> tuple[_Mask, _Numbers]:
    """Which days exist, and their number since 1970-01-01."""
    valid = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    length = (months + np.timedelta64(1, "M")).astype("datetime64[D]").astype(np.int64) - first
    return valid & (day <= length), first + day - 1


def _matrix(offsets: NDArray[np.int32], data: _Matrix, rows: _Numbers, length: int) -> _Matrix:
    """The bytes of some rows of that length, one row each, transposed: one contiguous line for each place."""
    if len(rows) * length == len(data):
        whole = data.reshape(len(rows), length)
    else:
        whole = data[offsets[rows][:, None] + np.arange(length)]
    return np.ascontiguousarray(whole.T)


def _read(layout: Layout, matrix: _Matrix) -> Read:
    ok = np.ones(matrix.shape[1], np.bool_)
    for place, choices in layout.literals:
        ok &= np.isin(matrix[place], list(choices)) if len(choices) > 1 else matrix[place] == choices[0]
    values: dict[str, _Numbers] = {}
    for directive, place in layout.fields:
        part = matrix[place : place + WIDTHS[directive]]
        fit, values[directive] = _field(directive, part)
        ok &= fit
    offset_ms = values.get("z", values.get(":z"))
    fit, local_ms = _local_ms(values)
    return Read(ok & fit, local_ms, offset_ms)


def _field(directive: str, part: _Matrix) -> tuple[_Mask, _Numbers]:
    if directive == "p":
        lower = part | 0x20
        afternoon = lower[0] == ord("p")
        return (afternoon | (lower[0] == ord("a"))) & (lower[1] == ord("m")), afternoon.astype(np.int64)
    if directive == "b":
        lower = (part | 0x20).astype(np.int64)
        code = (lower[0] << 16) | (lower[1] << 8) | lower[2]
        order = np.argsort(_MONTH_CODES)
        found = order[np.minimum(np.searchsorted(_MONTH_CODES[order], code), 11)]
        letters = ((part >= ord("A")) & (part <= ord("z"))).all(axis=0)
        return (_MONTH_CODES[found] == code) & letters, found + 1
    if directive in ("z", ":z"):
        return _offset(part)
    return _number(part)


def _offset(part: _Matrix) -> tuple[_Mask, _Numbers]:
    colon = len(part) == 6
    fit_hours, hours = _number(part[1:3])
    fit_minutes, minutes = _number(part[-2:])
    sign = np.where(part[0] == ord("-"), -1, 1)
    fit = ((part[0] == ord("+")) | (part[0] == ord("-"))) & fit_hours & fit_minutes & (hours < 24) & (minutes < 60)
    if colon:
        fit &= part[3] == ord(":")
    return fit, sign * (hours * 60 + minutes) * 60_000


def _number(part: _Matrix) -> tuple[_Mask, _Numbers]:
    ok = np.ones(part.shape[1], np.bool_)
    number = np.zeros(part.shape[1], np.int64)
    for line in part:
        digit = line - np.uint8(48)  # wraps around below `0`
        ok &= digit < 10
        number = number * 10 + digit
    return ok, number


def _local_ms(values: dict[str, _Numbers]) -> tuple[_Mask, _Numbers]:
    size = len(next(iter(values.values()))) if values else 0
    one, zero = np.ones(size, np.int64), np.zeros(size, np.int64)
    year = values.get("Y", one * 1900)
    if "y" in values:  # POSIX: 69-99 are 1969-1999, 00-68 are 2000-2068
        year = np.where(values["y"] >= 69, values["y"] + 1900, values["y"] + 2000)
    ok, day = days(year, values.get("m", values.get("b", one)), values.get("d", one))
    hour = values.get("H", zero)
    if "I" in values:
        ok &= (values["I"] >= 1) & (values["I"] <= 12)
        hour = values["I"] % 12 + 12 * values.get("p", zero)
    minute, second = values.get("M", zero), values.get("S", zero)
    ok &= (hour < 24) & (minute < 60) & (second < 60)
    fraction = values.get("3f", values.get("6f", zero * 0) // 1000)
    return ok, day * _DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + fraction
