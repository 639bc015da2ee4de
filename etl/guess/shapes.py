"""What the text of a cell looks like: number, time, phone, address; and the formats of times by trying them.

Only shapes: what a column means is decided by `columns` from all its cells and by `roles` from its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
DIGITS = re.compile(r"\d+")
EMAIL = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+\.[A-Za-z]{2,18}")
EMAIL_INSIDE = re.compile(r"(?:\"?[^\"<>@]*\"?\s*)?<?[^\s@<>,;\"]+@[^\s@<>,;\"]+\.[A-Za-z]{2,18}>?")
URL = re.compile(r"(?i)https?://[^\s/?#]\S*")
PHONE = re.compile(r"(?:tel:)?\+?\(?\d[\d ()./\-]{4,}\d(?:\s*(?:x|ext\.?)\s*\d+)?")
CLOCK = re.compile(r"(?i)\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s*[ap]m)?")
H_MM_SS = re.compile(r"\d{1,4}:[0-5]\d:[0-5]\d([.]\d+)?")
M_SS = re.compile(r"\d{1,4}:[0-5]\d([.]\d+)?")
SPOKEN = re.compile(
    r"(?i)(\d+(\.\d+)?\s*(h|hr|hrs|hours?|m|min|mins|minutes?|s|sec|secs|seconds?|ms)[.,]?\s*(and\s+)?)+"
)
ZONE = re.compile(r"(UTC|GMT|[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_]+)?)")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|.*\b\d{4}\b.*:.*")
_WHEN = re.compile(
    r"(?P<date>.*?\d.*?)(?P<join>T| ?, |\s+)(?P<clock>\d{1,2}:\d{2}(?P<seconds>:\d{2}(?P<fraction>[.]\d{1,9})?)?)"
    r"(?P<space>\s?)(?P<half>[AaPp][Mm])?(?P<tail>\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}|[A-Z]{2,5})?)"
)
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%m.%d.%Y",
    "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %b %y",
    "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%B %d %Y", "%a, %d %b %Y", "%a %b %d %Y", "%a %d %b %Y",
    "%A, %B %d, %Y", "%a, %b %d, %Y", "%Y%m%d",
)  # fmt: skip
#: Formats that differ in nothing but the order of day and month.
DAY_FIRST = {day: day.replace("%d", "%x").replace("%m", "%d").replace("%x", "%m") for day in _DATES
             if re.match("%d[-/.]%m", day)}  # fmt: skip


class Form(NamedTuple):
    """How a time is written: a format, and what has to be cut off before (the letters of a zone)."""

    format: str
    zone_letters: str = ""

    @property
    def month_first(self) -> Form | None:
        """The same with day and month the other way round, where a text could mean either."""
        for day, month in DAY_FIRST.items():
            if self.format.startswith(day):
                return self._replace(format=self.format.replace(day, month, 1))
        return None


def is_data(cell: str) -> bool:
    """Whether a cell of a first line shows that it is no header: a time, number, address."""
    cell = cell.strip()
    return bool(
        (NUMBER.fullmatch(cell) and len(cell) > 1)
        or EMAIL.fullmatch(cell)
        or URL.fullmatch(cell)
        or (PHONE.fullmatch(cell) and len(cell) > 6)
        or CLOCK.fullmatch(cell)
        or _DATE.fullmatch(cell)
    )


def forms(text: str) -> list[Form]:
    """Every way in which a text can be read as a time, day first before month first."""
    found = _WHEN.fullmatch(text)
    if not found:
        return [Form(date) for date in _DATES if _reads(date, text)]
    clock = ("%I" if found["half"] else "%H") + ":%M"
    clock += (":%S" if found["seconds"] else "") + (".%f" if found["fraction"] else "")
    clock += f"{' ' if found['space'] and found['half'] else ''}{'%p' if found['half'] else ''}"
    tail, letters = _tail(found["tail"] or "", "" if found["half"] else found["space"])
    join = found["join"] if not found["join"].isspace() else " "
    return [Form(date + join + clock + tail, letters) for date in _DATES if _reads(date, found["date"])]


def fits(form: Form, texts: Sequence[str]) -> list[bool]:
    """Which of the texts the format reads."""
    if form.zone_letters:
        texts = [re.sub(r"\s+[A-Z]{2,5}$", "", text) for text in texts]
    return [_reads(form.format, text) for text in texts]


def moment(form: Form, text: str) -> int | None:
    """The time that a text gives by the clock on the wall, in ms; None where it is none."""
    return _local_ms(form.format, re.sub(r"\s+[A-Z]{2,5}$", "", text) if form.zone_letters else text)


@lru_cache(maxsize=100_000)
def _local_ms(format_: str, text: str) -> int | None:
    found = _reader(format_)(text)
    return found.local_ms if found is not None else None


def _reads(format_: str, text: str) -> bool:
    return _local_ms(format_, text) is not None


@cache
def _reader(format_: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- the type is private to `times`
    from etl.transform.times import strptime

    return strptime(format_)


def _tail(tail: str, space: str) -> tuple[str, str]:
    """The directive of what follows the clock, and the letters of a zone that no directive reads."""
    bare = tail.strip()
    space = " " if space or tail != bare else ""
    if not bare:
        return "", ""
    if bare[0] in "+-":
        return space + "%z", ""
    if bare in ("Z", "UTC", "GMT"):
        return space + "%Z", ""
    return "", bare
