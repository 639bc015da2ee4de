"""One engagement, two views: the JSON of v1 and that of the objects API, from the same stored properties.

`METADATA` is the table between the two; the kinds say how a value is written on either side (`text`, `int`, `bool`,
`time` (ms, there ISO 8601), `list` of numbers (there joined by `;`)). E-mail addresses travel as one JSON string.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

import orjson

from etl.sandbox.answers import Refusal, part_of, wrong_json
from etl.sandbox.fields import FOREIGN, SHOWN, STANDARD, V1_REST, V1_TYPE, iso, ms
from etl.sandbox.links import V1_LISTS, label
from etl.sandbox.schema import Held, Link
from etl.sandbox.versions import Version
from etl.sandbox.words import preview

#: v1 type -> object type.
V1_TYPES: Final = {"CALL": "calls", "EMAIL": "emails", "MEETING": "meetings", "NOTE": "notes", "TASK": "tasks"}
#: Mail of the other directions is read with its direction as v1 type, but not written through v1.
MAIL_TYPES: Final = ("INCOMING_EMAIL", "FORWARDED_EMAIL")
HEADERS: Final = ("from", "sender", "to", "cc", "bcc")

_T, _I, _B, _MS, _L = "text", "int", "bool", "time", "list"
#: object type -> field of v1's `metadata` -> (property, kind)
METADATA: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "calls": {
        "toNumber": ("hs_call_to_number", _T), "fromNumber": ("hs_call_from_number", _T),
        "status": ("hs_call_status", _T), "durationMilliseconds": ("hs_call_duration", _I),
        "recordingUrl": ("hs_call_recording_url", _T), "body": ("hs_call_body", _T),
        "disposition": ("hs_call_disposition", _T), "title": ("hs_call_title", _T),
        "calleeObjectId": ("hs_call_callee_object_id", _I), "calleeObjectType": ("hs_call_callee_object_type", _T),
        "externalId": ("hs_call_external_id", _T), "externalAccountId": ("hs_call_external_account_id", _T),
    },
    "emails": {
        "subject": ("hs_email_subject", _T), "html": ("hs_email_html", _T), "text": ("hs_email_text", _T),
        "status": ("hs_email_status", _T), "threadId": ("hs_email_thread_id", _T),
        "messageId": ("hs_email_message_id", _T),
    },
    "meetings": {
        "title": ("hs_meeting_title", _T), "body": ("hs_meeting_body", _T), "startTime": ("hs_meeting_start_time", _MS),
        "endTime": ("hs_meeting_end_time", _MS), "internalMeetingNotes": ("hs_internal_meeting_notes", _T),
        "meetingOutcome": ("hs_meeting_outcome", _T), "externalUrl": ("hs_meeting_external_url", _T),
        "location": ("hs_meeting_location", _T), "attendeeOwnerIds": ("hs_attendee_owner_ids", _L),
        "iCalUid": ("hs_i_cal_uid", _T), "guestEmails": ("hs_guest_emails", _T),
        "videoConferenceUrl": ("hs_videoconference_url", _T), "source": ("hs_meeting_source", _T),
        "sourceId": ("hs_meeting_source_id", _T), "createdFromLinkId": ("hs_meeting_created_from_link_id", _T),
    },
    "notes": {"body": ("hs_note_body", _T)},
    "tasks": {
        "body": ("hs_task_body", _T), "subject": ("hs_task_subject", _T), "status": ("hs_task_status", _T),
        "taskType": ("hs_task_type", _T), "priority": ("hs_task_priority", _T),
        "forObjectType": ("hs_task_for_object_type", _T), "reminders": ("hs_task_reminders", _L),
        "isAllDay": ("hs_task_is_all_day", _B), "sendDefaultReminder": ("hs_task_send_default_reminder", _B),
        "completionDate": ("hs_task_completion_date", _MS),
    },
    FOREIGN: {},
}  # fmt: skip
#: Where the text of the preview stands, first choice first.
BODIES: Final = {
    "calls": ("hs_call_body",), "emails": ("hs_email_text", "hs_email_html"), "meetings": ("hs_meeting_body",),
    "notes": ("hs_note_body",), "tasks": ("hs_task_body",), FOREIGN: (),
}  # fmt: skip
#: How the names of properties begin that are worked out when they are read.
_DERIVED: Final = ("hs_body_preview", "hs_email_", "hs_timestamp", "hs_scheduled_tasks")
#: field of v1's `engagement` -> (property, kind); the first two can be written through v1.
ENGAGEMENT: Final[dict[str, tuple[str, str]]] = {
    "uid": ("hs_unique_id", _T), "activityType": ("hs_activity_type", _T), "teamId": ("hubspot_team_id", _I),
    "source": ("hs_engagement_source", _T), "sourceId": ("hs_engagement_source_id", _T),
    "createdBy": ("hs_created_by", _I), "modifiedBy": ("hs_modified_by", _I),
}  # fmt: skip
#: What v1 knows of other kinds of links; always empty here.
_OTHER_LISTS: Final = ("ownerIds", "workflowIds", "contentIds", "quoteIds", "marketingEventIds")


def v1_view(held: Held, links: Iterable[Link], portal_id: int) -> dict[str, Any]:
    """An engagement as v1 answers it: ids as numbers, keys without a value left out."""
    lists: dict[str, list[int]] = {t: [] for t in V1_LISTS.values()}
    for link in links:
        if link.to_type in lists:
            lists[link.to_type].append(link.to_id)
    view = {
        "engagement": _engagement(held, portal_id),
        "associations": {name: sorted(lists[t]) for name, t in V1_LISTS.items()} | {name: [] for name in _OTHER_LISTS},
        "attachments": [{"id": int(i)} for i in _numbers(held.properties.get("hs_attachment_ids", ""))],
        "metadata": _metadata(held),
    }
    scheduled = _scheduled(held, portal_id)
    return view if scheduled is None else view | {"scheduledTasks": scheduled}


def v1_properties(object_type: str, engagement: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, str]:
    """The properties that a v1 body writes. Unknown fields have no effect; JSON of a wrong kind is refused."""
    metadata = part_of(body, "metadata", dict)
    given: dict[str, str] = {}
    for field, (name, kind) in METADATA[object_type].items():
        if metadata.get(field) is not None:
            given[name] = _written(kind, metadata[field])
    if headers := {h: metadata[h] for h in HEADERS if metadata.get(h) is not None and object_type == "emails"}:
        given["hs_email_headers"] = orjson.dumps(_people(headers)).decode()
    if "attachments" in body:
        attached = part_of(body, "attachments", list)
        if not all(isinstance(a, dict) and _is_whole(a.get("id")) for a in attached):
            raise Refusal(400, "Invalid input JSON: each attachment needs an id", "VALIDATION_ERROR")
        given["hs_attachment_ids"] = ";".join(str(a["id"]) for a in attached)
    for field, name in (("ownerId", "hubspot_owner_id"), ("uid", "hs_unique_id"), ("activityType", "hs_activity_type")):
        if engagement.get(field) is not None:
            given[name] = str(engagement[field])
    return given


def object_view(held: Held, names: Collection[str] | None, known: Collection[str]) -> dict[str, Any]:
    """An object as the objects API answers it; `names` None gives what a create answers: all that was written.

    A property asked for that has no value is null; one that does not exist is left out.
    """
    stamps = _stamps(held)
    if names is None:
        shown: dict[str, Any] = {**held.properties, **stamps}
        shown.pop(V1_REST, None)
    else:
        everything = {**held.properties, **stamps}
        if held.type in BODIES and any(n.startswith(_DERIVED) for n in names):
            everything = derived(held) | everything
        shown = {n: everything.get(n) or None for n in {*names, *stamps} if n in known}
    view = {
        "id": str(held.id),
        "properties": shown,
        "createdAt": _iso_ms(held.created_ms),
        "updatedAt": _iso_ms(held.updated_ms),
        "archived": held.archived,
    }
    return view | {"archivedAt": _iso_ms(held.updated_ms)} if held.archived else view


def default_names(object_type: str) -> tuple[str, ...]:
    """What a read shows when no property is asked for; ids and dates always come along."""
    return SHOWN.get(object_type, ())


def links_view(links: Iterable[Link], types: Iterable[str]) -> dict[str, Any]:
    """The `associations` of an object: type -> results; a type without links is left out."""
    listed = list(links)
    shown = {t: [{"id": str(a.to_id), "type": label(a)} for a in listed if a.to_type == t] for t in types}
    return {t: {"results": results} for t, results in shown.items() if results}


def history_view(versions: Mapping[str, Iterable[Version]]) -> dict[str, Any]:
    """The `propertiesWithHistory` of an object: property -> its values, newest first."""
    return {
        name: [{"value": v.value, "timestamp": _iso_ms(v.since_ms), "sourceType": "INTEGRATION"} for v in listed]
        for name, listed in versions.items()
    }


def custom(held: Held) -> dict[str, str]:
    """The values of properties that the account has added."""
    return {n: v for n, v in held.properties.items() if n not in STANDARD[held.type]}


def own_key(held: Held) -> str:
    """What the caller knows the engagement by: `uid`, else the first property that the account has added."""
    own, standard = held.properties, STANDARD[held.type]
    return own.get("hs_unique_id") or next((own[name] for name in own if name not in standard), "")


def derived(held: Held) -> dict[str, str]:
    """The properties that the account fills in by itself from others."""
    made = {"hs_timestamp": iso(held.time_ms), "hs_body_preview_is_truncated": "false"}
    if body := body_of(held):
        text, cut = preview(body)
        made |= {"hs_body_preview": text, "hs_body_preview_is_truncated": str(cut).lower()}
        made["hs_body_preview_html"] = _preview_html(text)
    if held.type == "emails" and (headers := held.properties.get("hs_email_headers")):
        made |= _addresses(orjson.loads(headers))
    if scheduled := _scheduled(held, 0):
        kept = [{k: v for k, v in one.items() if k != "portalId"} for one in scheduled]
        made["hs_scheduled_tasks"] = orjson.dumps({"scheduledTasks": kept}).decode()
    return made


def body_of(held: Held) -> str:
    """The text of an engagement, with its markup; empty when it has none."""
    return next((held.properties[n] for n in BODIES[held.type] if held.properties.get(n)), "")


def _engagement(held: Held, portal_id: int) -> dict[str, Any]:
    own = held.properties
    view: dict[str, Any] = {"id": held.id, "portalId": portal_id, "active": held.active,
                            "createdAt": held.created_ms, "lastUpdated": held.updated_ms}  # fmt: skip
    if owner := own.get("hubspot_owner_id"):
        view["ownerId"] = int(owner)
    view |= {"type": v1_type(held), "timestamp": held.time_ms}
    view |= {field: _READ[kind](own[name]) for field, (name, kind) in ENGAGEMENT.items() if own.get(name)}
    view |= {
        "allAccessibleTeamIds": [],
        "queueMembershipIds": [],
        "bodyPreviewIsTruncated": False,
        "gdprDeleted": False,
    }
    if body := body_of(held):
        text, cut = preview(body)
        view |= {"bodyPreview": text, "bodyPreviewHtml": _preview_html(text), "bodyPreviewIsTruncated": cut}
    return view


def v1_type(held: Held) -> str:
    """The v1 type: for mail its direction."""
    if held.type == "emails":
        return held.properties.get("hs_email_direction") or "EMAIL"
    if held.type == FOREIGN:
        return held.properties[V1_TYPE]
    return next(v1 for v1, object_type in V1_TYPES.items() if object_type == held.type)


def _metadata(held: Held) -> dict[str, Any]:
    own = held.properties
    view = {f: _READ[kind](own[name]) for f, (name, kind) in METADATA[held.type].items() if own.get(name)}
    if held.type == "emails":
        view = {"to": [], "cc": [], "bcc": []} | orjson.loads(own.get("hs_email_headers") or "{}") | view
    return orjson.loads(own[V1_REST]) | view if V1_REST in own else view


def _scheduled(held: Held, portal_id: int) -> list[dict[str, Any]] | None:
    if held.type not in {"tasks", "meetings"}:
        return None
    plain = {"engagementId": held.id, "portalId": portal_id, "engagementType": v1_type(held), "taskType": "REMINDER"}
    times = [int(t) for t in _numbers(held.properties.get("hs_task_reminders", ""))]
    return [plain | {"timestamp": t, "uuid": f"TASK:{uuid5(NAMESPACE_OID, f'{held.id}/{t}')}"} for t in times]


def _stamps(held: Held) -> dict[str, str]:
    contact = held.type == "contacts"
    created = "hs_createdate" if held.type in BODIES else "createdate"
    modified = "lastmodifieddate" if contact else "hs_lastmodifieddate"
    return {created: _iso_ms(held.created_ms), modified: _iso_ms(held.updated_ms), "hs_object_id": str(held.id)}


def _addresses(headers: Mapping[str, Any]) -> dict[str, str]:
    sender, to = headers.get("from"), headers.get("to")
    sender = sender if isinstance(sender, dict) else {}  # a caller's own JSON: anything can stand there
    to = [a for a in to if isinstance(a, dict)] if isinstance(to, list) else []
    made = {f"hs_email_from_{p.lower()}": str(sender[p]) for p in ("email", "firstName", "lastName") if sender.get(p)}
    for part in ("email", "firstName", "lastName"):
        if joined := ";".join(str(a.get(part) or "") for a in to).strip(";"):
            made[f"hs_email_to_{part.lower()}"] = joined
    return made


def _preview_html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<html>\n <head></head>\n <body>\n {escaped}\n </body>\n</html>"


@lru_cache(maxsize=256)
def _iso_ms(time_ms: int) -> str:
    text = iso(time_ms)
    return text if time_ms % 1000 else text.replace("Z", ".000Z")


def _written(kind: str, value: Any) -> str:
    fits = {_T: str, _I: int, _B: bool, _MS: int, _L: list}[kind]
    if not isinstance(value, fits) or (fits is int and isinstance(value, bool)):
        raise wrong_json({_T: "java.lang.String", _L: "java.util.ArrayList<java.lang.Long>"}.get(kind, "long"), value)
    if isinstance(value, list):
        return ";".join(str(v) for v in value)
    return str(value).lower() if kind == _B else str(value)


def _numbers(text: str) -> list[str]:
    return [part for part in text.split(";") if part.isascii() and part.isdigit() and len(part) < 19]


def _people(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """The addresses of a mail's `metadata`: `from` and `sender` are objects, the others lists of objects."""
    for name, value in headers.items():
        listed = value if name not in {"from", "sender"} else [value]
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise wrong_json(
                "EmailAddress" if name in {"from", "sender"} else "java.util.ArrayList<EmailAddress>", value
            )
    return headers


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_READ: Final[dict[str, Callable[[str], Any]]] = {
    _T: str, _I: lambda v: int(float(v)), _B: lambda v: v == "true", _MS: ms, _L: lambda v: [int(i) for i in _numbers(v)],
}  # fmt: skip
