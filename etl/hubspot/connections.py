"""The connections to one address: ten at most, kept open, one request at a time on each.

The only home of httpcore, the engine of httpx. It is used without httpx's client and without its own pool, because at
thousands of small requests a second these cost more than the requests: a pool looks at all its connections before and
after every request, and a request leaves as two packets where one will do.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import certifi
import httpcore

#: Far above what any account's limit can use; more connections cost CPU and throughput.
MAX_CONNECTIONS = 10
#: Idle connections are closed early, before the other side does it at the moment of a request.
KEEPALIVE_S = 5.0
#: A longer answer is cut off: what it says is then unknown.
MAX_ANSWER_BYTES = 10 * 1024 * 1024

Header = tuple[bytes, bytes]


class Timeouts(NamedTuple):
    """Seconds for each step of one request."""

    connect: float = 5.0
    write: float = 30.0
    read: float = 60.0  #: starts again with every byte
    pool: float = 30.0  #: until one of the connections is free


class Raw(NamedTuple):
    """An answer as it came."""

    status: int
    headers: Sequence[Header]
    body: bytes


class AnswerTooLarge(Exception):
    """More than `MAX_ANSWER_BYTES`."""


class Connections:
    """Connections to `scheme`://`host`:`port`; the one that was used last is used first."""

    def __init__(self, scheme: str, host: str, port: int, timeouts: Timeouts) -> None:
        self._origin = httpcore.Origin(scheme.encode(), host.encode(), port)
        # plain http is for this machine: it needs no authorities, which take a tenth of a second to read
        self._tls = ssl.create_default_context(cafile=certifi.where()) if scheme == "https" else None
        self._extensions = {"timeout": timeouts._asdict()}
        self._network = _Network(timeouts.write)
        self._pool_s = timeouts.pool
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)
        self._idle: list[httpcore.AsyncHTTPConnection] = []

    async def exchange(self, method: bytes, target: bytes, headers: Sequence[Header], body: bytes) -> Raw:
        """One request and its answer. Raises httpcore's exceptions, whose names say what happened."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        try:
            return await self._exchange(method, target, headers, body)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Closes those that are idle; the others close with their requests."""
        while self._idle:
            await self._idle.pop().aclose()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._pool_s):
                await self._free.acquire()
        except TimeoutError:
            raise httpcore.PoolTimeout from None

    async def _exchange(self, method: bytes, target: bytes, headers: Sequence[Header], body: bytes) -> Raw:
        connection = await self._take()
        url = httpcore.URL(
            scheme=self._origin.scheme, host=self._origin.host, port=self._origin.port, target=target
        )  # fmt: skip
        asked = httpcore.Request(method, url, headers=headers, content=body, extensions=self._extensions)
        response = await connection.handle_async_request(asked)
        try:
            got = bytearray()
            async for piece in response.aiter_stream():
                got += piece
                if len(got) > MAX_ANSWER_BYTES:
                    raise AnswerTooLarge
        finally:
            await response.aclose()
        if connection.is_idle():
            self._idle.append(connection)
        return Raw(response.status, response.headers, bytes(got))

    async def _take(self) -> httpcore.AsyncHTTPConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            self._origin, self._tls, keepalive_expiry=KEEPALIVE_S, network_backend=self._network
        )


class _Network(httpcore.AsyncNetworkBackend):
    """httpcore's own way to connect, with streams that write a request at once."""

    def __init__(self, write_s: float) -> None:
        self._network = httpcore.AnyIOBackend()
        self._write_s = write_s

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection that collects what is written."""
        stream = await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream, self._write_s)


class _Stream(httpcore.AsyncNetworkStream):
    """Keeps what is written until something is read: head and body of a request then leave together."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, write_s: float) -> None:
        self._stream, self._write_s = stream, write_s
        self._unsent: list[bytes] = []
        self._socket = stream.get_extra_info("socket")

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - httpcore's
        """Keeps it."""
        self._unsent.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """Sends what was kept, and reads. A server may refuse what it has not read: its answer counts, not the error."""
        if self._unsent:
            unsent, self._unsent = b"".join(self._unsent), []
            with suppress(httpcore.WriteError):
                await self._stream.write(unsent, self._write_s)
        return await self._stream.read(max_bytes, timeout)

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        """The same over TLS."""
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._write_s)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks for. The question before every request is whether the other side has closed."""
        return _is_readable(self._socket.fileno()) if info == "is_readable" else self._stream.get_extra_info(info)


def _is_readable(number: int) -> bool:
    """Whether there is something to read, be it the end; so also of a socket that is closed (its number is negative)."""
    if number < 0:
        return True
    ready = select.poll()
    ready.register(number, select.POLLIN)
    return bool(ready.poll(0))
