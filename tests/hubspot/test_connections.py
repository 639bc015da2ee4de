"""Connections over real sockets: how many there are, when they are used again, what leaves at once, and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import certifi
import pytest

from etl.hubspot.connections import MAX_CONNECTIONS, Connections, Timeouts
from etl.hubspot.transport import Answer, Transport

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Ask = Callable[[Transport], Awaitable[None]]


class Server:
    """A server that does `talk` with each connection; `connections` counts them."""

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.talk, self.tls = talk, tls
        self.connections = 0
        self.reads: list[bytes] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.append(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.talk(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    def run(self, ask: Ask, timeouts: Timeouts = Timeouts(2, 2, 2, 2)) -> None:  # noqa: B008
        async def whole() -> None:
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls)
            scheme = "https" if self.tls else "http"
            url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            transport = Transport(url, "secret-token", timeouts=timeouts)
            try:
                await ask(transport)
            finally:
                await transport.close()
                server.close()
                await asyncio.gather(*self.tasks, return_exceptions=True)

        asyncio.run(whole())


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request of a connection."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
        await reader.readexactly(length)
        writer.write(ANSWER)


def test_one_request_after_the_other_uses_one_connection():
    server, got = Server(answering), []

    async def ask(transport: Transport) -> None:
        got.extend([(await transport.ask("POST", "/x", body)).status for body in (b"{}", None, b"x" * 3_000_000, b"")])

    server.run(ask)

    assert got == [200] * 4
    assert server.connections == 1


def test_requests_at_once_use_no_more_connections_than_allowed_and_the_others_wait():
    server = Server(answering)

    async def ask(transport: Transport) -> None:
        answers = await asyncio.gather(*[transport.ask("POST", "/x", b"{}") for _ in range(5 * MAX_CONNECTIONS)])
        assert {answer.status for answer in answers} == {200}

    server.run(ask)

    assert server.connections <= MAX_CONNECTIONS


def test_who_waits_too_long_for_a_connection_has_not_sent_anything():
    served = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read(-1)

    async def ask(transport: Transport) -> None:
        asked = [asyncio.create_task(transport.ask("POST", "/x", b"{}")) for _ in range(MAX_CONNECTIONS)]
        await asyncio.sleep(0.1)
        assert (await transport.ask("POST", "/late", b"{}")).failure == "PoolTimeout"
        assert {answer.failure for answer in await asyncio.gather(*asked)} == {"ReadTimeout"}

    Server(silent).run(ask, Timeouts(connect=2, write=2, read=1, pool=0.3))

    assert len(served) == MAX_CONNECTIONS


def test_head_and_body_of_a_request_leave_together():
    reads = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while got := await reader.read(65536):
            reads.append(got)
            writer.write(ANSWER)

    async def ask(transport: Transport) -> None:
        for _ in range(20):
            await transport.ask("POST", "/x", b'{"a":1}')

    Server(once).run(ask)

    assert len(reads) == 20
    assert all(got.startswith(b"POST /x HTTP/1.1") and got.endswith(b'{"a":1}') for got in reads)


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used_again():
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(ANSWER)

    server = Server(once)

    async def ask(transport: Transport) -> None:
        for _ in range(5):
            assert (await transport.ask("POST", "/x", b"{}")).status == 200
            await asyncio.sleep(0.02)

    server.run(ask)

    assert server.connections == 5


def test_an_answer_that_comes_before_the_request_is_whole_counts():
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        await reader.read(-1)

    got: list[Answer] = []

    async def ask(transport: Transport) -> None:
        got.append(await transport.ask("POST", "/x", b"x" * 200_000))

    Server(hasty).run(ask)

    assert got[0].status == 413


def test_a_connection_that_failed_is_not_used_again():
    turns = iter([b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", ANSWER])

    async def broken_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(next(turns))

    server = Server(broken_once)

    async def ask(transport: Transport) -> None:
        assert (await transport.ask("POST", "/x", b"{}")).failure == "RemoteProtocolError"
        assert (await transport.ask("POST", "/x", b"{}")).status == 200

    server.run(ask)

    assert server.connections == 2


def test_a_request_that_is_cancelled_frees_its_connection():
    came: asyncio.Queue[bytes] = asyncio.Queue()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.put_nowait(await reader.readuntil(b"{}"))
        await reader.read(-1)

    async def ask(transport: Transport) -> None:
        for _ in range(2 * MAX_CONNECTIONS):
            asked = asyncio.create_task(transport.ask("POST", "/x", b"{}"))
            await came.get()
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    server = Server(silent)
    server.run(ask)

    assert server.connections == 2 * MAX_CONNECTIONS


def test_the_address_may_have_a_path_before_that_of_the_api():
    got = []

    class Network(Connections):
        async def exchange(self, method, target, headers, body):
            got.append((target, dict(headers)[b"host"]))
            raise RuntimeError

    network = Network("https", "gate.example.com", 443, Timeouts())
    transport = Transport("https://gate.example.com:8443/hub/", "t", network=network)
    answer = asyncio.run(transport.ask("GET", "/crm?x=1"))

    assert got == [(b"/hub/crm?x=1", b"gate.example.com:8443")]
    assert answer.failure == "RuntimeError", "whatever it is, it is an answer's absence"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, made for this test."""
    if not shutil.which("openssl"):
        pytest.skip("needs the program openssl")
    pem = tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         pem.with_suffix(".key"), "-out", pem, "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return pem


def tls_server(certificate: Path) -> Server:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return Server(answering, tls)


def test_requests_go_over_tls_on_one_connection_that_stays(certificate: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))
    server, got = tls_server(certificate), []

    async def ask(transport: Transport) -> None:
        for _ in range(5):
            got.append((await transport.ask("POST", "/x", b"{}")).status)
            await asyncio.sleep(0.01)

    server.run(ask)

    assert got == [200] * 5
    assert server.connections == 1


def test_a_certificate_of_an_authority_that_is_not_known_is_refused_before_anything_is_sent(certificate: Path):
    async def ask(transport: Transport) -> None:
        assert (await transport.ask("POST", "/x", b"{}")).failure == "ConnectError"

    tls_server(certificate).run(ask)
