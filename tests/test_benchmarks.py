"""The benchmark's input, its baseline and the product agree, so that its ratios compare like with like."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "calls.csv"
    run("generate.py", 3000, path)
    return path


def faults(row: dict[str, str]) -> list[str]:
    bad_time = row["start_time"] in ("", "yesterday", "2025-02-30T10:00:00", "2025-13-01T25:61:00")
    found = {
        "bad_time": bad_time,
        "no_contact": not row["contact_id"],
        "bad_duration": row["duration"].startswith("-"),
        "bad_outcome": row["outcome"] == "Fax",
    }
    return [name for name, is_bad in found.items() if is_bad]


def test_a_short_log_is_the_beginning_of_a_longer_one(log, tmp_path):
    run("generate.py", 500, tmp_path / "short.csv")
    assert log.read_bytes().startswith((tmp_path / "short.csv").read_bytes())


def test_the_owners_beside_the_mapping_are_those_that_the_generator_writes(tmp_path):
    committed = (BENCHMARKS / "owners.csv").read_bytes()
    run("generate.py", 1, tmp_path / "one.csv")
    assert (BENCHMARKS / "owners.csv").read_bytes() == committed


def test_the_baseline_rejects_the_bad_rows_alone_and_says_why(log, tmp_path):
    run("baseline_pandas.py", log, tmp_path / "out.jsonl", tmp_path / "rejects.csv")
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "rejects.csv").open(newline="", encoding="utf-8") as file:
        rejects = [(row["row"], row["call_id"], [row["reason"]]) for row in csv.DictReader(file)]
    bad = [(str(n), row["call_id"], faults(row)) for n, row in enumerate(rows, 1) if faults(row)]
    assert sorted(rejects) == sorted(bad)
    assert 15 <= len(bad) <= 45
    good = [row for row in rows if not faults(row)]
    payloads = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [p["metadata"]["externalId"] for p in payloads] == [row["call_id"] for row in good]
    assert [p["metadata"]["body"] for p in payloads] == [row["notes"] for row in good]


def test_the_product_writes_the_same_payloads_and_rejects_as_the_baseline(tmp_path):
    said = run("bench.py", "transform", "--rows", 5000, "--runs", 1, "--work", tmp_path).stdout
    assert "payloads: equal" in said
    assert "rejects: equal" in said
