"""The v1 wire: what it sends for a row, what it takes from odd answers, and how it finds rows again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from etl.flow import Links
from etl.hubspot.v1 import V1Target, payload
from tests.hubspot.conftest import Handler, row

Make = Callable[[Handler], V1Target]
A, B, C = "a" * 26, "b" * 26, "c" * 26


def test_the_payload_is_sent_with_key_owner_and_links_as_numbers():
    body = orjson.loads(payload(row(A, links=Links("7", ("101", "102"), ("201",), ("301",)), attachments=[{"id": 5}])))

    assert body == {
        "engagement": {"active": True, "type": "CALL", "timestamp": 1763759106000, "uid": A, "ownerId": 7},
        "associations": {"contactIds": [101, 102], "companyIds": [201], "dealIds": [301], "ticketIds": []},
        "attachments": [{"id": 5}],
        "metadata": {"body": "Talked about the offer"},
    }


def test_what_v1_has_no_place_for_is_left_out():
    call = orjson.loads(payload(row(A, metadata={"direction": "INBOUND", "status": "BUSY"}, properties={"x": "y"})))

    assert call["metadata"] == {"status": "BUSY"}
    assert "properties" not in call
    assert "ownerId" not in call["engagement"]


@pytest.mark.parametrize(
    ("engagement", "state", "remote_id"),
    [
        ({"id": 29090716, "uid": A}, "created", "29090716"),
        ({"id": 29090716}, "created", "29090716"),
        ({"id": 29090716, "uid": B}, "unknown", ""),
        ({"uid": A}, "unknown", ""),
        ({"id": None, "uid": A}, "unknown", ""),
        ({"id": 2.9e25, "uid": A}, "unknown", ""),
        ({"id": True, "uid": A}, "unknown", ""),
        (None, "unknown", ""),
        ([], "unknown", ""),
    ],
)
def test_a_row_is_created_only_with_an_id_and_under_no_other_key(v1: Make, engagement: Any, state: str, remote_id: str):
    target = v1(lambda request: httpx.Response(200, json={"engagement": engagement}))

    (outcome,) = asyncio.run(target.create([row(A)])).outcomes

    assert (outcome.key, outcome.state, outcome.remote_id) == (A, state, remote_id)


def test_a_refused_row_is_rejected_with_the_reason(v1: Make):
    body = {"status": "error", "message": "one or more associations were invalid"}

    sent = asyncio.run(v1(lambda request: httpx.Response(400, json=body)).create([row(A)]))

    assert (sent.verdict.next, sent.outcomes[0].state) == ("refused", "rejected")
    assert "one or more associations were invalid" in sent.outcomes[0].reason


@pytest.mark.parametrize(("status", "state"), [(500, "unknown"), (502, "unknown"), (429, "planned"), (401, "planned")])
def test_a_row_is_planned_again_only_where_the_request_was_not_worked_on(v1: Make, status: int, state: str):
    sent = asyncio.run(v1(lambda request: httpx.Response(status)).create([row(A)]))

    assert sent.outcomes[0].state == state


def listing(pages: dict[str, list[dict[str, Any]]]) -> tuple[Handler, list[str]]:
    """An account whose lists are cut into pages of two; the second value logs the paths."""
    log = []

    def handler(request: httpx.Request) -> httpx.Response:
        log.append(request.url.path.removeprefix("/engagements/v1/engagements/"))
        start = int(request.url.params.get("offset", 0))
        everything = pages.get(log[-1])
        if everything is None:
            return httpx.Response(404)
        page = [{"engagement": engagement} for engagement in everything[start : start + 2]]
        more = start + 2 < len(everything)
        # the offset is there even at the end
        return httpx.Response(200, json={"results": page, "hasMore": more, "offset": start + 2})

    return handler, log


def test_rows_are_found_in_the_list_of_their_first_contact_in_all_its_pages(v1: Make):
    theirs = [{"id": 1}, {"id": 2, "uid": C}, {"id": 30, "uid": A}, {"id": 4, "uid": A}, {"id": 5, "uid": B}]
    handler, log = listing({"associated/CONTACT/101/paged": theirs})

    seen = asyncio.run(v1(handler).find([row(A), row(B, links=Links(contacts=("101", "7"))), row("d" * 26)]))

    assert seen == {A: ["4", "30"], B: ["5"]}
    assert log == ["associated/CONTACT/101/paged"] * 3


def test_rows_without_a_contact_are_found_by_company_or_deal(v1: Make):
    handler, _ = listing(
        {"associated/COMPANY/5/paged": [{"id": 1, "uid": A}], "associated/DEAL/6/paged": [{"id": 2, "uid": B}]}
    )

    rows = [row(A, links=Links(companies=("5",))), row(B, links=Links(deals=("6",)))]

    assert asyncio.run(v1(handler).find(rows)) == {A: ["1"], B: ["2"]}


def test_a_contact_that_is_gone_has_no_engagements(v1: Make):
    handler, _ = listing({})

    assert asyncio.run(v1(handler).find([row(A)])) == {}


def test_an_unlinked_row_is_absent_only_if_it_is_not_in_the_list_of_everything(v1: Make):
    handler, log = listing(
        {
            "recent/modified": [{"id": 9, "uid": C}],
            "paged": [{"id": n, "uid": str(n)} for n in range(5)] + [{"id": 7, "uid": A}],
        }
    )

    assert asyncio.run(v1(handler).find([row(A, links=Links())])) == {A: ["7"]}
    assert log == ["recent/modified", "paged", "paged", "paged"]


def test_unlinked_rows_that_were_changed_lately_need_no_list_of_everything(v1: Make):
    handler, log = listing({"recent/modified": [{"id": 9, "uid": A}]})

    assert asyncio.run(v1(handler).find([row(A, links=Links())])) == {A: ["9"]}
    assert log == ["recent/modified"]
