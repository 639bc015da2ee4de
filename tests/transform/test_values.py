"""Values and steps: every form of the language, and what each does with cells that are empty, odd or wrong."""

from hashlib import sha256

import pytest

from etl.errors import MappingError
from tests.transform.builders import mail, mapped, mapping_of, note, rules_of, values


def body(value: str, *cells: str, more: str = "") -> list[object]:
    """The note's body for each cell of the column `A` (an `x` in the column `B`)."""
    return values(note(value, more=more), [{"A": cell, "B": "x"} for cell in cells])


EMPTY = ["field_missing"]


def test_constants_references_and_literal_dollars() -> None:
    assert body("fixed", "a") == ["fixed"]
    assert body("$A", "a", "", " a b\t", "\u00a0a\u2003") == ["a", EMPTY, "a b", "a"]
    assert body("$$A", "a") == ["$A"]
    assert body("12", "a") == ["12"]


def test_white_space_is_trimmed_unless_it_is_to_stay() -> None:
    assert body("{from: $A, trim: false}", " a ", "   ", "") == [" a ", "   ", EMPTY]
    assert body("{from: $A}", " a ", "   ") == ["a", EMPTY]


def test_the_first_value_that_is_not_empty_wins_and_a_broken_one_is_not_passed_over() -> None:
    assert body("{first: [$A, $B]}", "a", "") == ["a", "x"]
    assert body("{first: [{from: $A, as: int}, $B]}", "7", "", "seven") == ["7", "x", ["bad_number"]]


def test_cases_are_judged_in_order_and_compute_only_where_they_hold() -> None:
    cases = "{cases: [{when: {A: {matches: '^[0-9]+$'}}, then: {from: $A, as: int}}, {when: {A: b}, then: was b}, {else: $A}]}"

    assert body(cases, "12", "b", "c", "") == ["12", "was b", "c", EMPTY]


def test_a_definition_used_on_a_branch_refuses_no_row_outside_it() -> None:
    more = "define: {number: {from: $A, as: int}}"
    cases = "{cases: [{when: {A: {matches: '^[0-9]'}}, then: $number}, {else: no number}]}"

    assert body(cases, "12", "1a", "abc", more=more) == ["12", ["bad_number"], "no number"]


def test_a_definition_is_read_by_conditions_templates_and_other_definitions() -> None:
    more = "define: {low: {from: $A, map: {X: x, Y: y}}, twice: \"{{ row['low'] }}{{ row['low'] }}\"}"

    assert body("{cases: [{when: {low: y}, then: $twice}, {else: $low}]}", "X", "Y", "Z", more=more) == [
        "x",
        "yy",
        ["no_rule"],
    ]


def test_steps_run_in_their_order_whatever_the_order_in_the_file() -> None:
    step = "{max_length: 3, map: {ab: long text}, extract: '^<(.*)>$', from: $A}"

    assert body(step, " <ab> ") == ["lon"]


def test_extract_takes_the_first_group() -> None:
    assert body("{from: $A, extract: '([a-z]+)-([0-9]+)'}", "ab-12", "AB") == ["ab", ["no_match"]]
    assert body("{from: $A, extract: '(?P<n>[0-9]+)'}", "ab-12") == ["12"]
    assert body("{from: $A, extract: '[^(]*[)(]([0-9]+)'}", "ab(12") == ["12"]
    assert body("{from: $A, extract: '(?i)^(?:Email: )?(.*)$'}", "email: hello", "hello") == ["hello", "hello"]
    assert body("{from: $A, extract: '[(]([^)]*)[)]'}", "Ann (117)") == ["117"]
    assert body(r"{from: $A, extract: '(\d+)'}", "٣") == [["no_match"]]


def test_a_map_covers_or_refuses_and_else_covers_the_rest() -> None:
    assert body("{from: $A, map: {a: one, b: 2}}", "a", "b", "c", "") == ["one", "2", ["no_rule"], EMPTY]
    assert body("{from: $A, map: {a: one}, else: other}", "a", "c", "") == ["one", "other", EMPTY]
    assert body('{from: $A, map: {a: one, "": none}}', "a", "") == ["one", "none"]
    assert body("{from: $A, map: {a: null}, default: nothing}", "a", "") == ["nothing", "nothing"]


def test_defaults_and_lengths_come_last() -> None:
    assert body("{from: $A, default: a long default, max_length: 6}", "", "çédille!") == ["a long", "çédill"]


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        ("text", "012", "012"), ("int", "+12", "12"), ("int", "1e5", ["bad_number"]), ("int", "٣", ["bad_number"]),
        ("int", "9" * 5_000, ["bad_number"]), ("number", "1.50", "1.5"), ("number", "nan", ["bad_number"]),
        ("number", "1,5", ["bad_number"]), ("bool", "Yes", "true"), ("bool", "off", "false"), ("bool", "maybe", ["bad_bool"]),
        ("id", "0012", "0012"), ("id", "12.0", ["bad_id"]), ("email", "Ann <Ann@Example.COM>", "ann@example.com"),
        ("email", "ann@", ["bad_email"]), ("email", "a@example.com, b@example.com", ["bad_email"]),
        ("email", "ann@bücher.example", "ann@bücher.example"), ("domain", "ann@Mail.Example.com", "mail.example.com"),
        ("domain", "https://www.example.com:8080/x?y#z", "example.com"), ("domain", "root", ["bad_email"]),
        ("html_from_text", "a < b\r\nc & d", "a &lt; b<br>c &amp; d"), ("html", "<p onclick=x>a</p><script>b</script>", "<p>a</p>"),
        ("html", "plain", "plain"), ("text_from_html", "<p>a &amp; b</p>", "a & b"), ("text_from_html", "plain", "plain"),
        ("json", '{"a": [1, 2]}', '{"a":[1,2]}'), ("json", "{", ["bad_json"]), ("json", "NaN", ["bad_json"]),
        ("name_part, part: first", "Ann Mary Lee", "Ann"), ("name_part, part: last", "Ann Mary Lee", "Mary Lee"),
        ("name_part, part: last", '"Lee, Ann"', "Lee"), ("name_part, part: first", "Lee, Ann", "Ann"),
        ("name_part, part: last", "Ann", EMPTY),
    ],
)  # fmt: skip
def test_a_cell_becomes_the_kind_that_as_names(kind: str, cell: str, expected: object) -> None:
    assert body(f"{{from: $A, as: {kind}}}", cell, "") == [expected, EMPTY]


def test_lists_are_split_built_and_spread_over_objects() -> None:
    fields = "{to: {each: {from: $To, as: emails}, give: {email: $item, firstName: $Name}}, cc: {each: {from: $Cc, split: '|'}, give: {email: $item}}}"
    rows = [
        {
            "To": 'Bob <bob@example.org>; "Lee, Ann" <ann@example.com>',
            "Cc": "a@example.com| |b@example.com",
            "Name": "N",
        },
        {"To": "bob@example.org, nobody", "Cc": "", "Name": ""},
        {"To": "bob@example.org", "Cc": "", "Name": ""},
    ]

    assert values(mail(fields), rows, "to") == [
        [{"email": "bob@example.org", "firstName": "N"}, {"email": "ann@example.com", "firstName": "N"}],
        ["bad_email"],
        [{"email": "bob@example.org"}],
    ]
    assert values(mail(fields), [rows[0], rows[2]], "cc") == [
        [{"email": "a@example.com"}, {"email": "b@example.com"}],
        None,
    ]


def test_objects_leave_out_what_is_empty_and_vanish_when_all_is() -> None:
    fields = "{from: {email: $Mail, firstName: {from: $Name, as: name_part, part: first}}, to: [], subject: s}"
    rows = [{"Mail": "a@example.com", "Name": ""}, {"Mail": "", "Name": ""}, {"Mail": "", "Name": "Ann Lee"}]

    assert values(mail(fields), rows, "from") == [{"email": "a@example.com"}, None, {"firstName": "Ann"}]
    assert values(mail(fields), rows, "to") == [[], [], []]


def test_lists_that_the_reader_gives_are_lists() -> None:
    rows = [{"To": ["a@example.com", "b@example.com"]}, {"To": None}]

    found = values(mail("{to: {each: $To, give: {email: $item}}, subject: s}"), rows, "to")

    assert found == [[{"email": "a@example.com"}, {"email": "b@example.com"}], None]


def test_a_hash_is_stable_and_tells_its_parts_apart() -> None:
    first, second, third = values(
        note("{hash: [$A, $B]}"), [{"A": "ab", "B": "c"}, {"A": "a", "B": "bc"}, {"A": "ab", "B": "c"}]
    )

    assert first == third != second
    assert first == sha256(b"ab\x1fc").hexdigest()[:32]


def test_every_problem_of_a_row_is_told_once_with_column_and_value() -> None:
    mapping = note("{from: $A, as: int}")

    _, rejects = mapped(mapping, [{"A": "x", "When": "y"}])

    assert [(p.code, p.column, p.value) for p in rejects[0].problems] == [
        ("bad_time", "When", "y"),
        ("bad_number", "A", "x"),
    ]
    assert rejects[0].cells == ("0", "y", "x")
    assert len(rejects[0].key) == 26


def test_a_problem_of_a_definition_read_in_many_places_is_told_once() -> None:
    more = "define: {n: {from: $A, as: int}}"

    _, rejects = mapped(note("{cases: [{when: {n: 1}, then: $n}, {else: $n}]}", more=more), [{"A": "x"}])

    assert [problem.code for problem in rejects[0].problems] == ["bad_number"]


def test_a_column_that_may_be_missing_is_empty_everywhere() -> None:
    more = "columns: {Gone: {required: false}}"

    assert body("{first: [$Gone, $A]}", "a", more=more) == ["a"]
    assert body("\"{{ row['Gone'] }}{{ row['A'] }}\"", "a", more=more) == ["a"]


def test_a_column_that_must_be_there_is_a_mistake_of_the_mapping() -> None:
    with pytest.raises(MappingError, match="no column `A`"):
        rules_of(note("$A"), ["Id", "When"])


def test_a_look_up_asks_the_account_for_outcomes_by_label_or_guid() -> None:
    mapping = mapping_of("""
        version: 1
        name: calls
        key: $Id
        associations: {require: none}
        engagement: {type: CALL, timestamp: {from: $When, as: datetime, format: iso}}
        metadata: {disposition: {from: $A, lookup: disposition}}
        """)
    guid = "f240bbac-87c9-4f6e-bf70-924b57d47db7"

    found = values(mapping, [{"A": "connected"}, {"A": guid.upper()}, {"A": "Fax"}, {"A": ""}], "disposition")

    assert found == [guid, guid, ["lookup_missing"], None]
