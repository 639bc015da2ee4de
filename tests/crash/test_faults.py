"""Real processes under faults of the sandbox and under signals."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.test_kill import audit, created, slow_down, start, write_input


def strike(url: str, *faults: str) -> None:
    body = json.dumps({"faults": list(faults), "seed": 1}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/__faults", body, headers), timeout=10).close()


@pytest.mark.parametrize("api", ["objects", "v1"])
@pytest.mark.parametrize(
    "fault", ["commit_then_reset", "late_commit:seconds=0.5", "error_after", "error_before", "cut_json"]
)
def test_an_answer_that_was_lost_is_found_out_about_and_nothing_is_sent_twice(
    tmp_path: Path, sandbox_url: str, api: str, fault: str
) -> None:
    good, bad = write_input(tmp_path, 300 if api == "objects" else 30)
    creates = "batch/create" if api == "objects" else "POST /engagements/v1/engagements"
    name, _, settings = fault.partition(":")
    strike(sandbox_url, f"{name}:nth=2,times=2,match={creates},{settings}")

    run = start(tmp_path, sandbox_url, api)
    code = run.wait(timeout=60)

    said = json.loads((tmp_path / "out").read_text())
    assert code == 3, (tmp_path / "err").read_text()
    assert (said["created"], said["rejected"], said["unresolved"], said["balanced"]) == (len(good), bad, 0, True)
    assert Counter(engagement["metadata"]["body"] for engagement in audit(sandbox_url)) == dict.fromkeys(good, 1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_sends_nothing_more_records_everything_and_the_same_command_goes_on(
    tmp_path: Path, sandbox_url: str, number: signal.Signals, code: int
) -> None:
    good, _ = write_input(tmp_path, 6000)
    slow_down(sandbox_url)

    run = start(tmp_path, sandbox_url, "objects")
    while run.poll() is None and created(tmp_path) < 1000:
        time.sleep(0.01)
    run.send_signal(number)
    assert run.wait(timeout=40) == code, (tmp_path / "err").read_text()
    stopped = json.loads((tmp_path / "out").read_text())
    held = len(audit(sandbox_url))

    assert (stopped["balanced"], stopped["unresolved"], stopped["created"]) == (True, 0, held)
    assert stopped["not_tried"] == len(good) - held > 0

    assert start(tmp_path, sandbox_url, "objects").wait(timeout=60) == 3
    assert Counter(engagement["metadata"]["body"] for engagement in audit(sandbox_url)) == dict.fromkeys(good, 1)


def test_a_token_that_expires_half_way_ends_the_run_and_a_new_one_goes_on(tmp_path: Path, sandbox_url: str) -> None:
    good, _ = write_input(tmp_path, 3000)
    strike(sandbox_url, "expired_token:nth=10,match=batch/create")

    run = start(tmp_path, sandbox_url, "objects")

    assert run.wait(timeout=60) == 77, (tmp_path / "err").read_text()
    said = json.loads((tmp_path / "out").read_text())
    assert (said["error"]["exit"], said["balanced"], said["unresolved"]) == (77, True, 0)
    strike(sandbox_url)
    assert start(tmp_path, sandbox_url, "objects").wait(timeout=60) == 3
    assert Counter(engagement["metadata"]["body"] for engagement in audit(sandbox_url)) == dict.fromkeys(good, 1)
