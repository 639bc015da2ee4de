"""Links: each way, each policy, with an account that is a dictionary."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from etl.associate import associate, associate_words, in_words, payload_lines
from etl.columns.rows import batch_of
from etl.flow import Cells, Drafts, Keys, Linked, LinkKind, Reject, Wanted, key_text
from etl.mapping.model import Associations, Constant, Link, Match

TEXTS = pa.list_(pa.string())
X = Constant(value="x")
Words = Sequence[Sequence[str] | None]


class Account:
    """Answers look-ups from a table and remembers what it was asked."""

    def __init__(self, **found: dict[str, list[str]]) -> None:
        self.found = found
        self.asked: list[tuple[str, str, list[str]]] = []

    def __call__(self, to: str, by: str, values: Collection[str]) -> dict[str, list[str]]:
        self.asked.append((to, by, sorted(values)))
        known = self.found.get(f"{to}_by_{by}", {})
        return {value: known[value] for value in values if value in known}


def way(by: str, words: Words, table: str = "") -> Wanted:
    return Wanted(by, pa.array(words, TEXTS), table)


def drafts_of(wanted: dict[LinkKind, tuple[Wanted, ...]], owner: Sequence[str | None] = ()) -> Drafts:
    rows = max([len(one.values) for ways in wanted.values() for one in ways] + [len(owner)])
    return Drafts(
        lines=np.arange(2, rows + 2),
        keys=Keys(pa.array([bytes([place]) for place in range(rows)], pa.binary())),
        types=pa.array(["NOTE"] * rows, pa.string()),
        times_ms=np.zeros(rows, np.int64),
        engagement=pa.array(['"active":true,"type":"NOTE","timestamp":1'] * rows, pa.string()),
        attachments=pa.array(["[]"] * rows, pa.string()),
        metadata=pa.array(['{"body":"x"}'] * rows, pa.string()),
        properties=pa.nulls(rows, pa.string()),
        owner=pa.array(list(owner) or [None] * rows, pa.string()),
        wanted=wanted,
        cells=Cells(batch_of({"Id": pa.array([str(n) for n in range(rows)])}), np.arange(rows)),
    )


def link(*by: str, **policy: Any) -> Link:
    return Link(match=tuple(Match(by=each, value=None if each == "contact" else X) for each in by), **policy)


def done(
    found: tuple[Linked, list[Reject]],
) -> tuple[dict[str, list[list[str]]], list[str | None], dict[int, list[str]]]:
    """The links that are there by kind, why rows wait, and the codes of rejects by line."""
    linked, rejects = found
    links = {kind: ids.to_pylist() for kind, ids in linked.links.items() if any(ids.to_pylist())}
    return links, linked.parked.to_pylist(), {r.line: [p.code for p in r.problems] for r in rejects}


def contacts(words: Words, account: Account, by: str = "phone", **policy: Any) -> Any:
    """What becomes of rows that want contacts by phone."""
    require = policy.pop("require", "none")
    rules = Associations(links={"contacts": link(by, **policy)}, require=require)
    return done(associate(drafts_of({"contacts": (way(by, words),)}), rules, account, "reject", {}))


def test_words_are_asked_for_once_and_spread_over_their_rows() -> None:
    account = Account(contacts_by_email={"a@example.com": ["7"], "b@example.com": ["8"]})

    links, parked, rejects = contacts([["a@example.com"], ["b@example.com"], ["a@example.com"]], account, by="email")

    assert links == {"contacts": [["7"], ["8"], ["7"]]}
    assert (parked, rejects) == ([None] * 3, {})
    assert account.asked == [("contacts", "email", ["a@example.com", "b@example.com"])]


@pytest.mark.parametrize(
    ("policy", "links", "parked", "rejects"),
    [
        ("reject", {}, [], {2: ["not_found"]}), ("park", {}, ["no contact by phone"], {}), ("unlinked", {}, [None], {}),
    ],
)  # fmt: skip
def test_what_is_not_found_goes_by_its_policy(policy: str, links: Any, parked: Any, rejects: Any) -> None:
    assert contacts([["+12065550100"]], Account(), not_found=policy) == (links, parked, rejects)


ACCOUNT = {
    "contacts_by_phone": {"+1": ["20", "3"], "+2": ["4", "5"], "+3": ["6"]},
    "companies_by_contact": {"20": ["900"], "3": ["901", "900"], "4": ["900"], "5": ["902"]},
}


@pytest.mark.parametrize(
    ("policy", "links", "parked", "rejects"),
    [
        ("reject", {"contacts": [["6"]]}, [None], {2: ["ambiguous"], 3: ["ambiguous"]}),
        ("park", {"contacts": [[], [], ["6"]]}, ["several contacts by phone"] * 2 + [None], {}),
        ("all", {"contacts": [["3", "20"], ["4", "5"], ["6"]]}, [None] * 3, {}),
        ("oldest", {"contacts": [["3"], ["4"], ["6"]]}, [None] * 3, {}),
        ("company", {"contacts": [[], ["6"]], "companies": [["900"], []]}, [None] * 2, {3: ["ambiguous"]}),
    ],
)  # fmt: skip
def test_several_contacts_go_by_their_policy(policy: str, links: Any, parked: Any, rejects: Any) -> None:
    found = contacts([["+1"], ["+2"], ["+3"]], Account(**ACCOUNT), ambiguous=policy, require="contact")

    assert found == (links, parked, rejects)


def test_what_cannot_be_a_phone_or_an_address_is_not_asked_for() -> None:
    account = Account()

    assert contacts([["anonymous"], ["104"]], account, not_found="park")[1] == ["no contact by phone"] * 2
    assert contacts([["nobody"]], account, by="email", not_found="park")[1] == ["no contact by email"]
    assert account.asked == []


def test_of_a_list_one_found_is_enough_and_the_misses_are_counted() -> None:
    account = Account(contacts_by_email={"a@": ["1"], "b@": ["2"]})
    rules = Associations(links={"contacts": link("email")})
    drafts = drafts_of({"contacts": (way("email", [["a@", "x@", "b@", "a@"], ["y@", "z@"]]),)})

    linked, rejects = associate(drafts, rules, account, "reject", {})

    assert linked.links["contacts"].to_pylist() == [["1", "2"]]
    assert linked.misses == 1
    assert [(r.line, r.problems[0].code, r.problems[0].value) for r in rejects] == [(3, "not_found", "y@; z@")]


def test_ways_are_tried_in_order_on_rows_that_are_still_without() -> None:
    account = Account(contacts_by_phone={"+1": ["1"]}, contacts_by_email={"a@": ["2"], "b@": ["3"]})
    rules = Associations(links={"contacts": link("phone", "email", not_found="park")})
    drafts = drafts_of(
        {"contacts": (way("phone", [["+1"], ["+9"], None, ["+9"]]), way("email", [["a@"], ["b@"], ["a@"], None]))}
    )

    links, parked, rejects = done(associate(drafts, rules, account, "reject", {}))

    assert links == {"contacts": [["1"], ["3"], ["2"], []]}
    assert (parked, rejects) == ([None, None, None, "no contact by phone"], {})
    assert account.asked[1] == ("contacts", "email", ["a@", "b@"])


def test_an_id_is_trusted_and_text_is_none() -> None:
    account = Account()

    assert contacts([["0012"], ["x"], ["5", "6"]], account, by="id") == (
        {"contacts": [["12"], ["5", "6"]]},
        [None] * 2,
        {3: ["bad_id"]},
    )
    assert account.asked == []


def test_a_table_gives_ids_and_what_it_lacks_is_not_found() -> None:
    rules = Associations(
        links={"deals": Link(match=(Match(by="table", value=X, table="t"),), not_found="unlinked")}, require="none"
    )
    drafts = drafts_of({"deals": (way("table", [["a"], ["b"], ["c"]], "t"),)})

    found = done(associate(drafts, rules, Account(), "reject", {"t": {"a": "11", "c": "no id"}}))

    assert found == ({"deals": [["11"], []]}, [None, None], {4: ["bad_id"]})


def test_companies_and_deals_come_with_the_first_contact() -> None:
    account = Account(
        contacts_by_email={"a@": ["1"], "b@": ["2"], "c@": ["3"]},
        companies_by_contact={"1": ["50", "40"]},
        deals_by_contact={"1": ["7"], "2": ["8", "9"]},
    )
    rules = Associations(
        links={"contacts": link("email"), "companies": link("contact"), "deals": link("contact", ambiguous="all")}
    )
    nothing = [[]] * 3
    wanted: Any = {
        "contacts": (way("email", [["a@", "b@"], ["b@"], ["c@"]]),),
        "companies": (way("contact", nothing),),
        "deals": (way("contact", nothing),),
    }

    links, parked, rejects = done(associate(drafts_of(wanted), rules, account, "reject", {}))

    assert links == {
        "contacts": [["1", "2"], ["2"], ["3"]],
        "companies": [["50"], [], []],
        "deals": [["7"], ["8", "9"], []],
    }
    assert (parked, rejects) == ([None] * 3, {})


def test_an_engagement_has_at_most_one_company() -> None:
    rules = Associations(links={"companies": link("id", ambiguous="all")}, require="none")
    drafts = drafts_of({"companies": (way("id", [["1", "2"], ["1", "1"]]),)})

    assert done(associate(drafts, rules, Account(), "reject", {})) == (
        {"companies": [["1"]]},
        [None],
        {2: ["ambiguous"]},
    )


@pytest.mark.parametrize(
    ("require", "refused"), [("contact", {3: ["no_link"], 4: ["no_link"]}), ("any", {4: ["no_link"]}), ("none", {})]
)
def test_require_asks_for_a_link(require: str, refused: Any) -> None:
    rules = Associations(links={"contacts": link("id"), "deals": link("id")}, require=require)
    drafts = drafts_of({"contacts": (way("id", [["1"], None, None]),), "deals": (way("id", [None, ["5"], None]),)})

    assert done(associate(drafts, rules, Account(), "reject", {}))[2] == refused
    assert done(in_words(drafts, rules, {}))[2] == refused


@pytest.mark.parametrize(
    ("policy", "refused"), [("reject", {4: ["owner_not_found"]}), ("unassigned", {}), ("empty", {})]
)
def test_owners_are_ids_or_looked_up(policy: str, refused: Any) -> None:
    account = Account(owners_by_email={"ann@example.com": ["31"]})
    drafts = drafts_of({}, owner=["ann@example.com", "17", "gone@example.com", None, "Night desk"])

    linked, rejects = associate(
        drafts, Associations(require="none"), account, "unassigned" if policy != "reject" else policy, {}
    )

    if policy != "reject":
        assert linked.owner_ids.to_pylist() == ["31", "17", None, None, None]
        assert rejects == []
    else:
        assert linked.owner_ids.to_pylist() == ["31", "17", None]
        assert [reject.line for reject in rejects] == [4, 6]
    assert account.asked == [("owners", "email", ["ann@example.com", "gone@example.com"])]


def test_rejects_keep_cells_and_key_and_the_rest_moves_up() -> None:
    account = Account(contacts_by_phone={"+2": ["5"]})
    rules = Associations(links={"contacts": link("phone")})

    linked, (reject,) = associate(
        drafts_of({"contacts": (way("phone", [["+1"], ["+2"]]),)}), rules, account, "reject", {}
    )

    assert (reject.line, reject.cells, len(reject.key)) == (2, ("0",), 26)
    assert reject.problems[0].value == "+1"
    assert linked.drafts.lines.tolist() == [3]
    assert linked.drafts.cells.all()["Id"].tolist() == ["1"]
    assert linked.drafts.wanted["contacts"][0].values.to_pylist() == [["+2"]]


def test_words_are_stable_json_and_can_be_looked_up_again() -> None:
    rules = Associations(links={"contacts": link("phone", "email", not_found="park"), "companies": link("contact")})
    wanted: Any = {
        "contacts": (way("phone", [["+1"], None, ["+3"]]), way("email", [None, ["a@", 'b"@'], ["c@"]])),
        "companies": (way("contact", [[]] * 3),),
    }
    linked, _ = associate(drafts_of(wanted, owner=["ann@example.com", None, None]), rules, Account(), "unassigned", {})
    words = linked.wanted.to_pylist()
    account = Account(
        contacts_by_phone={"+1": ["10"]}, contacts_by_email={"a@": ["11"]}, companies_by_contact={"10": ["90"]}
    )

    again = associate_words(words, rules, account, "unassigned", {})

    assert (
        words[0]
        == '{"owner":"ann@example.com","contacts":[{"by":"phone","value":["+1"]}],"companies":[{"by":"contact"}]}'
    )
    assert orjson.loads(words[1]) == {
        "contacts": [{"by": "email", "value": ["a@", 'b"@']}],
        "companies": [{"by": "contact"}],
    }
    assert again.links["contacts"].to_pylist() == [["10"], ["11"], []]
    assert again.links["companies"].to_pylist() == [["90"], [], []]
    assert again.parked.to_pylist() == [None, None, "no contact by phone or email"]
    assert again.problems == {}


def test_words_are_kept_of_rows_that_wait() -> None:
    linked, _ = associate(
        drafts_of({"contacts": (way("id", [None]),)}),
        Associations(links={"contacts": link("id")}, require="none"),
        Account(),
        "reject",
        {},
    )

    assert linked.wanted.to_pylist() == [None]


def test_without_an_account_links_stay_in_words_beside_the_payload() -> None:
    rules = Associations(links={"contacts": link("phone"), "companies": link("contact"), "deals": link("id")})
    wanted: Any = {
        "contacts": (way("phone", [["+1"], None]),),
        "companies": (way("contact", [[]] * 2),),
        "deals": (way("id", [["5"], ["6"]]),),
    }

    linked, rejects = in_words(drafts_of(wanted, owner=["ann@example.com", None]), rules, {})

    assert [r.line for r in rejects] == [3]
    assert [orjson.loads(line) for line in payload_lines(linked).to_pylist()] == [
        {
            "engagement": {"active": True, "type": "NOTE", "timestamp": 1},
            "associations": {"contactIds": [], "companyIds": [], "dealIds": [5], "ownerIds": [], "ticketIds": []},
            "attachments": [], "metadata": {"body": "x"}, "key": key_text(sha256(b"\0").digest()[:16]), "line": 2,
            "wanted": {"owner": "ann@example.com", "contacts": [{"by": "phone", "value": ["+1"]}], "companies": [{"by": "contact"}]},
        }
    ]  # fmt: skip


def test_a_line_whose_links_are_ids_is_final() -> None:
    rules = Associations(links={"contacts": link("id")})

    linked, _ = in_words(drafts_of({"contacts": (way("id", [["1"], ["2", "3"]]),)}, owner=["17", None]), rules, {})

    lines = [orjson.loads(line) for line in payload_lines(linked).to_pylist()]
    assert linked.wanted.to_pylist() == [None, None]
    assert [line["associations"]["contactIds"] for line in lines] == [[1], [2, 3]]
    assert [line["engagement"].get("ownerId") for line in lines] == [17, None]
    assert set(lines[0]) == {"engagement", "associations", "attachments", "metadata"}


def test_properties_stand_beside_the_payload() -> None:
    drafts = drafts_of({"contacts": (way("id", [["1"], ["2"]]),)})
    object.__setattr__(drafts, "properties", pa.array(['{"a":"b"}', None]))

    linked, _ = in_words(drafts, Associations(links={"contacts": link("id")}), {})

    assert [orjson.loads(line).get("properties") for line in payload_lines(linked).to_pylist()] == [{"a": "b"}, None]


def test_no_rows_are_no_trouble() -> None:
    rules = Associations(links={"contacts": link("phone"), "companies": link("contact")})
    drafts = drafts_of({"contacts": (way("phone", []),), "companies": (way("contact", []),)})

    assert len(associate(drafts, rules, Account(), "reject", {})[0].drafts) == 0
    assert payload_lines(in_words(drafts, rules, {})[0]).to_pylist() == []
    assert associate_words([], rules, Account(), "reject", {}).parked.to_pylist() == []
