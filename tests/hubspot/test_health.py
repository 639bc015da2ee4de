"""The state machine of an account's health: no clock, no chance."""

from __future__ import annotations

import pytest

from etl.errors import RemoteDown
from etl.hubspot.health import BUDGET, MAX_WIDTH, PATIENCE, WIDER_AFTER_S, Health


def healthy(chance: float = 1.0) -> Health:
    return Health(lambda: chance, PATIENCE)


def ask(health: Health, now: float, found: str = "well", sent: float | None = None, **more: bool) -> None:
    """One create that is sent and answered."""
    health.begin()
    health.end(now, now if sent is None else sent, found, "503", **more)  # type: ignore[arg-type]


def full(health: Health, now: float = 0.0) -> Health:
    ask(health, now)
    ask(health, now)
    assert health.stage == "full"
    return health


def fail_until_open(health: Health, now: float) -> float:
    """Fails until the account is left alone; when that ends."""
    while health.open_until <= now:
        now += max(0.001, health.wait_s(now))
        ask(health, now, "unwell")
    return health.open_until


def test_a_run_begins_with_one_row_then_ten_then_as_many_as_the_wire_takes():
    health, seen = healthy(), []
    for _ in range(3):
        seen.append((health.rows(100), health.rows(1)))
        ask(health, 0.0)

    assert seen == [(1, 1), (10, 1), (100, 1)]


def test_until_the_account_has_answered_well_twice_one_request_is_under_way_at_a_time():
    health = healthy()
    health.begin()
    assert health.wait_s(0.0) > 0
    health.end(0.0, 0.0, "well", "")
    health.begin()
    assert health.wait_s(0.0) > 0
    health.end(0.0, 0.0, "well", "")

    for _ in range(MAX_WIDTH):
        assert health.wait_s(0.0) == 0
        health.begin()
    assert health.wait_s(0.0) > 0


def test_a_refusal_for_being_asked_too_much_neither_fails_the_trial_nor_passes_it():
    health = healthy()
    for _ in range(50):
        ask(health, 0.0, "busy")

    assert (health.stage, health.open_until > 0) == ("trial", False)


def test_ten_rows_that_fail_go_back_to_one():
    health = healthy()
    ask(health, 0.0)
    ask(health, 0.0, "unwell")

    assert health.rows(100) == 1
    assert health.notice


@pytest.mark.parametrize("trouble", ["busy", "unwell"])
def test_trouble_halves_how_much_is_under_way_at_once_but_once_for_all_that_was_sent_before(trouble: str):
    health, widths = full(healthy()), []
    for sent, answered in [(1.0, 2.0), (1.0, 2.0), (1.5, 2.1), (2.5, 4.0), (5.0, 6.0)]:  # three were under way together
        ask(health, answered, trouble, sent)
        widths.append(health.width)

    assert widths == [5, 5, 5, 2, 1]


def test_after_a_whole_window_without_trouble_one_more_may_be_under_way():
    health = full(healthy())
    ask(health, 100.0, "busy")
    widths = []
    for n in range(8):
        ask(health, 100.1 + n * WIDER_AFTER_S)
        widths.append(health.width)

    assert widths == [5, 6, 7, 8, 9, 10, 10, 10]


def test_five_failures_in_a_row_leave_the_account_alone_and_it_is_tried_with_one_row_afterwards():
    health = full(healthy())
    for n in range(5):
        assert health.open_until < 0
        ask(health, 10 + n / 10, "unwell")

    assert health.wait_s(10.4) == PATIENCE.first_s
    assert "503" in health.notice
    assert "5 s" in health.notice
    assert health.wait_s(10.4 + PATIENCE.first_s) == 0
    assert health.rows(100) == 1
    ask(health, 16.0)
    assert (health.notice, health.rows(100)) == ("", 10)


def test_failures_between_successes_leave_the_account_alone_once_they_are_more_than_half():
    health, now = full(healthy()), 0.0
    for n in range(60):  # well, unwell, unwell: never five in a row
        now = n * 0.1
        ask(health, now, "well" if n % 3 == 0 else "unwell")
        if health.open_until > now:
            break

    assert 17 <= n < 22  # two were well before


def test_one_failure_in_three_is_borne():
    health = full(healthy())
    for n in range(300):
        ask(health, n * 0.1, "unwell" if n % 3 == 0 else "well")

    assert health.open_until < 0
    assert health.width == 1


def test_failures_that_are_long_ago_are_forgotten():
    health = full(healthy())
    for n in range(100):  # never more than eight in a minute
        ask(health, n * 10.0, "unwell" if n % 5 else "well")

    assert health.open_until < 0


def test_a_trial_that_fails_leaves_the_account_alone_again_and_longer_each_time():
    health, waits, now = full(healthy()), [], 0.0
    with pytest.raises(RemoteDown, match="after 3 pauses: 503"):  # noqa: PT012
        while True:
            until = fail_until_open(health, now)
            waits.append(round(until - now))
            now = until
            health.wait_s(now)

    assert waits == [5, 60, 120, 240]


def test_an_account_that_was_unwell_hours_ago_is_not_given_up():
    health = full(healthy())
    for hours in range(6):
        until = fail_until_open(health, hours * 3700.0)
        assert until - hours * 3700.0 < 6
        full(health, until)


def test_answers_of_before_it_was_left_alone_say_nothing_new():
    health = full(healthy())
    for _ in range(3):
        health.begin()
    fail_until_open(health, 10.0)
    until, notice = health.open_until, health.notice

    health.end(12.0, 9.0, "well", "")
    health.end(12.0, 9.0, "unwell", "500")
    health.end(12.0, 9.0, "busy", "429")

    assert (health.open_until, health.notice, health.stage, health.under_way) == (until, notice, "trial", 0)


def test_trials_at_the_beginning_wait_by_chance_and_ever_longer():
    waits = []
    for chance in (0.0, 0.5, 1.0):
        health, now = healthy(chance), 0.0
        for _ in range(4):
            ask(health, now, "unwell")
            waits.append(health.wait_s(now))
            now += waits[-1]

    assert waits == [0, 0, 0, 0, 0.25, 0.5, 1, 2, 0.5, 1, 2, 4]


def test_repetitions_cost_more_than_first_tries_give_and_with_nothing_left_the_account_is_left_alone():
    health = full(healthy())
    repeated = 0
    while health.open_until < 0:
        for _ in range(4):
            health.first()
        health.before_repeating_s(100.0, 1, "reset")
        repeated += 1

    assert BUDGET < repeated < 2 * BUDGET
    assert health.wait_s(100.0) == PATIENCE.first_s


def test_rows_that_were_not_sent_cost_from_the_same_budget():
    health, now = full(healthy()), 0.0
    for n in range(200):  # one of four, which by itself is borne
        now = n * 0.5
        ask(health, now, "unwell" if n % 4 == 0 else "well", again=True)
        if health.open_until > now:
            break

    assert 90 < n < 140


def test_a_read_waits_as_long_as_creates_do_once_the_budget_is_used_up_and_ends_when_the_account_is_given_up():
    health = healthy()
    waits = [health.before_repeating_s(0.0, 1, "reset") for _ in range(int(BUDGET) + 1)]

    assert waits[:-1] == [0.5] * int(BUDGET)
    assert waits[-1] == 0.5 + PATIENCE.first_s
    waits += [health.before_repeating_s(0.0, 1, "reset") for _ in range(2 * int(BUDGET))]
    with pytest.raises(RemoteDown):
        waits += [health.before_repeating_s(0.0, 1, "reset") for _ in range(2 * int(BUDGET))]
