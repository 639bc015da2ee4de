"""Same or different: what HubSpot does to values by itself is no difference, and nothing else goes unnoticed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from etl.compare import Difference, differences
from etl.flow import Engagement, Links
from etl.hubspot.target import Held

TIME_MS = 1_763_759_106_000
KEY = "k" * 26
BOTH = ("objects", "objects")


def sent(type_: str = "CALL", links: Links = Links("31", ("1", "2"), ("11",)), **payload: Any) -> Engagement:  # noqa: B008
    body = {"engagement": {"active": True, "type": type_, "timestamp": TIME_MS}, "attachments": [], **payload}
    return Engagement(KEY, type_, TIME_MS, orjson.dumps(body), links)


def held(type_: str = "CALL", key: str = KEY, time_ms: int = TIME_MS, **parts: Any) -> Held:
    payload = {
        "engagement": {"id": 7, "type": type_, "timestamp": time_ms, "ownerId": 31, **parts.pop("engagement", {})},
        "associations": {"contactIds": [1, 2], "companyIds": [11], "dealIds": [], "ticketIds": []},
        "attachments": [],
        "metadata": {},
        **parts,
    }
    return Held("7", type_, key, time_ms, 1, 2, payload)


def of(type_: str, was: dict[str, Any], is_: dict[str, Any], **more: Any) -> list[str]:
    found = differences(sent(type_, metadata=was, **more), held(type_, metadata=is_), BOTH)
    return [difference.field for difference in found]


@pytest.mark.parametrize(
    ("type_", "was", "is_"),
    [
        ("CALL", {"body": "a  b\r\nc "}, {"body": "a b\nc"}),
        ("CALL", {"body": "<p>Hello&nbsp;<b>you</b></p>"}, {"body": "<div>Hello you</div>"}),
        ("CALL", {"body": "a<script>x()</script>"}, {"body": "a"}),
        ("CALL", {"durationMilliseconds": 38000}, {"durationMilliseconds": "38000"}),
        ("CALL", {"durationMilliseconds": "38000"}, {"durationMilliseconds": 38000.0}),
        ("CALL", {"recordingUrl": None, "fromNumber": ""}, {}),
        ("CALL", {"disposition": "F240BBAC-1"}, {"disposition": "f240bbac-1"}),
        ("CALL", {"body": "x"}, {"body": "x", "title": "Call with Ann", "status": "COMPLETED"}),
        ("EMAIL", {"to": [{"email": "Ann <Ann@Example.com>"}]}, {"to": [{"email": "ann@example.com", "firstName": "Ann"}]}),
        ("EMAIL", {"from": {"email": "A@example.com"}}, {"from": {"email": "a@example.com"}}),
        ("EMAIL", {"cc": []}, {}),
        ("EMAIL", {"html": "<p>x</p>"}, {"html": "<p>x</p>", "text": "x", "direction": "EMAIL"}),
        ("MEETING", {"startTime": TIME_MS, "attendeeOwnerIds": [2, 1]}, {"startTime": str(TIME_MS), "attendeeOwnerIds": ["1", "2"]}),
        ("TASK", {"subject": "x", "isAllDay": False}, {"subject": "x"}),
        ("TASK", {"subject": "x"}, {"subject": "x", "priority": "NONE", "taskType": "TODO"}),
    ],
)  # fmt: skip
def test_what_hubspot_does_to_values_is_no_difference(type_: str, was: dict[str, Any], is_: dict[str, Any]):
    assert of(type_, was, is_) == []


@pytest.mark.parametrize(
    ("type_", "field", "was", "is_"),
    [
        ("CALL", "body", "Hello", "Hallo"),
        ("CALL", "body", "<p>Hello you</p>", "<p>Hello</p>"),
        ("CALL", "body", '<a href="https://a.example">x</a>', '<a href="https://b.example">x</a>'),
        ("CALL", "body", None, "written by somebody"),
        ("CALL", "body", "gone", None),
        ("CALL", "toNumber", "+15550100", "+15550101"),
        ("CALL", "durationMilliseconds", 38000, 38001),
        ("CALL", "status", "COMPLETED", "BUSY"),
        ("CALL", "direction", "INBOUND", "OUTBOUND"),
        ("EMAIL", "to", [{"email": "a@example.com"}], [{"email": "b@example.com"}]),
        ("EMAIL", "to", [{"email": "a@example.com"}], [{"email": "a@example.com"}, {"email": "b@example.com"}]),
        ("EMAIL", "subject", "a", "b"),
        ("MEETING", "startTime", TIME_MS, TIME_MS + 1),
        ("NOTE", "body", "a", "A"),
        ("TASK", "reminders", [TIME_MS], [TIME_MS, 1]),
        ("TASK", "isAllDay", True, False),
    ],
)
def test_a_changed_field_is_named(type_: str, field: str, was: Any, is_: Any):
    assert of(type_, {field: was}, {field: is_} if is_ is not None else {}) == [f"metadata.{field}"]


def test_a_removed_link_is_named_and_an_added_one_marked_as_such():
    lists = {"contactIds": [1], "companyIds": [11, 12], "dealIds": [], "ticketIds": []}
    assert differences(sent(), held(associations=lists), BOTH) == [
        Difference("associations.contactIds", "1,2", "1"),
        Difference("associations.companyIds", "11", "11,12", added=True),
    ]


def test_type_time_owner_and_key_are_compared():
    found = differences(sent(), held("NOTE", "other", TIME_MS + 1, engagement={"ownerId": 32}), BOTH)
    assert [(d.field, d.sent, d.held) for d in found] == [
        ("engagement.type", "CALL", "NOTE"),
        ("engagement.timestamp", str(TIME_MS), str(TIME_MS + 1)),
        ("engagement.ownerId", "31", "32"),
        ("engagement.uid", KEY, "other"),
    ]


def test_attachments_are_compared_without_order():
    row = sent(attachments=[{"id": 1}, {"id": 2}])
    assert differences(row, held(attachments=[{"id": 2}, {"id": 1}]), BOTH) == []
    assert [d.field for d in differences(row, held(attachments=[{"id": 2}]), BOTH)] == ["attachments"]


def test_what_a_wire_drops_or_cannot_show_is_not_compared():
    row = sent(metadata={"direction": "INBOUND", "externalId": "c-1"}, properties={"own": "x"})
    for wires in (("v1", "objects"), ("objects", "v1")):
        assert differences(row, held(key=""), wires) == []
    assert [d.field for d in differences(row, held(), BOTH)] == [
        "metadata.externalId", "metadata.direction", "properties.own",
    ]  # fmt: skip


def test_mail_is_read_with_its_direction_as_type():
    row = sent("EMAIL", metadata={"direction": "INCOMING_EMAIL"})
    assert differences(row, held("INCOMING_EMAIL", metadata={"direction": "INCOMING_EMAIL"}), BOTH) == []
    assert [d.field for d in differences(row, held("EMAIL", metadata={"direction": "EMAIL"}), BOTH)] == [
        "metadata.direction"
    ]


@pytest.mark.parametrize(
    ("was", "is_"),
    [(38000, "38000"), ("38000", "38000.0"), (True, "true"), (["b", "a"], "a;b"), ("a;b", "b;a"),
     ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000Z"), ("2026-03-01T10:30:00+01:00", "2026-03-01T09:30:00Z")],
)  # fmt: skip
def test_a_property_of_unknown_kind_is_compared_by_what_it_says(was: Any, is_: str):
    row = sent(properties={"own": was})
    assert differences(row, held(properties={"own": is_}), BOTH) == []
    assert [d.field for d in differences(row, held(properties={"own": "else"}), BOTH)] == ["properties.own"]


def test_a_property_that_stands_for_a_field_is_compared_in_its_place():
    row = sent(metadata={"title": "from the field"}, properties={"hs_call_title": "from the property"})
    assert differences(row, held(metadata={"title": "from the property"}), BOTH) == []
    assert [d.field for d in differences(row, held(metadata={"title": "from the field"}), BOTH)] == ["metadata.title"]


@pytest.mark.parametrize("odd", [{"to": "no list"}, {"to": [None, 3]}, {"from": []}, {"html": 7}, {"status": {}}])
def test_an_answer_of_another_shape_is_a_difference_never_an_error(odd: dict[str, Any]):
    row = sent("EMAIL", metadata=dict.fromkeys(odd, "x") | {"from": {"email": "a@example.com"}})
    assert differences(row, held("EMAIL", metadata=odd), BOTH)
