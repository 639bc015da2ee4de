"""The commands, from the command line: stdout, stderr, exit code, and what the sandbox holds afterwards."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from etl.cli import etl, main

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_data"
NOTES = """\
version: 1
name: notes
source: {format: csv, timezone: UTC}
key: $id
engagement: {type: NOTE, timestamp: {from: $at, as: datetime, format: epoch_s}}
associations: {contacts: {by: email, value: $email, not_found: reject}}
metadata: {body: $text}
"""
GOOD = "id,at,email,text\n1,1700000000,contact1@customer.example,hello\n2,1700000001,contact2@customer.example,there\n"


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a mapping for notes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUBSPOT_TOKEN", "canary-token-5e1f")
    (tmp_path / "notes.yaml").write_text(NOTES)
    (tmp_path / "good.csv").write_text(GOOD)
    return tmp_path


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line as a shell would."""

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["etl", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = Said(int(left.value.code or 0), *capfd.readouterr())
        assert "Traceback" not in said.err
        assert "canary-token-5e1f" not in said.out + said.err
        return said

    return run


def held(url: str) -> list[Any]:
    with urllib.request.urlopen(f"{url}/__audit/engagements", timeout=30) as answer:
        return [json.loads(line) for line in answer if line.strip()]


def test_an_import_creates_every_good_row_and_a_second_one_nothing(cli: Any, folder: Path, sandbox_url: str) -> None:
    run = ("run", "good.csv", "-m", "notes.yaml", "--target", sandbox_url, "--json")

    first, second = cli(*run), cli(*run)

    assert (first.code, second.code) == (0, 0)
    assert (first.json["created"], first.json["by_type"], first.json["links"]) == (2, {"NOTE": 2}, {"contacts": 2})
    assert (second.json["created"], second.json["already"], second.json["balanced"]) == (0, 2, True)
    assert {e["metadata"]["body"]: e["associations"]["contactIds"] for e in held(sandbox_url)} == {
        "hello": [1],
        "there": [2],
    }


def test_json_has_the_keys_that_were_promised(cli: Any, folder: Path, sandbox_url: str) -> None:
    said = cli("run", "good.csv", "-m", "notes.yaml", "--target", sandbox_url, "--json")

    promised = "read created updated already skipped merged rejected parked unresolved not_tried carried balanced"
    assert {*promised.split(), "by_type", "links", "files", "seconds"} <= said.json.keys()


def test_both_wires_store_the_same(cli: Any, folder: Path, sandbox_url: str) -> None:
    mapping = "by-API".join(NOTES.split("notes"))
    for api in ("v1", "objects"):
        (folder / f"{api}.yaml").write_text(mapping.replace("API", api))
        said = cli("run", "good.csv", "-m", f"{api}.yaml", "--target", sandbox_url, "--api", api, "--json")
        assert (said.code, said.json["created"]) == (0, 2)

    def seen(engagement: Any) -> Any:
        return (
            engagement["engagement"]["type"],
            engagement["engagement"]["timestamp"],
            engagement["metadata"]["body"],
            tuple(engagement["associations"]["contactIds"]),
        )

    assert set(Counter(map(seen, held(sandbox_url))).values()) == {2}


def test_plan_sends_nothing_and_run_then_sends_exactly_that(cli: Any, folder: Path, sandbox_url: str) -> None:
    account = ("--target", sandbox_url, "--json")

    planned = cli("plan", "good.csv", "-m", "notes.yaml", *account)
    assert (planned.json["not_tried"], planned.json["by_type"], planned.json["created"]) == (2, {"NOTE": 2}, 0)
    assert held(sandbox_url) == []

    assert cli("run", "good.csv", "-m", "notes.yaml", *account).json["created"] == 2


def test_limit_takes_the_first_good_rows_and_the_rest_comes_later(cli: Any, folder: Path, sandbox_url: str) -> None:
    lines = GOOD.splitlines()
    broken = "0,yesterday,contact1@customer.example,bad"
    (folder / "in.csv").write_text("\n".join([lines[0], broken, *lines[1:], broken.replace("0", "9", 1)]) + "\n")
    run = ("run", "in.csv", "-m", "notes.yaml", "--target", sandbox_url, "--json", "--max-rejects", "2")

    first = cli(*run, "--limit", "1").json
    rest = cli(*run).json

    assert (first["read"], first["created"], first["rejected"], first["balanced"]) == (2, 1, 1, True)
    assert (rest["read"], rest["created"], rest["already"], rest["rejected"]) == (4, 1, 1, 2)
    assert len(held(sandbox_url)) == 2


def test_limit_sends_no_more_than_it_says_even_after_a_whole_plan(cli: Any, folder: Path, sandbox_url: str) -> None:
    account = ("good.csv", "-m", "notes.yaml", "--target", sandbox_url, "--json")
    cli("plan", *account)

    said = cli("run", *account, "--limit", "1").json

    assert (said["created"], said["balanced"], said["carried"]) == (1, True, {"rows": 0})
    assert len(held(sandbox_url)) == 1
    assert cli("run", *account).json["created"] == 1
    assert len(held(sandbox_url)) == 2


def test_too_many_rejects_send_nothing_and_say_where_they_are(cli: Any, folder: Path, sandbox_url: str) -> None:
    (folder / "bad.csv").write_text(GOOD + "3,never,contact1@customer.example,x\n")

    said = cli("run", "bad.csv", "-m", "notes.yaml", "--target", sandbox_url)

    assert said.code == 65
    assert held(sandbox_url) == []
    rejects = next(Path().glob(".etl/*/runs/*/rejects.csv"))
    assert str(rejects) in said.err
    assert "--max-rejects" in said.err


def test_a_corrected_reject_file_loads_the_rows_that_were_missing(cli: Any, folder: Path, sandbox_url: str) -> None:
    (folder / "in.csv").write_text(GOOD + "3,never,contact1@customer.example,third\n")
    account = ("-m", "notes.yaml", "--target", sandbox_url, "--json", "--max-rejects", "1")
    first = cli("run", "in.csv", *account)
    assert (first.code, first.json["rejected"]) == (3, 1)

    rejects = Path(first.json["files"]["rejects"])
    with rejects.open(newline="") as file:
        [row] = csv.DictReader(file)
    assert {k: v for k, v in row.items() if not k.startswith("_")} == {
        "id": "3", "at": "never", "email": "contact1@customer.example", "text": "third",
    }  # fmt: skip
    assert (row["_etl_line"], row["_etl_code"], row["_etl_column"], row["_etl_value"]) == (
        "4",
        "bad_time",
        "at",
        "never",
    )
    rejects.write_text(rejects.read_text().replace(",never,", ",1700000003,", 1))

    second = cli("run", rejects, *account).json

    assert (second["created"], second["rejected"]) == (1, 0)
    assert len(held(sandbox_url)) == 3


def test_a_reject_file_is_loaded_in_its_own_way_whatever_the_way_of_the_source(
    cli: Any, folder: Path, sandbox_url: str
) -> None:
    layout = "{format: csv, timezone: UTC, delimiter: ';', encoding: cp1252, header: none, skip_rows: 1, names: [id, at, email, text]}"
    (folder / "odd.yaml").write_text(NOTES.replace("{format: csv, timezone: UTC}", layout))
    rows = (
        "made by a phone system\n1;1700000000;contact1@customer.example;ok\n2;never;contact1@customer.example;caf\xe9\n"
    )
    (folder / "in.csv").write_bytes(rows.encode("cp1252"))
    account = ("-m", "odd.yaml", "--target", sandbox_url, "--json", "--max-rejects", "1")
    rejects = Path(cli("run", "in.csv", *account).json["files"]["rejects"])
    rejects.write_text(rejects.read_text(encoding="utf-8").replace(",never,", ",1700000003,", 1), encoding="utf-8")

    assert cli("run", rejects, *account).json["created"] == 1

    assert {e["metadata"]["body"] for e in held(sandbox_url)} == {"ok", "caf\xe9"}


def test_a_parked_row_is_sent_on_the_night_when_its_contact_is_there(cli: Any, folder: Path, sandbox_url: str) -> None:
    (folder / "park.yaml").write_text(NOTES.replace("not_found: reject", "not_found: park"))
    (folder / "late.csv").write_text("id,at,email,text\n9,1700000009,late@customer.example,waits\n")
    account = ("-m", "park.yaml", "--target", sandbox_url, "--json")
    first = cli("run", "late.csv", *account)
    assert (first.code, first.json["parked"], first.json["created"]) == (0, 1, 0)

    contact = json.dumps({"properties": {"email": "late@customer.example"}}).encode()
    headers = {"Authorization": "Bearer any", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{sandbox_url}/crm/v3/objects/contacts", contact, headers)
    urllib.request.urlopen(asked, timeout=30).close()
    second = cli("run", "good.csv", *account).json

    assert (second["created"], second["carried"]) == (2, {"rows": 1, "created": 1})
    assert "waits" in {e["metadata"]["body"] for e in held(sandbox_url)}


BAD_FILES: list[tuple[str, bytes | None, int, str]] = [
    ("missing", None, 66, "in.csv"),
    ("empty", b"", 66, "0 bytes"),
    ("header only", b"id,at,email,text\n", 66, "no rows"),
    ("UTF-16", GOOD.encode("utf-16"), 65, "encoding: utf-16"),
    ("wrong encoding", GOOD.replace("hello", "caf\xe9").encode("latin-1"), 65, "line 2"),
    ("unclosed quote", GOOD.replace("hello", '"hello').encode(), 65, "line 2"),
    ("duplicate header", GOOD.replace("text\n", "at\n", 1).encode(), 65, "at"),
    ("wrong delimiter", GOOD.replace(",", ";").encode(), 65, "delimiter"),
    ("column missing", GOOD.replace("email", "mail", 1).encode(), 65, "notes.yaml:6:"),
    ("cut gzip", gzip.compress(GOOD.encode())[:-9], 65, "gz"),
    ("a spreadsheet", b"PK\x03\x04" + b"\0" * 60, 65, "in.csv"),
]


@pytest.mark.parametrize(("kind", "content", "code", "words"), BAD_FILES, ids=[kind for kind, *_ in BAD_FILES])
@pytest.mark.parametrize("command", ["run", "transform"])
def test_each_kind_of_bad_file_has_its_own_message_and_sends_nothing(
    cli: Any, folder: Path, sandbox_url: str, kind: str, content: bytes | None, code: int, words: str, command: str
) -> None:
    name = "in.csv.gz" if "gzip" in kind else "in.csv"
    if content is not None:
        (folder / name).write_bytes(content)
    more = ("--target", sandbox_url) if command == "run" else ("-o", "out.jsonl")

    said = cli(command, name, "-m", "notes.yaml", *more)

    assert said.code == code, said.err
    assert said.err.startswith("error: ")
    assert words in said.err
    assert said.out == ""
    assert held(sandbox_url) == []
    assert not (folder / "out.jsonl").exists()


def test_a_byte_order_mark_is_no_trouble(cli: Any, folder: Path, sandbox_url: str) -> None:
    (folder / "bom.csv").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert cli("run", "bom.csv", "-m", "notes.yaml", "--target", sandbox_url, "--json").json["created"] == 2


def test_a_second_run_on_the_same_checkpoint_leaves_at_once(cli: Any, folder: Path, sandbox_url: str) -> None:
    from etl.checkpoint.store import open_checkpoint

    said = cli("run", "good.csv", "-m", "notes.yaml", "--target", sandbox_url, "--json")
    path = Path(said.json["files"]["checkpoint"])
    portal = path.parent.name
    holder = open_checkpoint(path, portal=f"{portal} {portal}", namespace="notes")
    try:
        refused = cli("run", "good.csv", "-m", "notes.yaml", "--target", sandbox_url)
    finally:
        holder.close()

    assert refused.code == 75
    assert "in use by process" in refused.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "good.csv", "-m", "nowhere"), 2, "phone-nightly"),
        (("run", "good.csv", "-m", "notes.yaml", "--target", "hubspto"), 78, "sandbox, hubspot"),
        (("run", "good.csv", "-m", "notes.yaml", "--target", "http://api.example.com"), 78, "https"),
        (("run", "good.csv", "-m", "notes.yaml", "--target", "http://127.0.0.1:9"), 69, ""),
        (("run", "good.csv", "-m", "notes.yaml", "--max-rejects", "lots"), 2, "lots"),
        (("run",), 2, "FILE"),
        (("frobnicate",), 2, "frobnicate"),
        (("status",), 66, "no checkpoint"),
        (("check", "notes.yaml", "nothing.csv"), 66, "nothing.csv"),
    ],
)
def test_a_wrong_command_line_has_its_own_code_and_says_why(
    cli: Any, folder: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    said = cli(*words)

    assert said.code == code, said.err
    assert says in said.err


def test_the_real_account_needs_a_token_and_is_never_asked_without(
    cli: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUBSPOT_TOKEN")

    said = cli("run", "good.csv", "-m", "notes.yaml", "--target", "hubspot")

    assert said.code == 77
    assert "HUBSPOT_TOKEN" in said.err


def test_a_token_file_that_others_can_read_is_refused(cli: Any, folder: Path) -> None:
    (folder / "token").write_text("secret")
    (folder / "token").chmod(0o644)

    said = cli("run", "good.csv", "-m", "notes.yaml", "--target", "hubspot", "--token-file", "token")

    assert (said.code, "chmod 600" in said.err) == (77, True)


def test_errors_are_json_where_json_was_asked_for(cli: Any, folder: Path) -> None:
    said = cli("run", "nothing.csv", "-m", "notes.yaml", "--json")

    assert said.json["error"]["exit"] == said.code == 66


def test_preview_shows_payloads_and_what_is_wanted(cli: Any) -> None:
    said = cli("preview", SAMPLES / "calls.csv", "-m", "phone-nightly", "-n", "2")

    assert said.code == 0
    assert said.out.count('"wanted"') == 2


def test_transform_writes_payloads_and_rejects(cli: Any, folder: Path) -> None:
    expected = json.loads((SAMPLES / "expected.json").read_text())
    said = cli("transform", SAMPLES / "salesforce/tasks.csv", "-m", "salesforce-tasks",
               "-o", "out.jsonl", "--rejects", "rej.csv", "--json")  # fmt: skip

    found = said.json
    assert found["read"] == 800
    assert found["payloads"] == len((folder / "out.jsonl").read_text().splitlines())
    with (folder / "rej.csv").open(newline="") as file:
        rejected = list(csv.DictReader(file))
    assert len(rejected) == found["rejected"] > 0
    assert found["balanced"]
    assert str(expected).count("skipped")


@pytest.mark.parametrize("mapping", ["phone-nightly", "email-csv", "salesforce-tasks"])
def test_every_preset_is_in_order(cli: Any, mapping: str) -> None:
    said = cli("check", mapping)
    assert (said.code, "in order" in said.out) == (0, True), said.err


def test_check_names_the_test_that_fails(cli: Any, folder: Path) -> None:
    (folder / "t.yaml").write_text(
        NOTES + "tests:\n  - given: {id: '1', at: '1700000000', text: x, email: a@example.com}\n"
        "    expect: {metadata.body: y}\n"
    )
    said = cli("check", "t.yaml")

    assert said.code == 78
    assert "t.yaml:9:" in said.err
    assert "expected 'y', got 'x'" in said.err


def test_every_command_has_help_and_starts_without_the_heavy_libraries() -> None:
    for name in etl.commands:
        assert subprocess.run([sys.executable, "-m", "etl", name, "--help"], capture_output=True, check=True).stdout
    code = (
        "import sys, etl.cli; "
        "print(*{'pandas', 'pyarrow', 'httpx', 'pydantic', 'starlette', 'rich', 'jinja2'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []
