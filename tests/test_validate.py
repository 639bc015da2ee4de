"""The contract on the file: each failing row once, with every reason, its cells kept."""

import pytest

from etl.errors import ContentError, MappingError
from etl.mapping.model import ColumnRule
from etl.validate import compile_contract, unique_columns, validate
from tests.transform.builders import Row, chunk_of, note


def judged(columns: str, rows: list[Row]) -> tuple[list[int], dict[int, list[tuple[str, str, str]]]]:
    """The lines that stay, and (code, column, value) of each problem of the others."""
    contract = compile_contract(note("$A", more=f"columns: {columns}"))
    kept, rejects = validate(chunk_of(rows), contract)
    return kept.lines.tolist(), {r.line: [(p.code, p.column, p.value) for p in r.problems] for r in rejects}


def test_good_rows_stay_and_a_bad_one_is_rejected_once_with_every_reason() -> None:
    rows = [{"A": "x", "B": "1"}, {"A": "", "B": "x"}, {"A": "zz", "B": "3"}, {"A": "x", "B": ""}]

    kept, problems = judged("{A: {nullable: false, isin: [x, y], str_length: 1}, B: {str_matches: '^[0-9]$'}}", rows)

    assert kept == [2, 5]
    assert problems == {
        3: [("required", "A", ""), ("check_failed", "B", "x")],
        4: [("check_failed", "A", "zz"), ("check_failed", "A", "zz")],
    }


def test_a_reject_keeps_its_cells_and_says_what_was_expected() -> None:
    contract = compile_contract(note("$A", more="columns: {A: {isin: [x, y]}}"))

    kept, (reject,) = validate(chunk_of([{"A": " x", "B": "", "C": "c"}, {"A": "y"}], first_line=7), contract)

    assert (reject.line, reject.cells, reject.key) == (7, (" x", None, "c"), "")
    assert reject.problems[0].message == "expected isin: x, y"
    assert kept.rows["A"].tolist() == ["y"]


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("str_matches: '^\\d+$'", "12", "٣"), ("str_matches: a", "ab", "ba"), ("str_contains: b", "abc", "ac"),
        ("str_startswith: a", "ab", "ba"), ("str_endswith: a", "ba", "ab"), ("str_length: {min_value: 2}", "éé", "é"),
        ("notin: [x]", "y", "x"), ("eq: x", "x", "y"), ("ne: x", "y", "x"), ("ge: 5", "10", "4.9"), ("gt: 5", "5.1", "5"),
        ("le: 5", "-1", "abc"), ("lt: 5", "4", "1e2"), ("in_range: {min_value: 0, max_value: 9}", "9", "10"),
        ("between: {min_value: 0, max_value: 9, include_max: false}", "8", "9"), ("ge: '2025-01-01'", "2025-06-01", "2024-12-31"),
        ("unique_values_eq: [a, b]", "a", "c"),
    ],
)  # fmt: skip
def test_a_check_of_pandera_judges_cells(check: str, good: str, bad: str) -> None:
    assert judged(f"{{A: {{{check}}}}}", [{"A": good}, {"A": bad}, {"A": "", "B": "x"}]) == (
        [2, 4],
        {3: [("check_failed", "A", bad)]},
    )


def test_a_required_column_that_the_file_lacks_ends_the_run() -> None:
    contract = compile_contract(note("$A", more="columns: {Gone: {}, Optional: {required: false, isin: [x]}}"))

    with pytest.raises(ContentError, match="no column `Gone`") as raised:
        validate(chunk_of([{"A": "x"}]), contract)

    assert raised.value.hint == "The file has: A."


def test_a_column_that_may_be_missing_is_judged_where_it_is_there() -> None:
    columns = "{Optional: {required: false, nullable: false, isin: [x]}}"

    assert judged(columns, [{"A": "1"}]) == ([2], {})
    assert judged(columns, [{"A": "1", "Optional": "y"}])[0] == []


def test_unique_columns_are_named_for_the_one_who_sees_the_whole_input() -> None:
    mapping = note("$A", more="columns: {A: {unique: true}, B: {unique: false}}")

    assert unique_columns(mapping) == ("A",)
    assert judged("{A: {unique: true}}", [{"A": "x"}, {"A": "x"}])[0] == [2, 3]


def test_a_pattern_that_re2_refuses_is_a_mistake_of_the_mapping() -> None:
    mapping = note("$A").model_copy(
        update={"columns": {"A": ColumnRule(checks={"str_matches": "(?=a)"}, place="m.yaml:3:4")}}
    )

    with pytest.raises(MappingError, match=r"m.yaml:3:4: .*RE2"):
        compile_contract(mapping)


def test_an_empty_chunk_and_a_contract_without_rules_pass() -> None:
    contract = compile_contract(note("$A", more="columns: {A: {isin: [x]}}"))
    empty = chunk_of([], header=["A"])

    assert validate(empty, contract) == (empty, [])
    whole = chunk_of([{"A": "1"}])
    assert validate(whole, compile_contract(note("$A"))) == (whole, [])
