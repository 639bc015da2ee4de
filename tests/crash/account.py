"""The account's side: a sandbox process with faults, which is never killed, and what its audit says."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.crash.export import row_of

#: How late a late commit comes, and how long every answer takes, in seconds.
LATE_S, LATENCY_S = 0.3, 0.03
CREATES = ("/batch/create", "/engagements/v1/engagements")


class Held(NamedTuple):
    """One engagement that the account holds."""

    id: str
    key: str
    row: int  #: of the export, from the text
    request: int
    made_ms: int


class Request(NamedTuple):
    """One request that the account was sent."""

    number: int
    at_ms: int
    method: str
    path: str
    status: int | None
    fault: str
    created: list[dict[str, str]]

    @property
    def creates(self) -> bool:
        """Whether it asked for engagements to be made."""
        return self.method == "POST" and self.path.endswith(CREATES)

    @property
    def writes(self) -> bool:
        """Whether it asked for anything to be made or changed; look-ups and read-backs ask by POST too."""
        return self.method != "GET" and not self.path.endswith(("/search", "/batch/read"))


@contextlib.contextmanager
def sandbox(folder: Path, seeds: Path, *options: str) -> Iterator[str]:
    """The address of a sandbox of its own; it ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    ready, log = folder / "ready.json", folder / "log"
    command = ["--db", str(folder / "db.sqlite"), "--seed-data", str(seeds), "--ready-file", str(ready)]
    command += ["--parent-pid", str(os.getpid()), *options]
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "etl.sandbox", *command], stdout=out, stderr=out)
    try:
        until = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, "the sandbox did not start"
            time.sleep(0.02)
        yield json.loads(ready.read_text())["url"]
        assert process.poll() is None, f"the sandbox ended by itself: {log.read_text()}"
    finally:
        process.terminate()
        process.wait()


def strike(url: str, faults: Sequence[str], seed: int = 0) -> None:
    """Switches these faults on and all others off."""
    body = json.dumps({"faults": list(faults), "seed": seed}).encode()
    request = urllib.request.Request(f"{url}/__faults", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


def struck(url: str) -> dict[str, int]:
    """How often each fault has struck since it was switched on."""
    return {fault["name"]: fault["struck"] for fault in _lines(f"{url}/__faults", whole=True)}


def settle_s(url: str) -> float:
    """What the sandbox announces."""
    return float(_about(url)["settle_s"])


def count(url: str) -> int:
    """How many engagements the account holds."""
    return int(_about(url)["engagements"])


def engagements(url: str) -> list[Held]:
    """Everything that the account holds and a loader made."""
    found = []
    for line in _lines(f"{url}/__audit/engagements"):
        own = line["engagement"]
        row = row_of(line["metadata"]["body"])
        found.append(Held(str(own["id"]), line["key"], row, line["request"], own["createdAt"]))
    return found


def requests(url: str) -> list[Request]:
    """Everything that the account was asked."""
    return [
        Request(
            line["request"], line["received_at"], line["method"], line["path"].partition("?")[0], line["status"],
            line["fault"], line["created"],
        )
        for line in _lines(f"{url}/__audit/requests")
    ]  # fmt: skip


def writes(url: str, after: int = 0) -> list[Request]:
    """The requests after this number that asked for something to be made or changed."""
    return [request for request in requests(url) if request.number > after and request.writes]


def newest(url: str) -> int:
    """The number of the newest request."""
    return max((request.number for request in requests(url)), default=0)


def _about(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/__sandbox", timeout=30) as answer:
        return dict(json.load(answer))


def _lines(url: str, *, whole: bool = False) -> list[dict[str, Any]]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return list(json.load(answer)) if whole else [json.loads(line) for line in answer if line.strip()]
