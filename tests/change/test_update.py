"""Nightly increments: rows that were created and say something else now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.change.conftest import Cli, Write, held, requests
from tests.verify import tamper

WIRES = pytest.mark.parametrize("api", ["objects", "v1"])


def run(cli: Cli, url: str, api: str, *more: str, code: int = 0, command: str = "run"):
    said = cli(command, "in.csv", "-m", "m.yaml", "--target", url, "--api", api, "--json", *more)
    assert said.code == code, said.err + said.out
    return said.json


@WIRES
def test_what_changed_is_patched_with_its_links_and_nothing_else_is_written(cli: Cli, url: str, api: str, write: Write):
    write(range(30))
    assert run(cli, url, api)["created"] == 30
    before = len(requests(url))
    write(range(30), {3: "another text", 4: "and another"}, {5: 9})

    said = run(cli, url, api, "--update-changed")

    assert (said["created"], said["updated"], said["already"], said["changed"]) == (0, 3, 27, 0)
    there = held(url)
    assert len(there) == 30
    assert there["Call 3"]["metadata"]["body"] == "another text"
    assert there["Call 5"]["associations"]["contactIds"] == [9]
    assert there["Call 6"]["associations"]["contactIds"] == [7]
    written = requests(url)[before:]
    after = len(requests(url))
    assert run(cli, url, api, "--update-changed")["updated"] == 0
    assert len(requests(url)) == after, "an unchanged night writes nothing"
    assert len(written) == (3 if api == "objects" else 4)
    assert cli("verify", "--target", url, "--api", api, "--json").json["differs"] == 0


@WIRES
def test_what_a_person_changed_is_kept_and_listed_and_overwritten_only_when_asked(
    cli: Cli, url: str, api: str, write: Write
):
    write(range(10))
    run(cli, url, api)
    ids = {title: str(e["engagement"]["id"]) for title, e in held(url).items()}
    edit(url, ids["Call 3"], {"body": "what a person wrote"})
    edit(url, ids["Call 4"], {"body": "of a row that did not change"})
    delete(url, ids["Call 5"])
    write(range(10), {3: "new", 5: "new", 6: "new"})

    said = run(cli, url, api, "--update-changed")

    assert (said["updated"], said["already"], said["changed"], said["conflicts"]) == (1, 9, 2, 2)
    assert held(url)["Call 3"]["metadata"]["body"] == "what a person wrote"
    listed = Path(said["files"]["changes"]).read_text().splitlines()
    assert sum(",conflict," in line for line in listed) == 2
    assert "metadata.body" in "\n".join(listed)

    said = run(cli, url, api, "--update-changed", "--overwrite")
    assert (said["updated"], said["conflicts"]) == (1, 1)
    assert held(url)["Call 3"]["metadata"]["body"] == "new"
    assert held(url)["Call 4"]["metadata"]["body"] == "of a row that did not change"


def test_the_mapping_can_ask_for_it_and_without_asking_nothing_is_changed(cli: Cli, url: str, write: Write):
    write(range(5))
    run(cli, url, "objects")
    write(range(5), {2: "new"})
    said = run(cli, url, "objects")
    assert (said["updated"], said["changed"]) == (0, 1)
    Path("m.yaml").write_text(Path("m.yaml").read_text() + "on_change: update\n")
    assert run(cli, url, "objects")["updated"] == 1


def test_a_field_that_is_empty_now_is_taken_away(cli: Cli, url: str, write: Write):
    write(range(3))
    run(cli, url, "objects")
    write(range(3), {1: ""})
    assert run(cli, url, "objects", "--update-changed")["updated"] == 1
    assert "body" not in held(url)["Call 1"]["metadata"]


def test_a_row_that_says_again_what_is_in_the_account_is_not_updated_any_more(cli: Cli, url: str, write: Write):
    write(range(3))
    run(cli, url, "objects")
    write(range(3), {1: "new"})
    run(cli, url, "objects", "--update-changed", command="plan")
    write(range(3))
    said = run(cli, url, "objects", "--update-changed")
    assert (said["updated"], said["changed"], said["already"]) == (0, 0, 3)
    assert held(url)["Call 1"]["metadata"]["body"] == "text 1"


def test_rows_that_vanished_are_listed_and_stay(cli: Cli, url: str, write: Write):
    write(range(10))
    run(cli, url, "objects")
    write([2, 3, 5, 6])
    said = run(cli, url, "objects", "--update-changed")
    assert said["vanished"] == 1
    assert ":6" not in Path(said["files"]["vanished"]).read_text()
    assert "in.csv,6," in Path(said["files"]["vanished"]).read_text()
    assert len(held(url)) == 10


def edit(url: str, remote_id: str, metadata: dict[str, str]) -> None:
    """Does what a person does in the CRM."""
    import httpx

    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        client.patch(f"{tamper.V1}/{remote_id}", json={"metadata": metadata}).raise_for_status()


def delete(url: str, remote_id: str) -> None:
    """The same, with a record."""
    import httpx

    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        client.delete(f"{tamper.V1}/{remote_id}").raise_for_status()
