"""Another CRM's task export and the crosswalks from its ids to the portal's, for the mapping `salesforce-tasks`."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from generator.portal import Portal, working_hour
from generator.rows import NOTES, Fault, Row, faults, repeat, spoil, write

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
NOBODY = "000000000000000AAA"  # what the export writes for an empty reference
OPEN = {"TaskSubtype": "Task", "Status": "Not Started"}
FAULTS = [
    *faults("bad_time", "ActivityDate", "02/24/2025", "2025-02-24 00:00:00", only=OPEN),
    *faults(
        "bad_time", "CompletedDateTime", "24.02.2025", "2025-02-24T25:00:00.000+0000", only={"TaskSubtype": "Call"}
    ),
    *faults("time_range", "ActivityDate", "2099-01-01", only=OPEN),
    *faults("no_rule", "Status", "Canceled", "Open", only=OPEN),
    *faults("bad_duration", "CallDurationInSeconds", "2:05", "n/a", only={"TaskSubtype": "Call"}),
    *faults("field_missing", "ActivityDate", "", only={"TaskSubtype": "Event"}),
    *faults("lookup_missing", "OwnerId", "00G5f0000Queue1", only=OPEN),
    Fault("no_link", {"WhoId": "", "WhatId": "", "AccountId": ""}),
    Fault("no_link", {"WhoId": "00Q5f0000Lead01", "WhatId": "", "AccountId": NOBODY}),
    Fault("no_link", {"WhoId": "", "WhatId": "5005f0000Case01", "AccountId": ""}),
    *faults("repeated_key", "Description", "Exported twice, edited in between"),
]
SUBJECTS = {
    "CALL": ("Call", "Call: renewal", "Intro call, left message"),
    "EMAIL": ("Email: Your quote", "Email: Re: Contract", "Minutes of today"),
    "MEETING": ("Demo on site", "Quarterly review, 2nd floor"),
    "NOTE": ("Note: prefers mornings", "Note: budget <b>frozen</b> until May"),
    "TASK": ("Send the contract", "Check the invoice", ""),
}
SUBTYPES = {"CALL": ("Call",), "EMAIL": ("Email", "Email", "ListEmail"), "MEETING": ("Event",)}
STATUS = ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")


def tasks(r: random.Random, portal: Portal) -> list[Row]:
    """800 activities of all five types; 15 are deleted in the source."""
    types = ["CALL"] * 200 + ["EMAIL"] * 200 + ["MEETING"] * 110 + ["NOTE"] * 80 + ["TASK"] * 207
    r.shuffle(types)
    rows = []
    for n, kind in enumerate(types):
        links, references = _references(r, n, portal)
        rows.append(Row({"Id": sf_id("00T", n), **references, **_activity(r, kind, len(portal.owners))}, kind, links))
    for row in r.sample(rows, 15):
        row.fate, row.why, row.cells["IsDeleted"] = "skipped", "deleted in the source", r.choice(("true", "1"))
    spoil(r, rows, FAULTS)
    repeat(r, rows, 2)
    return rows


def write_crosswalks(portal: Portal, folder: Path) -> None:
    """Their ids to ours, every 25th in the short form. Every tenth contact and deal did not move and is missing."""
    moved = {
        "contacts": [("003", i, c.id) for i, c in enumerate(portal.contacts) if _moved(i)],
        "companies": [("001", i, c.id) for i, c in enumerate(portal.companies)],
        "deals": [("006", i, deal) for i, deal in enumerate(portal.deals) if _moved(i)],
    }
    for name, ids in moved.items():
        pairs = ((sf_id(prefix, i, short=i % 25 == 3), to) for prefix, i, to in ids)
        write(folder / f"crosswalk_{name}.csv", ("sf_id", "hubspot_id"), pairs)
    users = [*(o.email for o in portal.owners), "left.long.ago@example.com"]
    write(folder / "crosswalk_users.csv", ("sf_id", "email"), ((sf_id("005", i), e) for i, e in enumerate(users)))


def sf_id(prefix: str, n: int, *, short: bool = False) -> str:
    """The n-th id of an object: 15 characters in which case matters, and 3 that repeat the case for who ignores it.

    Ids 10 and 36 of an object differ in nothing but the case of one letter.
    """
    text = f"{prefix}5f0000000{BASE62[n // 3844]}{BASE62[n // 62 % 62]}{BASE62[n % 62]}"
    cases = (sum(c.isupper() << i for i, c in enumerate(text[at : at + 5])) for at in (0, 5, 10))
    return text if short else text + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits] for bits in cases)


def _moved(i: int) -> bool:
    return i % 10 != 9


def _references(r: random.Random, n: int, portal: Portal) -> tuple[Counter[str], dict[str, str]]:
    """The links that a row gets, one at least, and the ids that lead there or nowhere (leads, cases, who did not move)."""
    i, deal, short = r.randrange(len(portal.contacts)), r.randrange(len(portal.deals)), r.random() < 0.05
    company = i % len(portal.companies)
    who = r.choices((sf_id("003", i, short=short), sf_id("00Q", i), ""), (80, 10, 10))[0]
    what = r.choices((sf_id("006", deal, short=short), sf_id("500", n), NOBODY, ""), (40, 10, 10, 40))[0]
    links = Counter(contacts=int(who[:3] == "003" and _moved(i)), deals=int(what[:3] == "006" and _moved(deal)))
    links["companies"] = int(not links.total() or r.random() < 0.8)
    account = sf_id("001", company, short=short) if links["companies"] else r.choice((NOBODY, ""))
    return links, {"WhoId": who, "WhatId": what, "AccountId": account}


def _activity(r: random.Random, kind: str, owners: int) -> dict[str, str]:
    """The cells that say what was done, when and by whom."""
    at = working_hour(r)
    status = r.choice(STATUS) if kind == "TASK" else "Completed"
    done = status == "Completed" and kind != "MEETING"
    return {
        "Subject": r.choice(SUBJECTS[kind]),
        "ActivityDate": "" if kind == "TASK" and r.random() < 0.1 else at.date().isoformat(),
        "Status": status,
        "Priority": r.choice(("Normal", "High", "Low")),
        "OwnerId": sf_id("005", r.randrange(owners + 1)),  # the last user has left: no owner
        "Description": r.choice((*NOTES, "", "")),
        "TaskSubtype": r.choice(SUBTYPES.get(kind, ("Task",))),
        "IsDeleted": r.choice(("false", "0")),
        "CreatedDate": _sf_time(at - timedelta(days=2)),
        "CompletedDateTime": _sf_time(at + timedelta(hours=1)) if done else "",
        "CallDurationInSeconds": r.choice((str(r.randrange(1800)), "")) if kind == "CALL" else "",
        "CallType": r.choice(("Inbound", "Outbound")) if kind == "CALL" else "",
    }


def _sf_time(at: datetime) -> str:
    """A time as that system writes it, in UTC."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
