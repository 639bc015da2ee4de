"""Calendars: zones, folds, all-day events, and the events that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import ContentError, InputError
from etl.flow import Chunk
from etl.mapping.model import Source
from etl.read import read

ICS = Source(format="ics")


def calendar(path: Path, *events: str) -> Chunk:
    whole = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    path.write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\n{whole}END:VCALENDAR\n", newline="\r\n")
    (chunk,) = read(path, ICS)
    return chunk


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.ics"


@pytest.mark.parametrize(
    ("start", "iso"),
    [
        ("DTSTART:20250314T093000Z", "2025-03-14T09:30:00+00:00"),
        ("DTSTART:20250314T093000", "2025-03-14T09:30:00"),
        ("DTSTART;TZID=America/New_York:20250314T093000", "2025-03-14T09:30:00-04:00"),
        ('DTSTART;TZID="W. Europe Standard Time":20250314T093000', "2025-03-14T09:30:00+01:00"),
        ("DTSTART;TZID=/softwarestudio.org/Olson/Europe/London:20250714T093000", "2025-07-14T09:30:00+01:00"),
        ("DTSTART;VALUE=DATE:20250314", "2025-03-14"),
    ],
)
def test_times_say_what_the_file_says_of_their_zone(file: Path, start: str, iso: str) -> None:
    row = calendar(file, f"UID:a\n{start}").frame.iloc[0]

    assert row["start"] == iso
    assert row["all_day"] == ("true" if len(iso) == 10 else "false")


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ("DTSTART:20250314T093000Z\nDTEND:20250314T100000Z", "2025-03-14T10:00:00+00:00"),
        ("DTSTART:20250314T093000Z\nDURATION:P1DT30M", "2025-03-15T10:00:00+00:00"),
        ("DTSTART;TZID=America/New_York:20250309T013000\nDURATION:PT1H", "2025-03-09T03:30:00-04:00"),
        ("DTSTART:20250314T093000Z", "2025-03-14T09:30:00+00:00"),
        ("DTSTART;VALUE=DATE:20250314", "2025-03-15"),
    ],
)
def test_an_end_comes_from_the_end_the_duration_or_the_rule(file: Path, lines: str, end: str) -> None:
    assert calendar(file, f"UID:a\n{lines}").frame["end"].tolist() == [end]


def test_texts_are_unfolded_unescaped_and_people_are_addresses(file: Path) -> None:
    chunk = calendar(
        file,
        'UID:a@example.com\nDTSTART:20250314T093000Z\nSUMMARY:Plan\\, talk\\nand\n  more\nLOCATION;ALTREP="x:y":Room 1\n'
        'ORGANIZER;CN="Lee, Ann":mailto:ann@example.com\nATTENDEE;CN="C: X";ROLE=REQ-PARTICIPANT:MAILTO:cleo@example.org\n'
        "ATTENDEE;CUTYPE=RESOURCE:urn:x-room\nATTENDEE;EMAIL=dan@example.org:invalid:nomail\n"
        "BEGIN:VALARM\nDESCRIPTION:alarm\nEND:VALARM\nRRULE:FREQ=WEEKLY\nSTATUS:CONFIRMED",
    )
    row = chunk.frame.iloc[0]

    assert (row["summary"], row["location"], row["rrule"]) == ("Plan, talk\nand more", "Room 1", "FREQ=WEEKLY")
    assert (row["organizer"], row["organizer_name"]) == ("ann@example.com", "Lee, Ann")
    assert row["attendees"] == "cleo@example.org\ndan@example.org"
    assert row.isna()["description"]
    assert chunk.lines.tolist() == [3]


def test_events_that_cannot_be_read_are_rejects_by_their_line(file: Path) -> None:
    chunk = calendar(
        file, "UID:a\nDTSTART;TZID=Nowhere:20250314T093000", "UID:b\nDTSTART:tomorrow", "UID:c",
        "UID:d\nDTSTART:20250314T093000Z", "UID:e\nDTSTART:20250314T093000Z\nBEGIN:VEVENT\nUID:f",
    )  # fmt: skip

    assert [(reject.line, reject.problems[0].message[:33]) for reject in chunk.rejects] == [
        (3, "expected a known time zone, found"),
        (7, "expected a time such as 20250314T"),
        (11, "expected an event with a start (D"),
        (18, "expected END:VEVENT before line 2"),
        (21, "expected an event with a start (D"),
    ]
    assert chunk.frame["uid"].tolist() == ["d"]


def test_what_is_no_calendar_is_refused(file: Path) -> None:
    file.write_text("a,b\n1,2\n")
    with pytest.raises(ContentError, match="no calendar"):
        __import__("etl.read").read.header(file, ICS)
    file.write_text("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
    with pytest.raises(InputError, match="no VEVENT"):
        list(read(file, ICS))
