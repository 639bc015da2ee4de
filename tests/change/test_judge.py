"""What the account's state makes of a change, case by case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl.change import judge
from etl.checkpoint.changes import Due, Fate
from etl.flow import Engagement, Links
from etl.hubspot.target import Held, Patch

KEY = "a" * 26


def row(body: str, *contacts: str, companies: tuple[str, ...] = ()) -> Engagement:
    payload = {"engagement": {"type": "NOTE", "timestamp": 5}, "attachments": [], "metadata": {"body": body}}
    return Engagement(KEY, "NOTE", 5, json.dumps(payload).encode(), Links("", contacts, companies))


def held(body: str, *contacts: int, companies: tuple[int, ...] = (), key: str = KEY) -> Held:
    lists = {"contactIds": [*contacts], "companyIds": [*companies], "dealIds": [], "ticketIds": []}
    payload: Any = {"engagement": {}, "associations": lists, "attachments": [], "metadata": {"body": body}}
    return Held("7", "NOTE", key, 5, 0, 0, payload)


OLD, NEW = row("old", "1"), row("new", "2")
UPDATE, UNDO = Due(1, "update", "7", OLD, NEW, "objects"), Due(1, "archive", "7", OLD, OLD, "objects")


@pytest.mark.parametrize(
    ("there", "state"),
    [
        (held("new", 2), "done"),
        (held("new", 2, companies=(9,)), "done"),  # a company that HubSpot links by itself
        (held("a person's", 1), "conflict"),
        (held("old", 1, 3), "conflict"),  # a person linked another contact
        (held("old", 1, key="b" * 26), "conflict"),
        (None, "conflict"),
    ],
)
def test_an_update_is_decided_by_what_is_there(there: Held | None, state: str) -> None:
    found = judge(UPDATE, there, "objects", overwrite=False)
    assert isinstance(found, Fate)
    assert found.state == state


@pytest.mark.parametrize(
    ("there", "values", "link", "unlink"),
    [
        (held("old", 1), True, {"contacts": ("2",)}, {"contacts": ("1",)}),
        (held("new", 1), False, {"contacts": ("2",)}, {"contacts": ("1",)}),
        (held("new", 1, 2), False, {}, {"contacts": ("1",)}),
        (held("old", 2), True, {}, {}),
    ],
)
def test_an_update_that_got_half_through_sends_the_other_half(
    there: Held, values: bool, link: Any, unlink: Any
) -> None:
    found = judge(UPDATE, there, "objects", overwrite=False)
    assert isinstance(found, Patch)
    assert (found.values, found.link, found.unlink) == (values, link, unlink)


def test_what_a_person_changed_is_overwritten_only_when_asked_and_never_what_has_another_key() -> None:
    assert isinstance(judge(UPDATE, held("a person's", 1), "objects", overwrite=True), Patch)
    assert isinstance(judge(UNDO, held("a person's", 1), "objects", overwrite=True), Patch)
    for due in (UPDATE, UNDO):
        found = judge(due, held("old", 1, key="b" * 26), "objects", overwrite=True)
        assert isinstance(found, Fate)
        assert found.state == "conflict"


def test_an_undo_takes_what_is_as_it_was_sent_and_is_done_with_what_is_gone() -> None:
    assert isinstance(judge(UNDO, held("old", 1), "objects", overwrite=False), Patch)
    assert judge(UNDO, None, "objects", overwrite=False) == Fate(1, "done", "it is not there any more")
    found = judge(UNDO, held("old", 1, 2), "objects", overwrite=False)
    assert isinstance(found, Fate)
    assert "associations.contactIds" in found.reason
