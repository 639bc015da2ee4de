"""Real loader processes killed with SIGKILL at random moments, a real sandbox process that is not: nothing lost, nothing twice.

The seed is printed; KILL_SEED and KILL_ROWS set it and the size.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

SEED = int(os.environ.get("KILL_SEED", random.randrange(1 << 32)))
ROWS = {"objects": int(os.environ.get("KILL_ROWS", "4000")), "v1": int(os.environ.get("KILL_ROWS_V1", "300"))}
MAPPING = """\
version: 1
name: kill
source: {format: csv, timezone: UTC}
key: $id
engagement: {type: NOTE, timestamp: {from: $at, as: datetime, format: epoch_s}}
associations: {contacts: {by: email, value: $email, not_found: reject}}
metadata: {body: $text}
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("api", ["objects", "v1"])
def test_a_loader_killed_again_and_again_creates_every_good_row_once(
    tmp_path: Path, sandbox_url: str, api: str
) -> None:
    print(f"KILL_SEED={SEED}")  # shown when the test fails
    rng = random.Random(f"{SEED} {api}")
    good, bad = write_input(tmp_path, ROWS[api])
    slow_down(sandbox_url)
    # The first lives end in half one, or after so many more rows: each falls into another moment of the protocol.
    lives = [
        ("time", rng.uniform(0.3, 2)),
        *(("rows", share * len(good)) for share in sorted(rng.random() for _ in range(5))),
    ]
    kills = 0

    for kind, when in [*lives, ("end", 0)]:
        run = start(tmp_path, sandbox_url, api)
        if kind == "time":
            time.sleep(when)
        while kind == "rows" and run.poll() is None and created(tmp_path) < when:
            time.sleep(rng.uniform(0, 0.02))
        if kind == "end":
            run.wait(timeout=120)
        elif run.poll() is None:
            run.send_signal(signal.SIGKILL)
            run.wait()
            kills += 1
    assert run.returncode == 3, (tmp_path / "err").read_text()

    held = Counter(engagement["metadata"]["body"] for engagement in audit(sandbox_url))
    assert kills >= 3
    assert {body for body, n in held.items() if n > 1} == set(), "created twice"
    assert set(held) == good
    summary = json.loads((tmp_path / "out").read_text())
    assert summary["balanced"]
    assert summary["rejected"] == bad
    assert summary["read"] == len(good) + bad


def write_input(folder: Path, rows: int) -> tuple[set[str], int]:
    """A file with one row in fifty bad; the bodies of the good ones, and the number of the bad."""
    lines, good = ["id,at,email,text"], set()
    for i in range(rows):
        known = i % 50 != 7
        lines.append(
            f"{i},{1_700_000_000 + i},{'contact1@customer.example' if known else 'nobody@example.net'},text {i}"
        )
        if known:
            good.add(f"text {i}")
    (folder / "in.csv").write_text("\n".join(lines) + "\n")
    (folder / "kill.yaml").write_text(MAPPING)
    return good, rows - len(good)


def start(folder: Path, url: str, api: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "etl", "run", "in.csv", "-m", "kill.yaml", "--target", url, "--api", api, "--json"]
    env = {**os.environ, "HUBSPOT_TOKEN": "any"}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen([*command, "--settle", "1"], cwd=folder, env=env, stdout=out, stderr=err)


def created(folder: Path) -> int:
    """How many rows the checkpoint says were created, as of now."""
    for path in folder.glob(".etl/*/kill.sqlite"):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return int(db.execute("SELECT count(*) FROM row WHERE state = 'created'").fetchone()[0])
        except sqlite3.OperationalError:  # it is just being made
            return 0
        finally:
            db.close()
    return 0


def slow_down(url: str) -> None:
    """Every answer of the sandbox takes 50 ms, so that there are moments to hit."""
    body = json.dumps({"faults": ["latency:seconds=0.05"]}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/__faults", body, headers), timeout=10).close()


def audit(url: str) -> list[dict[str, dict[str, str]]]:
    time.sleep(0.5)
    with urllib.request.urlopen(f"{url}/__audit/engagements", timeout=60) as answer:
        return [json.loads(line) for line in answer if line.strip()]
