"""Wire names as tables: what each thing of the v1 payload is called in the objects API.

Apart from the wires, because the names are facts of HubSpot's and change on HubSpot's days, not on ours. Source, where
no other is named: HubSpot's guides for calls, emails, meetings, notes and tasks.
"""

from __future__ import annotations

from typing import Final

from etl.engagement import EngagementType
from etl.flow import LinkKind

#: The dated API that all paths below belong to. HubSpot: dated versions are the standard since 2026-03-30.
VERSION: Final = "2026-03"
OBJECTS: Final = f"/crm/objects/{VERSION}"
PROPERTIES: Final = f"/crm/properties/{VERSION}"
ASSOCIATIONS: Final = f"/crm/associations/{VERSION}"
OWNERS: Final = f"/crm/owners/{VERSION}"
ACCOUNT: Final = f"/account-info/{VERSION}/details"
USAGE: Final = f"/account-info/{VERSION}/api-usage/daily/private-apps"
#: Paths of the legacy API.
ENGAGEMENTS_V1: Final = "/engagements/v1/engagements"
DISPOSITIONS: Final = "/calling/v1/dispositions"
#: What the embedded sandbox says about itself; asked for on loopback only.
SANDBOX: Final = "/__sandbox"

#: The property of ours that carries the import key on each of the five types.
KEY_PROPERTY: Final = "etl_import_key"

#: Inputs of one batch create or batch read, and values of one `IN` filter.
MAX_BATCH: Final = 100
#: Inputs of one batch read of associations.
MAX_ASSOCIATIONS: Final = 1000
#: Results of one search page, and of one search query in all its pages.
MAX_PAGE, MAX_FOUND = 200, 10_000
#: Owners of one page.
MAX_OWNERS: Final = 500
#: Engagements of one page: `recent/modified` and `associated` (100), `paged` (250, where others saw errors: 190).
MAX_PAGE_V1, MAX_PAGED_V1 = 100, 190

#: engagement type -> object type
OBJECT_TYPES: dict[EngagementType, str] = {
    "CALL": "calls",
    "EMAIL": "emails",
    "MEETING": "meetings",
    "NOTE": "notes",
    "TASK": "tasks",
}

#: engagement type -> field of v1 `metadata` -> property. An e-mail's addresses travel in `hs_email_headers` instead.
METADATA: dict[EngagementType, dict[str, str]] = {
    "CALL": {
        "title": "hs_call_title",
        "body": "hs_call_body",
        "toNumber": "hs_call_to_number",
        "fromNumber": "hs_call_from_number",
        "status": "hs_call_status",
        "durationMilliseconds": "hs_call_duration",
        "recordingUrl": "hs_call_recording_url",
        "disposition": "hs_call_disposition",
        "externalId": "hs_call_external_id",
        "externalAccountId": "hs_call_external_account_id",
        "direction": "hs_call_direction",
    },
    "EMAIL": {
        "subject": "hs_email_subject",
        "html": "hs_email_html",
        "text": "hs_email_text",
        "status": "hs_email_status",
        "direction": "hs_email_direction",
        "messageId": "hs_email_message_id",
        "threadId": "hs_email_thread_id",
    },
    "MEETING": {
        "title": "hs_meeting_title",
        "body": "hs_meeting_body",
        "startTime": "hs_meeting_start_time",
        "endTime": "hs_meeting_end_time",
        "internalMeetingNotes": "hs_internal_meeting_notes",
        "meetingOutcome": "hs_meeting_outcome",
        "externalUrl": "hs_meeting_external_url",
        "location": "hs_meeting_location",
        "iCalUid": "hs_i_cal_uid",  # in public lists of the properties of meetings; no guide names it
        "attendeeOwnerIds": "hs_attendee_owner_ids",
    },
    "NOTE": {"body": "hs_note_body"},
    "TASK": {
        "subject": "hs_task_subject",
        "body": "hs_task_body",
        "status": "hs_task_status",
        "forObjectType": "hs_task_for_object_type",
        "taskType": "hs_task_type",
        "priority": "hs_task_priority",
        "reminders": "hs_task_reminders",
        "sendDefaultReminder": "hs_task_send_default_reminder",
        "isAllDay": "hs_task_is_all_day",
    },
}

#: Fields of an e-mail's `metadata` that stand in the JSON text of `hs_email_headers`.
HEADER_FIELDS = ("from", "sender", "to", "cc", "bcc")

#: engagement type -> kind of link -> association type id, category HUBSPOT_DEFINED. HubSpot: enums of its Python and
#: Node clients. An id of another pair is not reliably refused, it links nothing: so none but these are ever sent.
ASSOCIATION_IDS: dict[EngagementType, dict[LinkKind, int]] = {
    "CALL": {"contacts": 194, "companies": 182, "deals": 206, "tickets": 220},
    "EMAIL": {"contacts": 198, "companies": 186, "deals": 210, "tickets": 224},
    "MEETING": {"contacts": 200, "companies": 188, "deals": 212, "tickets": 226},
    "NOTE": {"contacts": 202, "companies": 190, "deals": 214, "tickets": 228},
    "TASK": {"contacts": 204, "companies": 192, "deals": 216, "tickets": 230},
}
#: The type of the link from a contact to its primary company.
PRIMARY_COMPANY: Final = 1

#: kind of link -> list in the v1 payload's `associations`
ASSOCIATIONS_V1: dict[LinkKind, str] = {
    "contacts": "contactIds",
    "companies": "companyIds",
    "deals": "dealIds",
    "tickets": "ticketIds",
}
#: kind of link -> object type in the v1 path `associated/:objectType/:objectId/paged`, in the order of preference.
ANCHORS_V1: dict[LinkKind, str] = {"contacts": "CONTACT", "companies": "COMPANY", "deals": "DEAL"}
