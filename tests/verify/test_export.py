"""`etl export` on both wires, and the way back: what it writes can be loaded into another account."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from etl.export import Exported, export
from etl.export.columns import COLUMNS
from etl.export.part import Part, Seen
from etl.flow import Json
from etl.hubspot.target import Held, Listing, Page
from etl.mapping.names import columns_read
from etl.mapping.presets import load
from tests.conftest import sandbox_process
from tests.verify import tamper
from tests.verify.conftest import Cli

AT = 1_788_000_000_120
#: What was in the account before: the five types, mail of other directions, and types that nothing can create.
HELD: list[dict[str, Any]] = [
    {"engagement": {"id": 1001, "type": "CALL", "timestamp": AT, "ownerId": 31},
     "associations": {"contactIds": [1, 2], "companyIds": [11], "dealIds": [21]},
     "metadata": {"body": '<p>Hello, "you"</p>\n<p>=1+1</p>', "status": "COMPLETED", "durationMilliseconds": 38000,
                  "toNumber": "+1 555", "disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7", "title": "Tell, all",
                  "mediaProcessingStatus": "DONE"}},
    {"engagement": {"id": 1002, "type": "INCOMING_EMAIL", "timestamp": AT + 1000},
     "associations": {"contactIds": [2]},
     "metadata": {"from": {"email": "contact2@customer.example", "firstName": "Ann"}, "subject": 'Re: Ünïcode ; "quoted"',
                  "to": [{"email": "owner@example.com"}, {"email": "b@example.com"}], "text": "Thanks\n\nAnn", "threadId": "t"}},
    {"engagement": {"id": 1003, "type": "EMAIL", "timestamp": AT + 2000}, "associations": {"contactIds": [1]},
     "metadata": {"subject": "Offer", "html": "<b>x</b>", "to": [{"email": "contact1@customer.example"}]}},
    {"engagement": {"id": 1004, "type": "MEETING", "timestamp": AT}, "associations": {"companyIds": [11]},
     "metadata": {"title": "Kick-off", "startTime": AT, "endTime": AT + 3_600_000, "location": "Room 1"}},
    {"engagement": {"id": 1005, "type": "NOTE", "timestamp": AT}, "associations": {"contactIds": [1]},
     "metadata": {"body": "a note"}},
    {"engagement": {"id": 1006, "type": "TASK", "timestamp": AT},
     "metadata": {"subject": "Call back", "status": "NOT_STARTED", "reminders": [AT, AT + 1000], "isAllDay": False,
                  "priority": "HIGH"}},
    {"engagement": {"id": 1007, "type": "CONVERSATION_SESSION", "timestamp": AT}, "associations": {"contactIds": [1]},
     "metadata": {"threadId": 77, "conversationTopic": {"name": "Chat"}}},
    {"engagement": {"id": 1008, "type": "FAX_FROM_THE_FUTURE", "timestamp": AT}, "metadata": {"pages": [1, {"x": None}]}},
]  # fmt: skip
UNKNOWN = {"CONVERSATION_SESSION", "FAX_FROM_THE_FUTURE"}
#: What another account counts for itself.
OWN = {"id", "import_key", "created_at", "updated_at", "portal_id"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An account that holds `HELD`."""
    lines = "".join(json.dumps(line) + "\n" for line in HELD)
    with sandbox_process(tmp_path_factory.mktemp("s") / "a", more={"engagements.jsonl": lines}) as found:
        yield found


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """An account with the same contacts, and no engagement."""
    with sandbox_process(tmp_path / "other", "--index-lag", "50ms", "--settle", "100ms") as found:
        yield found


def read(path: Path) -> list[Json]:
    """The rows of an export of any ending, empty cells left out."""
    rows: list[Json]
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    elif path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = pq.read_table(path).to_pylist()
    return [{name: value for name, value in row.items() if value} for row in rows]


def same(rows: list[Json], *without: str) -> list[list[tuple[str, str]]]:
    """The rows but for what an account counts for itself, in an order of their own."""
    return sorted(sorted((n, v) for n, v in row.items() if n not in OWN and n not in without) for row in rows)


def test_v1_shows_every_type_and_nothing_of_it_is_lost(cli: Cli, url: str):
    said = cli("export", "--target", url, "--api", "v1", "-o", "all.csv", "--json")
    assert said.code == 0, said.err
    assert said.json["by_type"] == dict(Counter(line["engagement"]["type"] for line in HELD))
    assert said.json["of_unknown_types"] == 2
    rows = {row["id"]: row for row in read(Path("all.csv"))}
    assert json.loads(rows["1007"]["metadata"]) == HELD[6]["metadata"]
    assert json.loads(rows["1008"]["metadata"]) == HELD[7]["metadata"]
    assert json.loads(rows["1001"]["metadata"]) == {"mediaProcessingStatus": "DONE"}
    assert rows["1001"]["body"] == HELD[0]["metadata"]["body"]
    assert (rows["1001"]["contact_emails"], rows["1001"]["company_domains"], rows["1001"]["deal_names"]) == (
        "contact1@customer.example;contact2@customer.example", "customer.example", "Deal",
    )  # fmt: skip
    assert (rows["1001"]["owner_email"], rows["1001"]["outcome"]) == ("owner@example.com", "Connected")
    assert rows["1001"]["timestamp"] == "2026-08-29T16:00:00.120Z" or rows["1001"]["timestamp"].endswith(".120Z")
    assert json.loads(rows["1002"]["to"]) == HELD[1]["metadata"]["to"]


@pytest.mark.parametrize("api", ["objects", "v1"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_every_ending_holds_the_same_rows(cli: Cli, url: str, api: str, ending: str):
    cli("export", "--target", url, "--api", api, "-o", "a.csv")
    said = cli("export", "--target", url, "--api", api, "-o", f"b.{ending}")
    assert said.code == 0, said.err
    assert same(read(Path(f"b.{ending}"))) == same(read(Path("a.csv")))
    assert {path.name for path in Path.cwd().iterdir()} == {".etl", "a.csv", f"b.{ending}"}
    assert Path(f"b.{ending}").stat().st_mode & 0o777 == 0o600


def test_both_wires_write_the_same_rows_of_the_types_that_both_show(cli: Cli, url: str):
    cli("export", "--target", url, "-o", "objects.csv")
    cli("export", "--target", url, "--api", "v1", "-o", "v1.csv")
    rows = [row for row in read(Path("v1.csv")) if row["type"] not in UNKNOWN]
    # v1 alone shows `active`, false and what has no property; the objects API alone a call's direction
    left_out = ("active", "metadata", "isAllDay")
    assert same(rows, *left_out) == same(read(Path("objects.csv")), *left_out)


@pytest.mark.parametrize("api", ["objects", "v1"])
def test_what_is_exported_loaded_elsewhere_and_exported_again_is_equal(cli: Cli, url: str, other: str, api: str):
    """But for ids and times of the account's own. Types that no API creates are skipped, with a reason, and counted."""
    cli("export", "--target", url, "--api", api, "-o", "one.csv")
    said = cli("run", "one.csv", "-m", "engagements", "--target", other, "--json")
    assert said.code == 0, said.err
    first = read(Path("one.csv"))
    unknown = [row for row in first if row["type"] in UNKNOWN]
    assert said.json["skipped"] == len(unknown) == (2 if api == "v1" else 0)
    assert set(said.json["skipped_by"]) <= {"a type that no API can create"}

    cli("export", "--target", other, "--api", api, "-o", "two.csv")

    again = read(Path("two.csv"))
    # a call outcome's GUID is the account's own; `metadata` holds what HubSpot alone writes
    assert same(again, "metadata", "active") == same([row for row in first if row not in unknown], "metadata", "active")
    assert cli("verify", "--target", other).code == 0


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_same_preset_loads_the_other_endings_too(cli: Cli, url: str, ending: str):
    cli("export", "--target", url, "-o", "a.csv")
    cli("export", "--target", url, "-o", f"a.{ending}")
    of_csv = cli("transform", "a.csv", "-m", "engagements", "-o", "csv.jsonl")
    said = cli("transform", f"a.{ending}", "-m", "engagements", "-o", "other.jsonl")
    assert (said.code, of_csv.code) == (0, 0), said.err

    def payloads(path: str) -> list[Json]:
        rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
        return sorted(({n: v for n, v in row.items() if n != "line"} for row in rows), key=json.dumps)

    assert payloads("other.jsonl") == payloads("csv.jsonl")
    assert len(payloads("csv.jsonl")) == len(HELD) - len(UNKNOWN)


def test_only_some_types_some_contact_or_what_changed_since(cli: Cli, url: str):
    for api in ("objects", "v1"):
        where = ("--target", url, "--api", api, "-o", f"{api}.csv")
        cli("export", *where, "--type", "note", "--type", "CALL")
        assert {row["type"] for row in read(Path(f"{api}.csv"))} == {"NOTE", "CALL"}
        cli("export", *where, "--type", "INCOMING_EMAIL")
        assert [row["id"] for row in read(Path(f"{api}.csv"))] == ["1002"]
        cli("export", *where, "--contact", "contact2@customer.example")
        assert {row["id"] for row in read(Path(f"{api}.csv"))} == {"1001", "1002"}
        cli("export", *where, "--since", "2030-01-01")
        assert read(Path(f"{api}.csv")) == []
        cli("export", *where, "--since", "2020-01-01T00:00")
        assert {"1001", "1006"} <= {row["id"] for row in read(Path(f"{api}.csv"))}


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--type", "SMS"), 2), (("--since", "soon"), 2), (("--since", "2026-01-01", "--contact", "1"), 2),
     (("-o", "x.xlsx"), 78), (("--contact", "nobody@example.com"), 66)],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(cli: Cli, url: str, words: tuple[str, ...], code: int):
    said = cli("export", "--target", url, *words)
    assert said.code == code, said.err
    assert "do:" in said.err
    assert not Path("engagements.csv").exists()


class Moving:
    """An account whose lists move while they are read, and whose pages can fail."""

    wire = "v1"

    def __init__(self, pages: list[list[int]], fails_at: int = -1) -> None:
        self.pages, self.fails_at, self.asked = pages, fails_at, []

    async def page(self, listing: Listing, after: str = "") -> Page:
        self.asked.append(after)
        at = int(after or 0)
        if at == self.fails_at:
            raise ConnectionError
        held = [Held(str(i), "NOTE", "", AT, AT, AT, payload(i)) for i in self.pages[at]]
        return Page(held, str(at + 1) if at + 1 < len(self.pages) else "")

    async def words(self, kind: str, ids: Any) -> dict[str, Json]:
        return {i: {"email": f"{i}@example.com"} for i in ids}

    async def dispositions(self) -> dict[str, str]:
        return {}


def payload(i: int) -> Json:
    links = {name: [] for name in ("companyIds", "dealIds", "ticketIds")} | {"contactIds": [7]}
    return {"engagement": {"id": i}, "associations": links, "attachments": [], "metadata": {"body": f"note {i}"}}


def run(target: Any, path: Path) -> Exported:
    part = Part(path, {"portal": "1"})
    try:
        return asyncio.run(export(target, "1", Listing(), part))
    finally:
        part.close()


def test_a_list_that_moves_while_it_is_read_gives_each_once(tmp_path: Path):
    found = run(Moving([[1, 2], [2, 3], [3, 1, 4]]), tmp_path / "a.csv")
    assert [row["id"] for row in read(tmp_path / "a.csv")] == ["1", "2", "3", "4"]
    assert found.by_type == {"NOTE": 4}


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_an_export_that_failed_goes_on_behind_what_it_has(tmp_path: Path, ending: str):
    path = tmp_path / f"a.{ending}"
    pages = [[1, 2], [3, 4], [4, 5]]
    with pytest.raises(ConnectionError):
        run(Moving(pages, fails_at=2), path)
    assert not path.exists()
    with Path(f"{path}.part").open("ab") as part:
        part.write(b'half a row, "')  # what a kill leaves
    account = Moving(pages)
    found = run(account, path)
    assert account.asked == ["2"]
    assert (found.resumed_at, found.by_type) == (4, {"NOTE": 5})
    assert [row["id"] for row in read(path)] == ["1", "2", "3", "4", "5"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_part_of_another_export_is_not_gone_on_with(cli: Cli, url: str, tmp_path: Path):
    with pytest.raises(ConnectionError):
        run(Moving([[1], [2]], fails_at=1), tmp_path / "a.csv")
    said = cli("export", "--target", url, "-o", "a.csv")
    assert said.code == 78
    assert "another export" in said.err


def test_two_exports_do_not_write_one_file(cli: Cli, url: str, tmp_path: Path):
    part = Part(tmp_path / "a.csv", {"portal": "1"})
    try:
        assert cli("export", "--target", url, "-o", "a.csv").code == 75
    finally:
        part.close()


def test_ids_are_remembered_beyond_the_newest():
    seen = Seen(most_new=10)
    assert [seen.add(i) for i in range(100)] == [True] * 100
    assert not any(seen.add(i) for i in range(100))


def test_the_columns_are_those_that_the_preset_reads():
    assert set(columns_read(load("engagements"))) <= set(COLUMNS)


def test_killed_again_and_again_it_still_writes_each_once(tmp_path: Path, url: str):
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        for batch in range(20):
            inputs = [
                {"properties": {"hs_timestamp": str(AT + batch), "hs_note_body": f"{batch}/{i}"}} for i in range(100)
            ]
            client.post("/crm/objects/2026-03/notes/batch/create", json={"inputs": inputs}).raise_for_status()
    command = [sys.executable, "-P", "-m", "etl", "export", "--target", url, "--api", "v1", "-o", "k.csv"]
    env = {**os.environ, "HUBSPOT_TOKEN": "t", "PYTHONPATH": str(tamper.ROOT)}
    kills = 0
    for wait_s in (0.9, 1.1, 1.3):
        with subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as p:
            time.sleep(wait_s)
            kills += p.poll() is None
            p.send_signal(signal.SIGKILL)
    subprocess.run(command, cwd=tmp_path, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ids = [row["id"] for row in read(tmp_path / "k.csv")]
    assert len(ids) == len(set(ids)) == len(HELD) + 2000
    assert kills
