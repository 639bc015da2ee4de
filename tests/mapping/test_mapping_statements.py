"""The language, statement by statement: what a mapping that says so makes of a row.

Beside the reference's examples, which show what each word does: here stand the sentences about how words act together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_mapping_reference import outcome

from etl.errors import MappingError
from etl.examples import outcome_of
from etl.mapping import parse
from etl.mapping.model import From

NOTE = {
    "version": 1, "name": "small", "source": {"timezone": "UTC", "region": "US"}, "key": "$Id",
    "engagement": {"type": "NOTE", "timestamp": {"from": "$When", "as": "datetime", "format": "iso"}},
    "associations": {"require": "none"}, "metadata": {"body": "$Body"},
}  # fmt: skip
CALL = {"type": "CALL", "timestamp": {"from": "$When", "as": "datetime", "format": "iso"}}
EMAIL = {**CALL, "type": "EMAIL"}
ROW = {"Id": "1", "When": "2025-11-21T16:05:06Z", "Body": "text"}


def made(parts: dict[str, Any], given: dict[str, str], folder: Path) -> dict[str, Any]:
    """What becomes of a row."""
    text = json.dumps({key: part for key, part in {**NOTE, **parts}.items() if part is not None}, ensure_ascii=False)
    return outcome_of(parse(text, folder / "m.yaml"), {**ROW, **given})


#: What is said -> the parts of a mapping, the row's cells, and what the field then is (or its problem's code).
VALUES: dict[str, tuple[Any, dict[str, str], Any]] = {
    "all that follows the dollar is the column's name": ("$Call ID (new) ", {"Call ID (new) ": "a"}, "a"),
    "a column may be called like a word of the language": ("$from", {"from": "a"}, "a"),
    "a literal dollar": ("$$Body", {}, "$Body"),
    "a constant that is a number": (3, {}, "3"),
    "a constant that is a truth value": (True, {}, "true"),
    "a template joins cells": ("{{ row['A'] }}-{{ row['B'] }}", {"A": "a", "B": "b"}, "a-b"),
    "an empty cell is no text in a template": ("{{ row['A'] }}-", {"A": ""}, "-"),
    "cases without one that holds are empty": ({"cases": [{"when": {"A": "x"}, "then": "y"}]}, {"A": "a"}, None),
    "the first case that holds": (
        {"cases": [{"when": {"A": "x"}, "then": "1st"}, {"when": {"A": ["x", "y"]}, "then": "2nd"}]},
        {"A": "x"},
        "1st",
    ),
    "only an empty value moves on": ({"first": ["$A", "$B"]}, {"A": "", "B": "b"}, "b"),
    "what cannot be converted does not move on": (
        {"first": [{"from": "$A", "as": "int"}, "$B"]},
        {"A": "x", "B": "b"},
        "bad_number",
    ),
    "each over a list that is empty is empty": (
        {"each": {"from": "$A", "split": ";"}, "give": "<$item>"},
        {"A": ""},
        None,
    ),
    "a hash tells its parts apart": ({"hash": ["$A", "$B"]}, {"A": "ab", "B": ""}, "5e01d001e5b83b04e2addbd1a1851de5"),
    "from inside from": ({"from": {"from": "$A", "map": {"x": "y"}}, "map": {"y": "z"}}, {"A": "x"}, "z"),
    "a template may stand in from": ({"from": "{{ row['A'] }}5", "as": "int"}, {"A": "1"}, "15"),
    "trimmed unless told": ({"from": "$A", "max_length": 2}, {"A": " abc "}, "ab"),
    "not trimmed": ({"from": "$A", "trim": False, "max_length": 2}, {"A": " abc "}, " a"),
    "extract before as": ({"as": "int", "extract": "([0-9]+)", "from": "$A"}, {"A": "call 07"}, "7"),
    "extract takes the first group": ({"from": "$A", "extract": "(a+)(b+)"}, {"A": "aabb"}, "aa"),
    "extract without a match": ({"from": "$A", "extract": "(z)"}, {"A": "a"}, "no_match"),
    "an empty cell is not extracted from": ({"from": "$A", "extract": "(z)"}, {"A": ""}, None),
    "split before map": ({"map": {"a": "1", "b": "2"}, "split": "|", "from": "$A"}, {"A": "a | b"}, "1;2"),
    "as before map": ({"map": {"7": "seven"}, "as": "int", "from": "$A"}, {"A": "007"}, "seven"),
    "map's keys are texts": ({"from": "$A", "map": {"No": "n", "012": "twelve"}}, {"A": "012"}, "twelve"),
    "map without else refuses": ({"from": "$A", "map": {"a": "b"}}, {"A": "z"}, "no_rule"),
    "map leaves empty empty": ({"from": "$A", "map": {"a": "b"}}, {"A": ""}, None),
    "else covers what map does not": ({"from": "$A", "map": {"a": "b"}, "else": "c"}, {"A": "z"}, "c"),
    "a map may give nothing": ({"from": "$A", "map": {"a": None}}, {"A": "a"}, None),
    "default after map": ({"default": "d", "from": "$A", "map": {"a": None}}, {"A": "a"}, "d"),
    "default before max_length": ({"default": "default", "from": "$A", "max_length": 3}, {"A": ""}, "def"),
    "text": ({"from": "$A", "as": "text"}, {"A": "007"}, "007"),
    "int": ({"from": "$A", "as": "int"}, {"A": "0042"}, "42"),
    "int refuses what might be a fraction": ({"from": "$A", "as": "int"}, {"A": "1,234"}, "bad_number"),
    "number": ({"from": "$A", "as": "number"}, {"A": "1.50"}, "1.5"),
    "bool": ({"from": "$A", "as": "bool"}, {"A": "No"}, "false"),
    "datetime by format": (
        {"from": "$A", "as": "datetime", "format": "%d/%m/%Y %H:%M"},
        {"A": "21/11/2025 16:05"},
        "1763741100000",
    ),
    "12-hour clock": (
        {"from": "$A", "as": "datetime", "format": "%m/%d/%Y %I:%M %p"},
        {"A": "11/21/2025 12:05 AM"},
        "1763683500000",
    ),
    "formats in order": (
        {"from": "$A", "as": "datetime", "formats": ["%d.%m.%Y %H:%M", "iso"]},
        {"A": "2025-11-21T16:05:00Z"},
        "1763741100000",
    ),
    "durations in order": (
        {"from": "$A", "as": "duration", "formats": ["H:MM:SS", "M:SS"]},
        {"A": "3:07"},
        "187000",
    ),
    "epoch_s": ({"from": "$A", "as": "datetime", "format": "epoch_s"}, {"A": "1763741100"}, "1763741100000"),
    "epoch_ms": ({"from": "$A", "as": "datetime", "format": "epoch_ms"}, {"A": "1763741100001"}, "1763741100001"),
    "the zone of a column": (
        {"from": "$A", "as": "datetime", "format": "%Y-%m-%d %H:%M", "timezone": "$Z"},
        {"A": "2025-11-21 16:05", "Z": "Europe/Berlin"},
        "1763737500000",
    ),
    "at for a date": (
        {"from": "$A", "as": "datetime", "format": "%Y-%m-%d", "at": "12:00"},
        {"A": "2025-11-21"},
        "1763726400000",
    ),
    "gap is refused": (
        {"from": "$A", "as": "datetime", "format": "%Y-%m-%d %H:%M", "timezone": "America/New_York"},
        {"A": "2025-03-09 02:30"},
        "time_gap",
    ),
    "fold is the first": (
        {"from": "$A", "as": "datetime", "format": "%Y-%m-%d %H:%M", "timezone": "America/New_York"},
        {"A": "2025-11-02 01:30"},
        "1762061400000",
    ),
    "fold refused": (
        {"from": "$A", "as": "datetime", "format": "%Y-%m-%d %H:%M", "timezone": "America/New_York", "fold": "reject"},
        {"A": "2025-11-02 01:30"},
        "time_fold",
    ),
    "duration s": ({"from": "$A", "as": "duration", "format": "s"}, {"A": "38"}, "38000"),
    "duration ms": ({"from": "$A", "as": "duration", "format": "ms"}, {"A": "38"}, "38"),
    "duration min": ({"from": "$A", "as": "duration", "format": "min"}, {"A": "1.5"}, "90000"),
    "duration H:MM:SS": ({"from": "$A", "as": "duration", "format": "H:MM:SS"}, {"A": "1:00:38"}, "3638000"),
    "duration M:SS": ({"from": "$A", "as": "duration", "format": "M:SS"}, {"A": "75:38"}, "4538000"),
    "duration text": ({"from": "$A", "as": "duration", "format": "text"}, {"A": "1 min 5 sec"}, "65000"),
    "phone": ({"from": "$A", "as": "phone"}, {"A": "(206) 555-0100"}, "+12065550100"),
    "phone of another region": ({"from": "$A", "as": "phone", "region": "GB"}, {"A": "020 7946 0018"}, "+442079460018"),
    "phone refused": ({"from": "$A", "as": "phone"}, {"A": "anonymous"}, "bad_phone"),
    "phone kept": ({"from": "$A", "as": "phone", "invalid": "keep"}, {"A": "*60"}, "*60"),
    "phone emptied": ({"from": "$A", "as": "phone", "invalid": "null"}, {"A": "101"}, None),
    "email": ({"from": "$A", "as": "email"}, {"A": "Ann Lee <Ann@Example.com>"}, "ann@example.com"),
    "email refused": ({"from": "$A", "as": "email"}, {"A": "ann at example"}, "bad_email"),
    "emails": (
        {"from": "$A", "as": "emails"},
        {"A": "ann@example.com, Bob <bob@example.com>"},
        "ann@example.com;bob@example.com",
    ),
    "name_part first": ({"from": "$A", "as": "name_part", "part": "first"}, {"A": "Ann Lee"}, "Ann"),
    "name_part of a name turned round": ({"from": "$A", "as": "name_part", "part": "first"}, {"A": "Lee, Ann"}, "Ann"),
    "domain": ({"from": "$A", "as": "domain"}, {"A": "ann@Example.com"}, "example.com"),
    "html is sanitised": ({"from": "$A", "as": "html"}, {"A": "<b>x</b><script>y</script>"}, "<b>x</b>"),
    "html_from_text": ({"from": "$A", "as": "html_from_text"}, {"A": "a < b\nc"}, "a &lt; b<br>c"),
    "text_from_html": ({"from": "$A", "as": "text_from_html"}, {"A": "<p>a</p><p>b</p>"}, "a\n\nb"),
    "id": ({"from": "$A", "as": "id"}, {"A": "12345678901"}, "12345678901"),
    "id refused": ({"from": "$A", "as": "id"}, {"A": "x1"}, "bad_id"),
    "json refused": ({"from": "$A", "as": "json"}, {"A": "{"}, "bad_json"),
}


@pytest.mark.parametrize("said", VALUES)
def test_a_value_is(said: str, tmp_path: Path) -> None:
    value, given, expected = VALUES[said]

    found = made({"properties": {"x": value}}, given, tmp_path)

    assert found.get("code") or found.get("properties", {}).get("x") == expected, found
    assert found.get("code") in (None, expected)


#: What is said -> a condition, and of these cells those for which it holds (None: their row is rejected).
CELLS = ["", "Missed", "missed", "Missed call", "9", "10", "10.0", "x"]
CONDITIONS: dict[str, tuple[Any, list[str | None]]] = {
    "a text is equal": ({"A": "Missed"}, ["Missed"]),
    "a list is one of": ({"A": ["Missed", "9"]}, ["Missed", "9"]),
    "eq": ({"A": {"eq": "9"}}, ["9"]),
    "ne, of empty cells too": ({"A": {"ne": "9"}}, ["", "Missed", "missed", "Missed call", "10", "10.0", "x"]),
    "in": ({"A": {"in": ["9", "x"]}}, ["9", "x"]),
    "not_in": ({"A": {"not_in": ["9", "x", ""]}}, ["Missed", "missed", "Missed call", "10", "10.0"]),
    "matches somewhere": ({"A": {"matches": "(?i)miss"}}, ["Missed", "missed", "Missed call"]),
    "contains": ({"A": {"contains": "issed c"}}, ["Missed call"]),
    "starts": ({"A": {"starts": "Missed"}}, ["Missed", "Missed call"]),
    "ends": ({"A": {"ends": "call"}}, ["Missed call"]),
    "empty": ({"A": {"empty": True}}, [""]),
    "not empty": ({"A": {"empty": False}}, CELLS[1:]),
    "several are an and": ({"A": {"starts": "Missed", "ends": "call"}, "Id": "3"}, ["Missed call"]),
    "any": ({"any": [{"A": "9"}, {"A": "x"}]}, ["9", "x"]),
    "all": ({"all": [{"A": {"starts": "M"}}, {"A": {"ends": "d"}}]}, ["Missed"]),
    "not": ({"not": {"A": {"matches": "."}}}, [""]),
    "expr": ({"expr": "row['A']|length > 6"}, ["Missed call"]),
}


@pytest.mark.parametrize("said", CONDITIONS)
def test_a_condition_holds_for(said: str, tmp_path: Path) -> None:
    condition, expected = CONDITIONS[said]
    parts = {"skip": [{"when": condition, "reason": "it holds"}]}

    found = [made(parts, {"A": cell, "Id": str(n)}, tmp_path)["outcome"] for n, cell in enumerate(CELLS)]

    assert [cell for cell, outcome in zip(CELLS, found, strict=True) if outcome == "skipped"] == expected


@pytest.mark.parametrize(
    ("operator", "holds"), [("gt", ["10", "10.0"]), ("ge", ["10", "10.0"]), ("lt", ["9"]), ("le", ["9"])]
)
def test_an_ordering_operator_reads_numbers_and_refuses_what_is_none(
    operator: str, holds: list[str], tmp_path: Path
) -> None:
    bound = {"gt": 9, "ge": 9.5, "lt": 10, "le": 9}[operator]
    parts = {"skip": [{"when": {"A": {operator: bound}}, "reason": "it holds"}]}

    found = {cell: made(parts, {"A": cell}, tmp_path) for cell in CELLS}

    assert [cell for cell in CELLS if found[cell]["outcome"] == "skipped"] == holds
    assert {cell for cell in CELLS if found[cell].get("code") == "bad_condition"} == {
        "Missed",
        "missed",
        "Missed call",
        "x",
    }


#: What is said of the parts of a mapping -> the parts, the cells, and what the row then is, by dotted path.
PARTS: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, Any]]] = {
    "a field whose value is empty is left out": (
        {"engagement": CALL, "metadata": {"title": "$A", "body": "$Body"}}, {"A": ""}, {"metadata": {"body": "text"}}),
    "a field called from is a field": (
        {"engagement": EMAIL, "metadata": {"from": {"email": "$A"}, "to": []}}, {"A": "ann@example.com"},
        {"metadata": {"from": {"email": "ann@example.com"}, "to": []}}),
    "skip comes before columns": (
        {"skip": [{"when": {"A": "x"}, "reason": "ours"}], "columns": {"A": {"isin": ["y"]}}}, {"A": "x"},
        {"outcome": "skipped", "reason": "ours"}),
    "columns come before values": (
        {"columns": {"A": {"nullable": False}}, "metadata": {"body": {"from": "$Body", "as": "int"}}}, {"A": ""},
        {"code": "required", "column": "A"}),
    "missing texts are empty everywhere": (
        {"source": {"timezone": "UTC", "missing": ["-", "N/A"]}, "columns": {"A": {"nullable": False}}}, {"A": "N/A"},
        {"code": "required"}),
    "a definition of a definition": (
        {"define": {"a": "$b", "b": {"from": "$A", "map": {"x": "y"}}}, "metadata": {"body": "$a"}}, {"A": "x"},
        {"metadata.body": "y"}),
    "a condition on a definition": (
        {"define": {"a": {"from": "$A", "map": {"x": "y"}, "else": "z"}},
         "skip": [{"when": {"a": "y"}, "reason": "ours"}]}, {"A": "x"}, {"outcome": "skipped"}),
    "active": ({"engagement": {**NOTE["engagement"], "active": False}}, {}, {"engagement.active": False}),
    "an owner stays in words": (
        {"engagement": {**NOTE["engagement"], "ownerId": {"from": "$A", "lookup": "owner"}}}, {"A": "Ann@Example.com"},
        {"wanted.owner": "ann@example.com", "engagement.ownerId": None}),
    "the type is decided per row": (
        {"engagement": {**CALL, "type": {"cases": [{"when": {"A": "t"}, "then": "TASK"}, {"else": "NOTE"}]}},
         "metadata": {"NOTE": {"body": "$Body"}, "TASK": {"subject": "$Body", "status": "NOT_STARTED"}}}, {"A": "t"},
        {"engagement.type": "TASK", "metadata": {"subject": "text", "status": "NOT_STARTED"}}),
    "dispositions are the API's own without an account": (
        {"engagement": CALL, "metadata": {"disposition": {"from": "$A", "lookup": "disposition"}}}, {"A": "Connected"},
        {"metadata.disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7"}),
    "a look-up that finds nothing rejects": (
        {"engagement": CALL, "metadata": {"disposition": {"from": "$A", "lookup": "disposition"}}}, {"A": "Sold"},
        {"code": "lookup_missing"}),
    "or leaves the field empty": (
        {"engagement": CALL,
         "metadata": {"body": "$Body", "disposition": {"from": "$A", "lookup": "disposition", "not_found": "empty"}}},
        {"A": "Sold"}, {"metadata": {"body": "text"}}),
    "a contact is required unless said": (
        {"associations": {"contacts": {"by": "email", "value": "$A", "not_found": "unlinked"}}}, {"A": ""},
        {"code": "no_link"}),
    "any link is enough": (
        {"associations": {"deals": {"by": "id", "value": "$A"}, "require": "any"}}, {"A": "7"},
        {"associations.dealIds": [7]}),
    "ids of a list": (
        {"associations": {"deals": {"by": "id", "value": {"from": "$A", "split": ";"}}, "require": "any"}}, {"A": "7; 8"},
        {"associations.dealIds": [7, 8]}),
    "tickets stand beside deals": (
        {"associations": {"tickets": {"by": "id", "value": "$A"}, "require": "any"}}, {"A": "7"},
        {"associations.ticketIds": [7]}),
    "links stay in words without an account": (
        {"associations": {"contacts": {"match": [{"by": "phone", "value": "$A"}, {"by": "email", "value": "$B"}]},
                          "companies": {"by": "contact"}}}, {"A": "(206) 555-0100", "B": "Ann@Example.com"},
        {"wanted.contacts": [{"by": "phone", "value": ["+12065550100"]}, {"by": "email", "value": ["ann@example.com"]}],
         "wanted.companies": [{"by": "contact"}], "associations.contactIds": []}),
    "a column that given leaves out is empty": ({"metadata": {"body": "{{ row['A'] }}."}}, {}, {"metadata.body": "."}),
    "a note may be attachments alone": (
        {"metadata": None, "attachments": "$A"}, {"A": "7"}, {"attachments": [{"id": 7}], "metadata": {}}),
    "but not nothing at all": (
        {"metadata": None, "attachments": "$A"}, {"A": ""}, {"code": "field_missing", "column": "metadata.body"}),
    "and a broken attachment is what is wrong with it": (
        {"metadata": None, "attachments": "$A"}, {"A": "x"}, {"code": "bad_id", "column": "attachments"}),
}  # fmt: skip


@pytest.mark.parametrize("said", PARTS)
def test_the_parts_of_a_mapping_say(said: str, tmp_path: Path) -> None:
    parts, given, expected = PARTS[said]

    found = made(parts, given, tmp_path)

    assert {path: at(found, path) for path in expected} == expected, found


def at(found: Any, path: str) -> Any:
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


#: What is said -> a mapping that is refused, and the code of its mistake.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "names are lower-case identifiers": ({"name": "Phone Nightly"}, "bad_value"),
    "so are namespaces": ({"namespace": "Ä"}, "bad_value"),
    "the version is 1": ({"version": 2}, "bad_value"),
    "no key that the language does not have": ({"assocations": {}}, "unknown_key"),
    "no step that it does not have": ({"metadata": {"body": {"from": "$A", "trimm": True}}}, "unknown_key"),
    "no conversion that it does not have": ({"metadata": {"body": {"from": "$A", "as": "date"}}}, "bad_value"),
    "no operator that it does not have": ({"skip": [{"when": {"A": {"like": "x"}}, "reason": "r"}]}, "unknown_key"),
    "no field that the type does not have": ({"metadata": {"body": "$Body", "subject": "$A"}}, "unknown_field"),
    "type and timestamp must be there": ({"engagement": {"type": "NOTE"}}, "missing_key"),
    "a policy that is none": (
        {"associations": {"contacts": {"by": "id", "value": "$A", "not_found": "skip"}}},
        "bad_value",
    ),
    "companies are never created": (
        {"associations": {"companies": {"by": "id", "value": "$A", "not_found": "create"}}},
        "bad_value",
    ),
    "an engagement has one company": (
        {"associations": {"companies": {"by": "name", "value": "$A", "ambiguous": "all"}}},
        "bad_value",
    ),
    "a table that is named must be there": ({"metadata": {"body": {"from": "$A", "lookup": "people"}}}, "unknown_name"),
    "names without a header only": ({"source": {"names": ["A"]}}, "bad_value"),
    "no header without names": ({"source": {"header": "none"}}, "missing_key"),
    "a time needs a format": ({"metadata": {"body": {"from": "$A", "as": "datetime"}}}, "missing_key"),
    "longest needs a field": ({"group": {"by": "$A", "keep": "longest"}}, "missing_key"),
    "only tables are read in several formats": ({"source": {"format": ["csv", "mbox"]}}, "bad_value"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_a_mapping_is_refused_where(said: str, tmp_path: Path) -> None:
    parts, code = REFUSED[said]

    with pytest.raises(MappingError) as refused:
        parse(json.dumps({**NOTE, **parts}), tmp_path / "m.yaml")

    assert [each.code for each in refused.value.mistakes] == [code], refused.value


ANN, BOB = "ann@example.com", "bob@example.com"
TWO = {"contacts": {"email": {ANN: ["7", "8"], BOB: ["9"]}}}
#: What is said of links -> `associations`, the cells, what the account has, and what the row is linked to (or its problem's
#: code, or why it is parked).
LINKS: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, Any], Any]] = {
    "nothing found rejects": ({"contacts": {"by": "email", "value": "$A"}}, {"A": ANN}, {}, "not_found"),
    "several found reject": ({"contacts": {"by": "email", "value": "$A"}}, {"A": ANN}, TWO, "ambiguous"),
    "the first way that finds anything wins": (
        {"contacts": {"match": [{"by": "phone", "value": "$B"}, {"by": "email", "value": "$A"}]}}, {"A": BOB, "B": "2065550100"},
        {**TWO, "contacts": {**TWO["contacts"], "phone": {"+12065550100": ["5"]}}}, {"contacts": ["5"]}),
    "the next way where the first finds nothing": (
        {"contacts": {"match": [{"by": "phone", "value": "$B"}, {"by": "email", "value": "$A"}]}}, {"A": BOB, "B": "2065550100"},
        TWO, {"contacts": ["9"]}),
    "a list misses where none of it is found": (
        {"contacts": {"by": "email", "value": {"from": "$A", "as": "emails"}}}, {"A": "x@example.com; y@example.com"}, TWO, "not_found"),
    "one found of a list is enough": (
        {"contacts": {"by": "email", "value": {"from": "$A", "as": "emails"}}}, {"A": f"x@example.com; {BOB}"}, TWO, {"contacts": ["9"]}),
    "ambiguous is asked of each of a list": (
        {"contacts": {"by": "email", "value": {"from": "$A", "as": "emails"}}}, {"A": f"{ANN}; {BOB}"}, TWO, "ambiguous"),
    "all, of each": (
        {"contacts": {"by": "email", "value": {"from": "$A", "as": "emails"}, "ambiguous": "all"}}, {"A": f"{ANN}; {BOB}"}, TWO,
        {"contacts": ["7", "8", "9"]}),
    "the oldest, of each": (
        {"contacts": {"by": "email", "value": {"from": "$A", "as": "emails"}, "ambiguous": "oldest"}}, {"A": f"{BOB}; {ANN}"}, TWO,
        {"contacts": ["9", "7"]}),
    "the company that candidates share satisfies require": (
        {"contacts": {"by": "email", "value": "$A", "ambiguous": "company"}}, {"A": ANN},
        {**TWO, "companies": {"contact": {"7": ["20"], "8": ["20"]}}}, {"companies": ["20"]}),
    "candidates without a company in common reject": (
        {"contacts": {"by": "email", "value": "$A", "ambiguous": "company"}}, {"A": ANN},
        {**TWO, "companies": {"contact": {"7": ["20"], "8": ["21"]}}}, "ambiguous"),
    "the contact's primary company": (
        {"contacts": {"by": "email", "value": "$A"}, "companies": {"by": "contact"}}, {"A": BOB},
        {**TWO, "companies": {"contact": {"9": ["31", "30"]}}}, {"contacts": ["9"], "companies": ["31"]}),
    "of several contacts the first one's company": (
        {"contacts": {"by": "email", "value": "$A", "ambiguous": "all"}, "companies": {"by": "contact"}}, {"A": ANN},
        {**TWO, "companies": {"contact": {"7": ["30"], "8": ["31"]}}}, {"contacts": ["7", "8"], "companies": ["30"]}),
    "a contact without a company is no miss": (
        {"contacts": {"by": "email", "value": "$A"}, "companies": {"by": "contact"}}, {"A": BOB}, TWO, {"contacts": ["9"]}),
    "more than one company is ambiguous": (
        {"companies": {"by": "name", "value": "$A"}, "require": "any"}, {"A": "Acme"},
        {"companies": {"name": {"Acme": ["1", "2"]}}}, "ambiguous"),
    "several deals of a contact are ambiguous": (
        {"contacts": {"by": "email", "value": "$A"}, "deals": {"by": "contact"}}, {"A": BOB},
        {**TWO, "deals": {"contact": {"9": ["40", "41"]}}}, "ambiguous"),
    "a row that parks waits, whatever else it finds": (
        {"contacts": {"by": "email", "value": "$A", "not_found": "park"}, "deals": {"by": "id", "value": "$B"}},
        {"A": "x@example.com", "B": "4"}, TWO, "no contact by email"),
    "an id is trusted": ({"contacts": {"by": "id", "value": "$A"}}, {"A": "123"}, {}, {"contacts": ["123"]}),
    "a row that says no contact is refused": ({"contacts": {"by": "email", "value": "$A"}}, {"A": ""}, TWO, "no_link"),
    "unless nothing is required": ({"contacts": {"by": "email", "value": "$A"}, "require": "none"}, {"A": ""}, TWO, {}),
}  # fmt: skip


@pytest.mark.parametrize("said", LINKS)
def test_a_row_is_linked(said: str, tmp_path: Path) -> None:
    links, given, account, expected = LINKS[said]
    whole = {**NOTE, "associations": links}
    mapping = parse(json.dumps(whole), tmp_path / "m.yaml")

    linked, codes, _ = outcome({"given": {**ROW, **given}, "account": account}, mapping)

    if codes:
        assert codes == [expected]
    elif (parked := linked.parked[0].as_py()) is not None:
        assert parked == expected
    else:
        found = {kind: ids[0].as_py() for kind, ids in linked.links.items()}
        assert {kind: ids for kind, ids in found.items() if ids} == expected


def test_what_is_not_said_is_the_default_that_the_language_names(tmp_path: Path) -> None:
    whole = {
        **NOTE, "source": {"format": "csv"}, "columns": {"A": {"isin": ["x"]}}, "key": None,
        "associations": {"contacts": {"by": "email", "value": "$A", "not_found": "create", "create": {"email": "$A"}},
                         "deals": {"by": "id", "value": "$B"}},
        "metadata": {"body": {"from": "$A", "as": "datetime", "format": "iso"}}, "attachments": {"files": "$F"},
        "group": {"by": "$G"},
    }  # fmt: skip
    mapping = parse(json.dumps({k: v for k, v in whole.items() if v is not None}), tmp_path / "m.yaml")

    assert (mapping.namespace, mapping.on_change) == ("small", "leave")
    source, column = mapping.source, mapping.columns["A"]
    assert (source.delimiter, source.encoding, source.header, source.skip_rows, source.missing) == (
        ",",
        "utf-8",
        1,
        0,
        ("",),
    )
    assert (column.required, column.nullable, column.unique) == (True, True, False)
    contacts, deals = mapping.associations.links["contacts"], mapping.associations.links["deals"]
    assert (deals.not_found, deals.ambiguous, deals.park_for) == ("reject", "reject", "14d")
    assert (contacts.max, mapping.associations.require) == (100, "contact")
    body = mapping.metadata["NOTE"]["body"]
    assert isinstance(body, From)
    assert (body.trim, body.gap, body.fold, body.invalid, body.not_found) == (
        True,
        "reject",
        "first",
        "reject",
        "reject",
    )
    assert mapping.attachments is not None
    assert (mapping.attachments.base, mapping.attachments.max_mb) == (tmp_path, 20)
    assert mapping.group is not None
    assert (mapping.group.keep, mapping.key) == ("first", (mapping.group.by,))
