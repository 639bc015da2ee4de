"""`etl guess`, `check`, `errors`, `preview` and `explain` as a person calls them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from etl.cli import main
from etl.cli.errors import codes
from etl.mapping import load

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_data"
FILES = ROOT / "tests" / "guess" / "files"


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Runs a command line as a shell would, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["etl", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = Said(int(left.value.code or 0), *capfd.readouterr())
        assert "Traceback" not in said.err
        return said

    return run


def test_guess_writes_a_mapping_that_check_and_preview_take(cli: Any, tmp_path: Path) -> None:
    file = FILES / "didww.csv"

    guessed = cli("guess", file, "-o", "mapping.yaml")
    checked = cli("check", "mapping.yaml", file)
    seen = cli("preview", file, "-m", "mapping.yaml", "--json")

    assert (guessed.code, checked.code, seen.code) == (0, 0, 0)
    assert "check mapping.yaml" in guessed.err
    assert "preview" in guessed.err
    assert len(seen.json["payloads"]) == 4
    assert load(tmp_path / "mapping.yaml").name == "didww"


def test_guess_prints_the_mapping_where_no_output_is_named(cli: Any) -> None:
    said = cli("guess", FILES / "notes.csv")

    assert said.out.startswith("# Guessed from notes.csv")
    assert "next:" in said.err


def test_guess_never_writes_over_a_file_unless_told_to(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text("precious")

    refused = cli("guess", FILES / "notes.csv", "-o", "mapping.yaml")
    assert (refused.code, (tmp_path / "mapping.yaml").read_text()) == (2, "precious")

    assert cli("guess", FILES / "notes.csv", "-o", "mapping.yaml", "--force").code == 0
    assert "version: 1" in (tmp_path / "mapping.yaml").read_text()


def test_guess_refuses_a_zone_that_does_not_exist_and_a_folder(cli: Any, tmp_path: Path) -> None:
    assert cli("guess", FILES / "notes.csv", "--timezone", "Mars/Olympus").code == 2
    assert cli("guess", tmp_path).code == 66
    assert cli("guess", FILES / "notes.csv", "-o", "no/such/folder/m.yaml").code == 66


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_guess_refuses_a_file_that_it_may_not_read(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "shut.csv").write_text("a,b\n1,2\n")
    (tmp_path / "shut.csv").chmod(0)

    assert cli("guess", "shut.csv").code == 66


BROKEN = """\
version: 1
name: broken
source: {timezone: UTC}
key: $Call Idd
engagement: {type: CALL, timestamp: {from: $Startt, as: datetime, format: "%Y-%m-%d"}}
associations: {contacts: {by: phone, value: $From, not_fond: park}}
metadata: {fromNumber: $From, disposition: Busy, colour: red}
"""


def test_check_says_everything_at_once_with_places_and_codes(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "calls.csv").write_text("Call Id,Start,From\n1,2025-01-01,2\n")

    said = cli("check", "broken.yaml", "calls.csv")

    assert said.code == 78
    for code, line in (
        ("unknown_key", 6),
        ("unknown_field", 7),
        ("bad_value", 7),
        ("unknown_name", 4),
        ("unknown_name", 5),
    ):
        assert re.search(rf"broken\.yaml:{line}:\d+: .*\[{code}\]", said.err), (code, line)
    assert "did you mean `Call Id`?" in said.err
    assert "etl check" not in said.err


def test_check_tells_a_file_of_another_kind_and_names_the_preset_that_reads_it(cli: Any) -> None:
    said = cli("check", "phone-nightly", SAMPLES / "emails.csv")

    first = said.err.splitlines()[0]
    assert said.code == 78
    assert re.search(
        r"does not look like phone-nightly: \d+ of \d+ columns are missing; it looks like `email-csv`", first
    )
    assert "etl guess" in said.err
    assert len(said.err.splitlines()) <= 4


def test_check_recognises_swapped_arguments(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(BROKEN)
    (tmp_path / "calls.csv").write_text("a\n")

    said = cli("check", "calls.csv", "m.yaml")
    assert (said.code, "etl check m.yaml calls.csv" in said.err) == (2, True)
    assert cli("check", "calls.csv", "phone-nightly").code == 2


def test_check_warns_of_columns_that_nothing_reads_and_runs_the_tests_of_the_mapping(cli: Any, tmp_path: Path) -> None:
    said = cli("check", "salesforce-tasks", SAMPLES / "salesforce" / "tasks.csv", "--json")
    assert any(each["code"] == "unused_column" for each in said.json["warnings"])

    text = (ROOT / "mappings" / "phone-nightly.yaml").read_text().replace("38000,", "39000,")
    (tmp_path / "m.yaml").write_text(text)
    failed = cli("check", "m.yaml")
    assert (failed.code, "[test_failed]" in failed.err) == (78, True)


@pytest.mark.parametrize(("rule", "heavy"), [("isin: [a]", "pandas pyarrow numpy"), ("str_matches: '^a$'", "pandas")])
def test_check_without_tests_imports_nothing_heavy(tmp_path: Path, rule: str, heavy: str) -> None:
    (tmp_path / "m.yaml").write_text(f"""\
version: 1
name: light
columns: {{Id: {{{rule}}}}}
key: $Id
engagement: {{type: NOTE, timestamp: {{from: $At, as: datetime, format: epoch_s}}}}
associations: {{contacts: {{by: phone, value: $Phone}}}}
metadata: {{body: $Text}}
""")
    program = (
        "import sys; sys.argv = ['etl', 'check', sys.argv[1]]\n"
        "from etl.cli import main\n"
        "try: main()\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        f"print(*{{*'{heavy} pandera rich'.split()}} & set(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "m.yaml")], capture_output=True, text=True, check=True
    )

    assert said.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize(
    ("code", "words"), [("bad_time", "formats"), ("unknown_key", "word"), ("65", "refused"), ("empty_file", "export")]
)
def test_errors_explains_a_code_and_says_what_to_do(cli: Any, code: str, words: str) -> None:
    said = cli("errors", code)

    assert (said.code, code in said.out, words in said.out, "do:" in said.out) == (0, True, True, True)


def test_errors_names_the_nearest_of_an_unknown_code_and_lists_all(cli: Any) -> None:
    assert "`bad_time`" in cli("errors", "bad_tmie").err
    assert cli("errors", "bad_tmie").code == 2
    assert "ragged_row" in cli("errors").out
    assert {each["kind"] for each in cli("errors", "--json").json["codes"]} == {"row", "mapping", "run", "exit"}


def test_every_code_that_the_program_gives_is_explained() -> None:
    known = {code for _, code, _, _ in codes()}
    given = {
        code for path in (ROOT / "etl").rglob("*.py") for code in re.findall(r'\bcode="([a-z_]+)"', path.read_text())
    }

    assert given - known == set()
    assert [code for kind, code, _, remedy in codes() if kind in ("row", "mapping", "run") and not remedy] == []


def test_preview_shows_one_type_one_row_and_cards(cli: Any) -> None:
    tasks = SAMPLES / "salesforce" / "tasks.csv"

    notes = cli("preview", tasks, "-m", "salesforce-tasks", "-n", "3", "--type", "note", "--json").json["payloads"]
    row = cli("preview", tasks, "-m", "salesforce-tasks", "--row", "5", "--json").json
    cards = cli("preview", SAMPLES / "calls.csv", "-m", "phone-nightly", "-n", "2", "--cards").out

    assert [each["engagement"]["type"] for each in notes] == ["NOTE"] * 3
    assert (row["outcome"], row["payload"]["engagement"]["type"]) == ("mapped", "NOTE")
    assert cards.count("CALL") == 2
    assert "by phone" in cards


def test_preview_of_a_row_that_was_left_out_says_why(cli: Any, tmp_path: Path) -> None:
    lines = (SAMPLES / "calls.csv").read_text().splitlines()
    internal = next(number for number, line in enumerate(lines, 1) if ",Internal," in line)

    said = cli("preview", SAMPLES / "calls.csv", "-m", "phone-nightly", "--row", internal)
    assert f"line {internal} is skipped: internal call, by the rule at" in said.out
    assert "phone-nightly.yaml:11:" in said.out


def test_explain_prints_steps_for_people_and_for_programs(cli: Any) -> None:
    said = cli("explain", SAMPLES / "calls.csv", "-m", "phone-nightly", "--row", "3")
    told = cli("explain", SAMPLES / "calls.csv", "-m", "phone-nightly", "--row", "3", "--json").json

    assert "engagement.timestamp = " in said.out
    assert "cell $Start Time: " in said.out
    assert (told["outcome"], told["line"]) == ("mapped", 3)
    assert {"path", "place", "value", "steps"} <= told["fields"][0].keys()
    assert cli("explain", SAMPLES / "calls.csv", "-m", "phone-nightly", "--row", "1").code == 66


def test_of_several_files_the_one_that_holds_the_row_is_said(cli: Any, tmp_path: Path) -> None:
    head, *rows = (SAMPLES / "calls.csv").read_text().splitlines()
    (tmp_path / "nights").mkdir()
    for name, some in (("mon.csv", rows[:3]), ("tue.csv", rows[3:6])):
        (tmp_path / "nights" / name).write_text("\n".join([head, *some]) + "\n")
    with zipfile.ZipFile(tmp_path / "nights.zip", "w") as archive:
        for file in (tmp_path / "nights").iterdir():
            archive.write(file, f"week/{file.name}")
    whole = cli("explain", SAMPLES / "calls.csv", "-m", "phone-nightly", "--row", "6", "--json").json

    told = [
        cli("explain", given, "-m", "phone-nightly", "--row", row, "--json").json
        for given, row in (
            (tmp_path / "nights", "tue.csv:3"), (tmp_path / "nights.zip", "week/tue.csv:3"),
            (tmp_path / "nights" / "*.csv", "nights/tue.csv:3"), (f"{tmp_path}/nights.zip!week/tue.csv", "3"),
        )
    ]  # fmt: skip
    seen = cli("preview", tmp_path / "nights", "-m", "phone-nightly", "--row", "tue.csv:3", "--json").json

    assert [each["cells"] for each in [*told]] == [whole["cells"]] * 4
    assert seen["payload"] == told[0]["payload"]
    assert told[0]["file"].endswith("nights/tue.csv")
    for row, words in (
        ("3", "stands for 2 files"),
        ("wed.csv:3", "has no file wed.csv, but"),
        ("tue.csv", "is no row"),
    ):
        said = cli("explain", tmp_path / "nights", "-m", "phone-nightly", "--row", row)
        assert (said.code, words in said.err) == (2, True), said.err
    assert "--row mon.csv:3" in cli("explain", tmp_path / "nights", "-m", "phone-nightly", "--row", "3").err
