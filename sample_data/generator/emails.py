"""A mail archive as CSV, for the mapping `email-csv`; our own domain is example.com."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime

from generator.portal import Contact, Owner, Portal, working_hour
from generator.rows import NOTES, Fault, Row, faults, repeat, spoil

RECEIVED, SENT = {"From Address": r"(?i)\.example$"}, {"From Address": r"@example\.com$"}
FAULTS = [
    *faults("required", "Date", "", ""),
    *faults("required", "From Address", "", only=RECEIVED),
    *faults("bad_time", "Date", "yesterday", "2025-02-30T10:00:00Z"),
    *faults("bad_email", "From Address", "maria@", "ana@@client.example", only=RECEIVED),
    *faults("bad_email", "To", "call her instead", only=SENT),
    *faults("not_found", "From Address", "news@letters.example.net", "no-reply@shop.example.net", only=RECEIVED),
    *faults("not_found", "To", "Jo New <jo.new@elsewhere.example.net>", only=SENT),
    Fault("repeated_key", {"Body": "Sent again with another text."}),
]
SUBJECTS = ("Renewal of your plan", "Re: Renewal of your plan", "Minutes: café visit 🙂", "Quote, as agreed", "")


def emails(r: random.Random, portal: Portal) -> list[Row]:
    """600 messages in the order of time: 30 automatic replies, the rest from one contact or to some of one company."""
    kinds = ["auto"] * 30 + ["in"] * 260 + ["out"] * 305
    r.shuffle(kinds)
    staff = [[c for c in portal.contacts if c.email and c.company == company] for company in portal.companies]
    rows = []
    for kind, at in zip(kinds, sorted(working_hour(r) for _ in kinds), strict=True):
        people = r.choice([group for group in staff if group])
        people = r.sample(people, min(len(people), r.choice((1, 1, 1, 2, 3)) if kind == "out" else 1))
        rows.append(_mail(r, at, kind, people, portal.owners))
    spoil(r, rows, FAULTS)
    repeat(r, rows, 4)
    return rows


def _mail(r: random.Random, at: datetime, kind: str, people: list[Contact], owners: list[Owner]) -> Row:
    """A message `in` from the first of `people`, `out` to all of them, or an `auto` reply from the first."""
    row = Row({}, "EMAIL", Counter(contacts=len(people), companies=1))
    if kind == "auto":
        row.fate, row.why = "skipped", "auto reply"
    owner, sent = r.choice(owners), kind == "out"
    sender, reader = (owner, people[0]) if sent else (people[0], owner)
    row.cells = {
        "Message ID": f"<{r.randrange(16**12):012x}@mail.{'example.com' if sent else 'client.example'}>",
        "Date": at.isoformat() + r.choice(("-05:00", "+00:00", "Z", "+01:00")),
        "From Name": f"{sender.first} {sender.last}",
        "From Address": sender.email,
        "To": _to(r, people) if sent else _address(r, owner),
        "Cc": "; ".join(_address(r, o) for o in r.sample(owners, 2)) if r.random() < 0.2 else "",
        "Bcc": "archive@example.com" if sent and r.random() < 0.1 else "",
        "Subject": "Automatic reply: Renewal of your plan" if kind == "auto" else r.choice(SUBJECTS),
        "Body": f"Hello {reader.first},\n\n{r.choice(NOTES)}\n\nBest regards",
    }
    return row


def _to(r: random.Random, people: list[Contact]) -> str:
    """All of `people`; now and then also somebody unknown or a colleague of ours, who are no links."""
    others = [("new.person@elsewhere.example.net", 0.1), ("Ann Example <ann@example.com>", 0.1)]
    return "; ".join([*(_address(r, p) for p in people), *(other for other, odds in others if r.random() < odds)])


def _address(r: random.Random, who: Contact | Owner) -> str:
    """One address of a list, in one of the ways in which mail programs write it."""
    name = r.choice((f"{who.first} {who.last}", f'"{who.last}, {who.first}"'))
    return r.choice((f"{name} <{who.email}>", f"{name} <{who.email}>", who.email, who.email.title()))
