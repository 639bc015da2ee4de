"""The phone system's nightly call log, for the mapping `phone-nightly`."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime

from generator.portal import Contact, Owner, Phone, Portal, working_hour
from generator.rows import NOTES, Fault, Row, faults, repeat, spoil

FAULTS = [
    *faults("bad_time", "Start Time", "2025-07-04 10:15:00", "13/25/2025 09:00:00 AM", "02/30/2025 08:10:00 AM"),
    *faults("bad_time", "Start Time", "07/04/2025 17:00:00 PM", "tomorrow", "45842.42"),
    *faults("time_gap", "Start Time", "03/09/2025 02:30:00 AM"),
    *faults("time_range", "Start Time", "06/01/1985 09:00:00 AM"),
    *faults("required", "Start Time", "", "-", "N/A"),
    *faults("required", "Call ID", "", "-"),
    *faults("check_failed", "Duration", "95", "0:5:07", "-0:00:12", "two minutes", "0:01"),
    *faults("check_failed", "Direction", "Fax", "inbound", "Transfer"),
    Fault("check_failed", {"Direction": "Fax", "Duration": "95 s"}),
    *faults("no_rule", "Result", "Abandoned", "answered", "Transferred"),
    *faults("bad_url", "Recording", "tape 14, shelf B", "pending"),
    *faults("no_link", "From", "-", "", only={"Direction": "Inbound"}),
    *faults("no_link", "To", "N/A", "-", only={"Direction": "Outbound"}),
    *[Fault("ragged_row", {"Notes": "renewal"}, width=width) for width in (1, -1) * 4],
    *faults("repeated_key", "Notes", *NOTES[:5]),
]
OURS = Phone(206, "0100")


def calls(r: random.Random, portal: Portal) -> list[Row]:
    """5,000 calls of 2025 in the order of time; who is at the other end decides the fate of a good row."""
    kinds = ["internal"] * 300 + ["nobody"] * 230 + ["hidden"] * 60 + ["star"] * 10 + ["known"] * 4389
    r.shuffle(kinds)
    holders: dict[Phone, list[Contact]] = {}
    for contact in portal.contacts:
        for phone in filter(None, (contact.phone, contact.mobile)):
            holders.setdefault(phone, []).append(contact)
    rows = []
    for n, at in enumerate(sorted(working_hour(r) for _ in kinds)):
        row, other = _other_end(r, kinds[n], holders, portal.strangers)
        row.cells = {"Call ID": f"{10**16 + n * 7919:020d}", **_call(r, row, other, at, portal.owners)}
        rows.append(row)
    spoil(r, rows, FAULTS)
    last = next(row for row in reversed(rows) if row.fate == "created")
    last.cells["Start Time"] = "11/02/2025 01:30:00 AM"  # happened twice that night
    internal = next(row for row in rows if row.fate == "skipped")
    internal.cells |= {"Start Time": "", "Duration": "?"}  # `skip` comes before `columns`: no reject
    repeat(r, rows, 6)
    return rows


def _other_end(
    r: random.Random, kind: str, holders: dict[Phone, list[Contact]], strangers: list[Phone]
) -> tuple[Row, str]:
    """A row with the fate and links that follow from who is at the other end, and that end as the log writes it."""
    if kind == "internal":
        return Row({}, "CALL", fate="skipped", why="internal call"), f"x{r.randrange(201, 240)}"
    if kind == "nobody":
        return Row({}, "CALL", fate="parked"), r.choice(strangers).written(r)
    if kind != "known":
        hidden = r.choice(("anonymous", "Restricted", "Unknown caller"))
        return Row({}, "CALL", fate="parked"), hidden if kind == "hidden" else "*97"
    phone = r.choice(list(holders))
    found = holders[phone]
    row = Row({}, "CALL", Counter(contacts=int(len(found) == 1), companies=int(found[0].company is not None)))
    if len({c.company for c in found}) > 1:
        row.fate, row.why = "rejected", "ambiguous"
    return row, phone.written(r)


def _call(r: random.Random, row: Row, other: str, at: datetime, owners: list[Owner]) -> dict[str, str]:
    """The cells after the call's id."""
    direction = "Internal" if row.why == "internal call" else r.choice(("Inbound", "Outbound"))
    ours = f"x{r.randrange(201, 240)}" if r.random() < 0.3 else OURS.written(r)
    result = r.choices(("Answered", "Missed", "Voicemail", "Busy", "-"), (58, 22, 14, 5, 1))[0]
    seconds = {"Answered": 1 + int(r.expovariate(1 / 240)), "Voicemail": r.randrange(45)}.get(result, 0)
    duration = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    recording = f"https://recordings.example.com/2025/{r.randrange(16**12):012x}.mp3"
    return {
        "Direction": direction,
        "From": ours if direction == "Outbound" else other,
        "To": other if direction == "Outbound" else ours,
        "Queue": r.choice(("Sales", "Support", "Renewals", "-")),
        "Agent Email": _agent(r, owners),
        "Start Time": at.strftime("%m/%d/%Y %I:%M:%S %p"),
        "Duration": "-" if not seconds and r.random() < 0.2 else duration,
        "Result": result,
        "Recording": recording if seconds > 20 else r.choice(("", "-")),
        "Notes": r.choice(NOTES) if r.random() < 0.45 else r.choice(("", "-")),
    }


def _agent(r: random.Random, owners: list[Owner]) -> str:
    """An owner's address, now and then in another case or with a space; or somebody unknown, or nobody."""
    email = r.choice(owners).email
    return r.choices((email, email.title(), f"{email} ", "temp.agent@example.com", "", "N/A"), (84, 5, 3, 3, 3, 2))[0]
