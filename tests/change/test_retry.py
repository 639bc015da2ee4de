"""What is tried again: parked rows on a later night, by themselves or when asked, and rows that were refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import httpx
import pytest

from tests.change.conftest import Cli, Write, held
from tests.change.test_update import run
from tests.verify import tamper

SHIFT = pytest.mark.parametrize(("days", "parked"), [(1.9, 1), (2.1, 0)])


def appear(url: str, number: int) -> None:
    """A contact is there now."""
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        body = {"properties": {"email": f"c{number}@customer.example"}}
        client.post("/crm/objects/2026-03/contacts", json=body).raise_for_status()


def shift(days: float) -> None:
    """Lets every parked row have waited so much longer."""
    (checkpoint,) = Path().glob(".etl/*/nights.sqlite")
    with sqlite3.connect(checkpoint) as db:
        db.execute("UPDATE row SET parked_ms = parked_ms - ?", [int(days * 86_400_000)])


def test_a_parked_row_finds_its_contact_on_a_later_night(cli: Cli, url: str, write: Write):
    write(range(3), who={1: 99})
    said = run(cli, url, "objects")
    assert (said["created"], said["parked"]) == (2, 1)
    assert "contacts by email: c99@customer.example" in Path(said["files"]["parked"]).read_text()
    appear(url, 99)
    write([7])
    said = run(cli, url, "objects")
    assert (said["created"], said["carried"]) == (1, {"rows": 1, "created": 1})
    assert len(held(url)) == 4


def test_parked_rows_can_be_looked_for_at_once(cli: Cli, url: str, write: Write):
    write(range(3), who={1: 99})
    run(cli, url, "objects")
    appear(url, 99)
    assert cli("retry", "--parked", "--target", url).code == 2
    said = cli("retry", "--parked", "-m", "m.yaml", "--target", url, "--json")
    assert said.code == 0, said.err
    assert len(held(url)) == 3


def test_a_plan_that_was_only_looked_at_is_not_sent_by_a_retry(cli: Cli, url: str, write: Write):
    write(range(3), who={1: 99})
    run(cli, url, "objects")
    appear(url, 99)
    write([7, 8])
    assert cli("plan", "in.csv", "-m", "m.yaml", "--target", url, "--json").json["not_tried"] == 2
    said = cli("retry", "--parked", "-m", "m.yaml", "--target", url, "--json")
    assert (said.code, said.json["not_tried"]) == (0, 0), said.err
    assert len(held(url)) == 3


@SHIFT
def test_a_parked_row_expires_when_the_mapping_says_also_when_every_night_brings_it_again(
    cli: Cli, url: str, write: Write, days: float, parked: int
):
    write(range(3), who={1: 99})
    run(cli, url, "objects")
    shift(days)
    write(range(4), who={1: 99})
    said = run(cli, url, "objects", code=0 if parked else 3)
    assert (said["parked"], said["rejected_by"]) == (parked, {} if parked else {"park_expired": 1})
    if not parked:
        appear(url, 99)
        said = cli("retry", "--rejected", "park_expired", "-m", "m.yaml", "--target", url, "--json")
        assert said.code == 0, said.err
        assert len(held(url)) == 4


def test_rows_that_hubspot_refused_are_sent_again(cli: Cli, url: str, write: Write):
    write(range(3))
    text = Path("m.yaml").read_text().replace("metadata:", "  deals: {by: id, value: $to}\nmetadata:")
    Path("m.yaml").write_text(text.replace("+12065550100", "921"))
    rows = Path("in.csv").read_text().replace("+12065550100", "777777")
    Path("in.csv").write_text(rows)
    said = run(cli, url, "objects", "--max-rejects", "100%", code=3)
    assert said["rejected_by"] == {"refused": 3}
    said = cli("retry", "--rejected", "refused", "--target", url, "--json")
    assert (said.code, said.json["rejected"]) == (3, 3)
    assert cli("retry", "--rejected", "park_expired", "--target", url, "--json").json == {"retried": 0}


def test_rows_that_planning_refused_are_read_again(cli: Cli, url: str, write: Write):
    write(range(3), who={1: 99})
    Path("m.yaml").write_text(Path("m.yaml").read_text().replace("park, park_for: 2d", "reject"))
    run(cli, url, "objects", "--max-rejects", "100%", code=3)
    appear(url, 99)
    assert cli("retry", "--rejected", "not_found", "--target", url).code == 2
    said = cli("retry", "--rejected", "not_found", "-m", "m.yaml", "--target", url, "--json")
    assert said.code == 0, said.err
    assert said.json["created"] == 1
    assert len(held(url)) == 3


def test_asking_for_nothing_says_what_can_be_asked_for(cli: Cli, url: str):
    said = cli("retry", "--target", url)
    assert said.code == 2
    assert "--rejected" in said.err
