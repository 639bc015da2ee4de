"""One attempt: what leaves, and what becomes of answers and of their absence; over real sockets where it is about sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import httpx
import pytest

from etl.errors import ConfigError, TokenError
from etl.hubspot.connections import MAX_ANSWER_BYTES, Timeouts
from etl.hubspot.transport import Answer, Transport, checked_url
from tests.hubspot.conftest import Handled

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def asked(serve: Serve, *, deadline_s: float = 5.0, times: int = 1, scheme: str = "http") -> list[Answer]:
    """The answers to `times` POSTs to a server that does `serve` with each connection."""

    served: list[asyncio.Task[None]] = []

    async def tidy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def run() -> list[Answer]:
        server = await asyncio.start_server(tidy, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        timeouts = Timeouts(0.5, 0.5, 0.5, 0.5)
        transport = Transport(f"{scheme}://127.0.0.1:{port}", "secret-token", deadline_s=deadline_s, timeouts=timeouts)
        try:
            return [await transport.ask("POST", "/path", b"{}") for _ in range(times)]
        finally:
            await transport.close()
            server.close()
            await asyncio.gather(*served)

    return asyncio.run(run())


def answering(raw: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(raw)
        await writer.drain()

    return serve


def mocked(response: httpx.Response) -> tuple[Answer, httpx.Request]:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return response

    async def run() -> Answer:
        transport = Transport("https://api.example.com/", " secret-token\n", network=Handled(handler))
        got = await transport.ask("POST", "/path?a=1", b'{"x":1}')
        await transport.close()
        return got

    got = asyncio.run(run())
    assert len(seen) == 1
    return got, seen[0]


def test_a_request_carries_the_token_the_json_and_our_name_and_nothing_else_of_ours():
    _, request = mocked(httpx.Response(200, json={"id": 1}))

    assert str(request.url) == "https://api.example.com/path?a=1"
    assert request.headers["authorization"] == "Bearer secret-token"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("etl-engagements/")
    assert request.content == b'{"x":1}'


def test_an_answer_is_its_status_its_headers_in_lower_case_and_its_json():
    got, _ = mocked(httpx.Response(207, json={"results": [{"id": "9007199254740993"}]}, headers={"Retry-After": "3"}))

    assert (got.status, got.json, got.headers["retry-after"]) == (207, {"results": [{"id": "9007199254740993"}]}, "3")


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b'{"results": [', b"null", b"12", b"\xff\xfe"])
def test_an_answer_that_is_no_json_object_or_list_has_none(body: bytes):
    assert mocked(httpx.Response(200, content=body))[0].json is None


def test_an_error_that_shows_the_token_is_passed_on_without_it():
    got, _ = mocked(httpx.Response(401, json={"message": "Bearer secret-token is not known"}))

    assert got.json == {"message": "Bearer [token] is not known"}


def test_a_redirect_is_not_followed():
    got, _ = mocked(httpx.Response(307, headers={"location": "https://elsewhere.example.org/"}))

    assert got.status == 307


def test_an_answer_over_the_limit_is_cut_off():
    assert mocked(httpx.Response(200, content=b" " * (MAX_ANSWER_BYTES + 1)))[0].failure == "AnswerTooLarge"


def test_a_small_answer_that_unpacks_to_a_huge_one_is_cut_off():
    import gzip

    packed = gzip.compress(b" " * (MAX_ANSWER_BYTES * 3))

    got, _ = mocked(httpx.Response(200, content=packed, headers={"content-encoding": "gzip"}))

    assert got.failure == "AnswerTooLarge"


def test_an_answer_that_is_not_packed_as_it_says_could_not_be_decoded():
    raw = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello"

    assert asked(answering(raw))[0].failure == "DecodingError"


def test_a_server_that_closes_without_a_word_has_disconnected():
    assert asked(answering(b""))[0].failure == "RemoteProtocolError"


def test_an_answer_shorter_than_announced_is_a_failure_not_an_answer():
    assert asked(answering(b'HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"id":'))[0].failure == "RemoteProtocolError"


def test_a_server_that_never_answers_is_a_read_timeout():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    assert asked(serve)[0].failure == "ReadTimeout"


def test_a_reset_after_the_request_was_read_is_a_read_error_never_a_connect_error():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.transport.abort()

    assert asked(serve)[0].failure in {"ReadError", "RemoteProtocolError"}


def test_an_answer_that_drips_for_ever_ends_at_the_deadline():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    assert asked(serve, deadline_s=0.4)[0].failure == "DeadlinePassed"


def test_one_failed_attempt_is_one_connection():
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)

    asked(serve)

    assert len(connections) == 1


def test_an_address_where_nobody_listens_is_a_connect_error():
    async def run() -> Answer:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        transport = Transport(f"http://127.0.0.1:{port}", "secret-token")
        got = await transport.ask("GET", "/")
        await transport.close()
        return got

    assert asyncio.run(run()).failure == "ConnectError"


def test_a_server_that_does_not_speak_tls_is_a_connect_error():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    assert asked(serve, scheme="https")[0].failure == "ConnectError"


def test_a_server_that_never_ends_the_handshake_is_a_connect_timeout():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    assert asked(serve, scheme="https")[0].failure == "ConnectTimeout"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    assert asked(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"))[0].status == 200


@pytest.mark.parametrize(
    "url",
    ["http://api.hubapi.com", "ftp://127.0.0.1", "api.hubapi.com", "", "https://", "https://a:b@api.hubapi.com",
     "https://api.hubapi.com/?x=1", "http://127.0.0.1.example.com", "http://127.0.0.1:99999", "http://0.0.0.0:80"],
)  # fmt: skip
def test_a_token_is_sent_to_no_such_address(url: str):
    with pytest.raises(ConfigError):
        checked_url(url)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("https://api.hubapi.com/", False),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:80", True),
        ("http://localhost", True),
    ],
)
def test_plain_http_is_for_this_machine_only(url: str, is_loopback: bool):
    assert checked_url(url) == (url.rstrip("/"), is_loopback)


@pytest.mark.parametrize("token", ["", "  ", "a b", "a\nb", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_shown(token: str):
    with pytest.raises(TokenError) as error:
        Transport("https://api.hubapi.com", token)

    assert token.strip() == "" or token not in str(error.value)
