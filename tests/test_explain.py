"""`etl.explain`: what it tells of a row is what the transform makes of it, and why a row was left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etl.associate import payload_lines
from etl.engagement import DISPOSITIONS
from etl.errors import InputError
from etl.explain import explain
from etl.half_one import half_one
from etl.mapping import Mapping, load, parse
from etl.read import inputs, read
from tests.presets.test_presets import SAMPLES as PRESETS

SAMPLES = Path(__file__).parents[1] / "sample_data"
#: Samples of presets: file, preset, and how many of its rows are told.
TOLD = [
    ("calls.csv", "phone-nightly", 25),
    ("emails.csv", "email-csv", 15),
    ("salesforce/tasks.csv", "salesforce-tasks", 30),
]


def payloads_by_line(file: Path, mapping: Mapping, most: int) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for half in half_one(file, mapping, DISPOSITIONS, None, limit=most):
        texts = payload_lines(half.linked).to_pylist()
        found |= dict(zip(half.linked.drafts.lines.tolist(), map(json.loads, texts), strict=True))
    return found


def same(told: Any, held: Any) -> bool:
    """Whether a value on its way is the payload's: a text of digits is the number that the field holds."""
    if held is None:
        return told in (None, "", [], {})
    return told == held or str(told) == str(held)


def judged(path: Path, mapping: Mapping, lines: list[int], payloads: dict[int, Any]) -> int:
    """Compares what is told of these rows with what transform made of them, and gives how many fields were compared."""
    checked = 0
    for line in lines:
        row, payload = explain(path, mapping, line), payloads[line]
        assert (row.outcome, row.payload and {**row.payload, "key": 0}) == ("mapped", {**payload, "key": 0})
        for field in row.fields:
            section, _, name = field.path.partition(".")
            if section not in ("metadata", "engagement") or name == "ownerId":
                continue
            held = payload[section].get(name)
            assert field.value == held
            if field.steps and not isinstance(held, dict):
                assert same(result_of(field.steps), held), (line, field.path)
                checked += 1
        assert {f"metadata.{name}" for name in payload["metadata"]} <= {field.path for field in row.fields}
    return checked


def result_of(steps: tuple[Any, ...]) -> Any:
    """What the steps come to: the last on the outermost floor, or, where that only chose, the last inside it."""
    outer = [step for step in steps if step.depth == steps[0].depth]
    if outer[-1].what in ("case", "else", "first"):
        at = steps.index(outer[-1])
        return result_of(steps[at + 1 :]) if steps[at + 1 :] else None
    return outer[-1].value


@pytest.mark.parametrize(("file", "preset", "rows"), TOLD)
def test_the_last_step_of_every_field_is_what_the_payload_holds(file: str, preset: str, rows: int) -> None:
    path = SAMPLES / file
    mapping = load(preset, path.parent)
    payloads = payloads_by_line(path, mapping, rows * 8)

    assert judged(path, mapping, list(payloads)[::24], payloads) >= rows


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_holds_for_every_preset_on_its_sample(preset: str) -> None:
    sample = PRESETS[preset]
    mapping = load(preset, **sample.said)
    (path, *_) = inputs((SAMPLES / sample.file,), mapping.source)
    payloads = payloads_by_line(path, mapping, 1_000)
    read_lines = [line for chunk in read(path, mapping.source) for line in chunk.lines.tolist()]
    lines = [line for line in payloads if read_lines.count(line) == 1]  # a file of messages may hold several rows

    assert judged(path, mapping, [lines[0], lines[len(lines) // 2], lines[-1]], payloads) >= 3


MAPPING = """\
version: 1
name: explained
source: {timezone: UTC, region: US}
columns:
  Seconds: {str_matches: '^[0-9]*$'}
skip:
  - {when: {Direction: Internal}, reason: internal call}
  - {when: {Direction: Test}, reason: test call}
define:
  who: {cases: [{when: {Direction: In}, then: $From}, {else: $To}]}
key: $Id
engagement: {type: CALL, timestamp: {from: $At, as: datetime, format: "%d/%m/%Y %H:%M"}}
associations: {contacts: {by: phone, value: $who}}
metadata:
  status: {from: $Result, map: {Ok: COMPLETED, Bad: FAILED}}
  durationMilliseconds: {from: $Seconds, as: duration, format: s, default: 0}
  title: {first: [$Title, {from: $Note, extract: '^(\\w+)', max_length: 3}]}
  body: "{{ row['Note'] }} ({{ row['Direction'] }})"
  recordingUrl: $Url
"""
ROWS = """\
Id,At,Direction,From,To,Result,Seconds,Title,Note,Url
a,21/11/2025 04:05, In ,206-555-0100,206-555-0101,Ok,38,,hello world,
b,21/11/2025 04:06,Internal,1,2,Ok,1,,,
c,not a time,In,206-555-0100,,Ok,1,,,
d,21/11/2025 04:06,Out,,206-555-0101,Odd,1,,,
e,21/11/2025 04:06,Out,,206-555-0101,Ok,x,,,
f,21/11/2025 04:06,Out,,,Ok,1,,,
g,21/11/2025 04:06,Out,,206-555-0101,Ok,1,"two
lines",,ftp://x
h,too,few
"""


@pytest.fixture
def calls(tmp_path: Path) -> tuple[Path, Mapping]:
    (tmp_path / "calls.csv").write_text(ROWS)
    return tmp_path / "calls.csv", parse(MAPPING, tmp_path / "m.yaml")


def steps_of(row: Any, path: str) -> list[tuple[str, Any]]:
    return [(step.what, step.value) for field in row.fields if field.path == path for step in field.steps]


def test_each_step_is_told_with_the_value_after_it(calls: tuple[Path, Mapping]) -> None:
    row = explain(*calls, 2)

    assert row.outcome == "mapped"
    assert steps_of(row, "engagement.timestamp") == [("cell", "21/11/2025 04:05"), ("as", 1763697900000)]
    assert steps_of(row, "metadata.status") == [("cell", "Ok"), ("map", "COMPLETED")]
    assert steps_of(row, "metadata.title") == [
        ("first", False), ("cell", None), ("first", True), ("cell", "hello world"), ("extract", "hello"), ("max_length", "hel"),
    ]  # fmt: skip
    assert steps_of(row, "metadata.body") == [("template", "hello world (In)")]


def test_the_case_that_held_is_told_with_its_place(calls: tuple[Path, Mapping]) -> None:
    steps = next(field for field in explain(*calls, 2).fields if field.path == "associations.contacts.phone").steps

    assert [(s.what, s.value) for s in steps] == [("define", "206-555-0100"), ("case", True), ("cell", "206-555-0100")]
    assert steps[1].place.endswith("m.yaml:10:25")
    assert steps[1].detail == "1 of 1: Direction eq In"


@pytest.mark.parametrize(
    ("line", "outcome", "code", "place"),
    [
        (3, "skipped", "", "7:5"),
        (4, "rejected", "bad_time", "12:37"),
        (5, "rejected", "no_rule", "15:11"),
        (6, "rejected", "check_failed", "5:12"),
        (7, "rejected", "no_link", "13:15"),
        (8, "rejected", "bad_url", "19:17"),
        (9, "rejected", "bad_url", "19:17"),
        (10, "rejected", "ragged_row", ""),
    ],
)
def test_a_row_left_out_is_told_with_the_rule_and_its_place(
    calls: tuple[Path, Mapping], line: int, outcome: str, code: str, place: str
) -> None:
    row = explain(*calls, line)

    assert (row.outcome, row.code) == (outcome, code)
    assert row.place.endswith(f"m.yaml:{place}" if place else "")
    assert row.reason
    assert row.payload is None


@pytest.mark.parametrize("line", [1, 11, 12, 1_000])
def test_a_line_without_a_row_is_refused(calls: tuple[Path, Mapping], line: int) -> None:
    with pytest.raises(InputError) as caught:
        explain(*calls, line)
    assert caught.value.code == "no_such_row"


def test_a_row_of_a_group_says_into_which_row_it_went(tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text(
        "Id,Leg,At,To,Seconds\nx,1,1700000000,206-555-0100,5\ny,1,1700000001,206-555-0101,6\nx,2,1700000002,206-555-0102,9\n"
    )
    mapping = parse(
        "version: 1\nname: legs\nsource: {region: US}\ngroup: {by: $Id, keep: longest, field: $Seconds}\n"
        "engagement: {type: CALL, timestamp: {from: $At, as: datetime, format: epoch_s}}\n"
        "associations: {contacts: {by: phone, value: $To}}\nmetadata: {toNumber: $To}\n",
        tmp_path / "m.yaml",
    )

    first, kept = explain(tmp_path / "calls.csv", mapping, 2), explain(tmp_path / "calls.csv", mapping, 4)
    assert (first.outcome, kept.outcome) == ("merged", "mapped")
    assert "line 4" in first.reason
    assert kept.payload is not None
    assert kept.payload["metadata"]["toNumber"] == "206-555-0102"
