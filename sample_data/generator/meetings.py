"""Meetings and notes as calendars and another CRM write them, with their traps."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

from generator.letters import NOBODY, Letter, letters_with
from generator.portal import Portal
from generator.systems import ZONE, table, wall, words


def meeting_samples(portal: Portal) -> dict[str, str | bytes]:
    """File -> content."""
    return {
        "salesforce/Event.csv": _events(),
        "salesforce/Note.csv": _notes(),
        "outlook/calendar.csv": _outlook(),
        "icalendar/meetings.ics": _ics(letters_with(portal)),
    }


def _events() -> str:
    """Timed and whole-day events, one that was deleted, one of a lead that is linked to nothing."""
    head = ("Id", "WhoId", "WhatId", "Subject", "Location", "IsAllDayEvent", "ActivityDateTime", "ActivityDate", "DurationInMinutes", "StartDateTime", "EndDateTime",
            "Description", "AccountId", "OwnerId", "IsDeleted", "CreatedDate")  # fmt: skip
    rows = []
    for n in range(10):
        at = datetime(2025, 3, 13, 13, 0, tzinfo=UTC) + timedelta(hours=5 * n)
        who, what = (
            ("00Q5f0000Lead01AAA", NOBODY)
            if n == 7
            else (f"0035f000000000{n % 3}AAA", "0065f0000000000AAA" if n == 2 else NOBODY)
        )
        whole, start, end = n in (4, 9), wall(at), wall(at + timedelta(minutes=45))
        if whole:
            start = end = wall(at, "%Y-%m-%d 00:00:00")
        if n == 5:  # as Data Loader writes it
            start, end = (
                wall(at, "%Y-%m-%dT%H:%M:%S.000+0000"),
                wall(at + timedelta(minutes=45), "%Y-%m-%dT%H:%M:%S.000+0000"),
            )
        rows.append([f"00U5f000000000{n}AAA", who, what, "" if n == 3 else f"Review {n}", "Room 1" if n % 2 else "", int(whole), "" if whole else start,
                     wall(at, "%Y-%m-%d 00:00:00"), "" if whole else 45, start, end, "Bring the <plan> & annex\nand coffee" if n == 1 else "",
                     NOBODY if n == 7 else "0015f0000000000AAA", "0055f0000000000AAA", int(n == 8), start])  # fmt: skip
    return table([head, *rows], quoting=csv.QUOTE_ALL)


def _notes() -> str:
    head = (
        "Id",
        "IsDeleted",
        "ParentId",
        "Title",
        "IsPrivate",
        "Body",
        "OwnerId",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
    )
    parents = (
        "0035f0000000000AAA",
        "0015f0000000001AAA",
        "0065f0000000001AAA",
        "00Q5f0000Lead01AAA",
        "0035f0000000002AAA",
    )
    rows = []
    for n in range(10):
        at = f"2025-03-13 {9 + n:02}:15:00"
        body = "" if n in (6, 7) else ("Budget < 10k & falling\nask again in May" if n % 2 else "Prefers mornings")
        rows.append(
            [
                f"002A00000000{n:03}AAA",
                int(n == 9),
                parents[n % 5],
                "" if n == 6 else f"Note {n}",
                0,
                body,
                "0055f0000000001AAA",
                at,
                "0055f0000000001AAA",
                at,
            ]
        )
    return table([head, *rows], quoting=csv.QUOTE_ALL)


def _outlook() -> str:
    """American dates, names for people, CR LF; a day as a whole, one that was cancelled, one in another order of day and month."""
    head = words("Subject,Start Date,Start Time,End Date,End Time,All day event,Reminder on/off,Reminder Date,Reminder Time,Meeting Organizer,Required Attendees,"
            "Optional Attendees,Meeting Resources,Billing Information,Categories,Description,Location,Mileage,Priority,Private,Sensitivity,Show time as", ",")  # fmt: skip
    rows = []
    for n, subject in enumerate(
        (
            "Review",
            "Canceled: Review",
            "Trade fair",
            "Demo, on site",
            "Call with Bob",
            "Jour fixe",
            "Budget",
            "Onboarding",
            "Kick-off",
            "Retro",
        )
    ):
        at = datetime(2025, 3, 13, 9, 0, tzinfo=ZONE) + timedelta(hours=26 * n)
        day = f"{at.month}/{at.day}/{at.year}" if n != 8 else f"{at.day}.{at.month}.{at.year}"
        begins, ends = wall(at, "%I:%M:%S %p").lstrip("0"), wall(at + timedelta(minutes=50), "%I:%M:%S %p").lstrip("0")
        whole = n == 2
        rows.append([subject, day, "12:00:00 AM" if whole else begins, day, "12:00:00 AM" if whole else ends, str(whole), "False", "", "", "Abara, Ada",
                     "Ana Ruiz;Chen Li;Okafor, Ben" if n % 2 == 0 else "", "Cleo Example" if n == 3 else "", "", "", "", "First line\nsecond line" if n == 0 else "",
                     "Room 1" if n % 3 == 0 else "", "", "Normal", "False", "Normal", "2"])  # fmt: skip
    return table([head, *rows], end="\r\n")


def _ics(letters: list[Letter]) -> bytes:
    """Zones by IANA and by Windows, floating, of a whole day, repeating, moved, cancelled; folded lines; one in no known zone."""
    times = (
        "DTSTART;TZID=America/New_York:20250314T093000\nDTEND;TZID=America/New_York:20250314T100000",
        "DTSTART;TZID=W. Europe Standard Time:20250314T153000\nDURATION:PT1H30M",
        "DTSTART:20250314T140000Z\nDTEND:20250314T143000Z",
        "DTSTART;VALUE=DATE:20250317\nDTEND;VALUE=DATE:20250319",
        "DTSTART:20250318T090000\nDTEND:20250318T093000",
        "DTSTART;TZID=America/New_York:20250303T090000\nDTEND;TZID=America/New_York:20250303T091500\nRRULE:FREQ=WEEKLY;COUNT=4",
        "DTSTART;TZID=America/New_York:20250310T110000\nDTEND;TZID=America/New_York:20250310T111500\nRECURRENCE-ID;TZID=America/New_York:20250310T090000",
        "DTSTART:20250320T140000Z\nDTEND:20250320T143000Z\nSTATUS:CANCELLED",
        "DTSTART;TZID=Customized Time Zone 1:20250321T140000\nDTEND;TZID=Customized Time Zone 1:20250321T143000",
        "DTSTART:20250321T140000Z",
    )
    events = []
    for n, lines in enumerate(times):
        other = letters[n].contact
        uid = "weekly" if n in (5, 6) else f"meeting-{n}"
        events.append(
            f"BEGIN:VEVENT\nUID:{uid}@example.com\n{lines}\nSUMMARY:Meeting {n}\\, with {other.first}\nORGANIZER;CN=Ada Abara:mailto:ada@example.com\n"
            f'ATTENDEE;CN="{other.last}, {other.first}";ROLE=REQ-PARTICIPANT;\n RSVP=TRUE:mailto:{other.email}\nATTENDEE;CN=Room:urn:uuid:room-1\n'
            "DESCRIPTION:Agenda:\\n1 < 2 & \n more\nLOCATION:Room 1\nBEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:soon\nTRIGGER:-PT15M\nEND:VALARM\nEND:VEVENT\n"
        )  # fmt: skip
    return (
        ("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example.com//calendar//EN\n" + "".join(events) + "END:VCALENDAR\n")
        .replace("\n", "\r\n")
        .encode()
    )
