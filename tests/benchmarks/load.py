"""Holds sending to a bare httpx loop: `python tests/benchmarks/load.py [--rows 200000] [--runs 3] [--wire objects|v1]`.

A call log is planned once. Then, in turn and each in a process of its own, against a stub on the same machine that has no
limits and answers each create with what it was sent and ids:

    bare      httpx, 10 connections, posts bodies that are ready before the clock starts; looks at the status alone
    product   the second half of the product: reads the plan, journals every intent and outcome, matches every answer

and prints records a second, CPU microseconds a record, and the ratio. The bare loop is the ceiling that HTTP sets.

`--resume` times instead what a start costs after 90 % of the rows were created: first inside one process (to open the
checkpoint, hold every row against its seals, and have the first batch ready), then `etl run` as a command against a
sandbox, from its start to the first create that the sandbox receives.

`--memory` sends a tenth of the rows, then all of them, and holds the peaks of the sending process to each other.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import shutil
import sqlite3
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
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--role", choices=("stub", "bare", "product"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        return {"stub": stub, "bare": bare, "product": product}[options.role](options.work, options.wire)
    work = (options.work or Path(tempfile.mkdtemp(prefix="etl-load-"))).resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        if options.memory:
            return memory(work, options.rows, options.wire)
        planned = plan_rows(work, options.rows)
        if options.resume:
            return resume(work, planned, work / f"calls_{options.rows}.csv", options.runs)
        return compare(work, planned, options.wire, options.runs)
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
            results.append(_sent(role, work, planned, wire))
    print(f"{wire:10} {'records/s':>10} {'(min-max)':>17} {'CPU us/record':>13} {'of bare':>8}")
    speeds = {role: [one["rows"] / one["wall_s"] for one in results] for role, results in found.items()}
    for role, results in found.items():
        speed = statistics.median(speeds[role])
        spread = f"({min(speeds[role]):,.0f}-{max(speeds[role]):,.0f})"
        cpu_us = statistics.median(one["cpu_s"] / one["rows"] for one in results) * 1e6
        print(f"{role:10} {speed:10,.0f} {spread:>17} {cpu_us:13.1f} {speed / statistics.median(speeds['bare']):8.0%}")
    return 0


def memory(work: Path, rows: int, wire: str) -> int:
    """Prints the peaks at a tenth of the rows and at all of them, and their ratio."""
    peaks = []
    for some in (rows // 10, rows):
        sent = _sent("product", work, plan_rows(work, some), wire)
        peaks.append(sent["peak_mib"])
        print(f"{wire}: {sent['rows']:>9,} records sent, peak {sent['peak_mib']:.1f} MiB", flush=True)
    print(f"ratio {peaks[1] / peaks[0]:.3f}")
    return 0


def _sent(role: str, work: Path, planned: Path, wire: str) -> dict[str, float]:
    """What one process took to send a copy of the plan to a stub."""
    shutil.copy(planned, work / "sending.sqlite")
    for left in ("-wal", "-shm", ".epoch"):
        Path(f"{work / 'sending.sqlite'}{left}").unlink(missing_ok=True)
    with stub_process(work, wire):
        return dict(json.loads(_role(role, work, wire)))


def resume(work: Path, planned: Path, source: Path, runs: int) -> int:
    """Times a start on a checkpoint of which nine rows in ten are created."""
    from etl.checkpoint import journal
    from etl.checkpoint.store import open_checkpoint
    from etl.load import planned_batches

    path = work / "resumed.sqlite"
    shutil.copy(planned, path)
    rows = _create_nine_in_ten(path)
    started = time.perf_counter()
    with closing(open_checkpoint(path, **MINE)) as opened:
        opened_s = time.perf_counter() - started
        journal.begin_run(opened, "resumed", 1)
        begun_s = time.perf_counter() - started
        next(planned_batches(opened, 100))
        first_s = time.perf_counter() - started
    print(f"{rows:,} rows: opened {opened_s:.2f} s, begun {begun_s:.2f} s, first batch {first_s:.2f} s", flush=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        taken = sorted(_commands_to_create(Path(folder), source, runs))
    print(f"`etl run`: first create {statistics.median(taken):.2f} s after its start ({taken[0]:.2f}-{taken[-1]:.2f})")
    return 0


def _create_nine_in_ten(path: Path) -> int:
    """Marks the rows as a run leaves them that was killed there, seals and all; gives how many there are."""
    from etl.checkpoint import seals
    from etl.checkpoint.store import open_checkpoint

    with closing(sqlite3.connect(path)) as db:
        made_for = dict(db.execute("SELECT name, value FROM meta WHERE name IN ('portal', 'namespace')"))
    created = seals.sealed(state="'created'", attempt="1", request="1", remote_id="CAST(5000000000 + id AS TEXT)")
    with closing(open_checkpoint(path, **made_for)) as opened:
        with opened.transaction() as db:
            db.execute(
                "INSERT INTO run (id, name, plan, started_at) VALUES (1, 'killed', 1, '2026-01-01T00:00:00.000Z')"
            )
            db.execute("INSERT INTO request (id, run, wire, rows, sent_at) VALUES (1, 1, 'objects', 0, '')")
            db.execute(f"UPDATE row SET {created}, run = 1 WHERE id % 10")
        opened.high_water.advance(1, "objects")
        return int(opened.one("SELECT count(*) FROM row"))


def _commands_to_create(work: Path, source: Path, runs: int) -> Iterator[float]:
    """For each run the seconds from a command's start to the first create, by the sandbox's clock, which is ours."""
    from tests.crash import account

    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet |= {"cwd": work, "env": {**os.environ, "HUBSPOT_TOKEN": "bench"}}
    etl = Path(sys.executable).with_name("etl")
    killed, checkpoint = work / "killed.sqlite", work / "command.sqlite"
    with account.sandbox(work / "account", HERE.parent.parent / "sample_data" / "portal") as url:
        where = [str(source), "-m", str(HERE / "calls.yaml"), "--target", url, "--checkpoint"]
        subprocess.run([etl, "plan", *where, killed], check=True, **quiet)
        _create_nine_in_ten(killed)
        for _ in range(runs):
            for end in ("", ".epoch"):
                shutil.copy(f"{killed}{end}", f"{checkpoint}{end}")
            newest, started = account.newest(url), time.time()
            process = subprocess.Popen([etl, "run", *where, checkpoint], **quiet)
            try:
                while not (creates := [r for r in account.requests(url) if r.creates and r.number > newest]):
                    assert process.poll() is None, "the run ended before it created anything"
                    time.sleep(0.2)  # seldom: who asks takes time from who answers
            finally:
                process.terminate()
                process.wait()
            yield creates[0].at_ms / 1000 - started


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
    print(json.dumps({"rows": rows, "wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": _peak_mib()}))
    return 0


def _peak_mib() -> float:
    """Of this process alone: what `getrusage` gives begins with the peak of the one that started it."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.exit(main())
