"""The sample data are what their generator writes, and what their README says."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from etl.engagement import DISPOSITIONS
from etl.half_one import half_one
from etl.mapping import load

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_data"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
MAPPINGS = {"calls.csv": "phone-nightly", "emails.csv": "email-csv", "salesforce/tasks.csv": "salesforce-tasks"}
#: Codes that only the account or the checkpoint can give.
LATER = {"ambiguous", "not_found", "repeated_key"}
FATES = ("created", "already", "skipped", "parked", "rejected")


def rows_of(name: str) -> list[list[str]]:
    with (SAMPLES / name).open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_generator_writes_the_committed_files_byte_for_byte(tmp_path):
    subprocess.run([sys.executable, "-B", str(SAMPLES / "generate.py"), str(tmp_path)], check=True)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) == 56
    different = [str(path) for path in written if (tmp_path / path).read_bytes() != (ROOT / path).read_bytes()]
    assert different == []


@pytest.mark.parametrize("name", EXPECTED)
def test_every_row_has_exactly_one_fate(name):
    expected = EXPECTED[name]
    assert expected["rows"] == len(rows_of(name)) - 1 == sum(expected[fate] for fate in FATES)
    assert expected["rejected"] == sum(expected["rejected_by"].values())
    assert expected["rejected_by"] == {code: len(lines) for code, lines in expected["rejected_lines"].items()}
    assert expected["created"] == sum(expected["by_type"].values())
    assert expected["skipped"] == sum(expected["skipped_by"].values())


@pytest.mark.parametrize("name", EXPECTED)
def test_the_lines_of_rejects_are_lines_on_which_rows_begin(name):
    with (SAMPLES / name).open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        begins, line = {}, 1
        for row in reader:
            begins[line], line = row, reader.line_num + 1
    header = begins[1]
    lines = EXPECTED[name]["rejected_lines"]
    assert {at for code in lines for at in lines[code]} <= begins.keys() - {1}
    assert sorted(lines.get("ragged_row", [])) == [at for at, row in begins.items() if len(row) != len(header)]


@pytest.mark.parametrize("name", EXPECTED)
def test_half_one_rejects_the_bad_rows_by_line_and_code_and_skips_the_others(name):
    mapping = load(ROOT / "mappings" / f"{MAPPINGS[name]}.yaml")
    rejected: dict[str, list[int]] = {}
    skipped: Counter[str] = Counter()
    for half in half_one(SAMPLES / name, mapping, DISPOSITIONS, None):
        skipped.update(half.skipped)
        for reject in half.rejects:
            rejected.setdefault(reject.problems[0].code, []).append(reject.line)
    expected = EXPECTED[name]
    assert skipped == expected["skipped_by"]
    found = {code: sorted(lines) for code, lines in rejected.items()}
    assert found == {code: lines for code, lines in expected["rejected_lines"].items() if code not in LATER}


def test_about_one_call_in_a_hundred_is_bad_and_all_five_types_are_there():
    assert EXPECTED["calls.csv"]["rejected"] / EXPECTED["calls.csv"]["rows"] == pytest.approx(0.01, rel=0.2)
    assert set(EXPECTED["salesforce/tasks.csv"]["by_type"]) == {"CALL", "EMAIL", "MEETING", "NOTE", "TASK"}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_readme_has_the_numbers_of_expected_json(name):
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    expected = EXPECTED[name]
    numbers = " | ".join(f"{expected[key]:,}" for key in ("rows", *FATES))
    assert re.search(rf"^\| `{re.escape(name)}` \| `[\w-]+` \| {re.escape(numbers)} \|$", readme, re.MULTILINE)
    part = readme.split(f"- **{name.split('/')[-1].removesuffix('.csv')}**")[1].split("\n- **")[0]
    assert {code: int(n) for code, n in re.findall(r"`(\w+)` (\d+)", part)} == expected["rejected_by"]


def test_only_phone_numbers_and_domains_kept_for_fiction_are_used():
    samples = [path for path in SAMPLES.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc", ".md")]
    for path in [*samples, *(ROOT / "mappings").glob("crosswalk_*.csv")]:
        text = path.read_bytes().replace(b"\0", b"").decode(errors="replace").replace("18@xxx", "").replace("@xxx", "")
        for domain in re.findall(r"@([\w.-]+\.\w+)", text):
            assert re.search(r"(^|\.)(example|example\.(com|org|net))$", domain.lower()), f"{path}: {domain}"
    phones = {cell.split(" ext")[0] for row in rows_of("portal/contacts.csv")[1:] for cell in row[2:4] if cell}
    phones |= {cell for row in rows_of("calls.csv")[1:] for cell in row[2:4] if sum(c.isdigit() for c in cell) >= 10}
    kept = re.compile(r"1?\d{3}55501\d\d|(011)?442079460\d{3}")
    assert [phone for phone in phones if not kept.fullmatch(re.sub(r"\D", "", phone))] == []


def test_phones_are_shared_within_eight_companies_and_across_one_pair():
    holders: dict[str, list[str]] = {}
    for row in rows_of("portal/contacts.csv")[1:]:
        for phone in filter(None, row[2:4]):
            holders.setdefault(re.sub(r"\D", "", phone.split(" ext")[0])[-10:], []).append(row[6])
    shared = [companies for companies in holders.values() if len(companies) > 1]
    assert sorted(len(set(companies)) for companies in shared) == [1] * 8 + [2]
