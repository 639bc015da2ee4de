"""Every answer's shape: which keys it has, of which types, and which headers come with it.

One table: a request, its status, and the shape of its answer, in the order of the API's sections. `{note}` and the like
in a path are ids of engagements that were there before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.conftest import sandbox_process
from tests.sandbox.shapes import (
    DETAILS,
    FAR_END,
    FILE,
    OPTION,
    OWNER,
    PROPERTY,
    USAGE,
    UUID,
    assert_body,
    batch,
    error,
    invalid,
    paged,
    part,
    stored,
    v1,
)

WHEN, WHEN_MS = "2026-03-01T09:30:00Z", 1_772_357_400_000
BUSY, KNOWN, UNKNOWN = "9d9162e7-6cf3-4944-bf63-4dff82258764", "contact1@customer.example", "nobody@example.com"


class Row(NamedTuple):
    """A request, its status, and the shape of its answer; None: an empty one."""

    method: str
    path: str
    body: Any
    status: int
    shape: Any


def get(path: str, status: int, shape: Any) -> Row:
    return Row("GET", path, None, status, shape)


def post(path: str, body: Any, status: int, shape: Any) -> Row:
    return Row("POST", path, body, status, shape)


# -- 1: legacy v1 -----------------------------------------------------------------------------------------------------

V1 = "/engagements/v1/engagements"
NOTE = v1("NOTE", {"body": str})
TASK_DATA = {"body": "About the offer", "status": "NOT_STARTED", "forObjectType": "OWNER", "subject": "Call back",
             "taskType": "TODO", "reminders": [WHEN_MS], "priority": "NONE", "isAllDay": False}  # fmt: skip
EMAIL_DATA = {"from": {"email": "rita@example.com", "firstName": "Rita"}, "to": [{"email": "Carl <carl@example.org>"}],
              "cc": [], "bcc": [], "subject": "Offer", "html": "<p>Hello</p>", "text": "Hello"}  # fmt: skip
MEETING_DATA = {"title": "Kick-off", "body": "Agenda", "startTime": WHEN_MS, "endTime": WHEN_MS + 3_600_000}
CALL_DATA = {"toNumber": "5095550100", "fromNumber": "(857) 555-0101", "status": "COMPLETED", "body": "Left details",
             "durationMilliseconds": 38_000, "disposition": BUSY}  # fmt: skip
REMINDER = {"engagementId": int, "portalId": int, "engagementType": "TASK", "taskType": "REMINDER", "timestamp": int,
            "uuid": re.compile(f"TASK:{UUID.pattern}")}  # fmt: skip
TASK_BODY = {"engagement": {"type": "TASK", "ownerId": 31, "uid": "row-1"}, "associations": {"dealIds": [21, None]},
             "metadata": TASK_DATA}  # fmt: skip
TASK = v1("TASK", TASK_DATA, engagement={"ownerId": 31, "uid": "row-1"}, associations={"dealIds": [21]},
          scheduledTasks=[REMINDER])  # fmt: skip
LAST_PAGE = {"hasMore": False, "offset": int}


def create(kind: str, metadata: dict[str, Any], shape: Any) -> Row:
    return post(V1, {"engagement": {"type": kind}, "metadata": metadata}, 200, shape)


def refused(body: Any, message: str) -> Row:
    return post(V1, body, 400, error(message))


V1_ROWS = [
    create("NOTE", {"body": "Imported"}, NOTE),
    create("NOTE", {}, v1("NOTE", {}, preview=False)),
    create("EMAIL", EMAIL_DATA, v1("EMAIL", EMAIL_DATA)),
    create("MEETING", MEETING_DATA, v1("MEETING", MEETING_DATA) | {"scheduledTasks?": list}),
    create("CALL", CALL_DATA, v1("CALL", CALL_DATA)),
    post(V1, TASK_BODY, 200, TASK),
    get(f"{V1}/{{task}}", 200, TASK),
    Row("PATCH", f"{V1}/{{note}}", {"metadata": {"body": "Changed"}}, 200, NOTE),
    Row("PUT", f"{V1}/{{note}}", {"engagement": {"timestamp": WHEN_MS}}, 200, NOTE),
    Row("DELETE", f"{V1}/{{other}}", None, 204, None),
    get(f"{V1}/{{gone}}", 200, None),
    get(f"{V1}/1", 200, None),
    get(f"{V1}/paged?limit=1", 200, {"results": [dict], "hasMore": True, "offset": int}),
    get(f"{V1}/recent/modified", 200, {"results": [dict], "hasMore": bool, "offset": int, "total": int}),
    get(f"{V1}/modified/after?after=0", 200, {"results": [dict], "hasMore": bool, "after": str}),
    get(f"{V1}/associated/DEAL/21/paged", 200, {"results": [TASK]} | LAST_PAGE),
    get(f"{V1}/associated/CONTACT/2/paged", 200, {"results": []} | LAST_PAGE),
    Row("PUT", f"{V1}/{{note}}/associations/contact/1", None, 204, None),
    Row("DELETE", f"{V1}/{{note}}/associations/CONTACT/1", None, 204, None),
    get("/calling/v1/dispositions", 200, [{"id": UUID, "label": str, "deleted?": bool}]),
    get(f"{V1}/associated/FAKE_TYPE/1/paged", 400, error("Invalid enum constant 'FAKE_TYPE' for class ObjectType")),
    refused({"engagement": {}, "metadata": {}}, "Engagement type cannot be null"),
    refused({"engagement": {"type": "NOTE"}, "metadata": {}, "associations": {"dealIds": [7]}},
            "one or more associations were invalid"),
    refused({"engagement": {"type": "NOTE", "timestamp": []}, "metadata": {}},
            r"Invalid input JSON on line \d+, column \d+: Cannot deserialize value of type `.*` from Array value "
            r"\(token `JsonToken.START_ARRAY`\)"),
    refused(None, "Invalid JSON input: a request body was expected, but none found"),
]  # fmt: skip

# -- 2: the objects API -----------------------------------------------------------------------------------------------

V3, DATED = "/crm/v3/objects", "/crm/objects/2026-03"
CALLS, CALL = f"{V3}/calls", {"hs_timestamp": WHEN, "hs_call_title": "Support call", "hs_call_duration": "38000"}
ACTIVITIES = {
    "calls": CALL | {"hs_call_disposition": BUSY, "hs_call_recording_url": "https://example.com/1.mp3"},
    "emails": {"hs_timestamp": WHEN, "hs_email_direction": "INCOMING_EMAIL", "hs_email_status": "SENT",
               "hs_email_headers": '{"from":{"email":"carl@example.org"},"to":[{"email":"rep@example.com"}]}'},
    "meetings": {"hs_timestamp": WHEN, "hs_meeting_start_time": WHEN, "hs_meeting_outcome": "COMPLETED"},
    "tasks": {"hs_timestamp": WHEN, "hs_task_subject": "Call back", "hs_task_priority": "HIGH", "hs_task_type": "CALL"},
    "notes": {"hs_timestamp": WHEN, "hs_note_body": "Imported", "hs_attachment_ids": "24332474034;24332474044"},
}  # fmt: skip
TO_CONTACT = [{"to": {"id": "1"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]}]
GOOD = {"properties": CALL, "objectWriteTraceId": "a"}
BAD = {"properties": CALL | {"foo": "1"}, "objectWriteTraceId": "b"}
MADE = batch([stored(CALL, **{"objectWriteTraceId?": "a"})])
NOT_FOUND = part("OBJECT_NOT_FOUND", {"ids": [str]})
NO_FOO = part("VALIDATION_ERROR", {"objectWriteTraceId": ["b"], "propertyName?": list})
BODYLESS = {"hs_call_body": None, "hs_call_title": "Support call"}
LINKED = {"contacts": {"results": [{"id": "1", "type": "call_to_contact"}]}}
KEYED = {"idProperty": "import_key", "id": "k1", "properties": {"hs_timestamp": WHEN}}
UPSERTED = stored({"hs_timestamp": WHEN, "import_key": "k1"}, new=bool, **{"objectWriteTraceId?": str})
KEY = {"name": "import_key", "label": "Import key", "type": "string", "fieldType": "text",
       "groupName": "callinformation", "hasUniqueValue": True}  # fmt: skip
TWICE = error(
    r"Duplicate IDs found in batch input: \[1\]. IDs must be unique", "VALIDATION_ERROR", context={"ids": ["1"]}
)
NOT_UNIQUE = error(
    "Unable to perform update/upsert by non-unique 0-48 property hs_object_id in portal ID [0-9]+", "VALIDATION_ERROR"
)
NO_TYPE = {"status": "error", "message": "Unable to infer object type from: butterflies", "correlationId": UUID}


def wrong_value(object_type: str, name: str, value: str, code: str) -> Row:
    return post(
        f"{V3}/{object_type}", {"properties": ACTIVITIES.get(object_type, {}) | {name: value}}, 400, invalid(name, code)
    )


OBJECT_ROWS = [
    *(post(f"{V3}/{t}", {"properties": own, "associations": []}, 201, stored(own)) for t, own in ACTIVITIES.items()),
    post(f"{DATED}/calls/batch/create", {"inputs": [GOOD | {"associations": TO_CONTACT}]}, 201, MADE),
    post(f"{DATED}/calls/batch/create", {"inputs": [GOOD, BAD]}, 207, batch(MADE["results"], NO_FOO)),
    post(f"{CALLS}/batch/create", {"inputs": [BAD, BAD]}, 400, error(".*", "VALIDATION_ERROR", errors=[dict])),
    post(f"{CALLS}/batch/create", {"inputs": [{"properties": CALL}] * 101}, 400, error(".*100.*", "VALIDATION_ERROR")),
    get(f"{CALLS}/{{call}}?properties=hs_call_body,nope,hs_call_title", 200, stored(BODYLESS)),
    get(f"{CALLS}/{{call}}?properties=hs_call_title&properties=hs_call_body", 200, stored(BODYLESS)),
    get(f"{CALLS}/{{call}}?associations=contacts,deals", 200, stored({}, associations=LINKED)),
    get(f"{CALLS}?limit=1", 200, paged([stored({})], str)),
    Row("PATCH", f"{CALLS}/{{other_call}}", {"properties": {"hs_call_status": "BUSY"}}, 200, stored(CALL | {"hs_call_status": "BUSY"})),
    Row("DELETE", f"{CALLS}/1", None, 204, None),
    get(f"{CALLS}/1", 404, error(".*", "OBJECT_NOT_FOUND", **{"context?": dict})),
    post(f"{CALLS}/batch/read", {"inputs": [{"id": "1"}], "properties": []}, 207, batch([], NOT_FOUND)),
    post(f"{CALLS}/batch/read", {"inputs": [{"id": "1"}] * 2}, 400, TWICE),
    post(f"{CALLS}/batch/update", {"inputs": [{"id": "1", "properties": {}}]}, 207, batch([], NOT_FOUND)),
    post(f"{CALLS}/batch/archive", {"inputs": [{"id": "1"}]}, 204, None),
    post("/crm/v3/properties/tasks", KEY, 201, PROPERTY | {"options": [], "hasUniqueValue": True}),
    post("/crm/v3/properties/calls", KEY, 409, error(".*already exists.*")),
    post(f"{DATED}/calls/batch/upsert", {"inputs": [KEYED]}, 200, batch([UPSERTED | {"new": False}])),
    post(f"{DATED}/calls/batch/upsert", {"inputs": [KEYED | {"id": "k2"}]}, 200, batch([dict])),
    post(f"{DATED}/calls/batch/upsert", {"inputs": [KEYED | {"idProperty": "hs_object_id"}]}, 400, NOT_UNIQUE),
    wrong_value("calls", "import_key", "k1", "UNIQUE_VALUE_CONFLICT"),
    wrong_value("calls", "foo", "1", "PROPERTY_DOESNT_EXIST"),
    wrong_value("calls", "hs_call_status", "GONE", "INVALID_OPTION"),
    wrong_value("calls", "hs_call_duration", "asd000", "INVALID_LONG"),
    wrong_value("calls", "hubspot_owner_id", "7", "INVALID_OWNER_ID"),
    wrong_value("contacts", "email", "nobody", "INVALID_EMAIL"),
    wrong_value("emails", "hs_email_headers", "{", "INVALID_JSON"),
    post(f"{V3}/engagements", {"properties": CALL}, 400, error("Object type ENGAGEMENT is not supported by this endpoint")),
    post(f"{V3}/butterflies/search", {}, 400, NO_TYPE),
]  # fmt: skip

# -- 3: look-ups, and 4.6: the account --------------------------------------------------------------------------------

CONTACTS, LINKS = f"{V3}/contacts", "contacts/companies/batch/read"
BY_EMAIL = {"idProperty": "email", "properties": ["email"]}
CONTACT = stored({"email": str | None, "firstname": str | None, "lastname": str | None}, crm=True)
EMAIL_ONLY = stored({"email": str}, crm=True)
TAKEN = part("CONFLICT", {"objectWriteTraceId": ["0"], "existingId": ["1"]})
NO_LINKS = part("OBJECT_NOT_FOUND", {str: [str]}, subCategory="crm.associations.NO_ASSOCIATIONS_FOUND")
NO_CONTACT = error(
    "contact does not exist", "OBJECT_NOT_FOUND", errors=[{"message": f"The contact e:{UNKNOWN} does not exist."}]
)


def find(email: str) -> dict[str, Any]:
    return {
        "filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": email}]}],
        "properties": ["email"],
    }


LOOKUP_ROWS = [
    post(f"{CONTACTS}/batch/read", BY_EMAIL | {"inputs": [{"id": KNOWN}]}, 200, batch([EMAIL_ONLY])),
    post(f"{CONTACTS}/batch/read", BY_EMAIL | {"inputs": [{"id": UNKNOWN}]}, 207, batch([], NOT_FOUND)),
    get(f"{CONTACTS}?limit=1", 200, paged([CONTACT], "1")),
    get(f"{CONTACTS}?after=1", 200, {"results": [CONTACT]}),
    post(f"{CONTACTS}/search", find(UNKNOWN), 200, {"total": 0, "results": []}),
    post(f"{CONTACTS}/search", find(KNOWN), 200, {"total": 1, "results": [EMAIL_ONLY]}),
    post(f"{CONTACTS}/search", {"limit": 1}, 200, {"total": int} | paged([CONTACT], "1")),
    post(CONTACTS, {"properties": {"email": KNOWN}}, 409, error("Contact already exists. Existing ID: 1", "CONFLICT")),
    post(f"{CONTACTS}/batch/create", {"inputs": [{"properties": {"email": KNOWN}}]}, 409, error("Contact already exists", "CONFLICT")),
    post(f"{CONTACTS}/batch/create", {"inputs": [{"properties": {"email": KNOWN}, "objectWriteTraceId": "0"}]}, 207, batch([], TAKEN)),
    get(f"/contacts/v1/contact/email/{UNKNOWN}/profile", 404, NO_CONTACT),
    post(f"/crm/v4/associations/{LINKS}", {"inputs": [{"id": "1"}]}, 200, batch([{"from": {"id": "1"}, "to": [FAR_END]}])),
    post(f"/crm/associations/2026-03/{LINKS}", {"inputs": [{"id": "2"}]}, 207, batch([], NO_LINKS)),
    get("/crm/v3/owners", 200, {"results": [OWNER]}),
    get("/crm/v3/owners/", 200, {"results": [OWNER]}),
    get("/crm/owners/2026-03/31", 200, OWNER),
    get(f"/crm/v3/owners?email={UNKNOWN}", 200, {"results": []}),
    get("/crm/v3/properties/calls", 200, {"results": [PROPERTY]}),
    get("/crm/properties/2026-03/tasks/hs_task_priority", 200, PROPERTY | {"options": [OPTION]}),
    get("/account-info/v3/details", 200, DETAILS),
    get("/account-info/v3/api-usage/daily/private-apps", 200, {"results": [USAGE]}),
    get("/account-info/2026-03/api-usage/daily/private-apps", 200, {"results": [USAGE]}),
]  # fmt: skip
ROWS = [*V1_ROWS, *OBJECT_ROWS, *LOOKUP_ROWS]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One sandbox for the whole table."""
    with (
        sandbox_process(tmp_path_factory.mktemp("shapes") / "sandbox", "--index-lag", "0") as url,
        httpx.Client(base_url=url, headers={"Authorization": "Bearer pat-na1-made-up"}) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def ids(api: httpx.Client) -> dict[str, str]:
    """What paths name in braces."""
    note = {"engagement": {"type": "NOTE"}, "metadata": {"body": "hello"}}
    made = {name: api.post(V1, json=note).json()["engagement"]["id"] for name in ("note", "other", "gone")}
    made["task"] = api.post(V1, json=TASK_BODY).json()["engagement"]["id"]
    for name in ("call", "other_call"):
        made[name] = api.post(CALLS, json={"properties": CALL, "associations": TO_CONTACT}).json()["id"]
    assert api.delete(f"{V1}/{made['gone']}").status_code == 204
    assert api.post("/crm/v3/properties/calls", json=KEY).status_code == 201
    assert api.post(f"{CALLS}/batch/upsert", json={"inputs": [KEYED]}).status_code == 200
    return {name: str(value) for name, value in made.items()}


@pytest.mark.parametrize("row", ROWS, ids=[f"{n:02} {r.method} {r.path} {r.status}" for n, r in enumerate(ROWS)])
def test_an_answer_has_its_status_its_shape_and_its_headers(api, ids, row):
    answer = api.request(row.method, row.path.format(**ids), **({} if row.body is None else {"json": row.body}))

    assert answer.status_code == row.status, answer.text
    assert_body(answer, row.shape)
    told = {n.removeprefix("x-hubspot-ratelimit-") for n in answer.headers if n.startswith("x-hubspot-ratelimit-")}
    window = {"interval-milliseconds", "max", "remaining", "secondly", "secondly-remaining"}
    assert told == {"daily", "daily-remaining"} | (set() if row.path.endswith("/search") else window)


def test_an_uploaded_file(api):
    form = {"folderPath": "/imported", "options": '{"access":"PRIVATE"}'}

    answer = api.post("/files/v3/files", files={"file": ("offer.txt", b"An offer")}, data=form)

    assert answer.status_code == 201
    assert_body(answer, FILE | {"name": "offer", "extension": "txt", "size": 8, "access": "PRIVATE"})
