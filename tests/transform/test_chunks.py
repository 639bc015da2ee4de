"""Whatever the chunks, the drafts are the same; and the three mappings of the language run as they stand."""

import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from etl.flow import Chunk, Drafts, Reject
from etl.mapping import Mapping, load
from etl.transform import Rules, skip, transform
from tests.transform.builders import FIXTURES, chunk_of, payloads, rules_of

PHONES = ["(206) 555-0100", "+44 20 7946 0018", "anonymous", "104", "", "206.555.0101"]
HEADERS = {
    "phone-nightly": ["Call ID", "Direction", "From", "To", "Queue", "Agent Email", "Start Time", "Duration", "Result", "Recording", "Notes"],
    "salesforce-tasks": ["Id", "IsDeleted", "TaskSubtype", "Subject", "CompletedDateTime", "ActivityDate", "CreatedDate", "OwnerId",
                         "WhoId", "WhatId", "AccountId", "Description", "CallDurationInSeconds", "Status"],
    "mailbox-history": ["message_id", "date", "from_name", "from_email", "to", "cc", "bcc", "subject", "text", "html"],
}  # fmt: skip


def calls(count: int, seed: int) -> list[dict[str, str]]:
    chance = random.Random(seed)
    return [
        {
            "Call ID": f"c{place}" if chance.random() < 0.97 else "", "Direction": chance.choice(["Inbound", "Outbound", "Internal"]),
            "From": chance.choice(PHONES), "To": chance.choice(PHONES), "Queue": chance.choice(["Sales", ""]),
            "Agent Email": chance.choice(["ann@example.com", ""]), "Start Time": chance.choice(["11/21/2025 04:05:06 PM", "1/5/2025 4:05:06 am", "x"]),
            "Duration": chance.choice(["0:00:38", "10:00:00", "-1"]), "Result": chance.choice(["Answered", "Busy", "Fax"]),
            "Recording": chance.choice(["https://example.com/1.mp3", ""]), "Notes": chance.choice(['said "hi" <b>\nand left', "", "plain"]),
        }
        for place in range(count)
    ]  # fmt: skip


def tasks(count: int, seed: int) -> list[dict[str, str]]:
    chance = random.Random(seed)
    return [
        {
            "Id": f"t{place}", "IsDeleted": chance.choice(["0", "1", "false"]), "TaskSubtype": chance.choice(["Call", "Email", "Event", "Task", ""]),
            "Subject": chance.choice(["Note: x", "Email: y", "z", ""]), "CompletedDateTime": chance.choice(["", "2021-02-22T17:25:11.000+0000", "bad"]),
            "ActivityDate": chance.choice(["2021-02-22", ""]), "CreatedDate": "2021-02-20T17:25:11.000Z",
            "OwnerId": chance.choice(["", "unknown"]), "WhoId": chance.choice(["", "003000000000001"]), "Description": chance.choice(["d", ""]),
            "CallDurationInSeconds": chance.choice(["", "65", "x"]), "Status": chance.choice(["Completed", "Deferred", "Odd"]),
        }
        for place in range(count)
    ]  # fmt: skip


def run(mapping: Mapping, chunks: list[Chunk], rules: Rules) -> tuple[list[Any], list[Reject], dict[str, int]]:
    """Rows (line, key, type, time, payload, owner, words), rejects and skips of some chunks."""
    rows: list[Any] = []
    rejects: list[Reject] = []
    skipped: dict[str, int] = {}
    for chunk in chunks:
        kept, counts, unjudged = skip(chunk, rules)
        drafts, refused = transform(kept, rules)
        rows += listed(drafts)
        rejects += [*unjudged, *refused]
        for reason, count in counts.items():
            skipped[reason] = skipped.get(reason, 0) + count
    return rows, sorted(rejects, key=lambda reject: reject.line), skipped


def listed(drafts: Drafts) -> list[Any]:
    words = [way.values.to_pylist() for ways in drafts.wanted.values() for way in ways]
    return list(zip(
        drafts.lines.tolist(), drafts.keys, drafts.types.to_pylist(), drafts.times_ms.tolist(), drafts.engagement.to_pylist(),
        drafts.metadata.to_pylist(), drafts.attachments.to_pylist(), drafts.owner.to_pylist(), zip(*words, strict=True),
        zip(*drafts.cells.all().to_pydict().values(), strict=True), strict=True,
    ))  # fmt: skip


@pytest.mark.parametrize(("name", "rows"), [("phone-nightly", calls(120, 1)), ("salesforce-tasks", tasks(150, 2))])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_drafts_and_rejects_do_not_depend_on_the_chunks(name: str, rows: list[dict[str, str]], size: int) -> None:
    mapping, header = load(FIXTURES / f"{name}.yaml"), HEADERS[name]

    whole = run(mapping, [chunk_of(rows, header)], rules_of(mapping, header))
    parts = run(
        mapping,
        [chunk_of(rows[start : start + size], header, start + 2) for start in range(0, len(rows), size)],
        rules_of(mapping, header),
    )

    assert whole == parts
    assert len(whole[0]) + len(whole[1]) + sum(whole[2].values()) == len(rows)
    assert whole[0]
    assert whole[1]


def test_the_order_of_rows_changes_nothing_but_the_order() -> None:
    rows, header = calls(80, 3), HEADERS["phone-nightly"]
    mapping = load(FIXTURES / "phone-nightly.yaml")

    def by_key(some: list[dict[str, str]]) -> dict[bytes, Any]:
        return {row[1]: row[2:] for row in run(mapping, [chunk_of(some, header)], rules_of(mapping, header))[0]}

    assert by_key(rows) == by_key(rows[::-1])


@pytest.mark.parametrize("name", list(HEADERS))
def test_a_chunk_without_rows_is_no_trouble(name: str) -> None:
    mapping, header = load(FIXTURES / f"{name}.yaml"), HEADERS[name]

    rows, rejects, skipped = run(mapping, [chunk_of([], header)], rules_of(mapping, header))

    assert (rows, rejects, skipped) == ([], [], {})


def test_a_call_log_becomes_calls() -> None:
    mapping, header = load(FIXTURES / "phone-nightly.yaml"), HEADERS["phone-nightly"]
    given = dict(mapping.tests[0].given) | {"Notes": "line\ntwo", "From": "104"}

    (drafts, rejects) = transform(chunk_of([given], header), rules_of(mapping, header))

    assert rejects == []
    assert payloads(drafts)[0]["metadata"] == {
        "fromNumber": "104", "toNumber": "+12065550199", "durationMilliseconds": 38_000, "status": "COMPLETED",
        "disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7", "body": "Inbound call via Sales<br>line<br>two", "direction": "INBOUND",
    }  # fmt: skip
    assert drafts.times_ms.tolist() == [1_763_759_106_000]
    assert drafts.owner.to_pylist() == ["ann@example.com"]
    assert [way.by for way in (*drafts.wanted["contacts"], *drafts.wanted["companies"])] == ["phone", "contact"]
    assert drafts.wanted["contacts"][0].values.to_pylist() == [["104"]]


def test_a_task_export_becomes_all_five_types() -> None:
    mapping, header = load(FIXTURES / "salesforce-tasks.yaml"), HEADERS["salesforce-tasks"]
    base = {"CreatedDate": "2021-02-20T17:25:11.000Z", "Status": "Completed", "ActivityDate": "2021-02-22"}
    rows = [{**base, "Id": str(place), "Subject": "Note: x" if kind == "-" else "s", "TaskSubtype": kind.strip("-"), "Description": "d"}
            for place, kind in enumerate(["Call", "Email", "Event", "-", "Task"])]  # fmt: skip

    drafts, rejects = transform(chunk_of(rows, header), rules_of(mapping, header))

    assert rejects == []
    assert drafts.types.to_pylist() == ["CALL", "EMAIL", "MEETING", "NOTE", "TASK"]
    assert [orjson.loads(text) for text in drafts.metadata.to_pylist()] == [
        {"body": "d", "status": "COMPLETED", "durationMilliseconds": 0},
        {"subject": "s", "text": "d", "to": []},
        {"title": "s", "body": "d", "startTime": 1_613_995_200_000, "endTime": 1_613_998_800_000},
        {"body": "d"},
        {"subject": "s", "body": "d", "status": "COMPLETED", "forObjectType": "COMPANY"},
    ]


def test_a_mailbox_becomes_emails() -> None:
    mapping, header = load(FIXTURES / "mailbox-history.yaml"), HEADERS["mailbox-history"]
    rows = [
        {"message_id": "<1>", "date": "2021-02-22T17:25:11Z", "from_name": "Lee, Ann", "from_email": "ann@example.com", "to": "Bob <bob@example.org>\nc@example.org", "html": "<p>x</p>"},
        {"message_id": "<2>", "date": "2021-02-22T17:25:11Z", "from_email": "bob@example.org", "to": "ann@example.com", "subject": "Out of office"},
        {"message_id": "<3>", "date": "2021-02-22T17:25:11Z", "from_email": "bob@example.org", "to": "ann@example.com", "text": "hi"},
    ]  # fmt: skip

    rules = rules_of(mapping, header)
    kept, counts, _ = skip(chunk_of(rows, header), rules)
    drafts, rejects = transform(kept, rules)

    assert (counts, rejects) == ({"auto reply": 1}, [])
    assert orjson.loads(drafts.metadata[0].as_py()) == {
        "from": {"email": "ann@example.com", "firstName": "Ann", "lastName": "Lee"},
        "to": [{"email": "Bob <bob@example.org>"}, {"email": "c@example.org"}], "subject": "(no subject)", "html": "<p>x</p>",
    }  # fmt: skip
    assert drafts.wanted["contacts"][0].values.to_pylist() == [
        ["bob@example.org", "c@example.org"],
        ["bob@example.org"],
    ]
    assert drafts.owner.to_pylist() == ["ann@example.com", None]


def test_the_fixtures_are_the_mappings_of_the_language() -> None:
    assert {path.stem for path in Path(FIXTURES).glob("*.yaml")} >= set(HEADERS)
