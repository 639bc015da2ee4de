"""Places for creates: what limits, health, the day's allowance and a token in doubt make of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from etl.errors import RemoteDown, TokenError, TryLater
from etl.hubspot.door import Door
from etl.hubspot.limits import MAX_LATE_S, Limits
from etl.hubspot.pace import GUARD_S
from tests.hubspot.conftest import Clock
from tests.hubspot.test_door import serving

MakeDoor = Callable[..., Door]
OK = httpx.Response(200, json={})
PATH = "/create"


async def create(way: Door, clock: Clock) -> str:
    """One create in the place that it takes and waits for; the verdict."""
    while not (place := way.place(100)).rows:
        await clock.sleep(place.wait_s)
    _, verdict, _ = await way.create(PATH, b"{}", place.rows)
    return verdict.next


def creates(way: Door, clock: Clock, times: int) -> list[str]:
    async def run() -> list[str]:
        return [await create(way, clock) for _ in range(times)]

    return asyncio.run(run())


def limited(status: int = 200, **headers: Any) -> httpx.Response:
    told = {f"x-hubspot-ratelimit-{name.replace('_', '-')}": str(value) for name, value in headers.items()}
    return httpx.Response(status, json={}, headers=told)


def test_places_grow_from_one_row_to_ten_to_a_full_request(door: MakeDoor, clock: Clock):
    way, rows = door(serving(OK)[0]), []

    async def run() -> None:
        for _ in range(3):
            rows.append(way.place(100).rows)
            await way.create(PATH, b"{}", rows[-1])

    asyncio.run(run())

    assert rows == [1, 10, 100]


def test_a_place_is_used_by_one_create_and_its_moment_becomes_that_of_the_sending(door: MakeDoor, clock: Clock):
    way = door(serving(limited(max=2))[0])
    creates(way, clock, 2)
    clock.now += 60

    async def run() -> float:
        assert [way.place(1).rows, way.place(1).rows, way.place(1).rows] == [1, 1, 0]
        clock.now += 3  # the disk was slow
        await asyncio.gather(way.create(PATH, b"{}", 1), way.create(PATH, b"{}", 1))
        return way.place(1).wait_s

    assert asyncio.run(run()) == pytest.approx(10 + GUARD_S)


def test_creates_without_a_place_are_counted_too(door: MakeDoor, clock: Clock):
    way = door(serving(limited(max=2))[0])

    async def run() -> float:
        await asyncio.gather(way.create(PATH, b"{}", 1), way.create(PATH, b"{}", 1))
        return way.place(1).wait_s

    assert asyncio.run(run()) == pytest.approx(10 + GUARD_S)


def test_a_request_that_may_have_arrived_late_is_counted_as_if_it_had():
    limits = Limits()
    limits.pace.limit = 1
    for sent, answered in [(0.0, 0.05), (100.0, 100.15), (200.0, 290.0)]:
        assert limits.take(sent) == 0
        limits.answered(sent, answered, {"any": "header"})
        late = min(answered - sent - 0.05, MAX_LATE_S)
        assert limits.take(sent + 5) == pytest.approx(5 + late + GUARD_S)


def test_a_connection_that_failed_at_once_does_not_pass_for_a_quick_answer():
    limits = Limits()
    limits.answered(0.0, 0.001, {})
    limits.pace.limit = 1
    limits.take(100.0)
    limits.answered(100.0, 100.2, {"any": "header"})

    assert limits.take(101.0) == pytest.approx(9 + GUARD_S)


def test_a_create_that_is_given_up_does_not_count_as_under_way_for_ever(door: MakeDoor, clock: Clock):
    way = door(serving(OK)[0])

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async def run() -> int:
        assert way.place(1).rows
        way.transport.ask = hang  # type: ignore[method-assign,assignment]
        task = asyncio.create_task(way.create(PATH, b"{}", 1))
        await asyncio.sleep(0)
        assert way.place(1).rows == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return way.place(1).rows

    assert asyncio.run(run()) == 1


# --- the day


def test_no_more_places_once_only_the_reserve_of_the_day_is_left_but_reads_go_on(door: MakeDoor, clock: Clock):
    way = door(serving(limited(daily=1000, daily_remaining=202), limited(daily=1000, daily_remaining=200))[0])
    assert creates(way, clock, 2) == ["done", "done"]

    with pytest.raises(TryLater):
        way.place(1)

    assert asyncio.run(way.read("GET", "/settle")) == {}
    assert way.allowance().reserve == 200
    assert (way.allowance().daily_limit, way.allowance().daily_left) == (1000, 200)


@pytest.mark.parametrize("reserve", [0.5, 500])
def test_the_reserve_can_be_chosen(door: MakeDoor, clock: Clock, reserve: float):
    way = door(serving(limited(daily=1000, daily_remaining=500))[0], reserve=reserve)
    creates(way, clock, 1)

    with pytest.raises(TryLater, match="500 are kept"):
        way.place(1)


def test_an_account_that_tells_no_daily_limit_is_not_stopped(door: MakeDoor, clock: Clock):
    way = door(serving(limited(max=100))[0])

    assert creates(way, clock, 20) == ["done"] * 20
    assert (way.allowance().daily_limit, way.allowance().daily_left, way.allowance().reserve) == (None, None, 0)


# --- 429 and Retry-After

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def refused(policy: str = "", message: str = "", **headers: str) -> httpx.Response:
    told = {
        name.replace("_", "-"): value for name, value in {"date": format_datetime(NOW, usegmt=True), **headers}.items()
    }
    return httpx.Response(429, json={"policyName": policy, "message": message}, headers=told)


def date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("response", "wait_s"),
    [
        (refused("TEN_SECONDLY_ROLLING"), 10),
        (refused("", "You have reached your secondly limit."), 1),
        (refused("NEW_POLICY"), 10),
        (refused("TEN_SECONDLY_ROLLING", retry_after="0"), 11),  # with the jitter, which is 1 here
        (refused("TEN_SECONDLY_ROLLING", retry_after="30"), 31),
        (refused("TEN_SECONDLY_ROLLING", retry_after="-5"), 11),
        (refused("TEN_SECONDLY_ROLLING", retry_after="abc"), 11),
        (refused("TEN_SECONDLY_ROLLING", retry_after=date(-3600)), 11),
        (refused("TEN_SECONDLY_ROLLING", retry_after=date(40)), 41),
        (httpx.Response(503, json={}, headers={"retry-after": "20"}), 21),
    ],
)
def test_after_a_refusal_neither_creates_nor_reads_leave_before_the_time_is_over(
    door: MakeDoor, clock: Clock, response: httpx.Response, wait_s: float
):
    way = door(serving(response, OK)[0])
    begun = clock.now
    creates(way, clock, 1)

    assert way.place(1).rows == 0
    asyncio.run(way.read("GET", "/x"))

    assert clock.now - begun == pytest.approx(wait_s)
    assert way.place(1).rows == 1


def test_a_retry_after_of_a_day_ends_the_run(door: MakeDoor, clock: Clock):
    way = door(serving(refused("TEN_SECONDLY_ROLLING", retry_after="86400"))[0])

    assert creates(way, clock, 1) == ["stop"]


def test_a_search_that_is_refused_for_its_own_limit_holds_up_searches_only(door: MakeDoor, clock: Clock):
    way = door(serving(refused("", "You have reached your secondly limit."), OK)[0])
    begun = clock.now

    async def run() -> None:
        search = asyncio.create_task(way.read("POST", "/search", search=True))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert way.place(1).rows == 1
        await search

    asyncio.run(run())

    assert clock.now - begun == pytest.approx(1.0)


def test_a_long_wait_is_told_once_and_no_longer_than_it_lasts(door: MakeDoor, clock: Clock):
    way = door(serving(refused("TEN_SECONDLY_ROLLING", retry_after="30"), OK)[0])
    assert way.notice() == ""
    creates(way, clock, 1)
    told = way.notice()

    assert "429" in told
    assert "31 s" in told
    clock.now += 15
    assert way.notice() == told
    clock.now += 20
    assert way.notice() == ""


# --- health


def test_a_server_that_is_not_there_is_told_of_at_once_and_given_up_in_the_end(door: MakeDoor, clock: Clock):
    way, told = door(serving(httpx.ConnectError("refused"))[0]), []
    begun = clock.now

    async def run() -> None:
        while True:
            await create(way, clock)
            told.append((clock.now - begun, way.notice()))

    with pytest.raises(RemoteDown, match="ConnectError"):
        asyncio.run(run())

    assert told[0][0] < 1
    assert "ConnectError" in told[0][1]
    assert any("trying again in 5 s" in text for _, text in told)
    assert 100 < clock.now - begun < 300


def test_a_server_that_comes_back_is_tried_with_one_row_and_then_used_again(door: MakeDoor, clock: Clock):
    down = [httpx.ConnectError("refused")] * 6
    way = door(serving(*down, OK)[0])

    assert creates(way, clock, 9) == ["not_sent"] * 6 + ["done"] * 3
    assert way.notice() == ""
    assert way.place(100).rows == 100


def test_while_creates_wait_for_the_account_to_recover_reads_go_on(door: MakeDoor, clock: Clock):
    way = door(serving(*[httpx.Response(500)] * 5, OK)[0])
    creates(way, clock, 5)
    assert way.place(1).rows == 0
    before = clock.now

    assert asyncio.run(way.read("GET", "/x")) == {}
    assert clock.now == before


# --- a token that is refused

REFUSED = httpx.Response(401, json={"category": "EXPIRED_AUTHENTICATION"})


def test_the_first_refusal_of_a_token_pauses_everything_and_the_token_is_read_again(door: MakeDoor, clock: Clock):
    tokens = iter(["renewed-token"])
    handler, seen = serving(REFUSED, OK)
    way = door(handler, token=lambda: next(tokens))

    assert creates(way, clock, 2) == ["wait", "done"]

    assert clock.slept == [1.0]
    assert [request.headers["authorization"] for request in seen] == ["Bearer secret-token", "Bearer renewed-token"]


def test_a_second_refusal_after_the_pause_ends_the_run(door: MakeDoor, clock: Clock):
    way = door(serving(REFUSED)[0])

    assert creates(way, clock, 2) == ["wait", "stop"]


def test_refusals_of_requests_that_were_under_way_before_the_pause_are_one(door: MakeDoor, clock: Clock):
    way = door(serving(OK, OK, *[REFUSED] * 5, OK)[0])
    creates(way, clock, 2)

    async def run() -> list[str]:
        for _ in range(5):
            assert way.place(1).rows
        return [verdict.next for _, verdict, _ in await asyncio.gather(*[way.create(PATH, b"{}", 1) for _ in range(5)])]

    assert asyncio.run(run()) == ["wait"] * 5
    assert creates(way, clock, 1) == ["done"]


def test_a_token_that_is_renewed_in_time_can_expire_again_later(door: MakeDoor, clock: Clock):
    way = door(serving(REFUSED, OK, REFUSED, OK, REFUSED, REFUSED)[0])

    assert creates(way, clock, 6) == ["wait", "done", "wait", "done", "wait", "stop"]


def test_a_read_with_a_refused_token_is_tried_once_more(door: MakeDoor, clock: Clock):
    assert asyncio.run(door(serving(REFUSED, OK)[0]).read("GET", "/x")) == {}

    handler, seen = serving(REFUSED)
    with pytest.raises(TokenError):
        asyncio.run(door(handler).read("GET", "/x"))
    assert len(seen) == 2


def test_a_refusal_of_one_read_that_may_be_refused_says_nothing_of_the_token(door: MakeDoor, clock: Clock):
    handler, _ = serving(REFUSED, OK)
    way = door(handler)

    assert asyncio.run(way.read("GET", "/usage", absent=(401,))) is None
    assert way.place(1).rows == 1


def test_a_token_file_that_is_gone_ends_the_run_before_anything_is_sent(door: MakeDoor, clock: Clock):
    def gone() -> str:
        raise TokenError("The token file cannot be read.")

    handler, seen = serving(REFUSED)
    way = door(handler, token=gone)
    with pytest.raises(TokenError, match="cannot be read"):
        creates(way, clock, 2)

    assert len(seen) == 1


def test_a_missing_scope_ends_the_run_at_once(door: MakeDoor, clock: Clock):
    assert creates(door(serving(httpx.Response(403))[0]), clock, 1) == ["stop"]


def test_ten_workers_that_take_places_keep_to_the_limit(door: MakeDoor, clock: Clock):
    sent: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(clock.now)
        return limited(max=20)

    way: Door = door(handler)

    async def worker() -> None:
        for _ in range(10):
            await create(way, clock)

    async def run() -> None:
        await asyncio.gather(*[worker() for _ in range(10)])

    asyncio.run(run())

    assert len(sent) == 100
    assert all(later - earlier > 10 for earlier, later in zip(sent, sent[20:], strict=False))
