"""What the store holds -> what a person reads: names, dates, durations, and each engagement as an entry of a timeline.

Everything here is plain text; the templates escape it. An engagement of a type that nobody expects is an entry too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson

from etl.sandbox.fields import ENGAGEMENTS, FOREIGN, V1_REST, V1_TYPE, ms
from etl.sandbox.pages import look
from etl.sandbox.pages.plain import readable, shortened
from etl.sandbox.portal import DISPOSITIONS
from etl.sandbox.schema import Held
from etl.sandbox.views import BODIES

#: Type -> how one is called, how many are; the rest are called by their own name.
WORDS: Final = {
    "calls": ("Call", "Calls"), "emails": ("Email", "Emails"), "meetings": ("Meeting", "Meetings"),
    "notes": ("Note", "Notes"), "tasks": ("Task", "Tasks"), "contacts": ("Contact", "Contacts"),
    "companies": ("Company", "Companies"), "deals": ("Deal", "Deals"), "tickets": ("Ticket", "Tickets"),
    FOREIGN: ("Other", "Others"),
}  # fmt: skip
#: What a property is called on a card, in the order in which they stand there.
LABELS: Final = {
    "email": "Email", "hs_additional_emails": "More emails", "phone": "Phone", "mobilephone": "Mobile",
    "jobtitle": "Job title", "company": "Company", "name": "Name", "domain": "Domain", "website": "Website",
    "industry": "Industry", "city": "City", "country": "Country", "dealname": "Deal", "amount": "Amount",
    "dealstage": "Stage", "pipeline": "Pipeline", "closedate": "Close date", "subject": "Subject", "content": "Content",
    "lifecyclestage": "Lifecycle stage",
}  # fmt: skip
#: How much of a body stands on a timeline; the engagement's own page has all of it.
MOST_CHARACTERS, MOST_LINES = 600, 10
#: How much of a body is read for that.
_READ: Final = 12_000

_TITLES: Final = ("hs_call_title", "hs_email_subject", "hs_meeting_title", "hs_task_subject")
_DIRECTIONS: Final = {
    "INBOUND": "Inbound call", "OUTBOUND": "Outbound call", "EMAIL": "Email", "INCOMING_EMAIL": "Incoming email",
    "FORWARDED_EMAIL": "Forwarded email",
}  # fmt: skip
_GOOD: Final = frozenset({"Connected", "COMPLETED", "SENT"})
_BAD: Final = frozenset({"NO_SHOW", "CANCELED", "BOUNCED", "FAILED", "Wrong number"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class Fact(NamedTuple):
    """A short word about an engagement: an outcome, a duration. `tone` is good, bad or empty."""

    name: str
    text: str
    tone: str = ""


class Entry(NamedTuple):
    """An engagement as it stands on a timeline."""

    held: Held
    kind: str  #: calls, emails, meetings, notes, tasks; engagements for all others
    label: str
    title: str  #: empty when nobody gave one
    facts: list[Fact]
    sender: str
    receivers: str
    owner: str
    body: str
    is_cut: bool
    linked: list[Held]


def entries(db: sqlite3.Connection, held: Sequence[Held], *, whole: bool = False) -> list[Entry]:
    """Engagements as entries, with the names of their owners and of what they are linked to; `whole`: no body is cut."""
    owners = look.owners(db, {h.properties.get("hubspot_owner_id", "") for h in held})
    linked = look.linked(db, [h.id for h in held])
    return [_entry(h, owners, linked.get(h.id, []), whole=whole) for h in held]


def months(shown: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Entries by month, in the order in which they come."""
    found: list[tuple[str, list[Entry]]] = []
    for entry in shown:
        month = moment(entry.held.time_ms).strftime("%B %Y")
        if not found or found[-1][0] != month:
            found.append((month, []))
        found[-1][1].append(entry)
    return found


def name_of(held: Held) -> str:
    """What a contact, company or deal is called."""
    own = held.properties
    full = f"{own.get('firstname', '')} {own.get('lastname', '')}".strip()
    named = (
        full or own.get("name") or own.get("dealname") or own.get("email") or own.get("domain") or own.get("subject")
    )
    return named or f"{word(held.type)} {held.id}"


def detail_of(held: Held, most: int) -> str:
    """What tells it from others of the same name: up to so many of its addresses, numbers, domain."""
    own = held.properties
    parts = (own.get(n) for n in ("email", "phone", "mobilephone", "domain", "dealstage", "amount"))
    return " · ".join([p for p in parts if p and p != name_of(held)][:most])


def card(held: Held) -> list[tuple[str, str]]:
    """The properties that people ask for first: label, value."""
    own = dict(held.properties)
    return [(label, own[name]) for name, label in LABELS.items() if own.get(name)]


def word(object_type: str, count: int = 1) -> str:
    """A type in words."""
    one, many = WORDS.get(object_type, (worded(object_type), worded(object_type)))
    return one if count == 1 else many


def worded(text: str) -> str:
    """A constant in words.

    >>> worded("NO_ANSWER")
    'No answer'
    """
    return text.replace("_", " ").strip().capitalize()


def moment(time_ms: int) -> datetime:
    """A time in UTC; what no calendar has is shown as its nearest day."""
    try:
        return _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        return _LAST if time_ms > 0 else _FIRST


def when(time_ms: int) -> str:
    """A time with its zone.

    >>> when(1_772_357_400_000)
    '1 Mar 2026, 09:30 UTC'
    """
    at = moment(time_ms)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def lasting(text: str) -> str:
    """A duration of so many ms.

    >>> lasting("45000"), lasting("3725000")
    ('45 s', '1 h 2 min 5 s')
    """
    try:
        seconds = int(float(text)) // 1000
    except (ValueError, OverflowError):
        return text
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{n:,} {unit}" for n, unit in parts if n) or "0 s"


def _entry(held: Held, owners: Mapping[str, look.Owner], linked: list[Held], *, whole: bool) -> Entry:
    own = held.properties
    sender, receivers = _parties(held)
    body, is_cut = _body(held, whole=whole)
    owner = own.get("hubspot_owner_id", "")
    return Entry(
        held=held,
        kind=held.type if held.type in ENGAGEMENTS else FOREIGN,
        label=_label(held),
        title=next((own[n] for n in _TITLES if own.get(n)), "") or _foreign(own, ("title", "subject")),
        facts=_facts(own),
        sender=sender,
        receivers=receivers,
        owner=owners[owner].name if owner in owners else owner and f"Owner {owner}",
        body=body,
        is_cut=is_cut,
        linked=linked,
    )


def _label(held: Held) -> str:
    own = held.properties
    direction = own.get("hs_email_direction") or own.get("hs_call_direction") or own.get(V1_TYPE) or ""
    return _DIRECTIONS.get(direction) or worded(direction) or word(held.type)


def _facts(own: Mapping[str, str]) -> list[Fact]:
    """Outcome and status first, as they say most."""
    given = own.get("hs_call_disposition", "")
    outcome = DISPOSITIONS.get(given, given) or own.get("hs_meeting_outcome") or ""
    status = (
        own.get("hs_task_status") or own.get("hs_email_status") or (not outcome and own.get("hs_call_status")) or ""
    )
    facts = [
        Fact(n, worded(t) if t.isupper() else t, _tone(t)) for n, t in (("Outcome", outcome), ("Status", status)) if t
    ]
    if own.get("hs_call_duration"):
        facts.append(Fact("Duration", lasting(own["hs_call_duration"])))
    if start_end := _span(own):
        facts.append(Fact("Duration", start_end))
    if own.get("hs_task_priority", "NONE") != "NONE":
        facts.append(Fact("Priority", f"{worded(own['hs_task_priority'])} priority"))
    if own.get("hs_meeting_location"):
        facts.append(Fact("Place", own["hs_meeting_location"]))
    return facts


def _tone(text: str) -> str:
    return "good" if text in _GOOD else "bad" if text in _BAD else ""


def _span(own: Mapping[str, str]) -> str:
    start, end = own.get("hs_meeting_start_time"), own.get("hs_meeting_end_time")
    return lasting(str(ms(end) - ms(start))) if start and end else ""


def _parties(held: Held) -> tuple[str, str]:
    """Who it came from, and who it went to."""
    own = held.properties
    if not own.get("hs_email_headers"):
        return own.get("hs_call_from_number", ""), own.get("hs_call_to_number", "")
    headers = orjson.loads(own["hs_email_headers"])
    receivers = {
        part: ", ".join(filter(None, map(_address, _listed(headers.get(part))))) for part in ("to", "cc", "bcc")
    }
    others = [f"{part} {some}" for part, some in receivers.items() if some]
    return _address(headers.get("from") or headers.get("sender")), "; ".join(others).removeprefix("to ")


def _address(given: Any) -> str:
    if not isinstance(given, dict):
        return ""
    name = " ".join(str(given[p]) for p in ("firstName", "lastName") if given.get(p))
    email = str(given.get("email") or "")
    return f"{name} <{email}>" if name and email else name or email


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _body(held: Held, *, whole: bool) -> tuple[str, bool]:
    own = held.properties
    name = next((n for n in BODIES.get(held.type, ()) if own.get(n)), "")
    given = own.get(name) or _foreign(own, ("body", "html", "text"))
    start = given if whole else given[:_READ]
    text = start.strip() if name.endswith("_text") else readable(start)
    if whole:
        return text, False
    short, is_cut = shortened(text, MOST_CHARACTERS, MOST_LINES)
    return short, is_cut or len(start) < len(given)


def _foreign(own: Mapping[str, str], fields: Sequence[str]) -> str:
    """The first of the fields that has a text, in what v1 knows of an engagement and no property holds."""
    rest = orjson.loads(own.get(V1_REST) or "{}")
    texts = [rest[f] for f in fields if isinstance(rest.get(f), str)] if isinstance(rest, dict) else []
    return next(filter(None, texts), "")
