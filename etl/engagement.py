"""The payload: five types, their fields, limits and allowed values, as tables that lint and checks read.

The payload is the one of the legacy Engagements v1 API; both wires are made from it. Where a limit or a list of values
comes from is said beside it; what the API only recommends is checked all the same, because a refused row is cheaper
before it is sent.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

EngagementType = Literal["CALL", "EMAIL", "MEETING", "NOTE", "TASK"]
TYPES: tuple[EngagementType, ...] = get_args(EngagementType)

#: HubSpot documents 65,536 characters for note bodies; no number is known for other bodies, so it guards them too.
MAX_BODY = 65_536
#: Sanity limit for one-line texts; HubSpot documents none.
MAX_LINE = 10_000
#: Times outside 1990 .. now + 366 days are taken for a wrong unit or a wrong year.
EARLIEST_MS = 631_152_000_000
LATEST_AHEAD_MS = 366 * 86_400_000

Kind = Literal[
    "text", "html", "int", "bool", "time", "duration", "url", "choice", "guid", "times", "ids", "address", "addresses"
]


class Field(NamedTuple):
    """One field of `metadata`.

    `kind` says what it holds: `text`/`html` (string), `int`, `bool`, `time` (ms, UTC), `duration` (ms, not negative),
    `url` (http or https), `choice` (one of `choices`), `guid` (a call outcome), `times`/`ids` (lists of integers),
    `address` (an object with `email`, `firstName`, `lastName`) or `addresses` (a list of such).
    """

    kind: Kind
    choices: tuple[str, ...] = ()
    max_length: int = 0  #: characters; 0 for the kind's own limit
    required: bool = False
    wires: tuple[str, ...] = ("v1", "objects")  #: a field that v1 has no place for is dropped there (`check` warns)


CALL_STATUS = (
    "BUSY",
    "CALLING_CRM_USER",
    "CANCELED",
    "COMPLETED",
    "CONNECTING",
    "FAILED",
    "IN_PROGRESS",
    "NO_ANSWER",
    "QUEUED",
    "RINGING",
)  # HubSpot: calls guide, hs_call_status
TASK_STATUS = ("NOT_STARTED", "COMPLETED", "IN_PROGRESS", "WAITING", "DEFERRED")  # HubSpot: engagements v1 overview
MEETING_OUTCOME = ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED")  # HubSpot: meetings guide
EMAIL_STATUS = ("BOUNCED", "FAILED", "SCHEDULED", "SENDING", "SENT")  # HubSpot: emails guide
EMAIL_DIRECTION = ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL")  # HubSpot: emails guide, hs_email_direction
OBJECTS = ("objects",)

#: type -> field of `metadata` -> what may stand in it.
FIELDS: dict[EngagementType, dict[str, Field]] = {
    "CALL": {
        "title": Field("text"),
        "body": Field("html", max_length=MAX_BODY),
        "toNumber": Field("text"),
        "fromNumber": Field("text"),
        "status": Field("choice", CALL_STATUS),
        "durationMilliseconds": Field("duration"),
        "recordingUrl": Field("url"),
        "disposition": Field("guid"),
        "externalId": Field("text", wires=OBJECTS),  # v1 takes it without effect
        "externalAccountId": Field("text", wires=OBJECTS),
        "direction": Field("choice", ("INBOUND", "OUTBOUND"), wires=OBJECTS),
    },
    "EMAIL": {
        "from": Field("address"),
        "sender": Field("address"),
        "to": Field("addresses"),
        "cc": Field("addresses"),
        "bcc": Field("addresses"),
        "subject": Field("text"),
        "html": Field("html", max_length=MAX_BODY),
        "text": Field("text", max_length=MAX_BODY),
        "status": Field("choice", EMAIL_STATUS),
        "direction": Field("choice", EMAIL_DIRECTION, wires=OBJECTS),
        "messageId": Field("text"),
        "threadId": Field("text"),
    },
    "MEETING": {
        "title": Field("text"),
        "body": Field("html", max_length=MAX_BODY),
        "startTime": Field("time", required=True),
        "endTime": Field("time", required=True),
        "internalMeetingNotes": Field("html", max_length=MAX_BODY),
        "meetingOutcome": Field("choice", MEETING_OUTCOME),
        "externalUrl": Field("url"),
        "location": Field("text"),
        "iCalUid": Field("text"),
        "attendeeOwnerIds": Field("ids"),
    },
    "NOTE": {
        "body": Field("html", max_length=MAX_BODY, required=True),
    },
    "TASK": {
        "subject": Field("text", required=True),
        "body": Field("html", max_length=MAX_BODY),
        "status": Field("choice", TASK_STATUS),
        "forObjectType": Field("choice", ("CONTACT", "COMPANY", "OWNER")),
        "taskType": Field("choice", ("TODO", "CALL", "EMAIL")),
        "priority": Field("choice", ("NONE", "LOW", "MEDIUM", "HIGH")),
        "reminders": Field("times"),
        "sendDefaultReminder": Field("bool"),
        "isAllDay": Field("bool"),
    },
}

#: The parts of an `address`.
ADDRESS_FIELDS = ("email", "firstName", "lastName")

#: The call outcomes that every account has: label -> GUID. HubSpot: calls guide. An account can have more, so a run asks.
DISPOSITIONS: dict[str, str] = {
    "Busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "Connected": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "Left live message": "a4c4c377-d246-4b32-a13b-75a56a4cd0ff",
    "Left voicemail": "b2cf5968-551e-4856-9783-52b3da59a7d0",
    "No answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "Wrong number": "17b47fee-58de-441e-a44c-c6300d46f273",
}
