"""The way to the account that both wires share: requests at the pace that its limits allow, reads repeated, writes not.

A write is one attempt with its verdict. A read changes nothing, so it may be repeated; it ends with JSON or with the
exception that ends the run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

import orjson

from etl.errors import EtlError, RemoteDown
from etl.hubspot.pace import SEARCH_LIMIT, SEARCH_WINDOW_S, Pace
from etl.hubspot.target import Verdict
from etl.hubspot.transport import Answer, Transport
from etl.hubspot.verdicts import judge, stopped

T = TypeVar("T")

#: Attempts at one read, and the bounds of the wait between two: between 0 and `BASE_S` x 2^n, at most `CAP_S`.
MAX_TRIES, BASE_S, CAP_S = 6, 0.5, 30.0
#: Reads of one question that are under way at the same time.
AT_ONCE = 5
_AGAIN = frozenset({"not_sent", "wait", "unknown"})


class Door:
    """A transport with the pace of its account, one for searches (they have a limit of their own) and one for the rest."""

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.transport = transport
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._pace = Pace()
        self._search_pace = Pace(SEARCH_LIMIT, SEARCH_WINDOW_S)

    async def ask(self, method: str, path: str, body: bytes | None = None, *, search: bool = False) -> Answer:
        """One attempt, as soon as the limits allow it. Raises nothing but cancellation."""
        pace = self._search_pace if search else self._pace
        while (wait_s := pace.wait_s(self._clock())) > 0:
            await self._sleep(wait_s)
        pace.take(self._clock())
        answer = await self.transport.ask(method, path, body)
        now = self._clock()
        if not search:  # answers to a search do not tell its limit
            pace.hear(answer.headers, now)
        verdict, _ = judge(answer)
        if verdict.wait_s and verdict.next != "stop":
            pace.hold(now + verdict.wait_s)
        return answer

    async def read(
        self, method: str, path: str, body: Any = None, *, search: bool = False, absent: Collection[int] = ()
    ) -> Any:
        """The JSON of a read, which is repeated until it succeeds; None for a status in `absent`.

        Raises `TokenError`, `TryLater`, `ConfigError`; `RemoteDown` after `MAX_TRIES`; `EtlError` for a refused read.
        """
        ready = None if body is None else orjson.dumps(body)
        for attempt in range(MAX_TRIES):
            answer = await self.ask(method, path, ready, search=search)
            verdict, _ = judge(answer)
            if answer.status in absent:
                return None
            if verdict.next in {"done", "per_row"}:
                return answer.json
            if verdict.next not in _AGAIN:
                raise _ended(method, path, verdict)
            if attempt + 1 < MAX_TRIES:
                await self._sleep(self._chance() * min(CAP_S, BASE_S * 2**attempt))
        raise RemoteDown(
            f"No useful answer to {method} {_bare(path)} in {MAX_TRIES} attempts: {verdict.reason}",
            hint="Run the same command again later; nothing is lost.",
        )


async def together(reads: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What the reads give, in their order, `AT_ONCE` of them under way at a time. The first failure ends all."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(read: Callable[[], Awaitable[T]]) -> T:
        async with at_once:
            return await read()

    tasks = [asyncio.create_task(one(read)) for read in reads]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _ended(method: str, path: str, verdict: Verdict) -> EtlError:
    if verdict.next == "stop":
        return stopped(verdict)
    return EtlError(f"HubSpot refused {method} {_bare(path)}: {verdict.reason}", code="read_refused")


def _bare(path: str) -> str:
    """The path without its query, which can hold cell contents."""
    return path.partition("?")[0]
