"""The day's requests, and the part that is left to others."""

from __future__ import annotations

import pytest

from etl.errors import TryLater
from etl.hubspot.day import Day

LIMIT, LEFT = "x-hubspot-ratelimit-daily", "x-hubspot-ratelimit-daily-remaining"


@pytest.mark.parametrize(
    ("reserve", "kept"), [(0.2, 2000), (0.0, 0), (1.0, 10_000), (300, 300), (0, 0), (20_000, 20_000)]
)
def test_the_reserve_is_a_share_or_a_number(reserve: float, kept: int):
    assert Day(reserve, limit=10_000).kept == kept


def test_creates_stop_at_the_reserve_and_the_message_says_what_is_left_and_when_there_is_more():
    day = Day(0.2, zone="Europe/Berlin")
    day.hear({LIMIT: "10000", LEFT: "2001"})
    assert day.has_room(0)
    day.hear({LIMIT: "10000", LEFT: "2000"})

    with pytest.raises(TryLater, match=r"2,000 of 10,000 requests are left, and 2,000 are kept") as raised:
        day.has_room(0)

    assert "midnight" in raised.value.hint
    assert "Europe/Berlin" in raised.value.hint


def test_requests_under_way_are_waited_for_before_the_end_is_declared():
    day = Day(10)
    day.hear({LIMIT: "100", LEFT: "13"})

    assert [day.has_room(under_way) for under_way in (0, 2, 3, 9)] == [True, True, False, False]


def test_what_is_not_told_is_neither_unlimited_nor_used_up():
    day = Day(0.2)
    day.hear({})

    assert (day.limit, day.left, day.has_room(10), day.kept) == (None, None, True, 0)


@pytest.mark.parametrize("text", ["", "-5", "abc", "1e3", "9" * 30])
def test_senseless_headers_change_nothing(text: str):
    day = Day(0.2, limit=100, left=90)
    day.hear({LIMIT: text, LEFT: text})

    assert (day.limit, day.left) == (100, 89)


def test_where_headers_are_silent_what_the_account_told_once_is_counted_down():
    day = Day(5)
    day.told(100, 7, "UTC")
    day.hear({})
    assert day.has_room(0)
    day.hear({})

    with pytest.raises(TryLater):
        day.has_room(0)


def test_what_headers_said_is_newer_than_the_usage_that_the_account_tells():
    day = Day(0.2)
    day.hear({LIMIT: "1000", LEFT: "500"})
    day.told(900, 800, "UTC")

    assert (day.limit, day.left) == (1000, 500)


def test_a_new_day_goes_on():
    day = Day(0.2)
    day.hear({LIMIT: "1000", LEFT: "100"})
    day.hear({LIMIT: "1000", LEFT: "999"})

    assert day.has_room(0)
