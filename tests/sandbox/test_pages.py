"""The pages that a person sees: what stands on them, and what a search finds."""

import re

import orjson
import pytest

from etl.sandbox.portal import DISPOSITIONS
from tests.sandbox.conftest import KEY_PROPERTY, call_input
from tests.sandbox.reader import HOSTILE, JANUARY, MINUTE, Page, page, parts

CONNECTED = next(i for i, label in DISPOSITIONS.items() if label == "Connected")


def test_the_overview_counts_by_type_and_by_time_as_pictures_that_are_tables_too(sandbox):
    for n in range(3):
        sandbox.v1("CALL", engagement={"timestamp": JANUARY + n * 86_400_000}, metadata={})
    sandbox.v1("NOTE", engagement={"timestamp": JANUARY})

    home = page(sandbox, "/")

    assert "4 engagements" in home.text
    assert "2 contacts" in home.text
    assert "Calls 3" in home.text
    assert "1 January 2026 1 1 2" in home.text  # the row of a day: calls, notes, all
    assert len([r for r in home.all("rect") if r.get("class") == "calls"]) == 3 + 1 + 1  # days, key, by type
    picture = next(own for own in home.all("svg") if own.get("role") == "img")
    named = str(picture["aria-labelledby"]).split()
    assert named == [own["id"] for own in home.all("title")[1:2] + home.all("desc")[:1]]
    assert "the most, 2, in 1 January 2026" in home.text


def test_an_account_that_holds_nothing_has_an_overview_too(start):
    home = page(start(seed_data=None), "/")
    assert "Nothing has been imported yet" in home.text
    assert "None yet." in home.text


def test_a_month_of_a_long_history_can_be_seen_by_its_days(sandbox):
    for month in range(4):
        sandbox.v1("NOTE", engagement={"timestamp": JANUARY + month * 31 * 86_400_000})
    home = page(sandbox, "/")
    assert "/?in=2026-02" in home.links
    february = page(sandbox, "/?in=2026-02")
    assert "1 February 2026 1 1" in february.text
    assert "January 2026" not in february.text.partition("Newest engagements")[0]


def test_a_contact_has_a_timeline_with_all_that_one_asks_of_a_call(sandbox):
    told = {"toNumber": "+15095550101", "fromNumber": "+15095550199", "durationMilliseconds": 125_000,
            "disposition": CONNECTED, "title": "First talk", "body": "<p>Wants a demo</p><ul><li>soon"}  # fmt: skip
    links = {"contactIds": [101], "companyIds": [501], "dealIds": [901]}
    sandbox.v1("CALL", engagement={"timestamp": JANUARY + MINUTE, "ownerId": 11}, metadata=told, associations=links)

    shown = page(sandbox, "/view/contacts/101")

    assert "Ann Archer" in shown.text
    assert "ann@example.com" in shown.text
    for words in ("January 2026", "First talk", "1 Jan 2026, 00:01 UTC", "Outcome: Connected", "Duration: 2 min 5 s",
                  "by Rita Rep", "from +15095550199", "to +15095550101", "Wants a demo • soon", "Big Deal"):  # fmt: skip
        assert words in shown.text
    assert {"/view/companies/501", "/view/deals/901"} <= set(shown.links)
    assert "First talk" in page(sandbox, "/view/deals/901").text
    assert "First talk" in page(sandbox, "/view/companies/501").text


def test_mail_meetings_and_tasks_show_what_is_their_own(sandbox):
    near = {"associations": {"contactIds": [102]}}
    people = {"from": {"email": "ann@example.com", "firstName": "Ann"}, "to": [{"email": "bob@example.org"}],
              "cc": [{"email": "eva@example.org"}]}  # fmt: skip
    sandbox.v1("EMAIL", metadata=people | {"subject": "Offer", "text": "one\ntwo <b>"}, **near)
    ends = {"startTime": JANUARY, "endTime": JANUARY + 90 * MINUTE, "meetingOutcome": "NO_SHOW", "title": "Review"}
    sandbox.v1("MEETING", metadata=ends, **near)
    sandbox.v1("TASK", metadata={"subject": "Ring back", "status": "NOT_STARTED", "priority": "HIGH"}, **near)

    shown = page(sandbox, "/view/contacts/102").text

    assert "from Ann <ann@example.com> to bob@example.org; cc eva@example.org" in shown
    assert "Offer" in shown
    assert "one two <b>" in shown  # plain text is no HTML
    assert "Outcome: No show Duration: 1 h 30 min" in shown
    assert "Status: Not started" in shown
    assert "High priority" in shown


def test_a_timeline_is_newest_first_and_paging_shows_each_engagement_once(sandbox):
    made = sandbox.create("notes", *[
        {"properties": {"hs_timestamp": str(JANUARY + (n // 3) * 86_400_000), "hs_note_body": f"note-{n}."},
         "associations": call_input(to=101)["associations"][0:0] or
         [{"to": {"id": "101"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]}]}
        for n in range(60)
    ])  # fmt: skip
    assert made.status_code == 201

    for path in ("/view/contacts/101", "/timeline", "/timeline?type=notes"):
        seen = [int(n) for shown in parts(sandbox, path) for n in re.findall(r"note-(\d+)\.", shown.text)]
        assert sorted(seen) == list(range(60))
        assert [n // 3 for n in seen] == sorted((n // 3 for n in seen), reverse=True)


def test_a_timeline_can_be_narrowed_to_one_type(sandbox):
    near = {"associations": {"contactIds": [101]}}
    sandbox.v1("NOTE", metadata={"body": "the note"}, **near)
    sandbox.v1("CALL", metadata={"body": "the call"}, **near)
    assert "/view/contacts/101?type=notes" in page(sandbox, "/view/contacts/101").links
    shown = page(sandbox, "/view/contacts/101?type=notes").text
    assert "the note" in shown
    assert "the call" not in shown
    assert "No engagements here of this type" in page(sandbox, "/view/contacts/101?type=%3Cb%3E").text


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("archer", "/view/contacts/101"), ("ANN ar", "/view/contacts/101"), ("ann@exam", "/view/contacts/101"),
        ("example.org", "/view/companies/502"), ("bob@Example.ORG", "/view/contacts/102"),
        ("(509) 555-01 01", "/view/contacts/101"), ("+1 509.555.0101", "/view/contacts/101"),
        ("0102", "/view/contacts/102"), ("+44 20 7946 0000", "/view/contacts/102"), ("big", "/view/deals/901"),
        ("corp", "/view/companies/501"),
    ],
)  # fmt: skip
def test_a_search_finds_by_name_address_phone_and_domain(sandbox, words, found):
    shown = Page(sandbox.get("/search", params={"q": words}))
    assert found in shown.links
    assert shown.text.count("Not found") == 0


@pytest.mark.parametrize(
    "words", ["rcher", "email", "lastname", "%", "a_n", "509555019", "!", "\\", '"', "é", "' OR 1=1"]
)
def test_a_search_does_not_find_what_is_not_there(sandbox, words):
    shown = Page(sandbox.get("/search", params={"q": words}))
    assert shown.status == 200
    assert not [link for link in shown.links if link.startswith("/view/")]
    assert "was found" in shown.text


def test_a_search_finds_an_engagement_by_its_key_and_its_id(sandbox):
    sandbox.post("/crm/v3/properties/calls", json=KEY_PROPERTY)
    made = sandbox.create("calls", call_input(etl_import_key="k5xftluu")).json()["results"][0]["id"]
    for words in ("K5xftluu", made):
        assert f"/view/engagement/{made}" in Page(sandbox.get("/search", params={"q": words})).links


def test_many_results_come_in_parts(start, seeds):
    rows = "".join(f"{n},sam{n}@example.com,,,Sam,Smith,\n" for n in range(1000, 1120))
    with (seeds / "contacts.csv").open("a") as file:
        file.write(rows)
    sandbox, path, seen = start(), "/search?q=sam", []
    while path:
        shown = page(sandbox, path)
        seen += [link for link in shown.links if link.startswith("/view/contacts/")]
        path = next((link for link in shown.links if link.startswith("/search?q=")), "")
    first, rest = seen[:8], seen[8:]  # a few of every type first, then the type's own pages from there on
    assert len(set(seen)) == len(seen) == 120
    assert (len(first), len(rest)) == (8, 112)


def test_an_engagement_has_a_page_with_its_key_its_request_and_all_properties(sandbox):
    sandbox.post("/crm/v3/properties/calls", json=KEY_PROPERTY)
    answer = sandbox.create("calls", call_input(to=101, etl_import_key="key-of-it", hs_call_body="long " * 500))
    made = answer.json()["results"][0]["id"]
    number = next(r["request"] for r in sandbox.audited("requests") if r["created"])

    in_short, whole = page(sandbox, "/view/contacts/101"), page(sandbox, f"/view/engagement/{made}")

    assert "Read all" in in_short.text
    assert in_short.text.count("long") < 200
    assert whole.text.count("long") == 1000  # to read, and as it is stored
    assert "Import key key-of-it" in whole.text
    assert f"/requests?before={number + 1}" in whole.links
    assert "etl_import_key key-of-it" in whole.text
    assert "/view/contacts/101" in whole.links


def test_engagements_of_other_types_are_shown_and_break_nothing(start, seeds):
    lines = [
        {"engagement": {"id": 7, "type": "CONVERSATION_SESSION", "timestamp": JANUARY},
         "associations": {"contactIds": [101]}, "metadata": {"title": "Chat", "body": HOSTILE, "odd": [1, {"a": None}]}},
        {"engagement": {"id": 8, "type": "INCOMING_EMAIL", "timestamp": JANUARY + MINUTE},
         "associations": {"contactIds": [101]}, "metadata": {"subject": "Hello", "text": "text of it"}},
        {"engagement": {"id": 9, "type": "PUBLISHING_TASK", "timestamp": JANUARY}, "metadata": {}},
    ]  # fmt: skip
    (seeds / "engagements.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    sandbox = start()

    for path in ("/view/contacts/101", "/timeline", "/"):
        shown = page(sandbox, path).text
        assert "Chat" in shown
        assert "Conversation session" in shown
        assert "Incoming email" in shown
    assert "Others 2" in page(sandbox, "/").text
    assert "Publishing task" in page(sandbox, "/timeline?type=engagements").text
    for number in (7, 8, 9):
        assert page(sandbox, f"/view/engagement/{number}").status == 200


def test_requests_are_counted_by_status_and_shown_by_second_and_minute(start):
    sandbox = start("error_before:p=1")
    for _ in range(3):
        sandbox.get("/crm/v3/objects/contacts")
    sandbox.set_faults()
    sandbox.clock.now += 20
    made = sandbox.create("calls", call_input(), call_input())
    assert made.status_code == 201

    shown = page(sandbox, "/requests")

    assert "4 in all" in shown.text
    statuses = {r["status"] for r in sandbox.audited("requests")}
    assert 201 in statuses
    failed = {own["class"] for own in shown.all("rect") if own.get("class")}
    assert {"ok", "failed"} <= failed
    assert "POST /crm/objects/2026-03/calls/batch/create 201 2" in shown.text
    assert len([o for o in shown.all("rect") if o.get("class") == "ok"]) == 2 + 2 + 1  # second, minute, keys, status


def test_a_page_can_refresh_itself_when_that_is_asked_for(sandbox):
    assert not [own for own in page(sandbox, "/").all("meta") if own.get("http-equiv")]
    assert [own["content"] for own in page(sandbox, "/?live=1").all("meta") if own.get("http-equiv")] == ["2"]


def test_what_was_deleted_is_on_no_page(sandbox):
    made = sandbox.v1("NOTE", metadata={"body": "gone soon"}, associations={"contactIds": [101]})["engagement"]["id"]
    assert "gone soon" in page(sandbox, "/timeline").text
    sandbox.delete(f"/engagements/v1/engagements/{made}").raise_for_status()
    for path in ("/", "/timeline", "/view/contacts/101"):
        assert "gone soon" not in page(sandbox, path).text
    assert page(sandbox, f"/view/engagement/{made}").status == 404
