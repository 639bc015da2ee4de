"""A run taken back: what it created archived, what it updated restored, and what people changed left alone."""

from __future__ import annotations

from pathlib import Path

from tests.change.conftest import Cli, Write, held, requests
from tests.change.test_update import WIRES, delete, edit, run


def undo(cli: Cli, url: str, api: str, name: str, *more: str, code: int = 0):
    said = cli("undo", name, "--target", url, "--api", api, "--json", *more)
    assert said.code == code, said.err + said.out
    return said.json


@WIRES
def test_without_yes_nothing_is_sent_and_with_it_exactly_the_runs_records_go(
    cli: Cli, url: str, api: str, write: Write
):
    write(range(10))
    run(cli, url, api)
    write(range(10, 25))
    run(cli, url, api)
    before = len(requests(url))

    shown = undo(cli, url, api, "last")
    assert (shown["dry_run"], shown["archive"], shown["restore"]) == (True, {"CALL": 15}, {})
    assert len(requests(url)) == before

    said = undo(cli, url, api, "last", "--yes")
    assert (said["archived"], said["conflict"], said["still_there"]) == (15, 0, 0)
    assert sorted(held(url)) == sorted(f"Call {i}" for i in range(10))


@WIRES
def test_what_was_taken_back_is_not_created_again_unless_asked(cli: Cli, url: str, api: str, write: Write):
    write(range(5))
    run(cli, url, api)
    undo(cli, url, api, "last", "--yes")

    said = run(cli, url, api)
    assert (said["created"], said["already"], said["undone"]) == (0, 5, 5)
    assert held(url) == {}

    said = run(cli, url, api, "--again")
    assert (said["created"], said["undone"]) == (5, 0)
    assert len(held(url)) == 5
    assert cli("verify", "--target", url, "--api", api, "--json").json["differs"] == 0


@WIRES
def test_what_the_run_updated_is_as_it_was_with_its_links(cli: Cli, url: str, api: str, write: Write):
    write(range(6))
    run(cli, url, api)
    write(range(8), {2: "new"}, {3: 11})
    assert run(cli, url, api, "--update-changed")["updated"] == 2

    assert undo(cli, url, api, "last")["restore"] == {"CALL": 2}
    said = undo(cli, url, api, "last", "--yes")

    assert (said["archived"], said["restored"]) == (2, 2)
    there = held(url)
    assert len(there) == 6
    assert there["Call 2"]["metadata"]["body"] == "text 2"
    assert there["Call 3"]["associations"]["contactIds"] == [4]
    assert cli("verify", "--target", url, "--api", api, "--json").json["differs"] == 0


@WIRES
def test_what_a_person_changed_stays_unless_told_and_what_is_gone_is_no_trouble(
    cli: Cli, url: str, api: str, write: Write
):
    write(range(6))
    run(cli, url, api)
    ids = {title: str(e["engagement"]["id"]) for title, e in held(url).items()}
    edit(url, ids["Call 1"], {"body": "of a person"})
    delete(url, ids["Call 2"])

    said = undo(cli, url, api, "last", "--yes", code=3)
    assert (said["archived"], said["conflict"]) == (5, 1)
    assert sorted(held(url)) == ["Call 1"]
    assert "changed in the account since it was sent: metadata.body" in Path(said["files"]["undo"]).read_text()

    name = said["run"]
    said = undo(cli, url, api, name, "--yes", "--even-if-edited")
    assert (said["archived"], said["conflict"]) == (6, 0)
    assert held(url) == {}


@WIRES
def test_one_row_by_its_id(cli: Cli, url: str, api: str, write: Write):
    write(range(4))
    run(cli, url, api)
    one = str(held(url)["Call 2"]["engagement"]["id"])
    said = undo(cli, url, api, "last", "--yes", "--row", one)
    assert said["archived"] == 1
    assert sorted(held(url)) == ["Call 0", "Call 1", "Call 3"]
    assert undo(cli, url, api, said["run"], "--yes")["archived"] == 4
    assert held(url) == {}


def test_a_record_that_carries_another_key_is_not_ours_and_stays(cli: Cli, url: str, write: Write):
    import httpx

    from tests.verify import tamper

    write(range(2))
    run(cli, url, "objects")
    one = str(held(url)["Call 1"]["engagement"]["id"])
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        body = {"properties": {"etl_import_key": "of-somebody-else"}}
        client.patch(f"/crm/objects/2026-03/calls/{one}", json=body).raise_for_status()
    said = undo(cli, url, "objects", "last", "--yes", "--even-if-edited", code=3)
    assert (said["archived"], said["conflict"]) == (1, 1)
    assert sorted(held(url)) == ["Call 1"]


def test_a_run_that_is_none_is_refused_with_what_to_do(cli: Cli, url: str, write: Write):
    write(range(2))
    run(cli, url, "objects")
    said = cli("undo", "nothing", "--target", url)
    assert said.code == 66
    assert "etl status" in said.err
