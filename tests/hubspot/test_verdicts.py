"""Each line of the verdict table, under the line's name; and what is said to people."""

from __future__ import annotations

from typing import Any

import pytest

from etl.errors import ConfigError, RemoteDown, TokenError, TryLater
from etl.hubspot.target import Verdict
from etl.hubspot.transport import Answer
from etl.hubspot.verdicts import MAX_REASON, VERDICTS, judge, reason, stopped
from tests.hubspot.conftest import answer

ERROR = {"status": "error", "message": "Something", "category": "VALIDATION_ERROR"}


def limit(policy: str = "", message: str = "") -> dict[str, Any]:
    return {"status": "error", "message": message, "policyName": policy, "errorType": "RATE_LIMIT"}


#: (line, answer, rows of the request, next, what the rows become, seconds to wait, exit code)
CASES: list[tuple[str, Answer, int, str, str, float, int]] = [
    ("never connected", Answer(failure="ConnectError"), 9, "not_sent", "planned", 0, 0),
    ("never connected", Answer(failure="ConnectTimeout"), 9, "not_sent", "planned", 0, 0),
    ("never connected", Answer(failure="PoolTimeout"), 9, "not_sent", "planned", 0, 0),
    ("write timed out", Answer(failure="WriteTimeout"), 9, "unknown", "unknown", 0, 0),
    ("write failed", Answer(failure="WriteError"), 9, "unknown", "unknown", 0, 0),
    ("read timed out", Answer(failure="ReadTimeout"), 9, "unknown", "unknown", 0, 0),
    ("read failed", Answer(failure="ReadError"), 9, "unknown", "unknown", 0, 0),
    ("server disconnected", Answer(failure="RemoteProtocolError"), 9, "unknown", "unknown", 0, 0),
    ("answer could not be decoded", Answer(failure="DecodingError"), 9, "unknown", "unknown", 0, 0),
    ("answer too large", Answer(failure="AnswerTooLarge"), 9, "unknown", "unknown", 0, 0),
    ("total deadline passed", Answer(failure="DeadlinePassed"), 9, "unknown", "unknown", 0, 0),
    ("answer cut or not json", answer(200), 1, "unknown", "unknown", 0, 0),
    ("answer cut or not json", answer(201), 9, "unknown", "unknown", 0, 0),
    ("answer cut or not json", answer(207), 9, "unknown", "unknown", 0, 0),
    ("some rows refused", answer(207, {"results": []}), 9, "per_row", "unknown", 0, 0),
    ("done", answer(200, {}), 1, "done", "unknown", 0, 0),
    ("done", answer(201, {}), 9, "done", "unknown", 0, 0),
    ("redirected", answer(301), 1, "stop", "unknown", 0, 78),
    ("redirected", answer(307), 9, "stop", "unknown", 0, 78),
    ("batch refused", answer(400, ERROR), 2, "split", "unknown", 0, 0),
    ("batch refused", answer(422, ERROR), 100, "split", "unknown", 0, 0),
    ("refused by something that is not the api", answer(400), 1, "unknown", "unknown", 0, 0),
    ("key taken", answer(400, {"message": "Cannot set X. 7 already has that value."}), 1, "unknown", "unknown", 0, 0),
    ("row refused", answer(400, ERROR), 1, "refused", "rejected", 0, 0),
    ("row refused", answer(422, ERROR), 1, "refused", "rejected", 0, 0),
    ("token refused", answer(401, {"category": "EXPIRED_AUTHENTICATION"}), 9, "auth", "planned", 1, 77),
    ("scope missing", answer(403, {"category": "MISSING_SCOPES"}), 9, "stop", "planned", 0, 77),
    ("path not known", answer(404), 9, "stop", "planned", 0, 78),
    ("path not known", answer(405), 1, "stop", "planned", 0, 78),
    ("path not known", answer(415, ERROR), 1, "stop", "planned", 0, 78),
    ("conflict in a batch", answer(409, ERROR), 9, "split", "unknown", 0, 0),
    ("conflict", answer(409, ERROR), 1, "unknown", "unknown", 0, 0),
    ("batch too large", answer(413), 9, "split", "planned", 0, 0),
    ("batch too large", answer(414), 9, "split", "planned", 0, 0),
    ("row too large", answer(413), 1, "refused", "rejected", 0, 0),
    ("locked", answer(423, ERROR), 9, "unknown", "unknown", 2, 0),
    ("daily limit", answer(429, limit("DAILY", "You have reached your daily limit.")), 9, "stop", "planned", 0, 75),
    ("daily limit", answer(429, limit("", "You have reached your daily limit.")), 9, "stop", "planned", 0, 75),
    ("ten secondly limit", answer(429, limit("TEN_SECONDLY_ROLLING")), 9, "wait", "planned", 10, 0),
    ("ten secondly limit", answer(429, limit("", "You have reached your ten_secondly_rolling limit.")), 1, "wait",
     "planned", 10, 0),
    ("secondly limit", answer(429, limit("", "You have reached your secondly limit.")), 1, "wait", "planned", 1, 0),
    ("limit of unknown kind", answer(429), 9, "wait", "planned", 10, 0),
    ("account migrating", answer(477, retry_after="30"), 9, "stop", "planned", 30, 75),
    ("server gave up waiting", answer(408), 9, "unknown", "unknown", 0, 0),
    ("bad gateway or gateway timed out", answer(502), 9, "unknown", "unknown", 2, 0),
    ("bad gateway or gateway timed out", answer(504), 1, "unknown", "unknown", 2, 0),
    ("token malformed", answer(530), 1, "stop", "unknown", 0, 77),
    ("server error", answer(500, ERROR), 9, "unknown", "unknown", 0, 0),
    ("server error", answer(503), 1, "unknown", "unknown", 0, 0),
    ("server error", answer(524), 1, "unknown", "unknown", 0, 0),
    ("anything else", answer(418), 1, "unknown", "unknown", 0, 0),
    ("anything else", answer(100), 9, "unknown", "unknown", 0, 0),
    ("anything else", Answer(failure="SomethingNew"), 9, "unknown", "unknown", 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "got", "size", "next_", "rows", "wait_s", "exit_code"),
    CASES,
    ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)],
)
def test_the_line(line: str, got: Answer, size: int, next_: str, rows: str, wait_s: float, exit_code: int):
    verdict, fate = judge(got, size)

    assert (verdict.next, fate, verdict.wait_s, verdict.exit_code) == (next_, rows, wait_s, exit_code)


@pytest.mark.parametrize(
    ("found", "answers"),
    [
        ("unwell", [Answer(failure="ConnectError"), Answer(failure="DeadlinePassed"), answer(500), answer(502), answer(408),
                    answer(200), answer(400), answer(418)]),
        ("busy", [answer(429), answer(429, limit("DAILY")), answer(423), answer(477), answer(401)]),
        ("well", [answer(200, {}), answer(207, {}), answer(400, ERROR), answer(409, ERROR), answer(413),
                  answer(403), answer(404)]),
    ],
)  # fmt: skip
def test_what_an_answer_says_of_the_accounts_health(found: str, answers: list[Answer]):
    assert {judge(got)[0].found for got in answers} == {found}


def test_every_line_of_the_table_has_its_test():
    assert {line.name for line in VERDICTS} == {case[0] for case in CASES}


def test_the_table_ends_with_unknown_for_whatever_was_not_foreseen():
    assert (VERDICTS[-1].on, VERDICTS[-1].next, VERDICTS[-1].rows) == ((), "unknown", "unknown")


def test_no_status_and_no_failure_is_ever_judged_as_planned_unless_the_table_says_so():
    sure = {status for line in VERDICTS if line.rows == "planned" for status in line.on}

    judged = {status for status in range(100, 1000) if judge(answer(status), 9)[1] == "planned"}

    assert judged == sure & set(range(100, 1000))


@pytest.mark.parametrize("header", ["abc", "-5", "1e3", "", "\u0663", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_senseless_retry_after_leaves_the_wait_of_the_table(header: str):
    verdict, _ = judge(answer(429, limit("TEN_SECONDLY_ROLLING"), retry_after=header))

    assert verdict.wait_s == 10


def test_retry_after_lengthens_a_wait_but_never_shortens_it():
    assert judge(answer(429, limit("TEN_SECONDLY_ROLLING"), retry_after="25"))[0].wait_s == 25
    assert judge(answer(429, limit("TEN_SECONDLY_ROLLING"), retry_after="0"))[0].wait_s == 10


def test_a_date_in_retry_after_is_held_against_the_servers_own_clock():
    dates = {"retry_after": "Sun, 22 Nov 2026 10:00:40 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}

    assert judge(answer(503, **dates))[0].wait_s == 40


@pytest.mark.parametrize(("status", "rows"), [(429, "planned"), (503, "unknown")])
def test_a_retry_after_of_hours_ends_the_run_which_goes_on_later(status: int, rows: str):
    verdict, fate = judge(answer(status, retry_after="7200"))

    assert (verdict.next, verdict.exit_code, verdict.wait_s, fate) == ("stop", 75, 7200, rows)
    assert "7200 s" in verdict.reason


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"context": {"requiredScopes": ["crm.objects.contacts.write"]}}]},
        {"errors": [{"context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}]},
        {"context": {"requiredGranularScopes": ["crm.objects.contacts.write"], "links": ["https://example.com"]}},
    ],
)
def test_a_missing_scope_is_named(body: dict[str, Any]):
    assert "crm.objects.contacts.write" in reason(answer(403, {"category": "MISSING_SCOPES", **body}))


def test_the_reason_names_code_and_property_once_and_leaves_out_the_json_inside_the_message():
    detail = {
        "message": 'Property "foo" does not exist',
        "code": "PROPERTY_DOESNT_EXIST",
        "context": {"propertyName": ["foo"]},
    }
    body = {**ERROR, "message": 'Property values were not valid: [{"isValid":false}]', "errors": [detail, detail]}

    assert reason(answer(400, body)) == (
        '400 VALIDATION_ERROR Property values were not valid; PROPERTY_DOESNT_EXIST foo Property "foo" does not exist'
    )


@pytest.mark.parametrize(
    "body", [None, [], [1], {"errors": 5}, {"errors": [5, None]}, {"message": {"a": 1}}, {"context": 7}]
)
def test_an_error_body_of_any_shape_gives_a_reason(body: Any):
    assert reason(answer(400, body)).startswith("400")


def test_the_reason_cannot_forge_lines_or_drive_a_terminal_and_is_not_endless():
    text = reason(answer(500, {"message": "a\nb\x1b]0;c\x07" + "d" * 10_000}))

    assert text.isprintable()
    assert len(text) == MAX_REASON


@pytest.mark.parametrize(
    ("exit_code", "error"), [(69, RemoteDown), (75, TryLater), (77, TokenError), (78, ConfigError), (0, RemoteDown)]
)
def test_a_stop_becomes_the_error_with_its_exit_code(exit_code: int, error: type[Exception]):
    assert type(stopped(Verdict("stop", "why", 0, exit_code))) is error
