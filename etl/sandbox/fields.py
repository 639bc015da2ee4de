"""The properties that an account has before anybody adds one, by object type, and how their values are checked.

Names and allowed values: HubSpot's guides on calls, emails, meetings, notes, tasks, contacts, companies and deals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from etl.sandbox.answers import Invalid, wrong_json

ENGAGEMENTS: Final = ("calls", "emails", "meetings", "notes", "tasks")
#: Engagements of types that no API creates (`CONVERSATION_SESSION`); only seeds make them, and only v1 shows them.
FOREIGN: Final = "engagements"
CRM: Final = ("contacts", "companies", "deals", "tickets")
#: type -> (word in error messages, HubSpot's object type id)
NAMES: Final = {
    "calls": ("CALL", "0-48"), "emails": ("EMAIL", "0-49"), "meetings": ("MEETING_EVENT", "0-47"),
    "notes": ("NOTE", "0-46"), "tasks": ("TASK", "0-27"), "contacts": ("CONTACT", "0-1"),
    "companies": ("COMPANY", "0-2"), "deals": ("DEAL", "0-3"), "tickets": ("TICKET", "0-5"),
    FOREIGN: ("ENGAGEMENT", "0-4"),
}  # fmt: skip
SINGULAR: Final = {
    "call": "calls", "email": "emails", "meeting": "meetings", "note": "notes", "task": "tasks",
    "contact": "contacts", "company": "companies", "deal": "deals", "ticket": "tickets",
}  # fmt: skip
#: Every way to write an object type in a path -> the type.
TYPES: Final = {t: t for t in SINGULAR.values()} | SINGULAR | {NAMES[t][1]: t for t in SINGULAR.values()}

#: HubSpot: notes guide, characters of a note's body; the general limit of a text property.
MAX_TEXT: Final = 65_536
PROPERTY_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")


class Property(NamedTuple):
    """A property: its `kind` (string, number, datetime, enumeration, bool, json, email, owner, hidden) and its limits."""

    kind: str = "string"
    options: tuple[str, ...] = ()
    read_only: bool = False


TEXT, NUMBER, TIME, BOOL = Property(), Property("number"), Property("datetime"), Property("bool")
READ = Property(read_only=True)
READ_TIME = Property("datetime", read_only=True)
#: Where the type and those fields of v1's `metadata` are kept that have no property; the dot keeps the names apart.
V1_TYPE, V1_REST = "v1.type", "v1.metadata"


def _choice(options: str) -> Property:
    return Property("enumeration", tuple(options.split()))


def _all(names: str, what: Property = TEXT) -> dict[str, Property]:
    return dict.fromkeys(names.split(), what)


_ON_ALL = (
    _all("hs_unique_id hs_all_accessible_team_ids")
    | {"hubspot_owner_id": Property("owner"), "hubspot_team_id": NUMBER, "hs_object_id": READ, "hs_lastmodifieddate": READ_TIME}
)  # fmt: skip
_ON_ENGAGEMENTS = (
    _ON_ALL
    | _all("hs_attachment_ids hs_activity_type")
    | {"hs_timestamp": TIME, "hs_createdate": READ_TIME}
    | _all("hs_body_preview hs_body_preview_html hs_body_preview_is_truncated hs_created_by hs_modified_by", READ)
    | _all("hs_engagement_source hs_engagement_source_id hs_gdpr_deleted hs_queue_membership_ids", READ)
    | _all("hs_scheduled_tasks", READ)
    | _all(f"{V1_TYPE} {V1_REST}", Property("hidden", read_only=True))
)
#: HubSpot: calls guide; HOLD, MISSED and UNKNOWN are known to its calling SDK.
_CALL_STATUS = "BUSY CALLING_CRM_USER CANCELED COMPLETED CONNECTING FAILED IN_PROGRESS NO_ANSWER QUEUED RINGING HOLD MISSED UNKNOWN"

#: type -> name -> property. `hs_call_disposition` takes the account's outcomes, which `Portal` knows.
STANDARD: Final[dict[str, dict[str, Property]]] = {
    "calls": _ON_ENGAGEMENTS
    | _all("hs_call_title hs_call_body hs_call_from_number hs_call_to_number hs_call_recording_url hs_call_source")
    | _all("hs_call_callee_object_type hs_call_external_id hs_call_external_account_id")
    | _all("hs_call_app_id hs_call_has_voicemail hs_call_disposition hs_call_callee_object_type_id")
    | {
        "hs_call_direction": _choice("INBOUND OUTBOUND"),
        "hs_call_duration": NUMBER,
        "hs_call_callee_object_id": NUMBER,
        "hs_call_status": _choice(_CALL_STATUS),
    },
    "emails": _ON_ENGAGEMENTS
    | _all("hs_email_subject hs_email_text hs_email_html hs_email_message_id hs_email_thread_id")
    | {
        "hs_email_direction": _choice("EMAIL INCOMING_EMAIL FORWARDED_EMAIL"),
        "hs_email_status": _choice("BOUNCED FAILED SCHEDULED SENDING SENT"),
        "hs_email_headers": Property("json"),
    }
    | _all("hs_email_from_email hs_email_from_firstname hs_email_from_lastname", READ)
    | _all("hs_email_to_email hs_email_to_firstname hs_email_to_lastname", READ),
    "meetings": _ON_ENGAGEMENTS
    | _all("hs_meeting_title hs_meeting_body hs_internal_meeting_notes hs_meeting_location hs_meeting_external_url")
    | _all("hs_attendee_owner_ids hs_i_cal_uid hs_guest_emails hs_videoconference_url hs_meeting_source")
    | _all("hs_meeting_source_id hs_meeting_created_from_link_id hs_meeting_pre_meeting_prospect_reminders")
    | {
        "hs_meeting_start_time": TIME,
        "hs_meeting_end_time": TIME,
        "hs_meeting_outcome": _choice("SCHEDULED COMPLETED RESCHEDULED NO_SHOW CANCELED"),
    },
    "notes": _ON_ENGAGEMENTS | _all("hs_note_body"),
    "tasks": _ON_ENGAGEMENTS
    | _all("hs_task_subject hs_task_body hs_task_reminders")
    | {
        "hs_task_status": _choice("NOT_STARTED COMPLETED IN_PROGRESS WAITING DEFERRED"),
        "hs_task_priority": _choice("NONE LOW MEDIUM HIGH"),
        "hs_task_type": _choice("TODO CALL EMAIL"),
        "hs_task_for_object_type": _choice("CONTACT COMPANY OWNER DEAL TICKET"),
        "hs_task_is_all_day": BOOL,
        "hs_task_send_default_reminder": BOOL,
        "hs_task_completion_date": TIME,
    },
    "contacts": _ON_ALL
    | {"email": Property("email")}
    | _all("phone mobilephone firstname lastname jobtitle company lifecyclestage hs_additional_emails")
    | _all("hs_searchable_calculated_phone_number hs_searchable_calculated_mobile_number", READ)
    | {"createdate": READ_TIME, "lastmodifieddate": READ_TIME},
    "companies": _ON_ALL | _all("name domain website phone city country industry") | {"createdate": READ_TIME},
    "deals": _ON_ALL | _all("dealname amount dealstage pipeline closedate") | {"createdate": READ_TIME},
    "tickets": _ON_ALL | _all("subject content hs_pipeline hs_pipeline_stage") | {"createdate": READ_TIME},
    FOREIGN: _ON_ENGAGEMENTS,
}  # fmt: skip

#: What a read gives when no property is asked for, beside the id and the dates.
SHOWN: Final = {
    "contacts": ("email", "firstname", "lastname"), "companies": ("domain", "name"),
    "deals": ("amount", "closedate", "dealname", "dealstage", "pipeline"), "tickets": ("subject", "content"),
}  # fmt: skip
#: Properties with an index of their own, so that finding by them does not read the whole store.
INDEXED: Final = frozenset({
    "hs_unique_id", "hs_call_external_id", "email", "domain", "name", "dealname",
    "hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number",
})  # fmt: skip
#: type -> the properties without one; what the account has added is not among them.
UNINDEXED: Final = {object_type: frozenset(STANDARD[object_type].keys() - INDEXED) for object_type in STANDARD}


def checked(known: Mapping[str, Property], given: Any, owners: Collection[str]) -> tuple[dict[str, str], list[Invalid]]:
    """The values as they are stored, and what is wrong with the others. JSON of a wrong kind is raised as a `Refusal`."""
    if not isinstance(given, dict):
        raise wrong_json("java.util.LinkedHashMap<java.lang.String,java.lang.String>", given)
    good: dict[str, str] = {}
    problems: list[Invalid] = []
    for name, value in given.items():
        what = known.get(name)
        if type(value) is str and (
            value in what.options if what and what.options else what is TEXT and len(value) <= MAX_TEXT
        ):
            good[name] = value  # most values go this way
            continue
        text = "" if value is None else value  # null empties a property, as "" does
        if not isinstance(text, str):
            raise wrong_json("java.lang.String", text)
        stored = _stored(what, name, text, owners)
        if isinstance(stored, Invalid):
            problems.append(stored)
        else:
            good[name] = stored
    return good, problems


@lru_cache(maxsize=256)  # a time is checked, and then read again for the place on the timeline
def ms(text: str) -> int:
    """A time as the API takes it (ISO 8601 with an offset, or milliseconds since 1970) in ms, UTC; else ValueError."""
    if text.lstrip("-").isdigit():
        return int(text)
    at = datetime.fromisoformat(text)
    return (at - (_EPOCH_UTC if at.tzinfo else _EPOCH)) // _MS


@lru_cache(maxsize=256)
def iso(time_ms: int) -> str:
    """A time as the API answers it: `2026-03-01T09:30:00Z`, with milliseconds when there are some.

    >>> iso(1_772_357_400_000), iso(1_772_357_400_120)
    ('2026-03-01T09:30:00Z', '2026-03-01T09:30:00.120Z')
    """
    at = _EPOCH + timedelta(milliseconds=time_ms)
    return at.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds") + "Z"


def as_number(text: str | None) -> float | None:
    """A stored number or time as a number to compare by (times in ms); None when it is neither."""
    if not text:
        return None
    for read in (float, ms):
        try:
            return read(text)
        except (ValueError, OverflowError):
            continue
    return None


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  naive UTC: one conversion less for each time
_EPOCH_UTC = _EPOCH.replace(tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def _stored(what: Property | None, name: str, value: str, owners: Collection[str]) -> str | Invalid:
    """A value as it is stored, or what is wrong with it."""
    problem: tuple[str, str] | None = None
    if what is None:
        problem = "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'
    elif what.read_only:
        problem = "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.'
    elif what.kind == "datetime" and value:
        try:
            return iso(ms(value))
        except (ValueError, OverflowError):
            problem = "INVALID_LONG", f"{value} was not a valid long."
    elif what.kind == "owner" and value and value not in owners:
        problem = "INVALID_OWNER_ID", f"Owner with id {value} does not exist"
    elif len(value) > MAX_TEXT:
        problem = "PROPERTY_TOO_LONG", f"{len(value)} characters are more than the {MAX_TEXT} allowed"
    elif value and what.kind in _CHECKS:
        problem = _CHECKS[what.kind](what, value)
    return value if problem is None else Invalid(name, *problem)


def _number(what: Property, value: str) -> tuple[str, str] | None:
    del what
    return None if _NUMBER.fullmatch(value) else ("INVALID_LONG", f"{value} was not a valid long.")


def _option(what: Property, value: str) -> tuple[str, str] | None:
    if value in what.options:
        return None
    listed = ", ".join(f'label: "{o}"\nvalue: "{o}"' for o in what.options)
    return "INVALID_OPTION", f"{value} was not one of the allowed options: [{listed}]"


def _bool(what: Property, value: str) -> tuple[str, str] | None:
    return _option(what._replace(options=("true", "false")), value)


def _json(what: Property, value: str) -> tuple[str, str] | None:
    del what
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        read = None
    return None if isinstance(read, dict) else ("INVALID_JSON", f"{value[:200]} was not valid JSON.")


def _email(what: Property, value: str) -> tuple[str, str] | None:
    del what
    return None if _EMAIL.fullmatch(value) else ("INVALID_EMAIL", f"Email address {value} is invalid")


_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_CHECKS: dict[str, Callable[[Property, str], tuple[str, str] | None]] = {
    "number": _number, "enumeration": _option, "bool": _bool, "json": _json, "email": _email,
}  # fmt: skip
