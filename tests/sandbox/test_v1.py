"""Legacy v1 as its recorded answers show it."""

import httpx
import orjson
import pytest

CREATE = "/engagements/v1/engagements"


def test_a_create_answers_200_with_the_whole_engagement_of_2023(sandbox):
    body = {
        "engagement": {"active": True, "type": "TASK", "timestamp": 1_614_319_200_000, "ownerId": 11, "uid": "row-17"},
        "associations": {"contactIds": [101, None], "companyIds": [], "dealIds": [901]},
        "metadata": {"subject": "Call back", "body": "<b>About</b> the offer", "status": "NOT_STARTED",
                     "reminders": [1_614_319_200_000], "isAllDay": False},
    }  # fmt: skip

    answer = sandbox.post(CREATE, json=body)

    assert answer.status_code == 200
    got = answer.json()
    engagement = got["engagement"]
    assert isinstance(engagement["id"], int)
    assert engagement["createdAt"] == engagement["lastUpdated"] == int(sandbox.clock() * 1000)
    assert (engagement["timestamp"], engagement["ownerId"], engagement["uid"]) == (1_614_319_200_000, 11, "row-17")
    assert engagement["bodyPreview"] == "About the offer"
    assert got["associations"] == {
        "contactIds": [101], "companyIds": [], "dealIds": [901], "ticketIds": [], "ownerIds": [], "workflowIds": [],
        "contentIds": [], "quoteIds": [], "marketingEventIds": [],
    }  # fmt: skip
    assert got["attachments"] == []
    assert got["metadata"] == body["metadata"]
    assert got["scheduledTasks"][0]["engagementId"] == engagement["id"]
    assert sandbox.get(f"{CREATE}/{engagement['id']}").json() == got


def test_what_is_not_sent_is_filled_in_or_left_out(sandbox):
    got = sandbox.v1("NOTE", metadata={})

    assert got["engagement"]["active"] is True
    assert got["engagement"]["timestamp"] == got["engagement"]["createdAt"]
    assert not {"ownerId", "uid", "bodyPreview"} & set(got["engagement"])
    assert got["engagement"]["bodyPreviewIsTruncated"] is False
    assert got["metadata"] == {}
    assert "scheduledTasks" not in got


def test_an_email_keeps_its_addresses(sandbox):
    metadata = {
        "from": {"email": "rita@example.com", "firstName": "Rita"},
        "to": [{"email": "Ann <ann@example.com>"}], "cc": [], "bcc": [], "subject": "Offer", "text": "Hello",
    }  # fmt: skip

    assert sandbox.v1("EMAIL", metadata=metadata)["metadata"] == metadata


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "a request body was expected, but none found"),
        (b"{", "Invalid input JSON on line 1"),
        (b"[]", "from Array value (token `JsonToken.START_ARRAY`)"),
        (b"{}", "Engagement cannot be null"),
        (b'{"engagement":{}}', "Engagement type cannot be null"),
        (b'{"engagement":{"type":"INCOMING_EMAIL"}}', "type INCOMING_EMAIL cannot be created or edited"),
        (b'{"engagement":{"type":"CONVERSATION_SESSION"}}', "type CONVERSATION_SESSION cannot be created or edited"),
        (b'{"engagement":{"type":"LETTER"}}', "Invalid enum constant 'LETTER' for class EngagementType"),
        (b'{"engagement":{"type":["CALL"]}}', "Invalid enum constant"),
        (b'{"engagement":[]}', "from Array value (token `JsonToken.START_ARRAY`)"),
        (b'{"engagement":{"type":"NOTE"}}', "Metadata cannot be null"),
        (
            b'{"engagement":{"type":"NOTE","active":"no"},"metadata":{}}',
            "Cannot deserialize value of type `java.lang.Boolean`",
        ),
        (b'{"engagement":{"type":"EMAIL"},"metadata":{"to":"ann@example.com"}}', "java.util.ArrayList<EmailAddress>"),
        (
            b'{"engagement":{"type":"EMAIL"},"metadata":{"from":["a"]}}',
            "Cannot deserialize value of type `EmailAddress`",
        ),
        (b'{"engagement":{"type":"CALL","timestamp":99999999999999999},"metadata":{}}', "was not a valid long"),
        (b'{"engagement":{"type":"NOTE"},"attachments":[{"id":true}],"metadata":{}}', "each attachment needs an id"),
        (
            b'{"engagement":{"type":"NOTE"},"associations":{"contactIds":[true]},"metadata":{}}',
            "java.util.ArrayList<java.lang.Long>",
        ),
        (b'{"engagement":{"type":"CALL","timestamp":"soon"}}', "Cannot deserialize value of type `java.lang.Long`"),
        (b'{"engagement":{"type":"CALL"},"metadata":{"status":"GONE"}}', "was not one of the allowed options"),
        (b'{"engagement":{"type":"CALL"},"metadata":{"status":[]}}', "Cannot deserialize"),
        (
            b'{"engagement":{"type":"NOTE"},"associations":{"contactIds":[7]},"metadata":{}}',
            "one or more associations were invalid",
        ),
        (b'{"engagement":{"type":"NOTE","ownerId":99}}', "INVALID_OWNER_ID"),
    ],
)
def test_a_bad_body_is_400_and_nothing_is_kept(sandbox, body, message):
    answer = sandbox.post(CREATE, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["status"] == "error"
    assert message in answer.json()["message"]
    assert answer.json()["correlationId"] == answer.headers["X-HubSpot-Correlation-Id"]
    assert sandbox.audited() == []


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_update_changes_only_what_is_sent(sandbox, method):
    made = sandbox.v1("CALL", metadata={"body": "old", "status": "COMPLETED"}, associations={"contactIds": [101]})
    sandbox.clock.now += 5

    answer = sandbox.request(method, f"{CREATE}/{made['engagement']['id']}", json={"metadata": {"body": "new"}})

    got = answer.json()
    assert answer.status_code == 200
    assert got["metadata"] == {"body": "new", "status": "COMPLETED"}
    assert got["associations"]["contactIds"] == [101]
    assert got["engagement"]["lastUpdated"] == made["engagement"]["createdAt"] + 5000


def test_delete_is_204_and_after_it_a_get_is_an_empty_200(sandbox):
    made = sandbox.v1()["engagement"]["id"]

    deleted = sandbox.delete(f"{CREATE}/{made}")
    after = sandbox.get(f"{CREATE}/{made}")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (after.status_code, after.content, after.headers["Content-Length"]) == (200, b"", "0")


def test_the_switch_makes_a_missing_engagement_404(start):
    sandbox = start(missing_engagement="404")

    assert sandbox.get(f"{CREATE}/1").status_code == 404


def test_a_repeated_uid_makes_a_second_engagement(sandbox):
    ids = {sandbox.v1(engagement={"uid": "same"})["engagement"]["id"] for _ in range(2)}

    assert len(ids) == 2


def test_the_switch_answers_the_engagement_that_has_the_uid_already(start):
    sandbox = start(repeated_uid="existing")
    first = sandbox.v1(engagement={"uid": "same"})

    again = sandbox.v1(engagement={"uid": "same"}, metadata={"body": "other"})
    others = [sandbox.v1(engagement={"uid": "SAME"}), sandbox.v1("CALL", engagement={"uid": "same"})]
    sandbox.delete(f"{CREATE}/{first['engagement']['id']}")
    after = sandbox.v1(engagement={"uid": "same"})

    assert again == first
    ids = [r["engagement"]["id"] for r in [first, *others, after]]
    assert len(set(ids)) == 4
    assert [r["created"] for r in sandbox.audited("requests")][:3] == [
        [{"id": str(ids[0]), "key": "same"}],
        [],
        [{"id": str(ids[1]), "key": "SAME"}],
    ]


def test_the_switch_makes_a_repeated_uid_a_conflict(start):
    sandbox = start(repeated_uid="conflict")
    first = sandbox.v1(engagement={"uid": "same"})["engagement"]["id"]

    again = sandbox.post(CREATE, json={"engagement": {"type": "NOTE", "uid": "same"}, "metadata": {"body": "x"}})

    assert (again.status_code, again.json()["category"]) == (409, "CONFLICT")
    assert str(first) in again.json()["message"]
    assert len(sandbox.audited()) == 1


def test_an_update_of_what_is_not_there_is_404_and_a_delete_of_it_204(sandbox):
    made = sandbox.v1()["engagement"]["id"]
    sandbox.delete(f"{CREATE}/{made}")

    for gone in (made, 7):
        assert sandbox.patch(f"{CREATE}/{gone}", json={"metadata": {"body": "x"}}).status_code == 404
        assert sandbox.put(f"{CREATE}/{gone}/associations/contact/101").status_code == 404
        assert sandbox.delete(f"{CREATE}/{gone}").status_code == 204
    assert sandbox.get(f"{CREATE}/abc").status_code == 400


def test_an_update_can_empty_a_field_and_hide_an_engagement(sandbox):
    made = sandbox.v1("TASK", metadata={"subject": "Call back", "body": "soon"})["engagement"]

    got = sandbox.patch(
        f"{CREATE}/{made['id']}",
        json={"engagement": {"active": False, "timestamp": 1_614_319_200_000}, "metadata": {"body": ""}},
    ).json()

    assert got["metadata"] == {"subject": "Call back"}
    assert (got["engagement"]["active"], got["engagement"]["timestamp"]) == (False, 1_614_319_200_000)
    assert "bodyPreview" not in got["engagement"]
    again = sandbox.patch(f"{CREATE}/{made['id']}", json={"engagement": {"active": None}}).json()
    assert again["engagement"]["active"] is False


def test_attachments_are_file_ids_in_both_views_and_a_note_may_have_nothing_else(sandbox):
    got = sandbox.v1("NOTE", metadata={}, attachments=[{"id": 4241968539}, {"id": 5}])

    path = f"/crm/v3/objects/notes/{got['engagement']['id']}"
    note = sandbox.get(path, params={"properties": "hs_attachment_ids"}).json()
    assert (got["attachments"], got["metadata"]) == ([{"id": 4241968539}, {"id": 5}], {})
    assert note["properties"]["hs_attachment_ids"] == "4241968539;5"


@pytest.mark.parametrize("engagement_type", ["CALL", "EMAIL", "MEETING", "NOTE", "TASK"])
def test_scheduled_tasks_come_with_tasks_and_meetings_alone(sandbox, engagement_type):
    got = sandbox.v1(engagement_type, metadata={"subject": "x"} if engagement_type == "EMAIL" else {"body": "x"})

    assert got.get("scheduledTasks") == ([] if engagement_type in {"TASK", "MEETING"} else None)


def test_reminders_are_scheduled_tasks_in_both_views(sandbox):
    got = sandbox.v1("TASK", metadata={"subject": "x", "reminders": [1_614_319_200_000]})

    scheduled = got["scheduledTasks"][0]
    assert (scheduled["engagementType"], scheduled["taskType"], scheduled["timestamp"]) == (
        "TASK",
        "REMINDER",
        1_614_319_200_000,
    )
    assert scheduled["uuid"].startswith("TASK:")
    path = f"/crm/v3/objects/tasks/{got['engagement']['id']}"
    text = sandbox.get(path, params={"properties": "hs_scheduled_tasks"}).json()["properties"]["hs_scheduled_tasks"]
    assert orjson.loads(text)["scheduledTasks"][0]["uuid"] == scheduled["uuid"]


def test_a_link_to_what_does_not_exist_is_refused(sandbox):
    made = sandbox.v1()["engagement"]["id"]

    answer = sandbox.put(f"{CREATE}/{made}/associations/deal/7")

    assert (answer.status_code, answer.json()["message"]) == (400, "one or more associations were invalid")


def test_outcomes_are_the_six_and_one_of_the_account(sandbox):
    outcomes = {o["label"]: o["id"] for o in sandbox.get("/calling/v1/dispositions").json()}

    assert len(outcomes) == 7
    assert outcomes["Connected"] == "f240bbac-87c9-4f6e-bf70-924b57d47db7"


def test_limits_are_told_and_a_missing_token_is_refused(sandbox):
    told = sandbox.get("/calling/v1/dispositions").headers
    refused = httpx.get(f"{sandbox.base_url}/calling/v1/dispositions")

    assert told["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert refused.status_code == 401
    assert refused.json()["category"] == "INVALID_AUTHENTICATION"
    assert refused.headers["X-HubSpot-Auth-Failure"] == "401 Unauthorized"


def test_a_named_token_is_the_only_one_accepted(start):
    sandbox = start(token="secret-one")

    assert sandbox.get("/account-info/v3/details").status_code == 401
    good = {"Authorization": "Bearer secret-one"}
    assert sandbox.get("/account-info/v3/details", headers=good).status_code == 200


def test_an_unknown_path_is_an_html_page(sandbox):
    answer = sandbox.get("/engagements/v9/nothing")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_body_that_is_not_json_is_415(sandbox):
    assert sandbox.post(CREATE, content=b"a=b", headers={"Content-Type": "text/plain"}).status_code == 415


def test_ids_go_on_rising_in_a_store_that_is_opened_again(start):
    first = start()
    before = first.v1()["engagement"]["id"]
    portal = first.get("/account-info/v3/details").json()["portalId"]
    first.stop()

    second = start()

    assert second.v1()["engagement"]["id"] > before
    assert second.get("/account-info/v3/details").json()["portalId"] == portal


def test_the_external_id_of_a_call_is_taken_without_effect(sandbox):
    told = {"body": "hello", "externalId": "x-1", "externalAccountId": "a-1"}

    made = sandbox.v1("CALL", metadata=told)
    changed = sandbox.patch(f"/engagements/v1/engagements/{made['engagement']['id']}", json={"metadata": told})

    assert made["metadata"] == changed.json()["metadata"] == {"body": "hello"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [([1], "Array"), ({"a": 1}, "Object"), (5, "Integer"), (0.5, "Floating-point"), (True, "Boolean")],
)
def test_json_of_a_wrong_kind_is_refused_in_the_words_of_the_platform(sandbox, value, kind):
    answer = sandbox.create("calls", {"properties": {"hs_timestamp": value}})

    assert answer.status_code == 400
    assert f"value of type `java.lang.String` from {kind} value" in answer.json()["message"]
