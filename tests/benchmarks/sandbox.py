"""Measures the sandbox: `python tests/benchmarks/sandbox.py [--seconds 4] [--runs 3] [--million]`.

A server process and a client process on one machine, as a loader and its sandbox are; faults are off, bodies are ready but
for their import keys, 10 connections. For each way to create, in turn:

    httpx, null     bare httpx against a server that reads a request and answers as many bytes (the same uvicorn, no
                    framework, no store): the ceiling that the client itself sets
    httpx           bare httpx against the sandbox
    sockets         a client of bare sockets against the sandbox: what the sandbox does when the client is not the brake

`--million` fills the store with a million calls and tells the server's memory on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import orjson

CONNECTIONS = 10
BATCH = 100
KEY, MARK = "etl_import_key", b"@" * 26  # where an import key goes; keys are random, as hashes are
CONTACTS = 1000
HEADERS = {"Authorization": "Bearer bench", "Content-Type": "application/json"}
NULL = """
import sys, uvicorn
answer = b"x" * int(sys.argv[2])
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        open(sys.argv[1], "w").write('{"url": "http://127.0.0.1:%d", "pid": 0}' % port)
Server(uvicorn.Config(app, port=0, lifespan="off", access_log=False, log_level="warning")).run()
"""


class Wire(NamedTuple):
    """A way to create: the body of a request in pieces, with import keys to go between them, and how many."""

    name: str
    path: str
    pieces: list[bytes]

    @property
    def records(self) -> int:
        return len(self.pieces) - 1

    def body(self) -> bytes:
        keys = os.urandom(13 * self.records).hex().encode()
        with_keys = [part for n, p in enumerate(self.pieces[1:]) for part in (keys[26 * n : 26 * n + 26], p)]
        return b"".join([self.pieces[0], *with_keys])


class Speed(NamedTuple):
    """What a client reached: requests a second, CPU of client and server in ms a request, bytes of the last answer."""

    requests_s: float
    client_ms: float
    server_ms: float
    answer: int


#: Takes a body, gives status and length of the answer.
Post = Callable[[bytes], Awaitable[tuple[int, int]]]


def main() -> int:
    """Prints a line for each way to create and each client; 0 when all answers were good."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--million", action="store_true", help="memory at 100,000 to 1,000,000 engagements, instead")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="sandbox-bench-") as folder:
        if options.million:
            fill(wires()[0], Path(folder))
        else:
            for wire in wires():
                compare(wire, options.seconds, options.runs, Path(folder))
    return 0


def wires() -> list[Wire]:
    """Batches and single creates; a call has 8 properties, of which one is the import key, and one contact."""
    metadata = {
        "toNumber": "+12065550101", "fromNumber": "+12065550102", "status": "COMPLETED", "durationMilliseconds": 93000,
        "title": "Call about an order", "body": "Asked for the delivery date; sent it by mail.",
        "disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    }  # fmt: skip
    engagement = {"type": "CALL", "timestamp": 1_772_357_400_000, "uid": MARK.decode()}
    v1 = {"engagement": engagement, "associations": {"contactIds": [101]}, "metadata": metadata}
    bodies = {
        ("objects, 100 a request", "/crm/v3/objects/calls/batch/create"): {"inputs": [_input(n) for n in range(BATCH)]},
        ("objects, one by one", "/crm/v3/objects/calls"): _input(0),
        ("v1, one by one", "/engagements/v1/engagements"): v1,
    }
    return [Wire(name, path, orjson.dumps(body).split(MARK)) for (name, path), body in bodies.items()]


def compare(wire: Wire, seconds: float, runs: int, folder: Path) -> None:
    """Each client in turn, so often; a line each time."""
    with _sandbox(folder / "size.sqlite") as (url, pid):
        size = asyncio.run(drive(url, pid, wire, 0.5, with_httpx)).answer
    for _ in range(runs):
        with _server(folder, [sys.executable, "-c", NULL], [str(size)]) as (url, pid):
            ceiling = asyncio.run(drive(url, pid, wire, seconds, with_httpx))
        _tell(wire, "httpx, null", ceiling)
        for client, how in (("httpx", with_httpx), ("sockets", with_sockets)):
            with _sandbox(folder / f"{wire.records}-{client}.sqlite") as (url, pid):
                speed = asyncio.run(drive(url, pid, wire, seconds, how))
            _tell(wire, client, speed, f"; {speed.requests_s / ceiling.requests_s:.2f} of the ceiling")


def fill(wire: Wire, folder: Path) -> None:
    """A million calls, with the server's resident memory at every tenth."""
    db = folder / "million.sqlite"
    with _sandbox(db) as (url, pid):
        for most in range(100_000, 1_000_001, 100_000):
            speed = asyncio.run(drive(url, pid, wire, 3600, with_sockets, requests=100_000 // wire.records))
            size = sum(path.stat().st_size for path in folder.glob(f"{db.name}*")) / 2**20
            _tell(wire, f"{most:9,} held", speed, f"; RSS {_rss_mib(pid):.0f} MiB, files {size:.0f} MiB")


async def drive(
    url: str, pid: int, wire: Wire, seconds: float, how: Callable[..., object], requests: int = 2**60
) -> Speed:
    """Ten workers, one request after the other on each, until time or number is up."""
    left, answer = iter(range(requests)), 0
    workers = await asyncio.gather(*(how(url, wire) for _ in range(CONNECTIONS)))  # type: ignore[call-overload]

    async def work(post: Post) -> int:
        nonlocal answer
        done = 0
        while time.monotonic() < until and next(left, None) is not None:
            status, answer = await post(wire.body())
            if status not in {200, 201}:
                raise SystemExit(f"{wire.name}: the server answered {status}")
            done += 1
        return done

    began, cpu, server = time.monotonic(), time.process_time(), _cpu_s(pid)
    until = began + seconds
    done = sum(await asyncio.gather(*(work(post) for post, _ in workers)))
    wall, cpu, server = time.monotonic() - began, time.process_time() - cpu, _cpu_s(pid) - server
    for _, close in workers:
        await close()
    return Speed(done / wall, 1000 * cpu / done, 1000 * server / done, answer)


async def with_httpx(url: str, wire: Wire) -> tuple[Post, Callable[[], Awaitable[None]]]:
    """One connection of bare httpx."""
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=1), headers=HEADERS, timeout=60, trust_env=False)
    to = httpx.URL(url + wire.path)

    async def post(body: bytes) -> tuple[int, int]:
        answer = await client.post(to, content=body)
        return answer.status_code, len(answer.content)

    return post, client.aclose


async def with_sockets(url: str, wire: Wire) -> tuple[Post, Callable[[], Awaitable[None]]]:
    """One connection that knows just enough HTTP/1.1."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
    lines = [f"POST {wire.path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in HEADERS.items())]
    head = "\r\n".join([*lines, "Content-Length: "]).encode()

    async def post(body: bytes) -> tuple[int, int]:
        writer.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        top = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(top.split(b"content-length: ")[1].split(b"\r")[0])
        await reader.readexactly(length)
        return int(top[9:12]), length

    async def close() -> None:
        writer.close()

    return post, close


def _input(n: int) -> dict[str, object]:
    own = {
        "hs_timestamp": "2026-03-01T09:30:00Z", "hs_call_title": f"Call {n} about an order", "hs_call_direction": "OUTBOUND",
        "hs_call_duration": str(1000 * n), "hs_call_status": "COMPLETED", "hs_call_to_number": "+12065550101",
        "hs_call_body": "Asked for the delivery date; sent it by mail.", KEY: MARK.decode(),
    }  # fmt: skip
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]
    return {"properties": own, "associations": [{"to": {"id": str(101 + 7 * n % CONTACTS)}, "types": types}]}


@contextmanager
def _sandbox(db: Path) -> Iterator[tuple[str, int]]:
    seeds = db.parent / "seeds"
    seeds.mkdir(exist_ok=True)
    contacts = "".join(f"{101 + n},contact{n}@example.com,,,Con,Tact{n},\n" for n in range(CONTACTS))
    head = "id,email,phone,mobilephone,firstname,lastname,company_id\n"
    for name, text in {"contacts": head + contacts, "companies": "id,name,domain\n", "deals": "id,dealname\n",
                       "owners": "id,email,firstname,lastname,active\n"}.items():  # fmt: skip
        (seeds / f"{name}.csv").write_text(text)
    command = [sys.executable, "-m", "etl.sandbox", "--db", str(db), "--seed-data", str(seeds), "--ready-file"]
    with _server(db.parent, command) as (url, pid):
        definition = {"name": KEY, "label": "Import key", "type": "string", "fieldType": "text", "hasUniqueValue": True}
        definition["groupName"] = "callinformation"
        httpx.post(f"{url}/crm/v3/properties/calls", json=definition, headers=HEADERS)  # the second time a 409
        yield url, pid


@contextmanager
def _server(folder: Path, command: list[str], more: list[str] | None = None) -> Iterator[tuple[str, int]]:
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    server = subprocess.Popen([*command, str(ready), *(more or [])], stdout=subprocess.DEVNULL)
    try:
        while not ready.exists() or not ready.read_bytes():
            assert server.poll() is None, "the server did not start"
            time.sleep(0.02)
        yield orjson.loads(ready.read_bytes())["url"], server.pid
    finally:
        server.terminate()
        server.wait()


def _tell(wire: Wire, client: str, speed: Speed, more: str = "") -> None:
    costs = f"CPU a request: client {speed.client_ms:.2f} ms, server {speed.server_ms:.2f} ms"
    rates = f"{speed.requests_s * wire.records:7,.0f} records/s {speed.requests_s:6,.0f} requests/s"
    print(f"{wire.name:23} {client:14} {rates}  {costs}{more}", flush=True)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    sys.exit(main())
