"""What keeps a run in bounds, from the command line against a real sandbox process: time, retry, lost and doubted checkpoints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

MAPPING = """\
version: 1
name: control
source: {format: csv, timezone: UTC}
key: $id
engagement: {type: NOTE, timestamp: {from: $at, as: datetime, format: epoch_s}}
associations: {contacts: {by: email, value: $email}}
metadata: {body: $text}
"""


def strike(url: str, *faults: str) -> None:
    """Switches these faults of the sandbox on, and all others off."""
    body = json.dumps({"faults": faults, "seed": 1}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/__faults", body, headers), timeout=10).close()


class Etl:
    """`etl run` and its like as processes in one folder, against one sandbox."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def write(self, rows: int) -> None:
        lines = [f"{i},{1_700_000_000 + i},contact1@customer.example,text {i}" for i in range(rows)]
        (self.folder / "in.csv").write_text("\n".join(["id,at,email,text", *lines]) + "\n")
        (self.folder / "control.yaml").write_text(MAPPING)

    def __call__(self, command: str, *words: str, code: int) -> dict[str, Any]:
        files = ["in.csv", "-m", "control.yaml"] if command in ("run", "plan") else []
        line = [sys.executable, "-m", "etl", command, *files, "--target", self.url, *words, "--json"]
        env = {**os.environ, "HUBSPOT_TOKEN": "any"}
        done = subprocess.run(line, cwd=self.folder, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return {"said": done.stderr, **json.loads(done.stdout or "{}")}

    def held(self) -> Counter[str]:
        with urllib.request.urlopen(f"{self.url}/__audit/engagements", timeout=30) as answer:
            return Counter(json.loads(line)["metadata"]["body"] for line in answer if line.strip())

    def once_each(self, rows: int) -> bool:
        return self.held() == {f"text {i}": 1 for i in range(rows)}


@pytest.fixture
def etl(tmp_path: Path, sandbox_url: str) -> Etl:
    folder = tmp_path / "work"
    folder.mkdir()
    return Etl(folder, sandbox_url)


def test_when_the_time_is_over_the_run_ends_with_75_and_the_same_command_goes_on(etl: Etl) -> None:
    etl.write(9000)
    strike(etl.url, "latency:seconds=0.7,match=batch/create")

    first = etl("run", "--max-duration", "8s", "--settle", "0.5", code=75)

    assert first["error"]["code"] == "time_over"
    assert (first["balanced"], first["unresolved"]) == (True, 0)
    assert 0 < first["created"] < 9000
    assert first["not_tried"] == 9000 - first["created"]
    assert first["seconds"] < 12
    strike(etl.url)
    etl("run", code=0)
    assert etl.once_each(9000)


def test_a_time_of_day_that_is_far_off_stops_nothing(etl: Etl) -> None:
    etl.write(20)
    at = (datetime.now().astimezone() - timedelta(hours=1)).strftime("%H:%M")

    assert etl("run", "--stop-at", at, code=0)["created"] == 20


def test_the_plan_says_how_many_requests_it_takes_and_how_long(etl: Etl) -> None:
    etl.write(250)

    told = etl("plan", code=0)["forecast"]

    assert (told["creates"], told["rows_a_request"], told["limit"]) == (3, 100, 100_000)
    assert told["create_s"] < 1
    assert told["day_limit"] == 1_000_000
    assert told["day_reserve"] == 200_000
    assert etl("plan", "--api", "v1", code=0)["forecast"]["creates"] == 250


def test_a_row_that_is_never_answered_is_listed_stays_alone_and_is_tried_again_on_request(etl: Etl) -> None:
    etl.write(1)
    strike(etl.url, "error_before:match=batch/create")

    first = etl("run", "--settle", "0.1", code=3)
    strike(etl.url)
    second = etl("run", "--settle", "0.1", code=3)

    assert first["unresolved"] == second["unresolved"] == 1
    assert etl.once_each(0), "an unresolved row is never sent by itself"
    assert "text 0" not in Path(etl.folder, first["files"]["unresolved"]).read_text(), "no cell contents"
    assert etl("retry", "--unknown", "--settle", "0.1", code=0)["created"] == 1
    assert etl.once_each(1)
    assert "No row is unresolved" in etl("retry", "--unknown", code=0)["said"]


def test_a_lost_checkpoint_does_not_create_again(etl: Etl) -> None:
    etl.write(300)
    etl("run", code=0)
    shutil.rmtree(etl.folder / ".etl")

    found = etl("run", "--settle", "0.2", code=0)

    assert "this checkpoint does not know" in found["said"]
    assert found["created"] == 300
    assert etl.once_each(300)


def test_without_the_look_at_the_account_a_lost_checkpoint_creates_everything_again(etl: Etl) -> None:
    """The negative control: the same loss, with a loader that believes its empty checkpoint."""
    etl.write(30)
    etl("run", code=0)
    shutil.rmtree(etl.folder / ".etl")
    trusting = "import asyncio, etl.settle as s; s.was_here_before = lambda *_: asyncio.sleep(0); from etl.cli import main; main()"
    line = [sys.executable, "-c", trusting, "run", "in.csv", "-m", "control.yaml", "--target", etl.url, "--api", "v1"]
    subprocess.run(
        line, cwd=etl.folder, env={**os.environ, "HUBSPOT_TOKEN": "any"}, capture_output=True, timeout=60, check=True
    )

    assert set(etl.held().values()) == {2}


def test_reconcile_reads_the_account_before_sending(etl: Etl) -> None:
    etl.write(150)
    etl("run", code=0)
    [checkpoint] = etl.folder.glob(".etl/*/control.sqlite")
    for file in checkpoint.parent.glob("control.sqlite*"):
        file.unlink()
    etl.write(200)

    found = etl("run", "--reconcile", "--settle", "0.2", code=0)

    assert (found["created"], found["unresolved"]) == (200, 0)
    assert etl.once_each(200)


def test_a_mapping_that_the_account_refuses_is_noticed_by_the_first_rows(etl: Etl) -> None:
    etl.write(2000)
    (etl.folder / "control.yaml").write_text(MAPPING.replace("{by: email, value: $email}", "{by: id, value: $id}"))

    found = etl("run", code=65)

    assert found["error"]["code"] == "TooManyRejects"
    assert "not valid" in found["error"]["message"]
    assert found["rejected"] < 1200
    assert found["balanced"]


def test_the_reserve_of_the_day_is_left_to_others(etl: Etl) -> None:
    etl.write(500)

    found = etl("run", "--reserve", "999990", code=75)

    assert found["created"] < 500
    assert found["not_tried"] == 500 - found["created"]
    assert "allowance" in found["error"]["message"] or "reserve" in found["error"]["message"]
    etl("run", code=0)
    assert etl.once_each(500)


def test_sigterm_before_anything_is_sent_is_an_orderly_end(etl: Etl) -> None:
    etl.write(20_000)
    line = [sys.executable, "-m", "etl", "run", "in.csv", "-m", "control.yaml", "--target", etl.url]
    env = {**os.environ, "HUBSPOT_TOKEN": "any"}
    with subprocess.Popen(line, cwd=etl.folder, env=env, stderr=subprocess.PIPE, text=True) as run:
        while not any(etl.folder.glob(".etl/*/control.sqlite")) and run.poll() is None:
            time.sleep(0.005)
        run.terminate()
        _, said = run.communicate(timeout=30)

    assert run.returncode == 143
    assert "The same command goes on." in said or "Stopping" in said
    etl("run", code=0)
    assert etl.once_each(20_000)
