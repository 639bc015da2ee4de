"""The account's limits: what the headers tell, who is refused and in which words, and when the day ends."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from etl.sandbox.limits import Limits
from etl.sandbox.settings import TIERS, Settings

OWNERS, SEARCH = "/crm/v3/owners", "/crm/v3/objects/calls/search"
RATE = "X-HubSpot-RateLimit-"


def told(answer):
    """The limit headers of an answer, by the part of their name that differs."""
    lead = RATE.lower()
    return {name.removeprefix(lead): value for name, value in answer.headers.items() if name.startswith(lead)}


def test_an_ordinary_answer_has_the_recorded_headers(start):
    sandbox = start(window_max=100, daily_max=250_000)

    assert told(sandbox.get(OWNERS)) == {
        "daily": "250000", "daily-remaining": "249999", "interval-milliseconds": "10000", "max": "100",
        "remaining": "99", "secondly": "10", "secondly-remaining": "9",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/engagements/v1/engagements/1", "/crm/v3/objects/calls/77"])
def test_an_error_has_the_headers_too_and_a_correlation_id_like_its_body(sandbox, path):
    answer = sandbox.get(path)

    assert {"max", "remaining", "interval-milliseconds"} <= set(told(answer))
    if answer.content:
        assert answer.json()["correlationId"] == answer.headers["X-HubSpot-Correlation-Id"]


def test_a_search_tells_of_the_day_alone_whether_it_is_answered_or_refused(start):
    sandbox = start(enforce_limits=True, search_max=1)

    answers = [sandbox.post(SEARCH, json={}) for _ in range(2)]

    assert [a.status_code for a in answers] == [200, 429]
    assert [set(told(a)) for a in answers] == [{"daily", "daily-remaining"}] * 2
    assert {k: v for k, v in answers[1].json().items() if k != "correlationId"} == {
        "status": "error", "message": "You have reached your secondly limit.", "category": "RATE_LIMITS",
    }  # fmt: skip


def test_enforced_limits_answer_429_in_a_rolling_window(start):
    sandbox = start(window_max=3, enforce_limits=True)

    answers = [sandbox.get(OWNERS) for _ in range(4)]
    sandbox.clock.now += 9.9
    still = sandbox.get(OWNERS)
    sandbox.clock.now += 0.2

    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert [told(a)["remaining"] for a in answers] == ["2", "1", "0", "0"]
    assert still.status_code == 429
    assert still.json() == {
        "status": "error", "message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT",
        "correlationId": still.headers["X-HubSpot-Correlation-Id"], "policyName": "TEN_SECONDLY_ROLLING",
    }  # fmt: skip
    assert sandbox.get(OWNERS).status_code == 200


def test_the_window_rolls_and_gives_back_one_request_after_the_other():
    limits = Limits(Settings(window_max=2, window_s=1, enforce_limits=True))

    refused = [limits.take(at, search=False) for at in (10.0, 10.6, 10.9, 11.1, 11.2, 11.7)]

    assert [policy is None for policy in refused] == [True, True, False, True, False, True]


def test_remaining_is_what_is_left_at_every_moment_of_a_busy_minute():
    limits, taken = Limits(Settings(window_max=190, enforce_limits=True)), []

    for tick in range(6000):
        now_s = 1_790_000_000 + tick / 100
        policy = limits.take(now_s, search=False)
        taken = [t for t in taken if t > now_s - 10]
        assert (policy is None) == (len(taken) < 190)
        taken += [now_s] if policy is None else []
        assert dict(limits.headers(search=False))[b"x-hubspot-ratelimit-remaining"] == b"%d" % (190 - len(taken))


def test_searches_have_a_bucket_of_their_own(start):
    sandbox = start(enforce_limits=True)

    answers = [sandbox.post(SEARCH, json={}) for _ in range(6)]

    assert [a.status_code for a in answers] == [200] * 5 + [429]
    assert sandbox.get(OWNERS).status_code == 200
    sandbox.clock.now += 1
    assert sandbox.post(SEARCH, json={}).status_code == 200


def test_the_day_ends_at_midnight_of_the_accounts_time_zone(start):
    sandbox = start(enforce_limits=True, daily_max=2, time_zone="Asia/Tokyo", retry_after=True)
    sandbox.clock.now = datetime(2026, 9, 21, 23, 59, 50, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()

    first = [sandbox.get(OWNERS) for _ in range(3)]
    sandbox.clock.now += 9
    before = sandbox.post(SEARCH, json={})
    sandbox.clock.now += 1
    after = sandbox.get("/account-info/v3/api-usage/daily/private-apps")

    assert [a.status_code for a in first] == [200, 200, 429]
    assert [told(a)["daily-remaining"] for a in first] == ["1", "0", "0"]
    assert first[2].json() == {
        "status": "error", "message": "You have reached your daily limit.", "errorType": "RATE_LIMIT",
        "correlationId": first[2].json()["correlationId"], "policyName": "DAILY", "requestId": first[2].json()["requestId"],
    }  # fmt: skip
    assert (before.status_code, before.headers["Retry-After"]) == (429, "1")
    assert after.json()["results"][0]["currentUsage"] == 1
    assert after.json()["results"][0]["resetsAt"] == "2026-09-22T15:00:00Z"


def test_a_day_with_a_change_of_the_clocks_is_longer():
    limits = Limits(Settings(time_zone="US/Eastern"))

    began, ends = limits.day(datetime(2026, 11, 1, 12, tzinfo=ZoneInfo("US/Eastern")).timestamp())

    assert ends - began == 25 * 3600


def test_a_new_start_goes_on_with_the_day(start):
    first = start(enforce_limits=True, daily_max=3)
    assert [first.get(OWNERS).status_code for _ in range(2)] == [200, 200]
    first.stop()

    again = start(enforce_limits=True, daily_max=3)

    assert [again.get(OWNERS).status_code for _ in range(2)] == [200, 429]


def test_retry_after_is_told_only_when_switched_on(start):
    plain = start(window_max=1, enforce_limits=True)
    telling = start(db="b.sqlite", window_max=1, enforce_limits=True, retry_after=True)

    answers = {sandbox: [sandbox.get(OWNERS) for _ in range(2)][1] for sandbox in (plain, telling)}
    telling.clock.now += 7.5

    assert "Retry-After" not in answers[plain].headers
    assert answers[telling].headers["Retry-After"] == "10"
    assert telling.get(OWNERS).headers["Retry-After"] == "3"


def test_limits_that_are_not_enforced_refuse_nothing(start):
    sandbox = start(window_max=2, daily_max=3, search_max=1)

    statuses = {sandbox.get(OWNERS).status_code for _ in range(5)} | {
        sandbox.post(SEARCH, json={}).status_code for _ in range(3)
    }

    assert statuses == {200}


def test_the_tiers_are_those_that_hubspot_publishes():
    assert TIERS == {"free": (100, 250_000), "pro": (190, 625_000), "enterprise": (190, 1_000_000)}
