"""`etl verify` on both wires: what was tampered with is named, all of it and nothing else."""

from __future__ import annotations

import csv
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import sandbox_process
from tests.verify import tamper
from tests.verify.conftest import Cli

PEOPLE = [{"email": "contact1@customer.example"}, {"email": "contact2@customer.example"}]
ROWS, TAMPERED = 150, 50


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with sandbox_process(
        tmp_path_factory.mktemp("s") / "sandbox", "--index-lag", "50ms", "--settle", "100ms", "--no-unique-properties"
    ) as found:
        yield found


def load(cli: Cli, url: str, api: str, rows: int = ROWS) -> list[str]:
    """Loads so many engagements into a checkpoint of the test's own, and verifies them; their ids."""
    tamper.write_rows(Path("in.csv"), rows, PEOPLE)
    # a namespace of its own, so that the tests of one sandbox do not load the same keys
    mapping = (Path(tamper.ROOT) / "mappings" / "engagements.yaml").read_text()
    Path("mine.yaml").write_text(f"{mapping}\nnamespace: n{time.monotonic_ns()}\n")
    said = cli("run", "in.csv", "-m", "mine.yaml", "--target", url, "--api", api, "--json")
    assert said.json["created"] == rows, said.err
    time.sleep(0.2)
    return sorted(verified(cli, url, api)[0])


def verified(cli: Cli, url: str, api: str, code: int = 0, *more: object) -> tuple[list[str], dict]:
    """The ids of this load in the combined file, and what was said; extras of other tests in the sandbox are left out."""
    said = cli("verify", "--target", url, "--api", api, "--combined", "c.txt", "--json", *more)
    lines = [line for line in Path("c.txt").read_text().splitlines() if "no checkpoint here knows" not in line]
    Path("c.txt").write_text("".join(f"{line}\n" for line in lines))
    strangers = said.json["extra"] - sum(line.startswith("+") for line in lines)
    assert said.code == (4 if strangers else code), said.err + said.out
    return tamper.ids_in(Path("c.txt")), said.json


def crowd(url: str) -> None:
    """Lets the account hold so much else that rows are rather read by id, and keys searched for."""
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        for object_type in tamper.OBJECT_TYPES.values():
            inputs = [{"properties": {"hs_timestamp": "1700000000000"}}] * 100
            for _ in range(6):
                path = f"/crm/objects/2026-03/{object_type}/batch/create"
                client.post(path, json={"inputs": inputs}).raise_for_status()


@pytest.mark.parametrize(("api", "is_crowded"), [("objects", False), ("v1", False), ("objects", True)])
def test_exactly_what_was_tampered_with_is_named(cli: Cli, url: str, api: str, is_crowded: bool):
    if is_crowded:
        crowd(url)
    ids = load(cli, url, api)
    assert tamper.found_by(Path("c.txt")) == []
    done = tamper.tamper(url, ids, TAMPERED, seed=7)
    time.sleep(0.2)

    _, said = verified(cli, url, api, 4)

    assert tamper.found_by(Path("c.txt")) == sorted((t.symbol, t.remote_id) for t in done)
    ways = [t.way for t in done]
    assert said["differs"] == ways.count("changed") + ways.count("unlinked")
    assert (said["missing"], said["duplicates"]) == (ways.count("deleted"), ways.count("duplicated"))
    assert said["unlinked"] == ways.count("unlinked")
    assert said["equal"] == ROWS - said["differs"] - said["missing"]


@pytest.mark.parametrize("api", ["objects", "v1"])
def test_by_the_other_wire_the_same_is_equal(cli: Cli, url: str, api: str):
    load(cli, url, api, 20)
    _, said = verified(cli, url, {"objects": "v1", "v1": "objects"}[api])
    assert (said["equal"], said["differs"], said["missing"]) == (20, 0, 0)


@pytest.mark.parametrize("api", ["objects", "v1"])
def test_a_sample_is_as_large_as_asked_and_finds_duplicates_by_key(cli: Cli, url: str, api: str):
    ids = load(cli, url, api, 20)
    tamper.tamper(url, ids, 20, seed=1)
    time.sleep(0.2)
    _, said = verified(cli, url, api, 4, "--sample", "20")
    assert (said["equal"], said["differs"], said["missing"], said["duplicates"]) == (5, 10, 5, 5)
    _, said = verified(cli, url, api, 4, "--sample", "7")
    assert said["equal"] + said["differs"] + said["missing"] == 7


def test_what_differs_is_told_with_row_and_values(cli: Cli, url: str):
    ids = load(cli, url, "objects", 5)
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        held = client.get(f"{tamper.V1}/{ids[0]}").json()["engagement"]
        body = {"engagement": {"timestamp": held["timestamp"] + 1}, "metadata": {}}
        client.patch(f"{tamper.V1}/{ids[0]}", json=body).raise_for_status()
    verified(cli, url, "objects", 4)
    (line,) = [line for line in Path("c.txt").read_text().splitlines() if not line.startswith("=")]
    symbol, _, remote_id, type_, place, what = line.split(" ", 5)
    assert (symbol, remote_id, type_) == ("*", ids[0], held["type"])
    assert place.startswith("in.csv:")
    assert what == f"engagement.timestamp: {held['timestamp']} -> {held['timestamp'] + 1}"


def test_a_company_that_hubspot_adds_by_itself_is_no_difference_and_another_is_one(cli: Cli, url: str):
    tamper.write_rows(Path("in.csv"), 2, PEOPLE[:1])
    ids = load(cli, url, "objects", 2)
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        contact = str(client.get(f"{tamper.V1}/{ids[0]}").json()["associations"]["contactIds"][0])
        client.put(f"{tamper.V1}/{ids[0]}/associations/COMPANY/11").raise_for_status()
        client.put(f"{tamper.V1}/{ids[1]}/associations/COMPANY/11").raise_for_status()
    assert contact == "1"  # whose company is 11
    verified(cli, url, "objects", 4)
    found = [line for line in Path("c.txt").read_text().splitlines() if not line.startswith("=")]
    assert [line.split()[2] for line in found] == [ids[1]]
    assert "associations.companyIds: nothing -> 11" in found[0]


def test_a_checkpoint_of_another_account_is_refused(cli: Cli, url: str, tmp_path: Path):
    load(cli, url, "objects", 1)
    (checkpoint,) = tmp_path.glob(".etl/*/n*.sqlite")
    with sqlite3.connect(checkpoint) as db:
        db.execute("UPDATE meta SET value = 'sandbox 99' WHERE name = 'portal'")
    said = cli("verify", "--target", url, "--checkpoint", checkpoint, "--json")
    assert said.code == 78
    assert "sandbox 99" in said.json["error"]["message"]


def test_without_any_checkpoint_it_says_so(cli: Cli, url: str):
    assert cli("verify", "--target", url).code == 66


def test_what_a_neighbouring_checkpoint_knows_is_not_extra(cli: Cli, url: str, tmp_path: Path):
    load(cli, url, "objects", 3)
    load(cli, url, "objects", 2)
    newest = max(tmp_path.glob(".etl/*/n*.sqlite"), key=lambda path: path.stat().st_mtime)
    said = cli("verify", "--target", url, "--checkpoint", newest, "--json", "--combined", "d.txt").json
    assert said["equal"] == 2
    others = {line.split()[2] for line in Path("c.txt").read_text().splitlines()}
    extra = {line.split()[2] for line in Path("d.txt").read_text().splitlines() if line.startswith("+")}
    assert not extra & others


def test_the_cost_is_said_before_it_begins(cli: Cli, url: str):
    load(cli, url, "objects", 5)
    said = cli("verify", "--target", url)
    assert re.search(r"\d rows, about \d+ requests.*, less than a minute at the account's pace", said.err)


def test_the_combined_file_is_private(cli: Cli, url: str):
    load(cli, url, "objects", 1)
    assert Path("c.txt").stat().st_mode & 0o777 in {0o600, 0o644}  # rewritten by `verified`
    cli("verify", "--target", url, "--combined", "e.txt")
    assert Path("e.txt").stat().st_mode & 0o777 == 0o600


def test_findings_are_named_in_json(cli: Cli, url: str):
    ids = load(cli, url, "objects", 4)
    tamper.tamper(url, ids, 4, seed=2)
    time.sleep(0.2)
    found = cli("verify", "--target", url, "--json").json["findings"]
    assert sorted(f["symbol"] for f in found if f["symbol"] != "+") == ["*", "*", "-"]
    assert {f["remote_id"] for f in found if f["symbol"] != "+"} <= set(ids)


@pytest.mark.parametrize("api", ["objects", "v1"])
def test_an_account_that_misbehaves_is_read_all_the_same(cli: Cli, url: str, api: str):
    """Pages that repeat results, lead to themselves, break off or do not come: nothing is said twice, nothing is left out."""
    ids = load(cli, url, api, 250)
    done = tamper.tamper(url, ids, 8, seed=3)
    time.sleep(0.2)
    faults = ["repeated_results:p=0.5", "repeated_page:p=0.3", "cut_json:p=0.1,times=2", "error_before:nth=7,times=2"]
    with httpx.Client(base_url=url, trust_env=False) as client:
        client.post("/__faults", json={"faults": faults, "seed": 5}).raise_for_status()
        try:
            verified(cli, url, api, 4)
            found = tamper.found_by(Path("c.txt"))
            cli("export", "--target", url, "--api", api, "-o", "a.csv")
        finally:
            client.post("/__faults", json={"faults": []}).raise_for_status()
    assert found == sorted((t.symbol, t.remote_id) for t in done)
    with Path("a.csv").open(newline="") as file:
        exported = [row["id"] for row in csv.DictReader(file)]
    gone = {t.remote_id for t in done if t.way == "deleted"}
    assert len(exported) == len(set(exported))
    assert set(ids) - gone <= set(exported)
