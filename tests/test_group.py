"""Rows of one group become one engagement, however far apart they stand, and every row has one fate."""

from __future__ import annotations

import csv
import json
from contextlib import closing
from pathlib import Path

import pytest

from etl.associate import payload_lines
from etl.checkpoint import counts
from etl.checkpoint.store import open_checkpoint
from etl.engagement import DISPOSITIONS
from etl.flow import Json, MaxRejects
from etl.half_one import Half, half_one
from etl.mapping import Mapping, lint, load
from etl.pipeline import plan

HEADER = ["leg", "call", "started", "seconds", "caller", "kind"]
MAPPING = """\
version: 1
name: legs
source: {{format: csv, timezone: UTC, region: US}}
columns:
  started: {{nullable: false}}
skip:
  - {{when: {{kind: internal}}, reason: internal leg}}
group: {{by: $call, {keep}}}
{key}
engagement:
  type: CALL
  timestamp: {{from: $started, as: datetime, format: iso}}
associations:
  contacts: {{by: phone, value: $caller, ambiguous: all, not_found: {not_found}}}
metadata:
  body: $leg
  durationMilliseconds: {{from: $seconds, as: duration, format: s}}
"""


def mapping_in(folder: Path, keep: str = "keep: first", key: str = "", not_found: str = "reject") -> Mapping:
    file = folder / "legs.yaml"
    file.write_text(MAPPING.format(keep=keep, key=key, not_found=not_found))
    return load(file)


def export(folder: Path, *legs: tuple[str, ...], name: str = "legs.csv") -> Path:
    """A file of these legs: leg, call, seconds, caller, and whatever differs behind them."""
    file = folder / name
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(HEADER)
        for leg, call, seconds, caller, *more in legs:
            started = more[0] if more else "2025-11-21T16:05:06Z"
            writer.writerow([leg, call, started, seconds, caller, more[1] if len(more) > 1 else ""])
    return file


def halves(file: Path, mapping: Mapping, **options: int) -> list[Half]:
    return list(half_one(file, mapping, DISPOSITIONS, None, **options))


def payloads(found: list[Half]) -> list[Json]:
    return [json.loads(line) for half in found for line in payload_lines(half.linked).to_pylist()]


def fates(found: list[Half]) -> dict[str, int]:
    return {
        "read": sum(half.read for half in found),
        "drafts": sum(len(half.linked) for half in found),
        "merged": sum(half.merged for half in found),
        "skipped": sum(sum(half.skipped.values()) for half in found),
        "rejected": sum(len(half.rejects) for half in found),
    }


def words(payload: Json) -> list[str]:
    return [word for way in payload["wanted"]["contacts"] for word in way["value"]]


LEGS = (
    ("a1", "A", "5", "+12065550101"),
    ("b1", "B", "7", "+12065550102"),
    ("a2", "A", "90", "+12065550103"),
    ("a3", "A", "30", "+12065550101"),
)


@pytest.mark.parametrize(
    ("keep", "kept", "line"),
    [("keep: first", "a1", 2), ("keep: last", "a3", 5), ("keep: longest, field: $seconds", "a2", 4)],
)
def test_one_engagement_a_group_of_the_row_that_is_kept(tmp_path: Path, keep: str, kept: str, line: int) -> None:
    found = halves(export(tmp_path, *LEGS), mapping_in(tmp_path, keep))
    by_leg = {payload["metadata"]["body"]: payload for payload in payloads(found)}
    assert set(by_leg) == {kept, "b1"}
    assert by_leg[kept]["line"] == line
    assert fates(found) == {"read": 4, "drafts": 2, "merged": 2, "skipped": 0, "rejected": 0}


def test_the_links_of_all_rows_are_collected_each_once_those_of_the_row_kept_first(tmp_path: Path) -> None:
    found = payloads(halves(export(tmp_path, *LEGS), mapping_in(tmp_path, "keep: last")))
    by_leg = {payload["metadata"]["body"]: words(payload) for payload in found}
    assert by_leg == {"a3": ["+12065550101", "+12065550103"], "b1": ["+12065550102"]}


def test_the_first_of_equally_long_rows_is_kept_and_an_empty_length_is_the_shortest(tmp_path: Path) -> None:
    file = export(tmp_path, ("x1", "X", "", "1"), ("x2", "X", "0", "1"), ("x3", "X", "0", "1"))
    found = payloads(halves(file, mapping_in(tmp_path, "keep: longest, field: $seconds")))
    assert [payload["metadata"]["body"] for payload in found] == ["x2"]


def test_rows_that_stand_far_apart_find_each_other_however_small_a_chunk_is(tmp_path: Path) -> None:
    legs = [(f"{leg}", f"call {leg % 500}", str(leg), f"+1206555{leg % 100:04}") for leg in range(2_000)]
    file, mapping = export(tmp_path, *legs), mapping_in(tmp_path, "keep: longest, field: $seconds")
    whole, spilled = halves(file, mapping), halves(file, mapping, chunk_bytes=10_000)
    assert len(whole) == 1
    assert len(spilled) > 5
    assert sorted(map(json.dumps, payloads(whole))) == sorted(map(json.dumps, payloads(spilled)))
    assert (
        fates(whole) == fates(spilled) == {"read": 2_000, "drafts": 500, "merged": 1_500, "skipped": 0, "rejected": 0}
    )
    assert payloads(halves(file, mapping, chunk_bytes=10_000)) == payloads(spilled)


def test_a_row_without_a_group_stands_alone(tmp_path: Path) -> None:
    mapping = mapping_in(tmp_path, key="key: $leg")
    found = halves(export(tmp_path, ("x", "", "1", "+12065550101"), ("y", "", "1", "+12065550102"), *LEGS), mapping)
    assert [payload["metadata"]["body"] for payload in payloads(found)] == ["x", "y", "a1", "b1"]


def test_rows_skipped_on_purpose_are_no_part_of_their_group(tmp_path: Path) -> None:
    silent = ("a0", "A", "999", "+12065550109", "2025-11-21T16:05:06Z", "internal")
    found = halves(export(tmp_path, silent, *LEGS), mapping_in(tmp_path))
    assert "+12065550109" not in words(payloads(found)[0])
    assert fates(found) == {"read": 5, "drafts": 2, "merged": 2, "skipped": 1, "rejected": 0}


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (("a9", "A", "5", "+12065550101", "yesterday"), "bad_time"),
        (("a9", "A", "5", "+12065550101", ""), "required"),
        (("a9", "A", "long", "+12065550101"), "bad_number"),
    ],
)
def test_a_group_is_whole_or_not_at_all(tmp_path: Path, broken: tuple[str, ...], code: str) -> None:
    keep = "keep: longest, field: $seconds" if code == "bad_number" else "keep: last"
    found = halves(export(tmp_path, *LEGS, broken), mapping_in(tmp_path, keep))
    codes = {reject.line: reject.problems[0].code for half in found for reject in half.rejects}
    assert codes == {2: "group_rejected", 4: "group_rejected", 5: "group_rejected", 6: code}
    assert "line 6" in next(r.problems[0].message for half in found for r in half.rejects if r.line == 2)
    assert [payload["metadata"]["body"] for payload in payloads(found)] == ["b1"]


def test_a_group_that_finds_no_contact_is_rejected_as_a_whole(tmp_path: Path) -> None:
    mapping = mapping_in(tmp_path)
    [half] = half_one(export(tmp_path, *LEGS), mapping, DISPOSITIONS, lambda kind, by, values: {"+12065550102": ["7"]})
    codes = {reject.line: reject.problems[0].code for reject in half.rejects}
    assert codes == {2: "not_found", 4: "group_rejected", 5: "group_rejected"}
    assert (len(half.linked), half.merged, half.read) == (1, 0, 4)


def test_one_contact_found_is_enough_for_a_group(tmp_path: Path) -> None:
    mapping = mapping_in(tmp_path)
    [half] = half_one(
        export(tmp_path, *LEGS),
        mapping,
        DISPOSITIONS,
        lambda kind, by, values: {"+12065550103": ["3"], "+12065550102": ["2"]},
    )
    assert half.linked.links["contacts"].to_pylist() == [["3"], ["2"]]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_limit_takes_whole_groups_and_counts_their_rows(tmp_path: Path, limit: int) -> None:
    legs = [(f"{leg}", f"call {leg % 4}", "1", "+12065550101") for leg in range(12)]
    found = halves(export(tmp_path, *legs), mapping_in(tmp_path), limit=limit)
    assert fates(found) == {"read": 3 * limit, "drafts": limit, "merged": 2 * limit, "skipped": 0, "rejected": 0}


def test_a_plan_counts_merged_rows_and_a_later_leg_of_a_known_call_is_no_call_of_its_own(tmp_path: Path) -> None:
    mapping = mapping_in(tmp_path, not_found="unlinked")
    mapping = mapping.model_copy(update={"associations": mapping.associations.model_copy(update={"require": "none"})})
    with closing(open_checkpoint(tmp_path / "c.sqlite", portal="1", namespace="legs")) as checkpoint:
        first = plan([export(tmp_path, *LEGS)], mapping, checkpoint, lambda *_: {}, DISPOSITIONS)
        tally = counts.tally(checkpoint, first, None)
        tally.read = counts.rows_read(checkpoint, first)
        assert (tally.read, tally.merged, tally.not_tried, tally.balanced) == (4, 2, 2, True)
        later = export(tmp_path, ("a4", "A", "5", "+12065550104"), name="later.csv")
        plan([later], mapping, checkpoint, lambda *_: {}, DISPOSITIONS, max_rejects=MaxRejects(0))
        assert checkpoint.one("SELECT count(*) FROM row") == 2


def test_a_key_that_is_not_the_groups_is_warned_of(tmp_path: Path) -> None:
    assert [warning.code for warning in lint(mapping_in(tmp_path, key="key: $leg"))] == ["group_key"]
    assert lint(mapping_in(tmp_path)) == lint(mapping_in(tmp_path, key="key: $call")) == []
