"""Limits as arithmetic: no clock, no sleeping."""

from __future__ import annotations

import random

import pytest

from etl.hubspot.pace import DEFAULT_LIMIT, GUARD_S, Pace

MAX, WINDOW, LEFT = (
    "x-hubspot-ratelimit-max",
    "x-hubspot-ratelimit-interval-milliseconds",
    "x-hubspot-ratelimit-remaining",
)


def send_until(pace: Pace, end: float, now: float = 0.0) -> list[float]:
    """When requests leave that are sent as soon as the pace allows it."""
    moments = []
    while now < end:
        wait = pace.wait_s(now)
        if wait:
            now += wait
            continue
        pace.take(now)
        moments.append(now)
    return moments


def test_a_whole_window_is_sent_at_once_and_the_next_when_it_has_passed():
    pace = Pace(limit=190, window_s=10.0)

    moments = send_until(pace, 35.0)

    assert len(moments) == 4 * 190
    assert sorted(set(moments)) == pytest.approx([0, 10 + GUARD_S, 20 + 2 * GUARD_S, 30 + 3 * GUARD_S])


def test_no_window_ever_holds_more_than_the_limit_whatever_the_moments():
    chance = random.Random(7)
    pace, now, moments = Pace(limit=5, window_s=1.0), 0.0, []
    for _ in range(2000):
        now += pace.wait_s(now) + chance.choice([0.0, 0.0, 0.05, 0.4])
        pace.take(now)
        moments.append(now)

    assert all(later - earlier > 1.0 for earlier, later in zip(moments, moments[5:], strict=False))


def test_the_limit_of_the_account_is_taken_from_the_headers():
    pace = Pace()
    pace.hear({MAX: "190", WINDOW: "5000"}, 0.0)

    assert (pace.limit, pace.window_s) == (190, 5.0)


@pytest.mark.parametrize("text", ["", "-1", "abc", "1.5", "0", "9" * 40, "\u0661\u0660"])
def test_senseless_headers_leave_the_limit_as_it_is(text: str):
    pace = Pace()
    pace.hear({MAX: text, WINDOW: text, LEFT: text}, 0.0)

    assert (pace.limit, pace.window_s, pace.wait_s(0.0)) == (DEFAULT_LIMIT, 10.0, 0.0)


def test_requests_of_others_are_seen_in_remaining_and_counted():
    pace = Pace(limit=100)
    pace.take(0.0)
    pace.hear({MAX: "100", LEFT: "3"}, 0.1)  # 97 used, one of them ours

    moments = send_until(pace, 5.0, 0.1)

    assert len(moments) == 3


def test_a_remaining_that_our_own_requests_explain_costs_nothing():
    pace = Pace(limit=100)
    for n in range(50):
        pace.take(n / 100)
        pace.hear({MAX: "100", LEFT: str(99 - n)}, n / 100)

    assert len(send_until(pace, 5.0, 0.5)) == 50


def test_an_answer_that_is_late_tells_what_was_left_when_it_was_asked_for():
    pace = Pace(limit=10)
    for n in range(10):
        pace.take(n / 10)
    pace.hear({MAX: "10", LEFT: "0"}, 0.9)
    pace.wait_s(13.0)
    pace.hear({MAX: "10", LEFT: "0"}, 0.9)  # the same told again long after

    assert len(send_until(pace, 14.0, 13.0)) == 10


def test_a_moment_is_corrected_in_either_direction_and_counted_where_it_is_not_known():
    pace = Pace(limit=3)
    for moment in (1.0, 1.0, 5.0):
        pace.take(moment)
    pace.move(1.0, 7.0)
    pace.move(5.0, 2.0)
    pace.move(99.0, 3.0)

    assert list(pace.moments) == [1.0, 2.0, 3.0, 7.0]


def test_what_is_long_past_is_not_kept():
    pace = Pace(limit=100)
    for n in range(100_000):
        pace.wait_s(n / 5)
        pace.take(n / 5)

    assert len(pace.moments) <= 201


def test_nothing_is_sent_while_it_is_held_and_a_shorter_hold_does_not_shorten_it():
    pace = Pace()
    pace.hold(20.0)
    pace.hold(5.0)

    assert pace.wait_s(8.0) == 12.0
    assert pace.wait_s(20.0) == 0.0
