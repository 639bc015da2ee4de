"""Commands on folders, archives and globs, and with the zone that a preset leaves to be given."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.cli import etl
from etl.mapping import load

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data" / "3cx" / "report.csv"


@pytest.fixture(autouse=True)
def _away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def transformed(*arguments: str) -> tuple[dict[str, object], list[dict[str, object]]]:
    out = Path("out.jsonl")
    done = CliRunner().invoke(etl, ["transform", *arguments, "-o", str(out), "--json"])
    assert done.exit_code in (0, 3), done.output
    return json.loads(done.stdout), [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_a_preset_that_needs_a_zone_says_how_to_give_it() -> None:
    done = CliRunner().invoke(etl, ["transform", str(SAMPLE), "-m", "3cx", "-o", "out.jsonl"])

    assert isinstance(done.exception, Exception)
    assert "time zone" in str(done.exception)
    assert "--timezone America/New_York" in getattr(done.exception, "hint", "")


def test_the_zone_given_is_that_of_the_times() -> None:
    times = {}
    for zone in ("America/New_York", "Europe/Berlin"):
        _, payloads = transformed(str(SAMPLE), "-m", "3cx", "--timezone", zone, "--region", "us")
        engagement = payloads[0]["engagement"]
        assert isinstance(engagement, dict)
        times[zone] = engagement["timestamp"]

    assert times["America/New_York"] - times["Europe/Berlin"] == 5 * 3_600_000


def test_no_zone_and_no_country_is_refused_at_once() -> None:
    done = CliRunner().invoke(etl, ["transform", str(SAMPLE), "-m", "3cx", "-o", "o", "--timezone", "Europe/Berln"])
    assert done.exit_code == 2
    assert "Europe/Berlin" in done.output
    done = CliRunner().invoke(etl, ["transform", str(SAMPLE), "-m", "3cx", "-o", "o", "--region", "Germany"])
    assert done.exit_code == 2


def test_what_was_given_is_part_of_the_mapping() -> None:
    plain = load("dialpad")

    assert load("dialpad", region="US").digest == plain.digest
    assert load("dialpad", region="DE").digest != plain.digest
    assert load("3cx", timezone="UTC").digest not in (load("3cx").digest, load("3cx", timezone="Europe/Paris").digest)
    assert load("3cx", timezone="UTC").namespace == load("3cx").namespace


@pytest.mark.parametrize("way", ["folder", "glob", "zip"])
def test_many_files_give_what_they_give_one_by_one(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    head, *rows = SAMPLE.read_text(encoding="utf-8").splitlines()
    for place in range(3):  # legs of one call stay in one file
        part = "\n".join(
            [head, *[row for row in rows if row.split(",")[1][-1:].isdigit() and int(row.split(",")[1]) % 3 == place]]
        )
        (folder / f"{place}.csv").write_text(f"{part}\n", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as out:
        for each in sorted(folder.iterdir()):
            out.write(each, f"calls/{each.name}")
    given = {"folder": str(folder), "glob": str(folder / "*.csv"), "zip": str(tmp_path / "all.zip")}[way]

    whole, payloads = transformed(str(SAMPLE), "-m", "3cx", "--timezone", "UTC")
    parts, found = transformed(given, "-m", "3cx", "--timezone", "UTC")

    assert {key: parts[key] for key in ("read", "payloads", "skipped", "merged", "rejected")} == {
        key: whole[key] for key in ("read", "payloads", "skipped", "merged", "rejected")
    }
    assert sorted(str(each["key"]) for each in found) == sorted(str(each["key"]) for each in payloads)


def test_a_plan_of_an_archive_names_its_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as out:
        out.write(SAMPLE, "calls/a.csv")
        out.write(ROOT / "sample_data" / "3cx" / "report.csv", "calls/b.csv")
    done = CliRunner().invoke(
        etl, ["plan", str(tmp_path / "all.zip"), "-m", "3cx", "--timezone", "UTC", "--json", "--max-rejects", "50%"]
    )

    assert done.exit_code in (0, 3), done.output
    found = json.loads(done.stdout)
    assert any("all.zip!calls/a.csv" in name for name in found["files"]), found["files"]


@pytest.mark.parametrize("limit", range(1, 13))
def test_a_limit_counts_what_came_before_it_also_where_a_page_holds_several_rows(limit: int) -> None:
    found, payloads = transformed(
        str(ROOT / "sample_data" / "google-voice"), "-m", "google-voice", "--limit", str(limit)
    )

    assert len(payloads) == limit
    assert found["balanced"] is True


def test_of_several_inputs_the_one_that_does_not_fit_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text(SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "in" / "b.csv").write_text("Call Time,Something else\n1,2\n", encoding="utf-8")

    done = CliRunner().invoke(
        etl, ["transform", str(tmp_path / "in"), "-m", "3cx", "--timezone", "UTC", "-o", "o.jsonl"]
    )

    assert "b.csv does not look like 3cx" in str(done.exception)
