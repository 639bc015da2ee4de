"""A request as it came in, and the way back of its answer, with all that a fault can do to a connection on that way."""

from __future__ import annotations

import asyncio
import socket
import struct
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from etl.sandbox.answers import Answer
from etl.sandbox.portal import Portal

#: A slow answer comes in so many pieces.
PIECES: Final = 20
_NO_QUERY: Final = QueryParams("")


class Asked(NamedTuple):
    """A request as it came in, whole."""

    number: int
    now_s: float
    told: str  #: the correlation id of its answer
    method: str
    url_path: str
    target: str  #: path and query, as they were written
    path: dict[str, str]
    query: QueryParams
    body: bytes


async def whole(scope: Scope, receive: Receive, portal: Portal) -> Asked | None:
    """The request, once all of it is here; None when the client left before."""
    if (body := await _body(receive)) is None:
        return None
    told = str(UUID(int=portal.chance.getrandbits(128), version=4))
    path, query, target = scope["path"], _NO_QUERY, scope["path"]
    if asked := scope["query_string"]:
        query, target = QueryParams(asked), f"{path}?{asked.decode('latin-1')}"
    number, now_s = portal.store.requests.new(), portal.settings.clock()
    return Asked(number, now_s, told, scope["method"], path, target, scope["path_params"], query, body)


class Connection:
    """The way back of one request."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._send: Send = scope["sandbox.send"]
        self._receive = receive

    async def send(
        self, answer: Answer, told: str, limits: list[tuple[bytes, bytes]], wire: str, seconds: float
    ) -> bool:
        """Sends the answer as `faults.Wire` says; whether the client was still there for the whole of it."""
        if wire in {"hang", "late"}:
            await self._wait(seconds)
        if wire in {"hang", "reset"}:
            await self._cut()
            return False
        if self._is_gone():
            return False
        content = answer.content()
        headers = _headers(answer, told, limits, len(content))
        if wire == "drip_head":
            return await self._drip(_head(answer.status, headers), content, seconds)
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if wire == "cut" and content:
            await self._send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
            await asyncio.sleep(0.01)  # the half that is sent shall arrive
            await self._cut()
            return True
        if wire == "drip_body":
            for piece in _pieces(content):
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
                await self._wait(seconds / PIECES)
            content = b""
        gone = self._is_gone()  # afterwards the server may have hung up itself, as a client can ask it to
        await self._send({"type": "http.response.body", "body": content})
        return not gone

    async def _drip(self, head: bytes, content: bytes, seconds: float) -> bool:
        """Status line and headers piece by piece, then the body, then the end of the connection; ASGI sends a head whole."""
        for piece in _pieces(head):
            if self._is_gone():
                return False
            self._transport().write(piece)
            await self._wait(seconds / PIECES)
        if self._is_gone():  # as clients do when there is no body to wait for
            return not content
        self._transport().write(content)
        self._transport().close()
        await self._left()
        return True

    async def _wait(self, seconds: float) -> None:
        """Waits, or less when the client leaves."""
        try:
            async with asyncio.timeout(seconds):
                await self._left()
        except TimeoutError:
            return

    async def _cut(self) -> None:
        """Resets the TCP connection. ASGI has no word for that: the server's own transport is reached through `send`."""
        transport = self._transport()
        if (connection := transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await self._left()

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _is_gone(self) -> bool:
        server = getattr(self._send, "__self__", None)
        transport = getattr(server, "transport", None)
        return bool(getattr(server, "disconnected", False)) or (transport is not None and transport.is_closing())

    def _transport(self) -> Any:
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionResetError("the sandbox cut this connection, as it was told to")
        return transport


async def _body(receive: Receive) -> bytes | None:
    """The body of a request; None when the client left before its end."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    return None


def _headers(answer: Answer, told: str, limits: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    trace = told.replace("-", "").upper()
    headers = [(b"x-hubspot-correlation-id", told.encode()), (b"x-trace", trace.encode()), *limits]
    for name, value in answer.headers:
        headers.append((name.lower().encode(), value.encode()))
    if answer.status != 204:
        headers += [(b"content-type", answer.media.encode()), (b"content-length", b"%d" % length)]
    return headers


def _head(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Status line and headers as they stand on the wire."""
    phrase = next((s.phrase for s in HTTPStatus if s == status), "")
    lines = [f"HTTP/1.1 {status} {phrase}".encode(), *(name + b": " + value for name, value in headers)]
    date = formatdate(usegmt=True).encode()
    return b"\r\n".join([*lines, b"date: " + date, b"connection: close", b"", b""])


def _pieces(content: bytes) -> list[bytes]:
    size = max(1, -(-len(content) // PIECES))
    return [content[at : at + size] for at in range(0, len(content), size)]
