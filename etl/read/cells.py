"""Typed values -> the text of a cell, always in the same way, so that a mapping can rely on it.

For formats that know types (workbooks, Parquet, JSON): whole numbers have no `.0`, times are ISO, truth is `true`.
"""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson

from etl.read.gather import clean

_EXACT = 1 << 53  # whole numbers above it are not exact as floating point


def text_of(value: Any) -> str | None:
    """The value as text, None for nothing.

    >>> [text_of(each) for each in (3.0, 0.5, True, timedelta(minutes=3), date(2025, 1, 2), "007", None)]
    ['3', '0.5', 'true', '0:03:00', '2025-01-02', '007', None]
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, timedelta):
        return _length(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return _other(value)


def _number(value: float) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)


def _length(value: timedelta) -> str:
    """`H:MM:SS`, as workbooks show it."""
    seconds = round(value.total_seconds())
    sign = "-" if seconds < 0 else ""
    hours, rest = divmod(abs(seconds), 3600)
    return f"{sign}{hours}:{rest // 60:02}:{rest % 60:02}"


def _other(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list | dict):
        return clean(orjson.dumps(value, default=text_of, option=orjson.OPT_NON_STR_KEYS).decode())
    return str(value)
