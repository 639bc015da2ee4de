"""Contacts that the mapping creates: planned, counted, created once however the answers come, and linked."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from etl import pipeline
from etl.checkpoint import counts, directory, journal, newcomers
from etl.checkpoint.store import Checkpoint, open_checkpoint
from etl.engagement import DISPOSITIONS
from etl.errors import ConfigError, MappingError
from etl.flow import Outcome
from etl.hubspot.target import Place
from etl.mapping import load
from etl.newcomers import create_newcomers

MAPPING = """\
version: 1
name: calls
source: {{format: csv, timezone: UTC, region: US}}
key: $id
engagement: {{type: NOTE, timestamp: {{from: $at, as: datetime, format: epoch_s}}}}
associations:
  contacts:
    match: [{{by: phone, value: $phone}}, {{by: email, value: $email}}]
    not_found: create
    create: {{email: $email, phone: $phone, firstname: $name}}
    {more}
metadata: {{body: $name}}
"""


class Account:
    """Contacts by e-mail and phone, with answers that may be lost after or before the contact is there."""

    def __init__(self) -> None:
        self.contacts: list[dict[str, str]] = []
        self.lose: list[str] = []  #: for the next creations: `after`, `before` or `refuse`
        self.asked = 0

    def place(self) -> Place:
        return Place(1)

    def ask(self, kind: str, by: str, values: Collection[str]) -> Mapping[str, list[str]]:
        assert by != "create"
        found = {
            value: [str(i + 1) for i, each in enumerate(self.contacts) if each.get(by) == value] for value in values
        }
        return {value: ids for value, ids in found.items() if ids}

    async def look_up(self, to: str, by: str, values: Collection[str]) -> Mapping[str, list[str]]:
        return self.ask(to, by, values)

    async def add_contact(self, properties: Mapping[str, str]) -> Outcome:
        self.asked += 1
        fate = self.lose.pop(0) if self.lose else ""
        if fate == "refuse":
            return Outcome("", "rejected", "", "no such property")
        if fate != "before":
            assert properties.get("email") not in [each.get("email", "-") for each in self.contacts]
            self.contacts.append(dict(properties))
        if fate == "die":
            raise KeyboardInterrupt
        return Outcome("", "unknown", "", "lost") if fate else Outcome("", "created", str(len(self.contacts)))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    with closing(open_checkpoint(tmp_path / "c.sqlite", portal="1", namespace="calls")) as opened:
        yield opened


ROWS = [
    ("1", "Ann@example.com", "", "Ann"),
    ("2", "ann@example.com", "(206) 555-0100", "Ann L."),
    ("3", "", "+12065550101", "Bob"),
    ("4", "", "(206) 555-0101", "Robert"),
]


def planned(
    folder: Path, checkpoint: Checkpoint, account: Account, rows: list[tuple[str, ...]] = ROWS, more: str = ""
) -> int:
    file = folder / "in.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(
            [("id", "at", "email", "phone", "name"), *((r[0], "1700000000", *r[1:]) for r in rows)]
        )
    (folder / "m.yaml").write_text(MAPPING.format(more=more))
    return pipeline.plan([file], load(folder / "m.yaml"), checkpoint, account.ask, DISPOSITIONS)


def create(folder: Path, checkpoint: Checkpoint, account: Account, plan: int) -> dict[str, int]:
    """Creates what is to be created and links what waited; the states of the rows then."""
    run = journal.begin_run(checkpoint, f"run {checkpoint.one('SELECT count(*) FROM run')}", plan)
    asyncio.run(create_newcomers(checkpoint, account, settle_s=0.01))  # type: ignore[arg-type]
    pipeline.look_again(checkpoint, 0, run, load(folder / "m.yaml"), directory.remembered(checkpoint, account.ask))
    return counts.states(checkpoint)


def test_a_plan_says_how_many_contacts_and_creates_none(tmp_path: Path, checkpoint: Checkpoint) -> None:
    account = Account()
    plan = planned(tmp_path, checkpoint, account)
    assert pipeline.newcomers_of(checkpoint, plan, load(tmp_path / "m.yaml")) == 2
    assert (account.asked, counts.states(checkpoint)) == (0, {"parked": 4})


def test_each_contact_is_created_once_and_all_its_rows_are_linked(tmp_path: Path, checkpoint: Checkpoint) -> None:
    account = Account()
    states = create(tmp_path, checkpoint, account, planned(tmp_path, checkpoint, account))
    assert states == {"planned": 4}
    assert account.contacts == [
        {"email": "ann@example.com", "firstname": "Ann"}, {"phone": "+12065550101", "firstname": "Bob"}
    ]  # fmt: skip
    assert [row.engagement.links.contacts for row in journal.due(checkpoint, "planned", after=0, rows=9)] == [
        ("1",), ("1",), ("2",), ("2",)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fates", [["after"], ["before"], ["after", "after"], ["before", "before", "after"], ["before", "after", "before"]]
)
def test_a_lost_answer_never_makes_a_second_contact(tmp_path: Path, checkpoint: Checkpoint, fates: list[str]) -> None:
    account = Account()
    account.lose = fates
    assert create(tmp_path, checkpoint, account, planned(tmp_path, checkpoint, account)) == {"planned": 4}
    assert len(account.contacts) == 2


def test_a_death_between_creating_and_recording_makes_no_second_contact(tmp_path: Path, checkpoint: Checkpoint) -> None:
    account = Account()
    plan = planned(tmp_path, checkpoint, account)
    account.lose = ["die"]
    with pytest.raises(KeyboardInterrupt):
        create(tmp_path, checkpoint, account, plan)
    assert create(tmp_path, checkpoint, account, plan) == {"planned": 4}
    assert len(account.contacts) == 2


def test_somebody_else_who_creates_the_contact_meanwhile_is_seen(tmp_path: Path, checkpoint: Checkpoint) -> None:
    account = Account()
    plan = planned(tmp_path, checkpoint, account)
    account.contacts = [{"email": "ann@example.com"}]
    create(tmp_path, checkpoint, account, plan)
    assert len(account.contacts) == 2


def test_rows_of_a_contact_that_the_account_refuses_are_rejected_with_its_reason(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    account = Account()
    account.lose = ["refuse"]
    assert create(tmp_path, checkpoint, account, planned(tmp_path, checkpoint, account)) == {
        "planned": 2,
        "rejected": 2,
    }
    assert "no such property" in checkpoint.rows("SELECT reason FROM row WHERE state = 'rejected'")[0][0]


def test_more_contacts_than_the_mapping_allows_stop_before_anything_is_sent(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    account = Account()
    plan = planned(tmp_path, checkpoint, account, more="max: 1")
    with pytest.raises(ConfigError, match="2 contacts would be created, more than the 1"):
        pipeline.newcomers_of(checkpoint, plan, load(tmp_path / "m.yaml"))


def test_a_row_that_says_nothing_to_create_a_contact_from_is_rejected(tmp_path: Path, checkpoint: Checkpoint) -> None:
    plan = planned(tmp_path, checkpoint, Account(), [*ROWS * 10, ("99", "nobody", "anonymous", "Eve")])
    assert counts.rejected_by_half_one(checkpoint, plan) == {"not_found": 1}


def test_a_second_run_creates_nothing(tmp_path: Path, checkpoint: Checkpoint) -> None:
    account = Account()
    create(tmp_path, checkpoint, account, planned(tmp_path, checkpoint, account))
    again = planned(tmp_path, checkpoint, account, [*ROWS, ("5", "", "206-555-0101", "Bobby")])
    assert newcomers.waiting(checkpoint) == 0
    create(tmp_path, checkpoint, account, again)
    assert len(account.contacts) == 2


def test_a_contact_needs_an_address_or_a_number(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        MAPPING.format(more="").replace("email: $email, phone: $phone, firstname", "firstname")
    )
    with pytest.raises(MappingError, match="with `email` or `phone` among them"):
        load(tmp_path / "m.yaml")


def test_without_an_account_the_contact_to_create_stands_beside_the_payload_in_words(tmp_path: Path) -> None:
    from etl.associate import payload_lines
    from etl.half_one import half_one

    (tmp_path / "m.yaml").write_text(MAPPING.format(more=""))
    (tmp_path / "in.csv").write_text("id,at,email,phone,name\n1,1700000000,ann@example.com,,Ann\n")
    [half] = half_one(tmp_path / "in.csv", load(tmp_path / "m.yaml"), DISPOSITIONS, None)
    wanted = json.loads(payload_lines(half.linked)[0].as_py())["wanted"]["contacts"]
    assert wanted[-1] == {"by": "create", "value": ['{"email":"ann@example.com","firstname":"Ann"}']}


@pytest.mark.parametrize(("days", "state"), [(1.9, "parked"), (2.1, "rejected")])
def test_a_parked_row_waits_as_long_as_the_mapping_says(
    tmp_path: Path, checkpoint: Checkpoint, days: float, state: str
) -> None:
    account = Account()
    text = MAPPING.format(more="park_for: 2d").replace("not_found: create", "not_found: park")
    (tmp_path / "m.yaml").write_text("\n".join(line for line in text.split("\n") if "create:" not in line))
    (tmp_path / "in.csv").write_text("id,at,email,phone,name\n1,1700000000,ann@example.com,,Ann\n")
    mapping = load(tmp_path / "m.yaml")
    plan = pipeline.plan([tmp_path / "in.csv"], mapping, checkpoint, account.ask, DISPOSITIONS)
    with checkpoint.transaction() as db:
        db.execute("UPDATE row SET parked_ms = parked_ms - ?", [int(days * 86_400_000)])
    run = journal.begin_run(checkpoint, "r", plan)
    pipeline.look_again(checkpoint, 0, run, mapping, directory.remembered(checkpoint, account.ask))
    assert counts.states(checkpoint) == {state: 1}
