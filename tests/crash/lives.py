"""One life of the loader: a real process started with the same arguments as ever, and the ways in which it can end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOOMED = Path(__file__).with_name("doomed.py")
#: Stands in the environment of every loader, and must stand in no file and no output.
TOKEN = "pat-na1-canary-5f1c7e"
KILLED, INTERRUPTED, TERMINATED = -signal.SIGKILL, (130, -signal.SIGINT), (143, -signal.SIGTERM)
#: A life that lasts longer than this hangs.
LONGEST_S = 120.0


@dataclass(slots=True)
class Workplace:
    """The folder that one loader works in, and how it is called."""

    folder: Path
    url: str
    wire: str
    settle_s: float | None = None  #: None: what the sandbox announces
    environment: Mapping[str, str] = field(default_factory=dict)  #: of every life

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of all lives."""
        return self.folder / "state" / "kill.sqlite"

    @property
    def deaths(self) -> Path:
        """The file in which lives that end at a named place write its name."""
        return self.folder / "deaths"

    def arguments(self, *files: str) -> list[str]:
        """The command line of a run."""
        settle = [] if self.settle_s is None else ["--settle", f"{self.settle_s:g}"]
        return ["run", *(files or ("in.csv",)), "-m", "kill.yaml", *self.where(), *settle, "--max-rejects", "30%"]

    def where(self) -> list[str]:
        """The options that say which account and which checkpoint."""
        return ["--target", self.url, "--api", self.wire, "--checkpoint", str(self.checkpoint), "--json"]

    def start(
        self,
        arguments: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        name: str = "life",
    ) -> subprocess.Popen[bytes]:
        """A loader; what it says goes to `name`.out and `name`.err. `before` is a command that starts it."""
        env = {
            **os.environ,
            "HUBSPOT_TOKEN": TOKEN,
            "DOOM_LOG": str(self.deaths),
            **self.environment,
            **(environment or {}),
        }
        command = [*before, sys.executable, str(DOOMED), *(arguments or self.arguments())]
        with (self.folder / f"{name}.out").open("wb") as out, (self.folder / f"{name}.err").open("wb") as err:
            # files made with this mask are as open as the program lets them be
            return subprocess.Popen(command, cwd=self.folder, env=env, stdout=out, stderr=err, umask=0)

    def said(self, name: str = "life") -> dict[str, Any]:
        """The JSON object that a life printed at its end; empty if it did not come so far."""
        text = (self.folder / f"{name}.out").read_text()
        try:
            return dict(json.loads(text)) if text.strip() else {}
        except ValueError:
            return {}

    def complaint(self, name: str = "life") -> str:
        """The last that it said on stderr."""
        return (self.folder / f"{name}.err").read_text(errors="replace").strip()[-2000:]

    def died_at(self) -> list[str]:
        """The named places at which lives ended so far."""
        return self.deaths.read_text().split() if self.deaths.exists() else []


def wait(life: subprocess.Popen[bytes], seconds: float = LONGEST_S) -> int:
    """The exit code; a life that does not end is killed and raises `TimeoutExpired`."""
    try:
        return life.wait(seconds)
    except subprocess.TimeoutExpired:
        life.send_signal(signal.SIGCONT)
        life.kill()
        life.wait()
        raise


def sleep_while_alive(life: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits so long, or less when the life ends before; whether it is alive."""
    until = time.monotonic() + seconds
    while life.poll() is None:
        left = until - time.monotonic()
        if left <= 0:
            return True
        time.sleep(min(left, 0.02))
    return False


def kill(life: subprocess.Popen[bytes]) -> None:
    """SIGKILL, also to a stopped one."""
    life.kill()
    life.wait()
