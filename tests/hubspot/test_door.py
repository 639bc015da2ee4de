"""Writes are one attempt; reads are repeated; both at the pace of the account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from etl.errors import ConfigError, EtlError, RemoteDown, TokenError, TryLater
from etl.hubspot.door import MAX_TRIES, Door, together
from tests.hubspot.conftest import Clock, Handler

MakeDoor = Callable[..., Door]
TEN_SECONDLY = httpx.Response(429, json={"policyName": "TEN_SECONDLY_ROLLING"})


def serving(*responses: httpx.Response | Exception) -> tuple[Handler, list[httpx.Request]]:
    """A handler that gives these one after the other, and the last for ever."""
    left, seen = list(responses), []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        response = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(response, Exception):
            raise response
        return response

    return handler, seen


def test_a_write_is_attempted_once_whatever_the_answer(door: MakeDoor):
    handler, seen = serving(httpx.Response(503), httpx.Response(200, json={}))

    answer, verdict, fate = asyncio.run(door(handler).create("/x", b"{}", 1))

    assert (answer.status, verdict.next, fate, len(seen)) == (503, "unknown", "unknown", 1)


@pytest.mark.parametrize(
    "trouble",
    [httpx.Response(500), httpx.Response(502), httpx.Response(423), httpx.Response(200, content=b'{"res'), TEN_SECONDLY,
     httpx.Response(429), httpx.ReadTimeout("slow"), httpx.ConnectError("down"), httpx.RemoteProtocolError("cut")],
    ids=str,
)  # fmt: skip
def test_a_read_is_repeated_until_it_succeeds(door: MakeDoor, trouble: httpx.Response | Exception):
    handler, seen = serving(trouble, trouble, httpx.Response(200, json={"results": []}))

    assert asyncio.run(door(handler).read("GET", "/x")) == {"results": []}
    assert len(seen) == 3


def test_a_read_that_never_succeeds_ends_the_run_after_some_tries_with_growing_waits(door: MakeDoor, clock: Clock):
    handler, seen = serving(httpx.Response(500))

    with pytest.raises(RemoteDown, match=r"GET /x in 6 attempts: 500"):
        asyncio.run(door(handler).read("GET", "/x?email=a%40example.com"))

    assert len(seen) == MAX_TRIES
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(403), TokenError),
        (httpx.Response(404), ConfigError),
        (httpx.Response(302), ConfigError),
        (httpx.Response(477), TryLater),
        (httpx.Response(429, json={"policyName": "DAILY"}), TryLater),
        (httpx.Response(400, json={"message": "no"}), EtlError),
    ],
)
def test_a_read_that_cannot_succeed_ends_the_run_at_once(
    door: MakeDoor, response: httpx.Response, error: type[EtlError]
):
    handler, seen = serving(response)

    with pytest.raises(error) as raised:
        asyncio.run(door(handler).read("GET", "/x"))

    assert len(seen) == 1
    assert "secret-token" not in str(raised.value)


def test_after_a_ten_secondly_limit_nothing_leaves_for_a_whole_window(door: MakeDoor, clock: Clock):
    handler, _ = serving(TEN_SECONDLY, httpx.Response(200, json={}))

    async def run() -> None:
        way = door(handler)
        await way.create("/x", b"", 1)
        await way.read("GET", "/x")

    asyncio.run(run())

    assert clock.slept == [10.0]


def test_searches_have_a_limit_of_their_own_of_four_a_second(door: MakeDoor, clock: Clock):
    handler, seen = serving(httpx.Response(200, json={}))

    async def run() -> None:
        way = door(handler)
        for _ in range(8):
            await way.read("POST", "/search", search=True)
        for _ in range(50):
            await way.read("GET", "/list")

    asyncio.run(run())

    assert len(seen) == 58
    assert sum(clock.slept) == pytest.approx(1.0, abs=0.05)


def test_ten_workers_never_send_more_than_the_limit_of_the_account(door: MakeDoor, clock: Clock):
    sent: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(clock.now)
        return httpx.Response(200, json={}, headers={"X-HubSpot-RateLimit-Max": "20"})

    async def run() -> None:
        way = door(handler)

        async def worker() -> None:
            for _ in range(10):
                await way.read("GET", "/x")

        await asyncio.gather(*[worker() for _ in range(10)])

    asyncio.run(run())

    assert len(sent) == 100
    assert all(later - earlier > 10 for earlier, later in zip(sent, sent[20:], strict=False))


def test_reads_under_way_together_keep_their_order_and_the_first_failure_ends_all():
    async def fail() -> int:
        raise TryLater("later")

    async def number(n: int) -> int:
        await asyncio.sleep(0.001 * (5 - n))
        return n

    assert asyncio.run(together([lambda n=n: number(n) for n in range(5)])) == [0, 1, 2, 3, 4]
    with pytest.raises(TryLater):
        asyncio.run(together([lambda: number(1), fail, lambda: number(2)]))
