"""Builders with valid defaults: a test writes only what matters to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import orjson
import pytest

from etl.flow import Engagement, Links
from etl.hubspot.connections import Header, Raw
from etl.hubspot.door import Door
from etl.hubspot.objects import ObjectsTarget
from etl.hubspot.transport import Answer, Transport
from etl.hubspot.v1 import V1Target

Handler = Callable[[httpx.Request], httpx.Response]


class Handled:
    """A network that is a function from requests to answers; what it raises has the names of httpcore's exceptions."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    async def exchange(self, method: bytes, target: bytes, headers: Sequence[Header], body: bytes) -> Raw:
        host = dict(headers)[b"host"].decode()
        url = httpx.URL(f"https://{host}").copy_with(raw_path=target)
        response = self.handler(httpx.Request(method.decode(), url, headers=list(headers), content=body))
        return Raw(response.status_code, response.headers.raw, b"".join([part async for part in response.stream]))

    async def close(self) -> None:
        return None


class Clock:
    """A monotonic clock that moves only when somebody sleeps; `slept` lists how long, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(clock: Clock) -> Callable[[Handler], Door]:
    """A door to a handler; the clock is the test's."""

    def make(handler: Handler, **more: Any) -> Door:
        transport = Transport("http://127.0.0.1:1", "secret-token", network=Handled(handler))
        return Door(transport, clock=clock, sleep=clock.sleep, chance=lambda: 1.0, **more)

    return make


@pytest.fixture
def objects(door: Callable[[Handler], Door]) -> Callable[[Handler], ObjectsTarget]:
    return lambda handler: ObjectsTarget(door(handler))


@pytest.fixture
def v1(door: Callable[[Handler], Door]) -> Callable[[Handler], V1Target]:
    return lambda handler: V1Target(door(handler))


def answer(status: int, json: Any = None, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, json)


def row(key: str = "k" * 26, type: str = "CALL", links: Links | None = None, **payload: Any) -> Engagement:  # noqa: A002
    body = {
        "engagement": {"active": True, "type": type, "timestamp": 1_763_759_106_000},
        "metadata": {"body": "Talked about the offer"},
        **payload,
    }
    return Engagement(key, type, 1_763_759_106_000, orjson.dumps(body), links or Links(contacts=("101",)))


def sent_json(request: httpx.Request) -> Any:
    return orjson.loads(request.content)
