"""Values and bodies for the request fuzzer: valid ones, and what can be done to them.

Apart from the fuzzer, since damage to JSON is a trade of its own: a body is damaged as a tree, then as text, then as bytes.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Final

from hypothesis import strategies as st

#: Texts for paths, queries and values.
TEXTS: Final = [
    "", " ", "0", "-1", "00", "1.5", "1e400", "-inf", "nan", "²", "٣", "--5", "0x10", "9" * 18, "9" * 25, "9" * 5000, "\0", "a\0b",
    "\u202e", "\N{PILE OF POO}", "é" * 300, "x" * 3000, "null", "true", "<b>&\"'", "'; DROP TABLE engagement; --", '$."x"', "%", "*",
    "../../etc/passwd", "2026-13-45T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1970-01-01", "12:00",
    "paged", "batch", "{}", "[1]", '{"from":5,"to":[1]}', '{"to":{}}', "Ann <ann@example.com>", "a@b", "@", "engagements", "id",
]  # fmt: skip
_QUOTED: Final = [json.dumps(text) for text in TEXTS]
#: What can stand where JSON stands, as JSON text; the last are no JSON.
JSON_TEXTS: Final = [
    "null", "true", "false", "0", "-1", "1.5", "-0.0", "1e300", "4e18", "[]", "{}", "[null]", "[[]]", "[{}]",
    '[""]', "[1,2]", '{"id":[]}', '{"id":{"id":1}}', '{"a":1,"a":2}', "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "18446744073709551615", "18446744073709551616", "253402300799999", "253402300800000", "-62135596800001", "1" * 400,
    json.dumps("x" * 65_537), "[" * 200 + "]" * 200, "[" * 5000 + "]" * 5000, '{"a":' * 260 + "1" + "}" * 260, '{"a":' * 1200 + "1" + "}" * 1200,
    '"\\ud800"', '"\\udc00\\ud800"', '"\x01"', "NaN", "Infinity", "1e999", "-1e999", "01", "'a'", "undefined", "",
]  # fmt: skip

WHEN: Final = "2026-03-01T09:30:00Z"
_LINK: Final = {"to": {"id": "1"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]}
_V1_LINKS: Final = {"contactIds": [1], "companyIds": [11], "dealIds": [21], "ownerIds": [], "ticketIds": []}
#: object type -> properties
_PROPERTIES: Final[dict[str, dict[str, Any]]] = {
    "calls": {"hs_timestamp": WHEN, "hs_call_title": "t", "hs_call_duration": "1000", "hs_call_body": "b",
              "hs_call_callee_object_id": "1", "hs_call_status": "BUSY", "hs_attachment_ids": "1"},
    "emails": {"hs_timestamp": "1772357400000", "hs_email_direction": "EMAIL", "hs_email_subject": "s", "hs_email_html": "<p>h</p>",
               "hs_email_headers": '{"from":{"email":"a@example.com"},"to":[{"email":"b@example.com"}]}'},
    "meetings": {"hs_meeting_start_time": WHEN, "hs_meeting_end_time": WHEN, "hs_attendee_owner_ids": "31", "hs_meeting_body": "b"},
    "tasks": {"hs_timestamp": WHEN, "hs_task_reminders": "1772357400000", "hs_task_is_all_day": "true", "hs_task_completion_date": WHEN},
    "notes": {"hs_timestamp": WHEN, "hs_note_body": "<p>b</p>", "hs_attachment_ids": "1;2", "hubspot_owner_id": "31", "hs_unique_id": "u"},
    "contacts": {"email": "a@example.com", "phone": "+1 509 555 0101", "mobilephone": "5", "firstname": "f"},
    "companies": {"name": "n", "domain": "example.com"}, "deals": {"dealname": "d", "amount": "1"}, "tickets": {"subject": "s"},
}  # fmt: skip
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "CALL": {"toNumber": "1", "status": "COMPLETED", "durationMilliseconds": 1000, "body": "b", "calleeObjectId": 1},
    "EMAIL": {"from": {"email": "a@example.com", "firstName": "A"}, "to": [{"email": "b@example.com"}], "cc": [], "bcc": [],
              "subject": "s", "html": "<p>h</p>", "text": "t"},
    "MEETING": {"title": "t", "body": "b", "startTime": 1_772_357_400_000, "endTime": 1_772_361_000_000, "attendeeOwnerIds": [31]},
    "NOTE": {"body": "b"},
    "TASK": {"subject": "s", "body": "b", "status": "NOT_STARTED", "forObjectType": "CONTACT", "reminders": [1_772_357_400_000],
             "isAllDay": False, "completionDate": 1_772_357_400_000},
}  # fmt: skip
_ENGAGEMENTS: Final = [
    {"engagement": {"type": kind, "timestamp": 1_772_357_400_000, "ownerId": 31, "uid": "u", "active": True},
     "associations": _V1_LINKS, "attachments": [{"id": 1}], "metadata": metadata}
    for kind, metadata in _METADATA.items()
]  # fmt: skip
_FILTERS: Final = [
    {"propertyName": "email", "operator": "IN", "values": ["a@example.com"]}, {"propertyName": "hs_timestamp", "operator": "GT", "value": "1"},
    {"propertyName": "hs_call_duration", "operator": "BETWEEN", "value": "1", "highValue": "2"},
    {"propertyName": "hs_object_id", "operator": "EQ", "value": "1"}, {"propertyName": "name", "operator": "CONTAINS_TOKEN", "value": "a*"},
]  # fmt: skip
_SEARCHES: Final = [
    {"filterGroups": [{"filters": [f]}], "limit": 5, "after": "0", "properties": ["email"], "query": "a",
     "sorts": [{"propertyName": "hs_createdate", "direction": "DESCENDING"}]}
    for f in _FILTERS
]  # fmt: skip
_READ: Final = {"inputs": [{"id": "1"}, {"id": "a@example.com"}], "properties": ["email"], "idProperty": "email"}
_PROPERTY: Final = {"name": "import_key", "label": "L", "type": "string", "fieldType": "text", "groupName": "g", "hasUniqueValue": True,
                    "options": [{"label": "a", "value": "a"}]}  # fmt: skip
_ENDS: Final = {"inputs": [{"from": {"id": "1"}, "to": {"id": "21"}, "types": _LINK["types"]}]}
_FORM: Final = b"".join([  # of multipart/form-data
    b'--x\r\nContent-Disposition: form-data; name="folderPath"\r\n\r\n/a/b\r\n',
    b'--x\r\nContent-Disposition: form-data; name="options"\r\n\r\n{"access": "PRIVATE"}\r\n',
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--x--\r\n',
])  # fmt: skip


def valid(template: str, object_type: str) -> list[Any]:
    """Bodies that would do at a route, whose `{type}` stands for this one."""
    own = _PROPERTIES.get(object_type, {})
    one = {"properties": own, "associations": [_LINK]}
    if "/properties" in template:
        return [_PROPERTY]
    if template.startswith("/engagements"):
        return _ENGAGEMENTS
    if template.startswith("/files"):
        return [_FORM]
    if template.startswith("/companies"):
        return [
            {"limit": 2, "requestOptions": {"properties": ["domain"]}, "offset": {"isPrimary": True, "companyId": 0}}
        ]
    if "{from_type}" in template:
        return [_ENDS, _READ]
    return {
        "create": [{"inputs": [one | {"objectWriteTraceId": "a"}]}, {"inputs": [one, one]}],
        "upsert": [{"inputs": [{"id": "k", "idProperty": "import_key", "properties": own, "objectWriteTraceId": "a"}]}],
        "update": [{"inputs": [{"id": str(20_000_000_001 + n), "properties": own}]} for n in range(50)],
        "read": [_READ, {"inputs": [{"id": "1"}, {"id": "2"}]}],
        "archive": [{"inputs": [{"id": "20000000003"}]}],
        "search": _SEARCHES,
    }.get(template.rpartition("/")[2], [one, _LINK["types"]])


@st.composite
def bodies(draw: st.DrawFn, some: list[Any]) -> bytes:
    """The bytes of a body: one of these, damaged up to three times as a tree, sometimes once more as bytes."""
    tree = [copy.deepcopy(draw(st.sampled_from(some)))]  # in a list, so that the whole can be replaced too
    if isinstance(tree[0], bytes):
        return _damaged(draw, tree[0]) if draw(st.booleans()) else tree[0]
    raw: list[str] = []
    for _ in range(draw(st.integers(0, 3))):
        _damage(draw, tree, raw)
    text = json.dumps(tree[0]) if tree else ""
    for number, token in enumerate(raw):
        text = text.replace(f'"@{number}@"', token, max(1, 500_000 // (len(token) + 1)))  # no body of hundreds of MB
    content = text.encode()
    return _damaged(draw, content) if draw(st.integers(0, 9)) == 9 else content


def _damage(draw: st.DrawFn, tree: list[Any], raw: list[str]) -> None:
    """Does something to one place of the tree. A place that becomes JSON text holds its number in `raw`."""
    places = list(_places(tree))
    inside, at = places[draw(st.integers(0, len(places) - 1))]
    how = draw(st.sampled_from(["replace", "replace", "replace", "name", "drop", "many", "double"]))
    if how == "name" and isinstance(inside, dict):
        inside[draw(st.sampled_from(TEXTS))] = inside.pop(at)
    elif how == "drop" and isinstance(inside, dict):
        del inside[at]
    elif how in {"many", "double"} and isinstance(inside, list) and inside is not tree and len(str(tree)) < 5000:
        inside.extend([inside[at]] * (1 if how == "double" else draw(st.sampled_from([99, 100, 1000, 10_000]))))
    else:
        text = isinstance(inside[at], str) and draw(st.booleans())  # half of the texts become other texts
        raw.append(draw(st.sampled_from(_QUOTED if text else JSON_TEXTS)))
        inside[at] = f"@{len(raw) - 1}@"


def _places(tree: Any) -> Any:
    """Every place of a tree, as its container and the key there; of a long list only the first elements."""
    keys = list(tree) if isinstance(tree, dict) else range(min(len(tree), 5)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def _damaged(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, min(len(content), 300)))
    how = draw(st.sampled_from(["cut", "insert", "twice", "bom", "utf-16", "empty", "key"]))
    odd = draw(st.sampled_from([b"\xff", b"\0", b'"', b"}", b",", b"\\u12", b"\xed\xa0\x80"]))
    return {
        "cut": content[:at], "insert": content[:at] + odd + content[at:], "twice": content * 2, "bom": b"\xef\xbb\xbf" + content,
        "utf-16": content.decode().encode("utf-16"), "empty": b"", "key": content.replace(b"{", b'{"inputs":[],"engagement":{},', 1),
    }[how]  # fmt: skip
