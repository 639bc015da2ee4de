"""The command line as a shell sees it, in a folder of the test's own."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from etl.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Runs a command line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUBSPOT_TOKEN", "canary-token-5e1f")

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["etl", *map(str, words)])
        capfd.readouterr()
        before = {number: signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGTERM)}
        try:
            with pytest.raises(SystemExit) as left:
                main()
        finally:  # a command line has its process for itself; here others come after it
            for number, handler in before.items():
                signal.signal(number, handler)
        said = Said(int(left.value.code or 0), *capfd.readouterr())
        assert "Traceback" not in said.err
        assert "canary-token-5e1f" not in said.out + said.err
        return said

    return run
