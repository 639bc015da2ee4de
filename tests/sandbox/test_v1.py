"""Legacy v1 as its recorded answers show it."""

import httpx
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
        (b'{"engagement":{"type":"INCOMING_EMAIL"}}', "Invalid enum constant 'INCOMING_EMAIL'"),
        (b'{"engagement":{"type":"CALL","timestamp":"soon"}}', "Cannot deserialize value of type `java.lang.Long`"),
        (b'{"engagement":{"type":"CALL"},"metadata":{"status":"GONE"}}', "was not one of the allowed options"),
        (b'{"engagement":{"type":"CALL"},"metadata":{"status":[]}}', "Cannot deserialize"),
        (b'{"engagement":{"type":"NOTE"},"associations":{"contactIds":[7]}}', "one or more associations were invalid"),
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


def test_paged_goes_up_by_id_and_tells_an_offset_even_at_the_end(sandbox):
    ids = [sandbox.v1()["engagement"]["id"] for _ in range(5)]
    seen, offset, more = [], 0, True

    while more:
        page = sandbox.get(f"{CREATE}/paged", params={"limit": 2, "offset": offset}).json()
        seen += [r["engagement"]["id"] for r in page["results"]]
        offset, more = page["offset"], page["hasMore"]

    assert seen == ids == sorted(ids)
    assert offset == ids[-1]


def test_recent_is_newest_first_and_late_by_the_index_lag(sandbox):
    first = sandbox.v1()["engagement"]["id"]
    sandbox.clock.now += 10
    second = sandbox.v1()["engagement"]["id"]

    early = sandbox.get(f"{CREATE}/recent/modified").json()
    sandbox.clock.now += 2
    late = sandbox.get(f"{CREATE}/recent/modified").json()

    assert [r["engagement"]["id"] for r in early["results"]] == [first]
    assert [r["engagement"]["id"] for r in late["results"]] == [second, first]
    assert (late["total"], late["hasMore"]) == (2, False)


def test_modified_after_pages_by_cursor(sandbox):
    ids = [sandbox.v1()["engagement"]["id"] for _ in range(3)]
    sandbox.clock.now += 2

    page = sandbox.get(f"{CREATE}/modified/after", params={"after": 0, "limit": 2}).json()
    rest = sandbox.get(f"{CREATE}/modified/after", params={"after": page["offset"], "limit": 2}).json()

    assert [r["engagement"]["id"] for r in page["results"] + rest["results"]] == ids
    assert (page["hasMore"], rest["hasMore"]) == (True, False)


def test_links_are_made_listed_and_taken_away(sandbox):
    made = sandbox.v1()["engagement"]["id"]
    other = sandbox.v1(associations={"contactIds": [102]})["engagement"]["id"]
    path = f"{CREATE}/{made}/associations/contact/101"
    listed = f"{CREATE}/associated/CONTACT/101/paged"

    put = sandbox.put(path)
    with_link = sandbox.get(listed).json()
    gone = sandbox.delete(path)

    assert (put.status_code, put.content, gone.status_code) == (204, b"", 204)
    assert [r["engagement"]["id"] for r in with_link["results"]] == [made] != [other]
    assert (with_link["hasMore"], with_link["offset"]) == (False, made)
    assert sandbox.get(listed).json()["results"] == []


def test_an_unknown_object_type_in_the_path_is_named(sandbox):
    answer = sandbox.get(f"{CREATE}/associated/FAKE_TYPE/1/paged")

    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid enum constant 'FAKE_TYPE' for class ObjectType"


def test_a_repeated_uid_makes_a_second_engagement(sandbox):
    ids = {sandbox.v1(engagement={"uid": "same"})["engagement"]["id"] for _ in range(2)}

    assert len(ids) == 2


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
