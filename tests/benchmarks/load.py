"""Holds sending to a bare httpx loop: `python tests/benchmarks/load.py [--rows 200000] [--runs 3] [--wire objects|v1]`.

A call log is planned once. Then, in turn and each in a process of its own, against a stub on the same machine that has no
limits and answers each create with what it was sent and ids:

    bare      httpx, 10 connections, posts bodies that are ready before the clock starts; looks at the status alone
    product   the second half of the product: reads the plan, journals every intent and outcome, matches every answer

and prints records a second, CPU microseconds a record, and the ratio. The bare loop is the ceiling that HTTP sets.

`--resume` times instead what a start costs after 90 % of the rows were created: to open the checkpoint, hold every row
against its seals, and have the first batch ready.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

MINE = {"portal": "hubspot 1", "namespace": "bench-calls"}
CONNECTIONS = 10
HEADERS = {"authorization": "Bearer bench", "content-type": "application/json"}


def main() -> int:
    """0 if all ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--wire", choices=("objects", "v1"), default="objects")
    parser.add_argument("--work", type=Path, help="folder for input and plan, kept (default: a temporary one)")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--role", choices=("stub", "bare", "product"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        return {"stub": stub, "bare": bare, "product": product}[options.role](options.work, options.wire)
    work = (options.work or Path(tempfile.mkdtemp(prefix="etl-load-"))).resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        planned = plan_rows(work, options.rows)
        return resume(work, planned) if options.resume else compare(work, planned, options.wire, options.runs)
    finally:
        if not options.work:
            shutil.rmtree(work)


def plan_rows(work: Path, rows: int) -> Path:
    """A checkpoint with that many rows read and the good ones planned."""
    from etl.checkpoint.store import open_checkpoint
    from etl.mapping import load
    from etl.pipeline import plan

    path = work / f"planned_{rows}.sqlite"
    if not path.exists():
        source = work / f"calls_{rows}.csv"
        subprocess.run([sys.executable, str(HERE / "generate.py"), str(rows), str(source)], check=True)
        outcomes = ("Connected", "No answer", "Left voicemail", "Busy", "Wrong number")
        guids = {name: f"00000000-0000-4000-8000-{n:012}" for n, name in enumerate(outcomes)}
        with closing(open_checkpoint(path.with_suffix(".making"), **MINE)) as opened:
            plan([source], load(str(HERE / "calls.yaml")), opened, lambda *_: {}, guids)
        path.with_suffix(".making").rename(path)
    return path


def compare(work: Path, planned: Path, wire: str, runs: int) -> int:
    """Runs both in turn and prints a line for each."""
    found: dict[str, list[dict[str, float]]] = {"bare": [], "product": []}
    for _ in range(runs):
        for role, results in found.items():
            shutil.copy(planned, work / "sending.sqlite")
            for left in ("-wal", "-shm", ".epoch"):
                Path(f"{work / 'sending.sqlite'}{left}").unlink(missing_ok=True)
            with stub_process(work, wire):
                results.append(json.loads(_role(role, work, wire)))
    print(f"{wire:10} {'records/s':>10} {'(min-max)':>17} {'CPU us/record':>13} {'of bare':>8}")
    speeds = {role: [one["rows"] / one["wall_s"] for one in results] for role, results in found.items()}
    for role, results in found.items():
        speed = statistics.median(speeds[role])
        spread = f"({min(speeds[role]):,.0f}-{max(speeds[role]):,.0f})"
        cpu_us = statistics.median(one["cpu_s"] / one["rows"] for one in results) * 1e6
        print(f"{role:10} {speed:10,.0f} {spread:>17} {cpu_us:13.1f} {speed / statistics.median(speeds['bare']):8.0%}")
    return 0


def resume(work: Path, planned: Path) -> int:
    """Times a start on a checkpoint of which nine rows in ten are created."""
    from etl.checkpoint import journal, seals
    from etl.checkpoint.store import open_checkpoint
    from etl.load import planned_batches

    path = work / "resumed.sqlite"
    shutil.copy(planned, path)
    with closing(open_checkpoint(path, **MINE)) as opened:
        created = seals.sealed(state="'created'", attempt="1", request="1", remote_id="CAST(5000000000 + id AS TEXT)")
        with opened.transaction() as db:
            db.execute(f"UPDATE row SET {created} WHERE id % 10")
            db.execute("INSERT INTO request (id, run, wire, rows, sent_at) VALUES (1, 1, 'objects', 0, '')")
        opened.high_water.advance(1, "objects")
        rows = opened.one("SELECT count(*) FROM row")
    started = time.perf_counter()
    with closing(open_checkpoint(path, **MINE)) as opened:
        opened_s = time.perf_counter() - started
        journal.begin_run(opened, "resumed", 1)
        begun_s = time.perf_counter() - started
        next(planned_batches(opened, 100))
        first_s = time.perf_counter() - started
    print(f"{rows:,} rows: opened {opened_s:.2f} s, begun {begun_s:.2f} s, first batch {first_s:.2f} s")
    return 0


@contextmanager
def stub_process(work: Path, wire: str) -> Iterator[None]:
    """A stub, whose address is in `stub.port` as long as the block lasts."""
    port = work / "stub.port"
    port.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, __file__, "--role", "stub", "--work", work, "--wire", wire])
    try:
        while not port.exists():
            assert process.poll() is None
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


def _role(role: str, work: Path, wire: str) -> str:
    command = [sys.executable, __file__, "--role", role, "--work", str(work), "--wire", wire]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


# -- the three processes -------------------------------------------------------------------------------------------------


def stub(work: Path, wire: str) -> int:
    """Answers until it is ended."""
    ids = iter(range(10_000_000_000, 20_000_000_000))

    def created(body: dict[str, Any]) -> bytes:
        if wire == "v1":
            return orjson.dumps({**body, "engagement": {"id": next(ids), "portalId": 1, **body["engagement"]}})
        results = [
            {"id": str(next(ids)), "properties": given["properties"], "createdAt": "2026-01-01T00:00:00.000Z",
             "updatedAt": "2026-01-01T00:00:00.000Z", "archived": False}
            for given in body["inputs"]
        ]  # fmt: skip
        return orjson.dumps({"status": "COMPLETE", "results": results})

    import orjson

    create = b"POST /engagements/v1/engagements " if wire == "v1" else b"/batch/create "
    status = b"200 OK" if wire == "v1" else b"201 Created"
    known = [] if wire == "v1" else [{"name": "etl_import_key", "hasUniqueValue": True}]
    nothing = orjson.dumps({"results": known, "hasMore": False})
    head = (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nx-hubspot-ratelimit-max: 100000000\r\n"
        b"x-hubspot-ratelimit-interval-milliseconds: 10000\r\ncontent-length: %d\r\n\r\n%b"
    )

    class Stub(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.got = transport, bytearray()

        def data_received(self, data: bytes) -> None:
            self.got += data
            while (end := self.got.find(b"\r\n\r\n")) >= 0:
                top = bytes(self.got[:end]).lower()
                at = top.find(b"content-length:")
                size = int(top[at + 15 :].partition(b"\r")[0]) if at >= 0 else 0
                if len(self.got) < end + 4 + size:
                    return
                creates = create.lower() in top[: top.find(b"\r\n")]
                body = bytes(self.got[end + 4 : end + 4 + size])
                del self.got[: end + 4 + size]
                answer = created(orjson.loads(body)) if creates else nothing
                self.transport.write(head % (status if creates else b"200 OK", len(answer), answer))

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
        making = work / "stub.making"
        making.write_text(str(server.sockets[0].getsockname()[1]))
        making.rename(work / "stub.port")
        await server.serve_forever()

    asyncio.run(serve())
    return 0


def bare(work: Path, wire: str) -> int:
    """Posts every body once."""
    import httpx

    url = f"http://127.0.0.1:{(work / 'stub.port').read_text()}"
    path, bodies, rows = _bodies(work, wire)

    async def post(client: httpx.AsyncClient, bodies: Iterator[bytes]) -> None:
        for body in bodies:
            answer = await client.post(url + path, content=body, headers=HEADERS)
            assert answer.status_code in (200, 201)

    async def all_of_them() -> float:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
            left = iter(bodies)
            return await _timed(asyncio.gather(*(post(client, left) for _ in range(CONNECTIONS))))

    return _print(rows, *_cpu(all_of_them))


def _bodies(work: Path, wire: str) -> tuple[str, list[bytes], int]:
    """The path of a create, every body that the product would send to it, and the rows in them."""
    from etl.checkpoint.store import open_checkpoint
    from etl.hubspot import objects, v1
    from etl.load import planned_batches

    with closing(open_checkpoint(work / "sending.sqlite", **MINE)) as opened:
        batches = list(planned_batches(opened, 1 if wire == "v1" else 100))
    rows = sum(map(len, batches))
    if wire == "v1":
        return "/engagements/v1/engagements", [v1.payload(row) for [row] in batches], rows
    return f"{objects.OBJECTS}/calls/batch/create", [objects.batch(batch) for batch in batches], rows


def product(work: Path, wire: str) -> int:
    """Sends everything that is planned, in a process that is set up as the command line sets it up."""
    from etl.checkpoint import counts, journal
    from etl.checkpoint.store import open_checkpoint
    from etl.cli import GARBAGE
    from etl.hubspot import connect
    from etl.pipeline import send

    gc.set_threshold(GARBAGE)
    url = f"http://127.0.0.1:{(work / 'stub.port').read_text()}"
    with closing(open_checkpoint(work / "sending.sqlite", **MINE)) as opened:
        run = journal.begin_run(opened, "bench", 1)

        async def all_of_them() -> float:
            target = connect(url, wire, "bench")
            sending = send(opened, run, lambda _: target, wire, settle_s=0.0, stop=asyncio.Event())
            try:
                return await _timed(sending)
            finally:
                await target.close()

        wall_s, cpu_s = _cpu(all_of_them)
        states = counts.states(opened)
    assert list(states) == ["created"], states
    return _print(states["created"], wall_s, cpu_s)


async def _timed(work: Any) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


def _cpu(work: Any) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    wall_s = asyncio.run(work())
    after = resource.getrusage(resource.RUSAGE_SELF)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _print(rows: int, wall_s: float, cpu_s: float) -> int:
    print(json.dumps({"rows": rows, "wall_s": wall_s, "cpu_s": cpu_s}))
    return 0


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.exit(main())
