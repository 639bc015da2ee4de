"""The way to the account that both wires share: requests as its limits and its health allow, reads repeated, writes not.

A write is one attempt with its verdict. A read changes nothing, so it may be repeated; it ends with JSON or with the
exception that ends the run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

import orjson

from etl.errors import EtlError, RemoteDown
from etl.flow import State
from etl.hubspot.day import RESERVE, Day
from etl.hubspot.health import PATIENCE, POLL_S, Health, Patience
from etl.hubspot.limits import Limits
from etl.hubspot.shared import Shared
from etl.hubspot.target import Allowance, Place, Verdict
from etl.hubspot.transport import Answer, Transport
from etl.hubspot.verdicts import judge, stopped

T = TypeVar("T")

#: Attempts at one read.
MAX_TRIES = 6
#: Reads of one question that are under way at the same time.
AT_ONCE = 5
#: A hold that is shorter is no news.
NEWS_S = 5.0
_AGAIN = frozenset({"not_sent", "wait", "unknown"})


class Door:
    """A transport with what holds its requests up: the account's limits, its health, the day, and a token in doubt."""

    def __init__(
        self,
        transport: Transport,
        *,
        reserve: float = RESERVE,
        shared: Shared | None = None,
        token: Callable[[], str] | None = None,
        patience: Patience = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`token` gives the token again when it was refused; `reserve` is what `Day` takes."""
        self.transport = transport
        self.day = Day(reserve)
        self._shared = shared
        self._limits = Limits(shared)
        self._health = Health(chance, patience)
        self._token = token
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._places: deque[float] = deque()  #: moments of the places that no create has used yet
        self._refused_at = 0.0  #: when the pause ends that followed a refused token; 0 while the token works
        self._stale = False  #: the token is to be read again
        self._held: tuple[float, str] = (0.0, "")  #: until when requests are held up, and why

    async def close(self) -> None:
        """Closes the connections and the shared file."""
        if self._shared:
            self._shared.close()
        await self.transport.close()

    def place(self, most: int) -> Place:
        """A place for one create of at most `most` rows; see `target.Target`."""
        now = self._clock()
        if not self.day.has_room(self._health.under_way):
            return Place(0, POLL_S)
        if (wait_s := self._health.wait_s(now) or self._limits.take(now)) > 0:
            return Place(0, wait_s)
        self._refresh()
        self._health.begin()
        self._places.append(now)
        return Place(self._health.rows(most))

    def notice(self) -> str:
        """What holds creates up at the moment, for people."""
        until, why = self._held
        return self._health.notice or (why if self._clock() < until else "")

    def allowance(self) -> Allowance:
        """What has been told of the limits so far."""
        pace, day = self._limits.pace, self.day
        return Allowance(pace.limit, pace.window_s, day.limit, day.left, day.kept)

    async def create(
        self,
        path: str,
        body: bytes,
        rows: int,
        *,
        method: str = "POST",
        may_be_empty: bool = False,
        content_type: bytes = b"",
    ) -> tuple[Answer, Verdict, State]:
        """One attempt to create (or change) `rows` rows, at once, in the place taken before if one was.

        With `may_be_empty` a 204 says that it was done, and a 404 that what was to be changed is not there. Gives the answer, its verdict, and what becomes of the rows where that does not depend on the wire. Raises
        nothing but cancellation.
        """
        sent = self._leave()
        try:
            told = {"content_type": content_type} if content_type else {}
            answer = await self.transport.ask(method, path, body, **told)
        except BaseException:
            self._health.under_way -= 1
            raise
        verdict, fate = judge(answer, rows)
        if may_be_empty and answer.status in (204, 404):
            verdict = Verdict("done" if answer.status == 204 else "refused", verdict.reason)
        verdict = self._heard(answer, verdict, sent)
        again = verdict.next == "not_sent"
        self._health.end(self._clock(), sent, verdict.found, verdict.reason, again=again)
        return answer, verdict, fate

    async def read(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        search: bool = False,
        absent: Collection[int] = (),
        empty: bool = False,
    ) -> Any:
        """The JSON of a read, which is repeated until it succeeds; None for a status in `absent`.

        With `empty`, an answer that says of itself that it has no body is None too.

        Raises `TokenError`, `TryLater`, `ConfigError`; `RemoteDown` after `MAX_TRIES`; `EtlError` for a refused read.
        """
        ready = None if body is None else orjson.dumps(body)
        self._health.first()
        for attempt in range(1, MAX_TRIES + 1):
            answer, verdict = await self._ask(method, path, ready, search=search, absent=absent, empty=empty)
            if answer.status in absent or (empty and _is_empty(answer)):
                return None
            if verdict.next in {"done", "per_row"}:
                return answer.json
            if verdict.next not in _AGAIN:
                raise _ended(method, path, verdict)
            if attempt < MAX_TRIES:
                await self._sleep(self._health.before_repeating_s(self._clock(), attempt, verdict.reason))
        raise RemoteDown(
            f"No useful answer to {method} {_bare(path)} in {MAX_TRIES} attempts: {verdict.reason}",
            hint="Run the same command again later; nothing is lost.",
        )

    async def _ask(
        self, method: str, path: str, body: bytes | None, *, search: bool, absent: Collection[int], empty: bool
    ) -> tuple[Answer, Verdict]:
        """One attempt at a read, as soon as the limits allow it."""
        while (wait_s := self._limits.take(sent := self._clock(), search=search)) > 0:
            await self._sleep(wait_s)
        self._refresh()
        answer = await self.transport.ask(method, path, body)
        verdict, _ = judge(answer)
        if answer.status in absent or (empty and _is_empty(answer)):
            verdict = Verdict("done", verdict.reason)
        return answer, self._heard(answer, verdict, sent, search=search)

    def _leave(self) -> float:
        """The moment at which a create leaves, counted in its place's stead."""
        now, place = self._clock(), self._places.popleft() if self._places else None
        if place is None:
            self._health.begin()
        return self._limits.left(now, place)

    def _heard(self, answer: Answer, verdict: Verdict, sent: float, *, search: bool = False) -> Verdict:
        """Follows what an answer says of limits, day and token; the verdict, which for a refused token depends on these."""
        now = self._clock()
        self._limits.answered(sent, now, answer.headers, search=search)
        self.day.hear(answer.headers)
        if verdict.next == "auth":
            verdict = self._doubted(verdict, sent, now)
        elif verdict.found == "well" and sent >= self._refused_at:
            self._refused_at = 0.0
        if verdict.wait_s and verdict.next != "stop":
            self._hold(now, answer, verdict, search=search)
        return verdict

    def _doubted(self, verdict: Verdict, sent: float, now: float) -> Verdict:
        """What a refused token means: the first time a pause, in which it may be renewed; after that the end."""
        if self._refused_at and sent >= self._refused_at:
            return verdict._replace(next="stop")
        if self._refused_at:
            return verdict._replace(next="wait", wait_s=0.0)
        self._refused_at, self._stale = now + verdict.wait_s, True
        return verdict._replace(next="wait")

    def _refresh(self) -> None:
        """Takes the token from where it came from, if it was refused since. Raises `TokenError` if it is not there."""
        if self._stale and self._token:
            self.transport.use(self._token())
        self._stale = False

    def _hold(self, now: float, answer: Answer, verdict: Verdict, *, search: bool) -> None:
        wait_s = verdict.wait_s + (self._chance() if "retry-after" in answer.headers else 0.0)
        self._limits.hold(now, wait_s, search=search)
        if wait_s >= NEWS_S:
            self._held = now + wait_s, f"HubSpot answered: {verdict.reason}; going on in {wait_s:.0f} s."


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


def _is_empty(answer: Answer) -> bool:
    """Whether it is a success that has no body, and not one whose body was lost."""
    return answer.status == 200 and answer.json is None and answer.headers.get("content-length") == "0"


def _bare(path: str) -> str:
    """The path without its query, which can hold cell contents."""
    return path.partition("?")[0]
