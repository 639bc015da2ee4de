"""iCalendar (RFC 5545) -> chunks: one VEVENT a row, whose line is that of its BEGIN:VEVENT.

Times come out as ISO: with an offset where the file says in which zone they are, without one where it does not (floating
times; the mapping's `timezone` is theirs), as a date alone for all-day events. A repeating event is one row, its rule in
`rrule`: it is not expanded, since nobody can tell which of its dates took place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from etl.errors import ContentError
from etl.flow import Chunk, Reject
from etl.mapping.model import Source
from etl.read.files import empty, unpacked
from etl.read.gather import Row, chunks, clean, unreadable
from etl.read.limits import Limits
from etl.read.text import BOM
from etl.read.zonenames import WINDOWS_ZONES

#: The columns. `attendees` holds one e-mail address a line; `organizer` is one.
NAMES = (
    "uid", "recurrence_id", "start", "end", "all_day", "timezone", "summary", "description", "location", "organizer",
    "organizer_name", "attendees", "status", "rrule", "url", "categories", "created", "last_modified",
)  # fmt: skip
_PROPERTY = re.compile(r'([A-Za-z0-9-]+)((?:;[^=;:]+=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)*):(.*)', re.DOTALL)
_PARAMETER = re.compile(r';([^=;:]+)=("[^"]*"|[^;]*)')
_ESCAPED = re.compile(r"\\([\\;,nN])")
_SPAN = re.compile(r"([+-])?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_EVENT_LINES = 100_000


class _Property(NamedTuple):
    """One line of an event, unfolded."""

    name: str
    parameters: dict[str, str]
    value: str


def read(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Chunk]:
    """The events of a file; see `etl.read.read`."""
    with unpacked(path, limits) as stream:
        rows = _rows(path, stream, limits)
        yield from chunks(path, NAMES, rows, source.missing, chunk_bytes, limits)


def header(path: Path, source: Source, limits: Limits) -> tuple[str, ...]:
    """The columns of a calendar, whatever the file."""
    del source
    with unpacked(path, limits) as stream:
        head = stream.read(4096).removeprefix(BOM).lstrip()
    if not head.upper().startswith(b"BEGIN:VCALENDAR"):
        message = f"{path}: this is no calendar: it does not begin with BEGIN:VCALENDAR."
        raise ContentError(message, hint="Export it as iCalendar (.ics).", code="not_ics")
    return NAMES


def _rows(path: Path, stream: BinaryIO, limits: Limits) -> Iterator[Row | Reject]:
    none = True
    begun, inner, properties = 0, 0, list[str]()
    for line, text in _unfolded(stream, limits):
        upper = text[:32].rstrip().upper()
        if upper == "BEGIN:VEVENT":
            none = False
            if begun:
                yield unreadable(begun, f"expected END:VEVENT before line {line}", "\n".join(properties))
            begun, inner, properties = line, 0, []
        elif begun and upper == "END:VEVENT" and not inner:
            yield _event(begun, properties)
            begun = 0
        elif begun and upper.startswith(("BEGIN:", "END:")):  # an alarm within the event
            inner = max(0, inner + (1 if upper.startswith("BEGIN:") else -1))
        elif begun and not inner and len(properties) < _EVENT_LINES:
            properties.append(text)
    if begun:
        yield unreadable(begun, "expected END:VEVENT before the end of the file", "\n".join(properties))
    if none:
        raise empty(path, "it has no VEVENT")


def _unfolded(stream: BinaryIO, limits: Limits) -> Iterator[tuple[int, str]]:
    """The logical lines, each with the line of the file on which it begins."""
    begins, parts, size = 1, list[bytes](), 0
    for number, raw in enumerate(_lines(stream, limits), 1):
        if raw[:1] in (b" ", b"\t") and parts:
            if size <= limits.field_bytes:  # what is longer is cut off one piece too late: its cell rejects the row
                parts.append(raw[1:])
                size += len(raw)
            continue
        if parts:
            yield begins, _decoded(b"".join(parts))
        begins, parts, size = number, [raw], len(raw)
    if parts:
        yield begins, _decoded(b"".join(parts))


def _lines(stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    held, first = b"", True
    while piece := stream.read(1 << 20):
        held += piece
        if first:
            held, first = held.removeprefix(BOM), False
        *whole, held = held.split(b"\n")
        for each in whole:
            yield each.rstrip(b"\r")
        if len(held) > limits.row_bytes:
            held = held[: limits.field_bytes + 1]
    if held:
        yield held.rstrip(b"\r")


def _decoded(raw: bytes) -> str:
    """RFC 5545 says UTF-8; what is not is read as Windows' Western encoding."""
    try:
        return clean(raw.decode())
    except UnicodeDecodeError:
        return clean(raw.decode("cp1252", "replace"))


def _event(line: int, lines: list[str]) -> Row | Reject:
    found: dict[str, list[_Property]] = {}
    for text in lines:
        if match := _PROPERTY.fullmatch(text):
            name, parameters, value = match.groups()
            given = {key.upper(): each.strip('"') for key, each in _PARAMETER.findall(parameters)}
            found.setdefault(name.upper(), []).append(_Property(name.upper(), given, value))
    if "DTSTART" not in found:
        return unreadable(line, "expected an event with a start (DTSTART)", "\n".join(lines))
    try:
        start, end = _times(found)
        recurrence = _moment(found["RECURRENCE-ID"][0]) if "RECURRENCE-ID" in found else None
    except ValueError as error:
        return unreadable(line, str(error), "\n".join(lines))
    organizer = (found.get("ORGANIZER") or [_Property("", {}, "")])[0]
    attendees = dict.fromkeys(filter(None, map(_address, found.get("ATTENDEE", []))))
    cells = (
        _text(found, "UID"), _iso(recurrence), _iso(start), _iso(end), "false" if isinstance(start, datetime) else "true",
        found["DTSTART"][0].parameters.get("TZID", ""), _text(found, "SUMMARY"), _text(found, "DESCRIPTION"),
        _text(found, "LOCATION"), _address(organizer), organizer.parameters.get("CN", ""), "\n".join(attendees),
        _text(found, "STATUS"), _text(found, "RRULE"), _text(found, "URL"), _text(found, "CATEGORIES"),
        *(_iso(_moment_or_none(found.get(name))) for name in ("CREATED", "LAST-MODIFIED")),
    )  # fmt: skip
    return Row(line, [each or None for each in cells])


def _text(found: dict[str, list[_Property]], name: str) -> str:
    parts = [_ESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], each.value) for each in found.get(name, [])]
    return (", " if name == "CATEGORIES" else "\n").join(parts[: None if name == "CATEGORIES" else 1]).strip()


def _address(person: _Property) -> str:
    """The e-mail address of an organizer or attendee: its value, or the EMAIL that some programs add."""
    value = person.value.strip()
    address = value[7:] if value.lower().startswith("mailto:") else person.parameters.get("EMAIL", value)
    return address.strip() if "@" in address and not re.search(r"\s", address.strip()) else ""


def _times(found: dict[str, list[_Property]]) -> tuple[date, date]:
    """Start and end; an event without an end lasts its DURATION, else a day, else no time (RFC 5545, 3.6.1)."""
    start = _moment(found["DTSTART"][0])
    if "DTEND" in found:
        return start, _moment(found["DTEND"][0])
    if "DURATION" in found:
        return start, _after(start, _span(found["DURATION"][0].value))
    return start, start if isinstance(start, datetime) else start + timedelta(days=1)


def _after(start: date, length: timedelta) -> date:
    """So much later, by the clock that no change of the hour moves."""
    if isinstance(start, datetime) and start.tzinfo is not None:
        return (start.astimezone(UTC) + length).astimezone(start.tzinfo)
    return start + length


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text.strip())
    if not found or not any(found.groups()[1:]):
        raise ValueError(f"expected a duration such as PT1H30M, found {text[:80]!r}")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if found[1] == "-" else length


def _moment(stated: _Property) -> date:
    """A date, or a datetime with the zone that the file states, or without one."""
    text = stated.value.strip()
    try:
        if len(text) == 8:
            return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
        local = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - the zone comes below
    except ValueError:
        message = f"expected a time such as 20250314T093000Z in {stated.name}, found {text[:80]!r}"
        raise ValueError(message) from None
    if text.endswith("Z"):
        return local.replace(tzinfo=UTC)
    name = stated.parameters.get("TZID", "")
    return local.replace(tzinfo=_zone(name)) if name else local


def _moment_or_none(stated: list[_Property] | None) -> date | None:
    try:
        return _moment(stated[0]) if stated else None
    except ValueError:
        return None


def _zone(name: str) -> ZoneInfo:
    """The zone that a TZID means: an IANA name, with or without a path before it, or a name of Windows."""
    plain = WINDOWS_ZONES.get(name, name)
    parts = plain.strip("/").split("/")
    for begin in range(len(parts)):  # /freeassociation.sourceforge.net/Europe/Berlin
        try:
            return ZoneInfo("/".join(parts[begin:]))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    raise ValueError(f"expected a known time zone, found {name[:80]!r}")


def _iso(moment: date | None) -> str:
    return moment.isoformat() if moment is not None else ""
