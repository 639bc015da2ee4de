"""Conditions: each operator, what an empty cell means to it, and what happens to text that is no number."""

import pytest

from etl.transform import skip
from tests.transform.builders import chunk_of, note, rules_of

CELLS = ["Missed", "missed call", "Busy", "", "12", "7.5"]


def left_out(condition: str, cells: list[str] = CELLS) -> list[str]:
    """The cells of `A` whose rows a skip rule leaves out."""
    mapping = note("$A", more=f"skip: [{{when: {condition}, reason: r}}]")
    chunk = chunk_of([{"A": cell, "Id": "1", "When": "x", "N": str(n)} for n, cell in enumerate(cells)])
    kept, counts, rejects = skip(chunk, rules_of(mapping, ["A", "Id", "When", "N"]))
    gone = set(range(2, len(cells) + 2)) - set(kept.lines.tolist()) - {reject.line for reject in rejects}
    assert counts == ({"r": len(gone)} if gone else {})
    return [cells[line - 2] for line in sorted(gone)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{A: Missed}", ["Missed"]), ("{A: [Missed, Busy]}", ["Missed", "Busy"]), ("{A: {eq: Busy}}", ["Busy"]),
        ("{A: {ne: Busy}}", ["Missed", "missed call", "", "12", "7.5"]), ("{A: {in: [Busy, 12]}}", ["Busy", "12"]),
        ("{A: {not_in: [Missed, Busy]}}", ["missed call", "", "12", "7.5"]), ("{A: {contains: ss}}", ["Missed", "missed call"]),
        ("{A: {starts: Mis}}", ["Missed"]), ("{A: {ends: call}}", ["missed call"]), ("{A: {matches: '(?i)^mis'}}", ["Missed", "missed call"]),
        ("{A: {matches: '^$'}}", [""]), ("{A: {empty: true}}", [""]), ("{A: {empty: false}}", ["Missed", "missed call", "Busy", "12", "7.5"]),
        ("{any: [{A: Missed}, {A: Busy}]}", ["Missed", "Busy"]), ("{not: {A: {empty: false}}}", [""]),
        ("{all: [{A: {contains: ss}}, {A: {ends: d}}]}", ["Missed"]), ("{A: {starts: M, ends: d}, N: '0'}", ["Missed"]),
        ("{expr: \"row['A'] == 'Busy' or row['N'] | int > 4\"}", ["Busy", "7.5"]),
    ],
)  # fmt: skip
def test_an_operator_chooses_its_rows(condition: str, expected: list[str]) -> None:
    assert left_out(condition) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("{gt: 7.5}", ["12"]), ("{ge: 7.5}", ["12", "7.5"]), ("{lt: 12}", ["7.5"]), ("{le: 12}", ["12", "7.5"])],
)
def test_an_ordering_operator_reads_numbers_and_an_empty_cell_is_none(condition: str, expected: list[str]) -> None:
    assert left_out(f"{{A: {condition}}}", ["12", "7.5", ""]) == expected


def test_text_where_a_number_is_ordered_rejects_its_row_with_the_cell() -> None:
    mapping = note("$A", more="skip: [{when: {A: {gt: 5}}, reason: long}]")
    chunk = chunk_of([{"A": cell, "Id": "1", "When": "x"} for cell in ("9", "soon", "1")])

    kept, counts, rejects = skip(chunk, rules_of(mapping, ["A", "Id", "When"]))

    assert kept.lines.tolist() == [4]
    assert counts == {"long": 1}
    assert [(r.line, r.problems[0].code, r.problems[0].column, r.problems[0].value, r.cells) for r in rejects] == [
        (3, "bad_condition", "A", "soon", ("soon", "1", "x"))
    ]


def test_a_row_is_skipped_for_its_first_reason_and_later_rules_do_not_judge_it() -> None:
    mapping = note("$A", more="skip: [{when: {A: x}, reason: one}, {when: {A: {gt: 5}}, reason: two}]")
    chunk = chunk_of([{"A": cell, "Id": "1", "When": "x"} for cell in ("x", "9", "1")])

    kept, counts, rejects = skip(chunk, rules_of(mapping, ["A", "Id", "When"]))

    assert (kept.lines.tolist(), counts, rejects) == ([4], {"one": 1, "two": 1}, [])


def test_parts_of_a_condition_after_one_that_fails_judge_nothing() -> None:
    assert left_out("{all: [{A: {matches: '^[0-9]'}}, {A: {gt: 10}}]}") == ["12"]


def test_a_chunk_without_rules_comes_back_as_it_is() -> None:
    chunk = chunk_of([{"A": "x", "Id": "1", "When": "x"}])

    assert skip(chunk, rules_of(note("$A"), ["A", "Id", "When"])) == (chunk, {}, [])
