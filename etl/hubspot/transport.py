"""One attempt at one request: bytes out, an `Answer` in; never repeated, never redirected, never raised.

What goes wrong on the way ends here as a name that the verdict table knows.
"""

from __future__ import annotations

import asyncio
import ipaddress
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from etl import __version__
from etl.errors import ConfigError, TokenError
from etl.hubspot.connections import MAX_ANSWER_BYTES, AnswerTooLarge, Connections, Header, Raw, Timeouts

#: A time-out for reading starts again with every byte, so a dripping answer needs an end of its own.
DEADLINE_S = 90.0
TIMEOUTS = Timeouts()
_OWN = (
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip"),
    (b"user-agent", f"etl-engagements/{__version__}".encode()),
)
_PORTS = {"http": 80, "https": 443}


class Answer(NamedTuple):
    """What came back: a status with headers and JSON, or the name of the failure."""

    status: int = 0  #: 0 where there is no answer
    headers: Mapping[str, str] = {}  #: names in lower case
    json: Any = None  #: None for an empty body or one that is not JSON
    failure: str = ""  #: name of one of httpcore's exceptions, `DeadlinePassed`, `DecodingError` or `AnswerTooLarge`


class DecodingError(Exception):
    """The answer is not packed as it says."""


class Network(Protocol):
    """What carries a request; `Connections`, or a stand-in in tests."""

    async def exchange(self, method: bytes, target: bytes, headers: Sequence[Header], body: bytes) -> Raw:
        """One request and its answer. Raises an exception whose name says what happened."""

    async def close(self) -> None:
        """Closes what is open."""


class Transport:
    """The connections to one address with one token. The token leaves only as a header."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        network: Network | None = None,
        deadline_s: float = DEADLINE_S,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        """`network` replaces sockets in tests. Raises `ConfigError` for an address to which no token may be sent."""
        self.base_url, self.is_loopback = checked_url(base_url)
        to = urlsplit(self.base_url)
        self._path = to.path.encode()
        self._network = network or Connections(to.scheme, to.hostname or "", to.port or _PORTS[to.scheme], timeouts)
        self._deadline_s = deadline_s
        self._host = (b"host", to.netloc.encode())
        self.use(token)

    def use(self, token: str) -> None:
        """Sends this token from now on. Raises `TokenError` for one that cannot stand in a header."""
        self._token = checked_token(token).encode()
        self._headers = (self._host, (b"authorization", b"Bearer " + self._token), *_OWN)

    async def ask(
        self, method: str, path: str, body: bytes | None = None, *, content_type: bytes = b"application/json"
    ) -> Answer:
        """One attempt. `path` begins with a slash and is escaped; `body` is JSON unless `content_type` says otherwise. Raises nothing but cancellation."""
        headers: tuple[Header, ...] = self._headers
        if body is not None:
            headers = (*headers, (b"content-type", content_type), (b"content-length", b"%d" % len(body)))
        try:
            async with asyncio.timeout(self._deadline_s):
                raw = await self._network.exchange(method.encode(), self._path + path.encode(), headers, body or b"")
            return self._answer(raw)
        except TimeoutError:
            return Answer(failure="DeadlinePassed")
        except Exception as failure:  # noqa: BLE001 - whatever it was, the request may have been worked on
            return Answer(failure=type(failure).__name__)

    async def close(self) -> None:
        """Closes the connections."""
        await self._network.close()

    def _answer(self, raw: Raw) -> Answer:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw.headers}
        body = _unpacked(raw.body, headers.get("content-encoding", ""))
        if not 200 <= raw.status < 300:
            body = body.replace(self._token, b"[token]")  # an error page can show the request that it is about
        return Answer(raw.status, headers, _json(body))


def checked_url(url: str) -> tuple[str, bool]:
    """The address without a slash at its end, and whether it is this machine. Raises `ConfigError`."""
    parts = urlsplit(url)
    try:
        host, _ = parts.hostname or "", parts.port
        url.encode("ascii")
    except ValueError:
        host = ""
    loopback = _is_loopback(host)
    if not host or parts.scheme not in {"http", "https"} or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            "The target is no plain http(s) address.", hint="Give it as https://host or http://127.0.0.1:port."
        )
    if parts.scheme == "http" and not loopback:
        raise ConfigError(f"The target {host} is not on this machine, so its address must begin with https.")
    return url.rstrip("/"), loopback


def checked_token(token: str) -> str:
    """The token without surrounding white space. Raises `TokenError` for one that cannot stand in a header."""
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError(
            "The token is empty or holds characters that no token has.", hint="Copy it again, on one line."
        )
    return token


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The body as it was before it was packed."""
    if encoding.lower() in {"gzip", "x-gzip"} and body:
        unpacking = zlib.decompressobj(wbits=31)
        try:
            body = unpacking.decompress(body, MAX_ANSWER_BYTES + 1)
        except zlib.error as problem:
            raise DecodingError from problem
    elif encoding.lower() not in {"", "identity", "gzip", "x-gzip"}:
        raise DecodingError
    if len(body) > MAX_ANSWER_BYTES:
        raise AnswerTooLarge
    return body


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json(body: bytes) -> Any:
    try:
        value = orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict | list) else None
