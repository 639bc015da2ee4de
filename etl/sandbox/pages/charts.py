"""Counts -> the measures of a picture: columns made of stacked bars, drawn as SVG by a template.

A picture is 1000 wide and 200 high in its own units and is stretched to its place, so that it fits a phone; words stand
beside it as HTML. Its columns are also its table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

WIDTH, HEIGHT = 1000, 200
#: At most so many days, months: beyond, the next longer span makes a column.
MOST_DAYS, MOST_MONTHS = 62, 120
_GAP: Final = 0.22
_EPOCH: Final = date(1970, 1, 1)


class Bar(NamedTuple):
    """A rectangle in the picture's units; `kind` decides its colour."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class Column(NamedTuple):
    """One place on the axis: its full name, what stands below it, what was counted, and where a click leads."""

    name: str
    tick: str
    under: str
    counts: dict[str, int]
    link: str
    bars: list[Bar]

    @property
    def total(self) -> int:
        """All that was counted here."""
        return sum(self.counts.values())


class Chart(NamedTuple):
    """A picture: what one column stands for, its columns, the kinds in the order in which they are stacked, its height."""

    unit: str
    columns: list[Column]
    kinds: list[str]
    top: int

    @property
    def total(self) -> int:
        """All that was counted."""
        return sum(c.total for c in self.columns)

    @property
    def peak(self) -> Column:
        """The highest column."""
        return max(self.columns, key=lambda c: c.total)


class Place(NamedTuple):
    """A column before it is measured."""

    name: str
    tick: str = ""
    under: str = ""
    link: str = ""


def chart(
    unit: str, places: Mapping[object, Place], counted: Iterable[tuple[object, str, int]], kinds: Sequence[str]
) -> Chart:
    """The picture of counts by place and kind; what has no place in it is left out."""
    counts: dict[object, dict[str, int]] = {place: {} for place in places}
    for place, kind, count in counted:
        if place in counts:
            counts[place][kind] = counts[place].get(kind, 0) + count
    top = even_above(max((sum(c.values()) for c in counts.values()), default=0))
    step = WIDTH / max(len(places), 1)
    columns = [
        Column(*place[:3], counts[key], place.link, _stacked(counts[key], kinds, i * step, step, top))
        for i, (key, place) in enumerate(places.items())
    ]
    present = {kind for own in counts.values() for kind in own}
    return Chart(unit, columns, [k for k in kinds if k in present], top)


def calendar(counted: Sequence[tuple[int, str, int]], kinds: Sequence[str], within: str) -> Chart:
    """Engagements by day, month or year, whichever fits the time they span; counted are days since 1970, type, count.

    `within` narrows it to a year (`2026`) or a month (`2026-03`).
    """
    dated = [(d, kind, n) for day, kind, n in counted if (d := _date(day)) and d.isoformat().startswith(within)]
    if not dated:
        return chart("day", {}, [], kinds)
    first, last = min(d for d, *_ in dated), max(d for d, *_ in dated)
    if (last - first).days < MOST_DAYS:
        unit, places = "day", _days(first, last)
    elif _month(last) - _month(first) < MOST_MONTHS:
        unit, places = "month", _months(_month(first), _month(last))
    else:
        unit, places = "year", _years(first.year, last.year)
    key = _KEYS[unit]
    return chart(unit, places, ((key(d), kind, n) for d, kind, n in dated), kinds)


def seconds(
    counted: Iterable[tuple[int, str, int]], last_s: int, length: int, step: int, kinds: Sequence[str]
) -> Chart:
    """What was counted in each second (s since 1970) up to the last, `length` columns of `step` seconds each."""
    end = last_s // step
    places: dict[object, Place] = {}
    for i in range(end - length + 1, end + 1):
        at = datetime.fromtimestamp(i * step, UTC)
        tick = f"{at:%H:%M:%S}" if step == 1 else f"{at:%H:%M}"
        places[i] = Place(f"{tick} UTC", tick if (end - i) % (length // 4) == 0 else "")
    return chart("second" if step == 1 else "minute", places, ((s // step, kind, n) for s, kind, n in counted), kinds)


def even_above(count: int) -> int:
    """The next number up that is good for an axis with a middle: 2, 4, 6, 8, 10, 20, 40 ...

    >>> even_above(0), even_above(7), even_above(130)
    (2, 8, 200)
    """
    power = 1
    while power * 10 < count:
        power *= 10
    return next(power * n for n in (2, 4, 6, 8, 10) if power * n >= count)


def _stacked(counts: Mapping[str, int], kinds: Sequence[str], x: float, step: float, top: int) -> list[Bar]:
    bars, y = [], float(HEIGHT)
    for kind in kinds:
        if count := counts.get(kind):
            height = HEIGHT * count / top
            y -= height
            bars.append(
                Bar(kind, round(x + step * _GAP / 2, 2), round(y, 2), round(step * (1 - _GAP), 2), round(height, 2))
            )
    return bars


def _days(first: date, last: date) -> dict[object, Place]:
    found: dict[object, Place] = {}
    count = (last - first).days + 1
    for day in (first + timedelta(days=n) for n in range(count)):
        shows = count <= 14 or day.day in {1, 5, 10, 15, 20, 25}
        under = f"{day:%b}" if day in (first, day.replace(day=1)) else ""
        found[day.toordinal()] = Place(f"{day.day} {day:%B %Y}", str(day.day) if shows else "", under if shows else "")
    return found


def _months(first: int, last: int) -> dict[object, Place]:
    found: dict[object, Place] = {}
    few = last - first < 14
    for month in range(first, last + 1):
        day = date(month // 12, month % 12 + 1, 1)
        tick = f"{day:%b}" if few else str(day.year) if day.month == 1 else ""
        under = str(day.year) if few and (month == first or day.month == 1) else ""
        found[month] = Place(f"{day:%B %Y}", tick, under, f"{day:%Y-%m}")
    return found


def _years(first: int, last: int) -> dict[object, Place]:
    few = last - first < 14
    return {
        year: Place(str(year), str(year) if few or year % 10 == 0 else "", "", f"{year:04}")
        for year in range(first, last + 1)
    }


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _date(day: int) -> date | None:
    try:
        return _EPOCH + timedelta(days=day)
    except OverflowError:
        return None


#: What a column stands for -> the number of the column in which a day is.
_KEYS: Final[dict[str, Callable[[date], int]]] = {"day": date.toordinal, "month": _month, "year": lambda day: day.year}
