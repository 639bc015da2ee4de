"""Look-ups: groups, pages, and comparing again what was found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from etl.errors import ConfigError
from etl.hubspot import phones
from etl.hubspot.objects import ObjectsTarget
from tests.hubspot.conftest import Handler, sent_json

Make = Callable[[Handler], ObjectsTarget]


def looked_up(objects: Make, handler: Handler, to: Any, by: str, values: list[str]) -> dict[str, list[str]]:
    return dict(asyncio.run(objects(handler).look_up(to, by, values)))


def hits(*found: tuple[str, dict[str, str]]) -> httpx.Response:
    return httpx.Response(200, json={"total": len(found), "results": [{"id": i, "properties": p} for i, p in found]})


def test_emails_are_asked_for_a_hundred_at_a_time_and_compared_in_lower_case(objects: Make):
    sizes = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked = [i["id"] for i in sent_json(request)["inputs"]]
        sizes.append(len(asked))
        found = [
            {"id": str(1000 + int(a.split("@")[0][1:])), "properties": {"email": a}}
            for a in reversed(asked)
            if a != "p7@example.com"
        ]
        missing = {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["p7@example.com"]}}
        return httpx.Response(207, json={"results": found, "errors": [missing], "numErrors": 1})

    seen = looked_up(objects, handler, "contacts", "email", [f"P{n}@Example.com" for n in range(250)])

    assert sorted(sizes) == [50, 100, 100]
    assert len(seen) == 249
    assert seen["P249@Example.com"] == ["1249"]
    assert "P7@Example.com" not in seen


def test_a_contact_is_found_by_a_further_address_too(objects: Make):
    contact = ("5", {"email": "new@example.com", "hs_additional_emails": "old@example.com;Older@example.com"})

    seen = looked_up(objects, lambda r: hits(contact), "contacts", "email", ["older@example.com"])

    assert seen == {"older@example.com": ["5"]}


def test_a_phone_is_searched_by_national_digits_and_compared_by_the_whole_number(objects: Make):
    asked = []

    def handler(request: httpx.Request) -> httpx.Response:
        groups = sent_json(request)["filterGroups"]
        asked.extend(f["values"] for g in groups for f in g["filters"])
        return hits(
            ("1", {"phone": "+44 20 7946 0100"}),
            ("2", {"phone": "+1 (207) 946-0100"}),
            ("3", {"phone": "(207) 946-0100"}),
            ("4", {"phone": "555", "mobilephone": "020 7946 0100 ext. 12"}),
        )

    seen = looked_up(objects, handler, "contacts", "phone", ["+442079460100", "+12079460100", "+12079460101"])

    assert asked == [["2079460100", "2079460101"]] * 2
    assert seen == {"+442079460100": ["1", "4"], "+12079460100": ["2", "3"]}


@pytest.mark.parametrize(
    ("value", "stored", "is_same"),
    [
        ("+15555550100", "555-555-0100", True),
        ("+15555550100", "(555) 555-0100 x 22", True),
        ("+15555550100", "1 555 555 0100", True),
        ("+15555550100", "+1 555 555 0100", True),
        ("+15555550100", "+49 555 5550100", False),
        ("+15555550100", "555-0100", False),
        ("+15555550100", "", False),
        ("+493012345678", "030 12345678", True),
        ("+493012345678", "0049 30 12345678", True),
        ("+493012345678", "30 12345678", False),
        ("+390612345678", "06 1234 5678", True),
        ("+390612345678", "+39 06 12345678", True),
        ("anonymous", "", False),
    ],
)
def test_a_stored_number_is_the_same_only_as_the_people_of_its_country_write_it(value: str, stored: str, is_same: bool):
    assert (phones.written(stored) in phones.forms(value)) == is_same


def test_a_search_is_read_in_all_its_pages(objects: Make):
    def handler(request: httpx.Request) -> httpx.Response:
        start = int(sent_json(request).get("after", 0))
        found = [{"id": str(n), "properties": {"name": "Acme  Inc"}} for n in range(start, min(start + 200, 450))]
        paging = {"paging": {"next": {"after": str(start + 200)}}} if start < 400 else {}
        return httpx.Response(200, json={"total": 450, "results": found, **paging})

    seen = looked_up(objects, handler, "companies", "name", ["ACME Inc", "Other"])

    assert list(seen) == ["ACME Inc"]
    assert seen["ACME Inc"] == [str(n) for n in range(450)]


def test_a_search_that_finds_more_than_hubspot_gives_is_made_for_fewer_values(objects: Make):
    sizes = []

    def handler(request: httpx.Request) -> httpx.Response:
        values = sent_json(request)["filterGroups"][0]["filters"][0]["values"]
        sizes.append(len(values))
        if len(values) > 2:
            return httpx.Response(200, json={"total": 10_001, "results": []})
        return hits(*[(v[1:], {"dealname": v}) for v in values])

    seen = looked_up(objects, handler, "deals", "name", [f"d{n}" for n in range(8)])

    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    assert seen == {f"d{n}": [str(n)] for n in range(8)}


def test_domains_are_asked_for_in_lower_case(objects: Make):
    def handler(request: httpx.Request) -> httpx.Response:
        assert sent_json(request)["filterGroups"][0]["filters"][0]["values"] == ["example.com"]
        return hits(
            ("8", {"domain": "example.com"}), ("9", {"domain": "example.com.au"}), ("7", {"domain": "Example.com"})
        )

    assert looked_up(objects, handler, "companies", "domain", ["Example.COM"]) == {"Example.COM": ["7", "8"]}


def test_the_primary_company_of_a_contact_comes_first(objects: Make):
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/contacts/companies/batch/read")
        to = [
            {"toObjectId": 5, "associationTypes": [{"typeId": 279}]},
            {"toObjectId": 30, "associationTypes": [{"typeId": 279}, {"typeId": 1}]},
            {"toObjectId": 4, "associationTypes": []},
        ]
        error = {"category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
        return httpx.Response(207, json={"results": [{"from": {"id": "1"}, "to": to}], "errors": [error]})

    assert looked_up(objects, handler, "companies", "contact", ["1", "2"]) == {"1": ["30", "4", "5"]}


def test_owners_are_read_once_in_all_pages_and_only_active_ones_count(objects: Make):
    asked = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        if "after" in request.url.params:
            return httpx.Response(200, json={"results": [{"id": "2", "email": "Two@example.com", "archived": False}]})
        first = [
            {"id": "1", "email": "one@example.com"},
            {"id": "3", "email": "gone@example.com", "archived": True},
            {"id": "4"},
        ]
        return httpx.Response(200, json={"results": first, "paging": {"next": {"after": "x"}}})

    target = objects(handler)

    async def run() -> list[Any]:
        first = await target.look_up("owners", "email", ["ONE@example.com", "two@example.com", "gone@example.com"])
        return [first, await target.look_up("owners", "email", ["one@example.com"])]

    assert asyncio.run(run()) == [{"ONE@example.com": ["1"], "two@example.com": ["2"]}, {"one@example.com": ["1"]}]
    assert len(asked) == 2


def test_nothing_is_asked_for_no_values(objects: Make):
    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    for to, by in [("contacts", "email"), ("contacts", "phone"), ("companies", "name"), ("deals", "contact")]:
        assert looked_up(objects, handler, to, by, ["", ""]) == {}


@pytest.mark.parametrize(
    ("to", "by"), [("contacts", "domain"), ("owners", "phone"), ("tickets", "name"), ("contacts", "contact")]
)
def test_a_way_to_look_up_that_there_is_not_is_refused(objects: Make, to: Any, by: str):
    with pytest.raises(ConfigError, match=f"{to} by {by}"):
        looked_up(objects, lambda r: hits(), to, by, ["x"])
