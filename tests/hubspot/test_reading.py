"""Reading back through both wires: what the sandbox does not show, and answers that nobody documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from etl.errors import RemoteDown
from etl.flow import Json
from etl.hubspot.held import of_object, of_v1
from etl.hubspot.objects import ObjectsTarget
from etl.hubspot.target import Listing
from etl.hubspot.v1 import V1Target
from tests.hubspot.conftest import Handler, sent_json

Objects = Callable[[Handler], ObjectsTarget]
V1 = Callable[[Handler], V1Target]
DAY_MS = 86_400_000


def engagement(remote_id: int, **more: Any) -> Json:
    own = {"id": remote_id, "type": "NOTE", "timestamp": 5, "createdAt": 6, "lastUpdated": 7, **more}
    return {"engagement": own, "associations": {}, "attachments": [], "metadata": {"body": "x"}}


@pytest.mark.parametrize(
    "there", [httpx.Response(404, json={"message": "no"}), httpx.Response(200, headers={"Content-Length": "0"})]
)
def test_v1_has_two_ways_to_say_that_an_engagement_is_not_there(v1: V1, there: httpx.Response):
    assert asyncio.run(v1(lambda _: there).read("", ["7"])) == {}


def test_an_answer_whose_body_was_lost_is_asked_for_again(v1: V1):
    answers = [httpx.Response(200, content=b'{"engagement"'), httpx.Response(200, json=engagement(7))]
    assert asyncio.run(v1(lambda _: answers.pop(0)).read("", ["7"])).keys() == {"7"}
    assert answers == []


def recording(asked: list[str], answers: dict[str, Json]) -> Handler:
    def handle(request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix("/engagements/v1/engagements/")
        asked.append(name)
        return httpx.Response(200, json=answers.get(name, {"results": [], "hasMore": False}))

    return handle


@pytest.mark.parametrize(
    ("days", "total", "chosen"),
    [(1, 5, "recent/modified"), (1, 10_000, "paged"), (60, 5, "paged")],
)
def test_where_modified_after_shows_nothing_another_list_is_read(
    v1: V1, monkeypatch: pytest.MonkeyPatch, days: int, total: int, chosen: str
):
    monkeypatch.setattr("etl.hubspot.v1.time", lambda: 100 * DAY_MS / 1000)
    asked: list[str] = []
    shown = {"results": [engagement(1, lastUpdated=100 * DAY_MS), engagement(2, lastUpdated=3)], "total": total}
    account = recording(asked, {chosen: shown, "recent/modified": shown})
    page = asyncio.run(v1(account).page(Listing(since_ms=(100 - days) * DAY_MS)))
    assert asked[0] == "modified/after"
    assert asked[-1] == chosen
    assert [held.remote_id for held in page.held] == ["1"]


def test_a_cursor_says_which_list_it_belongs_to(v1: V1):
    asked: list[str] = []
    full = {"results": [engagement(1, lastUpdated=9)], "hasMore": True, "after": "9-1", "offset": 1}
    target = v1(recording(asked, {"modified/after": full, "paged": full}))
    assert asyncio.run(target.page(Listing(since_ms=1))).after == "modified:9-1"
    assert asyncio.run(target.page(Listing())).after == "paged:1"


def test_a_page_that_leads_to_itself_is_asked_for_again(v1: V1):
    pages = [{"results": [engagement(1)], "hasMore": True, "offset": offset} for offset in (1, 1, 2)]
    page = asyncio.run(v1(lambda _: httpx.Response(200, json=pages.pop(0))).page(Listing(), "paged:1"))
    assert (page.after, pages) == ("paged:2", [])


def test_a_first_page_that_leads_to_the_beginning_is_not_the_end(v1: V1):
    first = {"results": [engagement(1)], "hasMore": True, "offset": 0}
    pages = [first, {**first, "offset": 1}]
    target = v1(lambda _: httpx.Response(200, json=pages.pop(0)))
    page = asyncio.run(target.page(Listing()))
    assert page.after
    assert asyncio.run(target.page(Listing(), page.after)).after == "paged:1"


def test_a_list_that_only_leads_to_itself_ends_the_reading(v1: V1, objects: Objects):
    """It is not taken for the end of the list: what stands behind it would be missing in silence."""
    stuck = {"results": [engagement(1)], "hasMore": True, "offset": 1}
    with pytest.raises(RemoteDown):
        asyncio.run(v1(recording([], {"paged": stuck})).page(Listing(), "paged:1"))
    stuck = {"results": [], "paging": {"next": {"after": "7"}}}
    with pytest.raises(RemoteDown):
        asyncio.run(objects(lambda _: httpx.Response(200, json=stuck)).page(Listing(("CALL",)), "CALL:7"))


def test_links_that_do_not_fit_into_one_answer_are_asked_for_again(objects: Objects):
    asked: list[Json] = []

    def handle(request: httpx.Request) -> httpx.Response:
        body = sent_json(request)
        if "associations" not in request.url.path:
            return httpx.Response(200, json={"results": [{"id": "7", "properties": {}}]})
        if not request.url.path.endswith("contacts/batch/read"):
            return httpx.Response(207, json={"results": [], "errors": [{}], "numErrors": 1})
        asked.append(body["inputs"])
        last = "after" in body["inputs"][0]
        result = {"from": {"id": "7"}, "to": [{"toObjectId": 2 if last else 1}]}
        more = {} if last else {"paging": {"next": {"after": "1"}}}
        return httpx.Response(200, json={"results": [result | more]})

    held = asyncio.run(objects(handle).read("CALL", ["7"]))["7"]
    assert held.payload["associations"]["contactIds"] == [1, 2]
    assert asked == [[{"id": "7"}], [{"id": "7", "after": "1"}]]


def test_an_object_of_a_list_with_more_links_than_it_shows_is_read_again(objects: Objects):
    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            shown = {"contacts": {"results": [{"id": "1"}], "paging": {"next": {"after": "1"}}}}
            return httpx.Response(200, json={"results": [{"id": "7", "properties": {}, "associations": shown}]})
        to = [{"toObjectId": i} for i in (1, 2)] if "contacts/batch" in request.url.path else []
        return httpx.Response(200, json={"results": [{"from": {"id": "7"}, "to": to}]})

    page = asyncio.run(objects(handle).page(Listing(types=("CALL",))))
    assert page.held[0].payload["associations"]["contactIds"] == [1, 2]


def test_a_search_begins_again_behind_the_last_id(objects: Objects):
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        body = sent_json(request)
        asked.append(body["filterGroups"][0]["filters"][0]["value"])
        paging = {"paging": {"next": {"after": "2"}}} if len(asked) == 1 else {}
        hits = [{"id": str(10 * len(asked) + i), "properties": {"etl_import_key": "k"}} for i in range(2)]
        return httpx.Response(200, json={"total": 4, "results": hits} | paging)

    target = objects(handle)
    page = asyncio.run(target.page(Listing(types=("CALL",), keys_only=True)))
    asyncio.run(target.page(Listing(types=("CALL",), keys_only=True), page.after))
    assert asked == ["0", "11"]


def test_an_account_without_the_property_of_keys_has_no_keys(objects: Objects):
    refused = httpx.Response(400, json={"message": 'Property "etl_import_key" does not exist'})
    page = asyncio.run(objects(lambda _: refused).page(Listing(types=("TASK",), keys_only=True)))
    assert (page.held, page.after) == ([], "")


@pytest.mark.parametrize(
    "own",
    [
        {"hs_timestamp": "no time", "hubspot_owner_id": "nobody", "hs_call_duration": "long"},
        {"hs_timestamp": None, "hs_attachment_ids": "a;b;", "hs_call_body": 7},
        {},
    ],
)
def test_values_of_another_kind_are_left_out_never_an_error(own: Json):
    held = of_object("CALL", {"id": "7", "properties": own}, {})
    assert held.time_ms == 0
    assert "durationMilliseconds" not in held.payload["metadata"]


@pytest.mark.parametrize("headers", ["not json", "[1]", '{"to": null}', ""])
def test_addresses_that_are_no_json_are_left_out(headers: str):
    held = of_object("EMAIL", {"id": "7", "properties": {"hs_email_headers": headers}}, {})
    assert held.payload["metadata"] == {"direction": "EMAIL"}


def test_lists_that_an_old_answer_leaves_out_are_empty():
    held = of_v1({"engagement": {"id": 7}})
    assert held.payload["associations"] == {"contactIds": [], "companyIds": [], "dealIds": [], "ticketIds": []}
    assert (held.type, held.key, held.time_ms, held.payload["metadata"]) == ("", "", 0, {})
