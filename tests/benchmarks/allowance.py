"""How much of an account's limit is used: `python tests/benchmarks/allowance.py [--limit 190] [--latency 50ms] [--seconds 35]`.

A sandbox process that enforces its limit, in turn before `etl run` (v1, one row a request, journal and all) and before
a bare httpx loop of ten workers that backs off when it is refused. What counts is in the sandbox's audit: requests that
were taken and refused in the first so many seconds after the first create, against those that the limit permits then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.conftest import sandbox_process  # noqa: E402

CREATE = "/engagements/v1/engagements"
MAPPING = """\
version: 1
name: allowance
source: {format: csv, timezone: UTC}
key: $id
engagement: {type: NOTE, timestamp: {from: $at, as: datetime, format: epoch_s}}
associations: {contacts: {by: id, value: $contact}}
metadata: {body: $text}
"""


class Use(NamedTuple):
    """What became of the allowance."""

    taken: int
    refused: int
    permitted: int

    @property
    def share(self) -> float:
        """Of what was permitted, how much was used."""
        return self.taken / self.permitted


def main() -> int:
    """Prints a line for each peer; 1 if the loader used less than 99 % or was refused more than twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=190, help="requests in 10 s")
    parser.add_argument("--latency", default="50ms")
    parser.add_argument("--seconds", type=float, default=35)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    uses = []
    for _ in range(options.runs):
        for name, peer in {"bare httpx": bare, "etl run": loader}.items():
            use = measure(peer, options.limit, options.latency, options.seconds)
            print(f"{name:10} {use.share:6.1%} of {use.permitted:,} permitted, {use.refused} times refused", flush=True)
            uses.append((name, use))
    return int(any(name == "etl run" and (use.share < 0.99 or use.refused > 2) for name, use in uses))


def measure(peer: Callable[[str, Path, int, float], None], limit: int, latency: str, seconds: float) -> Use:
    """What `peer` does of the allowance of a sandbox of its own."""
    folder = Path(tempfile.mkdtemp(prefix="etl-allowance-"))
    try:
        with sandbox_process(folder / "sandbox", "--limit", f"{limit}/10s", "--latency", latency) as url:
            peer(url, folder, limit, seconds)
            return used(url, limit, seconds)
    finally:
        shutil.rmtree(folder)


def used(url: str, limit: int, seconds: float) -> Use:
    """The audit of the seconds after the first create. In 35 s a limit for 10 s permits four times as many."""
    lines = httpx.get(f"{url}/__audit/requests", trust_env=False, timeout=60).text.splitlines()
    asked = [json.loads(line) for line in lines]
    first = min(request["received_at"] for request in asked if request["path"] == CREATE)
    of = [request for request in asked if first <= request["received_at"] < first + 1000 * seconds]
    refused = sum(request["status"] == 429 for request in of)
    return Use(len(of) - refused, refused, limit * math.ceil(seconds / 10))


def loader(url: str, folder: Path, limit: int, seconds: float) -> None:
    """`etl run` over rows enough for the time."""
    rows = limit * (math.ceil(seconds / 10) + 1)
    lines = [f"{i},{1_700_000_000 + i},1,text {i}" for i in range(rows)]
    (folder / "in.csv").write_text("\n".join(["id,at,contact,text", *lines]) + "\n")
    (folder / "allowance.yaml").write_text(MAPPING)
    command = [sys.executable, "-m", "etl", "run", "in.csv", "-m", "allowance.yaml", "--target", url, "--api", "v1"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HUBSPOT_TOKEN": "any"}
    subprocess.run(command, cwd=folder, env=env, capture_output=True, check=True, timeout=300)


def bare(url: str, folder: Path, limit: int, seconds: float) -> None:
    """Ten workers on one client; refused, each waits by chance between half a second and twice as long as before."""
    del folder, limit
    asyncio.run(_bare(url, seconds))


async def _bare(url: str, seconds: float) -> None:
    until = time.monotonic() + seconds + 1
    body = b'{"engagement":{"type":"NOTE","timestamp":1700000000000},"associations":{"contactIds":[1]},"metadata":{"body":"x"}}'
    headers = {"authorization": "Bearer any", "content-type": "application/json"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as client:

        async def work() -> None:
            wait_s = 0.5
            while time.monotonic() < until:
                if (await client.post(CREATE, content=body)).status_code == 429:
                    await asyncio.sleep(wait_s * random.uniform(0.5, 1))
                    wait_s = min(10.0, 2 * wait_s)
                else:
                    wait_s = 0.5

        await asyncio.gather(*(work() for _ in range(10)))


if __name__ == "__main__":
    sys.exit(main())
