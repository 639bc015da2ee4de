"""The objects wire: what it sends for a row, and what it takes from odd answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from etl.flow import Engagement, Links, Outcome
from etl.hubspot.names import KEY_PROPERTY
from etl.hubspot.objects import ObjectsTarget, batch
from etl.hubspot.properties import properties
from tests.hubspot.conftest import Handler, row, sent_json

Make = Callable[[Handler], ObjectsTarget]
A, B, C = "a" * 26, "b" * 26, "c" * 26


def created(key: str, remote_id: Any, **more: Any) -> dict[str, Any]:
    return {"id": remote_id, "properties": {KEY_PROPERTY: key}, **more}


def failed(*keys: str, category: str = "VALIDATION_ERROR", message: str = "No", **more: Any) -> dict[str, Any]:
    return {"category": category, "message": message, "context": {"objectWriteTraceId": list(keys)}, **more}


def sent(objects: Make, status: int, body: Any, *keys: str) -> dict[str, Outcome]:
    target = objects(lambda request: httpx.Response(status, json=body))
    outcomes = asyncio.run(target.create([row(key) for key in keys])).outcomes
    assert [o.key for o in outcomes] == list(keys)
    return {o.key: o for o in outcomes}


def states(outcomes: dict[str, Outcome]) -> list[str]:
    return [o.state for o in outcomes.values()]


# -- what is sent


def test_a_batch_names_each_row_by_its_key_and_links_it_by_the_ids_of_its_type():
    links = Links("7", ("101", "102"), ("201",), ("301",), ("401",))

    (call,) = orjson.loads(batch([row(A, links=links)]))["inputs"]
    (task,) = orjson.loads(batch([row(B, "TASK", links=links)]))["inputs"]

    assert call["objectWriteTraceId"] == call["properties"][KEY_PROPERTY] == A
    assert call["properties"]["hubspot_owner_id"] == "7"
    assert [(a["to"]["id"], a["types"][0]["associationTypeId"]) for a in call["associations"]] == [
        ("101", 194), ("102", 194), ("201", 182), ("301", 206), ("401", 220),
    ]  # fmt: skip
    assert [a["types"][0]["associationTypeId"] for a in task["associations"]] == [204, 204, 192, 216, 230]


def test_every_property_is_a_string():
    metadata = {
        "toNumber": "+15555550100",
        "durationMilliseconds": 38000,
        "status": "COMPLETED",
        "direction": "INBOUND",
    }

    assert properties(row(A, metadata=metadata, attachments=[{"id": 1}, {"id": 22}])) == {
        "hs_call_to_number": "+15555550100",
        "hs_call_duration": "38000",
        "hs_call_status": "COMPLETED",
        "hs_call_direction": "INBOUND",
        "hs_timestamp": "1763759106000",
        "hs_attachment_ids": "1;22",
        KEY_PROPERTY: A,
    }


def test_the_addresses_of_an_email_travel_as_json_text():
    metadata = {
        "from": {"email": "rita@example.com", "firstName": "Rita"},
        "to": [{"email": "carl@example.org"}],
        "subject": "Offer",
    }

    sent = properties(row(A, "EMAIL", metadata=metadata))

    assert sent["hs_email_direction"] == "EMAIL"
    assert sent["hs_email_subject"] == "Offer"
    assert json.loads(sent["hs_email_headers"]) == {**{k: metadata[k] for k in ("from", "to")}, "cc": [], "bcc": []}


def test_an_email_keeps_its_direction_and_has_no_headers_without_addresses():
    sent = properties(row(A, "EMAIL", metadata={"direction": "INCOMING_EMAIL", "text": "Hello"}))

    assert sent["hs_email_direction"] == "INCOMING_EMAIL"
    assert "hs_email_headers" not in sent


def test_lists_truth_values_and_times_are_written_as_hubspot_does():
    task = properties(row(A, "TASK", metadata={"subject": "Call", "reminders": [1, 2], "isAllDay": False}))
    meeting = properties(row(B, "MEETING", metadata={"startTime": 5, "endTime": 6, "attendeeOwnerIds": [7, 8]}))

    assert (task["hs_task_reminders"], task["hs_task_is_all_day"]) == ("1;2", "false")
    assert (meeting["hs_meeting_start_time"], meeting["hs_attendee_owner_ids"]) == ("5", "7;8")


def test_properties_of_the_mapping_come_on_top_but_never_replace_the_key():
    extra = {"hs_activity_type": "Support", "custom_score": 7, "empty": None, KEY_PROPERTY: "forged"}

    sent = properties(row(A, properties=extra))

    assert (sent["hs_activity_type"], sent["custom_score"], sent[KEY_PROPERTY]) == ("Support", "7", A)
    assert "empty" not in sent


# -- what is taken from answers


def test_results_in_any_order_are_matched_by_key(objects: Make):
    outcomes = sent(objects, 201, {"results": [created(C, "3"), created(A, "1"), created(B, "2")]}, A, B, C)

    assert [(o.state, o.remote_id) for o in outcomes.values()] == [("created", "1"), ("created", "2"), ("created", "3")]


def test_a_row_that_is_in_neither_list_of_a_207_is_unknown(objects: Make):
    outcomes = sent(objects, 207, {"results": [created(A, "1")], "errors": [failed(B)]}, A, B, C)

    assert states(outcomes) == ["created", "rejected", "unknown"]


def test_a_row_that_is_in_both_lists_is_unknown(objects: Make):
    assert states(sent(objects, 207, {"results": [created(A, "1")], "errors": [failed(A)]}, A)) == ["unknown"]


@pytest.mark.parametrize("remote_id", [None, "", "abc", 1.5e20, {}, "-1"])
def test_a_result_without_an_id_is_unknown_not_created(objects: Make, remote_id: Any):
    assert states(sent(objects, 201, {"results": [created(A, remote_id)]}, A)) == ["unknown"]


def test_a_result_without_our_key_names_no_row_even_if_it_is_the_only_one(objects: Make):
    assert states(sent(objects, 201, {"results": [{"id": "1", "properties": {}}]}, A)) == ["unknown"]


def test_an_echoed_trace_id_serves_where_the_property_is_not_answered(objects: Make):
    outcomes = sent(objects, 201, {"results": [{"id": "1", "properties": {}, "objectWriteTraceId": A}]}, A)

    assert outcomes[A].remote_id == "1"


def test_a_trace_id_and_a_property_that_differ_are_unknown_for_both(objects: Make):
    assert states(sent(objects, 201, {"results": [created(A, "1", objectWriteTraceId=B)]}, A, B)) == ["unknown"] * 2


def test_two_results_for_one_row_and_one_id_for_two_rows_are_unknown(objects: Make):
    assert states(sent(objects, 201, {"results": [created(A, "1"), created(A, "2")]}, A)) == ["unknown"]
    assert states(sent(objects, 201, {"results": [created(A, "1"), created(B, "1")]}, A, B)) == ["unknown"] * 2


def test_a_201_with_errors_is_read_row_by_row(objects: Make):
    target = objects(lambda request: httpx.Response(201, json={"results": [created(A, "1")], "errors": [failed(B)]}))

    outcomes, verdict = asyncio.run(target.create([row(A), row(B)]))

    assert verdict.next == "per_row"
    assert [o.state for o in outcomes] == ["created", "rejected"]


def test_one_error_can_name_several_rows_and_one_row_can_have_several_errors(objects: Make):
    errors = [failed(A, B, message="first"), failed(B, message="second")]

    outcomes = sent(objects, 207, {"results": [], "errors": errors}, A, B)

    assert states(outcomes) == ["rejected", "rejected"]
    assert outcomes[B].reason == "first; second"


@pytest.mark.parametrize(
    "error",
    [
        failed(A, category="CONFLICT"),
        failed(A, category="INTERNAL_ERROR"),
        failed(A, category=""),
        failed(A, message=f"Cannot set {KEY_PROPERTY}. 77 already has that value."),
    ],
)
def test_an_error_that_does_not_prove_a_refusal_is_unknown(objects: Make, error: dict[str, Any]):
    assert states(sent(objects, 207, {"results": [], "errors": [error]}, A)) == ["unknown"]


@pytest.mark.parametrize("body", [[], {}, {"results": None}, {"results": [None, 5]}, {"results": {}, "errors": "x"}])
def test_an_answer_of_any_shape_leaves_the_rows_unknown(objects: Make, body: Any):
    assert states(sent(objects, 201, body, A, B)) == ["unknown", "unknown"]


def test_an_error_that_names_no_row_leaves_the_rows_unknown(objects: Make):
    body = {"results": [], "errors": [{"category": "VALIDATION_ERROR", "context": {"ids": ["1"]}}, {"context": None}]}

    assert states(sent(objects, 207, body, A)) == ["unknown"]


def test_a_refused_batch_is_to_be_split_and_one_refused_row_is_rejected(objects: Make):
    body = {"category": "VALIDATION_ERROR", "message": "bad"}
    target = objects(lambda request: httpx.Response(400, json=body))

    several, alone = asyncio.run(target.create([row(A), row(B)])), asyncio.run(target.create([row(A)]))

    assert (several.verdict.next, {o.state for o in several.outcomes}) == ("split", {"unknown"})
    assert (alone.verdict.next, alone.outcomes[0].state) == ("refused", "rejected")
    assert "bad" in alone.outcomes[0].reason


# -- prepare and find


def account(listed: dict[str, Any], *, allow_unique: bool) -> tuple[Handler, list[tuple[str, str]]]:
    """An account with properties; the second value logs (method, path)."""
    log = []

    def handler(request: httpx.Request) -> httpx.Response:
        log.append((request.method, request.url.path))
        if request.method == "GET":
            return httpx.Response(200, json={"results": [{"name": "hs_timestamp", "groupName": "g"}, *listed.values()]})
        made = sent_json(request)
        if made["hasUniqueValue"] and not allow_unique:
            return httpx.Response(400, json={"message": "cannot be unique", "category": "VALIDATION_ERROR"})
        assert made["groupName"] == "g"
        listed[KEY_PROPERTY] = made
        return httpx.Response(201, json=made)

    return handler, log


@pytest.mark.parametrize("allow_unique", [True, False])
def test_preparing_makes_the_key_property_unique_where_the_account_allows_it(objects: Make, allow_unique: bool):
    handler, _ = account({}, allow_unique=allow_unique)
    target = objects(handler)

    asyncio.run(target.prepare())

    assert target.finds_by_key == dict.fromkeys(["CALL", "EMAIL", "MEETING", "NOTE", "TASK"], allow_unique)


def test_preparing_again_makes_nothing(objects: Make):
    handler, log = account({KEY_PROPERTY: {"name": KEY_PROPERTY, "hasUniqueValue": False}}, allow_unique=True)
    target = objects(handler)

    asyncio.run(target.prepare())

    assert {method for method, _ in log} == {"GET"}
    assert not any(target.finds_by_key.values())


def test_preparing_without_the_scope_ends_the_run_and_names_it(objects: Make):
    from etl.errors import TokenError

    body = {"category": "MISSING_SCOPES", "errors": [{"context": {"requiredScopes": ["crm.schemas.custom.write"]}}]}
    target = objects(
        lambda r: httpx.Response(200, json={"results": []}) if r.method == "GET" else httpx.Response(403, json=body)
    )

    with pytest.raises(TokenError, match=r"crm\.schemas\.custom\.write"):
        asyncio.run(target.prepare())


def finding(objects: Make, unique: bool, respond: Callable[[httpx.Request], httpx.Response], rows: list[Engagement]):
    listed = {"results": [{"name": KEY_PROPERTY, "hasUniqueValue": unique}]}
    target = objects(lambda r: httpx.Response(200, json=listed) if "/properties/" in r.url.path else respond(r))
    return asyncio.run(target.find(rows))


def test_rows_are_found_by_a_unique_key_and_those_not_there_are_absent(objects: Make):
    def respond(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/calls/batch/read")
        assert sent_json(request)["idProperty"] == KEY_PROPERTY
        missing = {"category": "OBJECT_NOT_FOUND", "context": {"ids": [B]}}
        return httpx.Response(207, json={"results": [created(A, "1")], "errors": [missing], "numErrors": 1})

    assert finding(objects, True, respond, [row(A), row(B)]) == {A: ["1"]}


def test_rows_are_searched_where_keys_are_not_unique_and_every_match_is_told(objects: Make):
    pages = [
        {"total": 3, "results": [created(A, "20"), created(C, "9")], "paging": {"next": {"after": "2"}}},
        {"total": 3, "results": [created(A, "3")]},
    ]

    def respond(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/calls/search")
        return httpx.Response(200, json=pages[int(sent_json(request).get("after", 0)) // 2])

    assert finding(objects, False, respond, [row(A), row(B)]) == {A: ["3", "20"]}
