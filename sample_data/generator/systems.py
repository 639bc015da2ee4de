"""Fourteen calls, the same for every phone system of the presets, and how their layouts write times and tables.

Texts, not rows that know their fate: how many of them become what is held by the golden files of the presets' tests.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from generator.portal import Portal

ZONE = ZoneInfo("America/New_York")
OURS = "12065550100"
_TALKS = (62, 0, 754, 5, 0, 3671, 128, 0, 33, 300, 0, 91, 15, 47)


class Call(NamedTuple):
    """One call. `number` is the customer's, digits with the country code; empty where it was withheld."""

    n: int
    at: datetime  #: when it began, with its zone
    inbound: bool
    extension: str
    agent: str
    agent_email: str
    name: str
    number: str
    ring_s: int
    talk_s: int
    result: str  #: answered, missed, busy or failed

    @property
    def answered(self) -> datetime | None:
        """When somebody answered."""
        return self.at + timedelta(seconds=self.ring_s) if self.talk_s else None

    @property
    def ended(self) -> datetime:
        """When it was over."""
        return self.at + timedelta(seconds=self.ring_s + self.talk_s)

    @property
    def clock(self) -> str:
        """The start by the wall clock: `2025-03-14 09:30:00`."""
        return wall(self.at)


def calls(portal: Portal) -> list[Call]:
    """Calls of two days of March 2025 with people of the portal, the sixth withheld and the eighth with a stranger."""
    people = [c for c in portal.contacts[10:60] if c.phone and c.phone.area != 20 and c.email]
    found = []
    for n, talk_s in enumerate(_TALKS):
        person, owner = people[n], portal.owners[n % 7]
        assert person.phone is not None
        phone = portal.strangers[0] if n == 7 else person.phone
        number = "" if n == 5 else f"1{phone.area}555{phone.line}"
        at = datetime(2025, 3, 13 + n // 8, 9, 12, 5, tzinfo=ZONE) + timedelta(minutes=41 * (n % 8), seconds=7 * n)
        result = "answered" if talk_s else ("missed", "busy", "failed")[n % 3 if n % 2 == 0 or n == 7 else 0]
        found.append(
            Call(n, at, n % 3 != 1 or n in (5, 7), f"20{n % 4 + 1}", f"{owner.first} {owner.last}", owner.email,
                 f"{person.first} {person.last}", number, 4 + n, talk_s, result)
        )  # fmt: skip
    return found


def wall(at: datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time by the wall clock of its zone."""
    return at.strftime(form) if at else ""


def table(rows: Iterable[Sequence[object]], *, quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> str:
    """Rows as CSV."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue()


def words(text: str, between: str | None = None) -> list[str]:
    """The names of columns."""
    return text.split(between)


def span(seconds: int) -> str:
    """`HH:MM:SS`."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def legs(call: Call) -> list[tuple[str, int]]:
    """Extension and talk of each leg: an inbound call that rang somewhere else first, every fourth time."""
    return [("209", 0), (call.extension, call.talk_s)] if call.n % 4 == 0 else [(call.extension, call.talk_s)]


def quoted(text: str) -> str:
    """A cell in quotes, those in it doubled."""
    return '"' + text.replace('"', '""') + '"'
