"""The payload: what each type needs and allows is checked before anything is sent."""

import pytest

from tests.transform.builders import mapped, mapping_of, payloads, values


def of_type(type_: str, metadata: str, more: str = "") -> object:
    return mapping_of(
        f"version: 1\nname: some\nkey: $Id\nassociations: {{require: none}}\n"
        f"engagement: {{type: {type_}, timestamp: {{from: $When, as: datetime, format: iso}}}}\nmetadata: {metadata}\n{more}"
    )


@pytest.mark.parametrize(
    ("type_", "field", "cell", "expected"),
    [
        ("CALL", "status", "COMPLETED", "COMPLETED"), ("CALL", "status", "Completed", ["bad_choice"]),
        ("CALL", "direction", "SIDEWAYS", ["bad_choice"]), ("CALL", "durationMilliseconds", "-5", ["bad_duration"]),
        ("CALL", "durationMilliseconds", "5", 5), ("CALL", "durationMilliseconds", "5.5", ["bad_duration"]),
        ("CALL", "recordingUrl", "https://example.com/a?b=c", "https://example.com/a?b=c"), ("CALL", "recordingUrl", "file:///etc", ["bad_url"]),
        ("CALL", "recordingUrl", "javascript:alert(1)", ["bad_url"]), ("CALL", "recordingUrl", "http://a b", ["bad_url"]),
        ("CALL", "disposition", "Connected", ["bad_choice"]),
        ("CALL", "disposition", "F240BBAC-87C9-4F6E-BF70-924B57D47DB7", "F240BBAC-87C9-4F6E-BF70-924B57D47DB7"),
        ("CALL", "body", "ü" * 65_536, "ü" * 65_536), ("CALL", "body", "ü" * 65_537, ["too_long"]),
        ("CALL", "title", "x" * 10_001, ["too_long"]), ("NOTE", "body", "", ["field_missing"]), ("TASK", "subject", "", ["field_missing"]),
        ("EMAIL", "subject", 'a "b" \\ \t\u2028é🙂', 'a "b" \\ \t\u2028é🙂'),
    ],
)  # fmt: skip
def test_a_field_takes_what_the_api_takes(type_: str, field: str, cell: str, expected: object) -> None:
    assert values(of_type(type_, f"{{{field}: $A}}"), [{"A": cell}], field) == [expected]


@pytest.mark.parametrize(("cell", "expected"), [("yes", True), ("0", False), ("perhaps", ["bad_bool"]), ("", None)])
def test_truth_values_are_json(cell: str, expected: object) -> None:
    assert values(of_type("TASK", "{subject: s, isAllDay: $A}"), [{"A": cell}], "isAllDay") == [expected]


def test_lists_of_ids_are_numbers() -> None:
    mapping = of_type("MEETING", "{startTime: $S, endTime: $S, attendeeOwnerIds: {from: $A, split: ','}}")
    rows = [{"A": "12, 007", "S": "1735732800000"}, {"A": "x", "S": "1735732800000"}, {"A": "", "S": "1735732800000"}]

    assert values(mapping, rows, "attendeeOwnerIds") == [[12, 7], ["bad_number"], None]


def test_a_meeting_ends_no_earlier_than_it_starts() -> None:
    step = "{from: $%s, as: datetime, format: iso}"
    mapping = of_type("MEETING", f"{{startTime: {step % 'S'}, endTime: {step % 'E'}}}")
    early, late = "2025-01-01T10:00:00Z", "2025-01-01T11:00:00Z"

    found = values(
        mapping,
        [{"S": early, "E": late}, {"S": late, "E": early}, {"S": early, "E": early}, {"S": early, "E": ""}],
        "endTime",
    )

    assert found == [1_735_729_200_000, ["bad_order"], 1_735_725_600_000, ["field_missing"]]


def test_a_required_field_that_failed_is_not_called_missing_too() -> None:
    mapping = of_type("MEETING", "{startTime: {from: $S, as: datetime, format: iso}, endTime: $E}")

    _, rejects = mapped(mapping, [{"S": "soon", "E": "1735732800000"}])

    assert [problem.code for problem in rejects[0].problems] == ["bad_time"]


def test_engagement_attachments_and_properties_are_written() -> None:
    mapping = of_type(
        "NOTE",
        "{body: $A}",
        "attachments: {from: $Files, split: ','}\nproperties: {size: {from: $Size, as: int}, kind: $Kind}\n",
    )

    drafts, rejects = mapped(
        mapping,
        [{"A": "x", "Files": "12,13", "Size": "5", "Kind": ""}, {"A": "y", "Files": "", "Size": "", "Kind": ""}],
    )

    assert rejects == []
    assert drafts.attachments.to_pylist() == ['[{"id":12},{"id":13}]', "[]"]
    assert drafts.properties.to_pylist() == ['{"size":"5"}', None]
    assert payloads(drafts)[0] == {
        "engagement": {"active": True, "type": "NOTE", "timestamp": 1_735_689_600_000}, "metadata": {"body": "x"},
    }  # fmt: skip


def test_an_owner_is_an_id_or_an_address_that_is_looked_up() -> None:
    head = "version: 1\nname: n\nkey: $Id\nassociations: {require: none}\nmetadata: {body: x}\n"
    time = "timestamp: {from: $When, as: datetime, format: iso}"
    looked_up = mapping_of(head + f"engagement: {{type: NOTE, {time}, ownerId: {{from: $O, lookup: owner}}}}\n")
    given = mapping_of(head + f"engagement: {{type: NOTE, {time}, ownerId: $O}}\n")
    rows = [{"O": "Ann@Example.com"}, {"O": "17"}, {"O": ""}]

    assert mapped(looked_up, rows)[0].owner.to_pylist() == ["ann@example.com", "17", None]
    drafts, rejects = mapped(given, rows)
    assert drafts.owner.to_pylist() == ["17", None]
    assert [(reject.line, reject.problems[0].code) for reject in rejects] == [(2, "bad_id")]


def test_a_type_that_is_none_of_the_five_is_refused() -> None:
    mapping = mapping_of(
        "version: 1\nname: n\nkey: $Id\nassociations: {require: none}\n"
        "engagement: {type: {cases: [{when: {T: n}, then: NOTE}, {when: {T: t}, then: TASK}]}, timestamp: {from: $When, as: datetime, format: iso}}\n"
        "metadata:\n  NOTE: {body: n}\n  TASK: {subject: t}\n"
    )

    drafts, rejects = mapped(mapping, [{"T": t} for t in "ntxnt"])

    assert drafts.types.to_pylist() == ["NOTE", "TASK", "NOTE", "TASK"]
    assert [payload["metadata"] for payload in payloads(drafts)] == [{"body": "n"}, {"subject": "t"}] * 2
    assert [(reject.line, reject.problems[0].code) for reject in rejects] == [(4, "bad_type")]
