"""One attempt at one request: bytes out, an `Answer` in; never repeated, never redirected, never raised.

The only home of httpx. Its exceptions end here, as names that the verdict table knows.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import orjson

from etl import __version__
from etl.errors import ConfigError, TokenError

#: Far above what any account's limit can use; more connections cost CPU and throughput.
MAX_CONNECTIONS = 10
#: Idle connections are closed early, before the other side does it at the moment of a request.
KEEPALIVE_S = 5.0
#: httpx starts its read time-out again with every byte, so a dripping answer needs an end of its own.
DEADLINE_S = 90.0
TIMEOUT = httpx.Timeout(connect=5.0, write=30.0, read=60.0, pool=30.0)
#: A longer answer is cut off: what it says is then unknown.
MAX_ANSWER_BYTES = 10 * 1024 * 1024


class Answer(NamedTuple):
    """What came back: a status with headers and JSON, or the name of the failure."""

    status: int = 0  #: 0 where there is no answer
    headers: Mapping[str, str] = {}  #: names in lower case
    json: Any = None  #: None for an empty body or one that is not JSON
    failure: str = ""  #: name of an httpx exception, `DeadlinePassed` or `AnswerTooLarge`


class Transport:
    """The connections to one address with one token. The token leaves only as a header."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        network: httpx.AsyncBaseTransport | None = None,
        deadline_s: float = DEADLINE_S,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        """`network` replaces sockets in tests. Raises `ConfigError` for an address to which no token may be sent."""
        self.base_url, self.is_loopback = checked_url(base_url)
        self._deadline_s = deadline_s
        self._token = checked_token(token).encode()
        self._client = httpx.AsyncClient(
            transport=network or _sockets(is_plain=self.base_url.startswith("http:")),
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            headers={
                "authorization": f"Bearer {self._token.decode()}",
                "accept": "application/json",
                "accept-encoding": "gzip",
                "user-agent": f"etl-engagements/{__version__}",
            },
        )

    async def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One attempt. `path` begins with a slash and is escaped; `body` is JSON. Raises nothing but cancellation."""
        headers = {"content-type": "application/json"} if body is not None else {}
        try:
            async with asyncio.timeout(self._deadline_s):
                request = self._client.build_request(method, self.base_url + path, content=body, headers=headers)
                return await self._answer(request)
        except TimeoutError:
            return Answer(failure="DeadlinePassed")
        except httpx.HTTPError as error:
            return Answer(failure=type(error).__name__)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _answer(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    return Answer(failure="AnswerTooLarge")
        finally:
            await response.aclose()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
        # an error page can show the request that it is about
        shown = bytes(body) if response.is_success else bytes(body).replace(self._token, b"[token]")
        return Answer(response.status_code, headers, _json(shown))


def checked_url(url: str) -> tuple[str, bool]:
    """The address without a slash at its end, and whether it is this machine. Raises `ConfigError`."""
    parts = urlsplit(url)
    try:
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    loopback = _is_loopback(host)
    if not host or parts.scheme not in {"http", "https"} or parts.username or parts.query or parts.fragment:
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


def _sockets(*, is_plain: bool) -> httpx.AsyncHTTPTransport:
    limits = httpx.Limits(
        max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_S
    )
    # plain http is for this machine: it needs no authorities, which take a tenth of a second to read, and trusts none
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else True
    return httpx.AsyncHTTPTransport(verify=verify, http1=True, http2=False, retries=0, limits=limits, trust_env=False)


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
