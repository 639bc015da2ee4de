"""From `--target` to an open account: the sandbox found or started, the token read, the portal asked for."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TYPE_CHECKING

from etl.cli.options import STATE, AccountOptions
from etl.errors import ConfigError, InputError, RemoteDown, TokenError

if TYPE_CHECKING:
    from etl.checkpoint.store import Checkpoint
    from etl.hubspot.target import Portal, Target

HUBSPOT = "https://api.hubapi.com"
SETTLE_S = 120.0  #: after this a create is taken to be readable in a real account; an assumption, see `--settle`
START_S = 20.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account that answered."""

    url: str
    token: Callable[[], str]
    reserve: float  #: requests of the day that are left to others: an int, or a share of them as a float
    name: str  #: `sandbox`, or the portal's id: the folder of its checkpoints
    portal: Portal
    target: Target
    runner: asyncio.Runner
    targets: dict[str, Target]  #: by wire, those that are open; closed with the account

    @property
    def settle_s(self) -> float:
        """How long after its request a create may still become visible."""
        return SETTLE_S if self.portal.settle_s is None else self.portal.settle_s

    def connect(self, wire: str) -> Target:
        """The same account through a wire; by its own it is `target`, which has been told what is left of the day."""
        from etl.hubspot import connect

        if wire not in self.targets:
            shared = _shared(self.url, self.token())
            self.targets[wire] = connect(self.url, wire, self.token, reserve=self.reserve, shared=shared)
        return self.targets[wire]

    def ask(self, kind: str, by: str, values: Collection[str]) -> Mapping[str, list[str]]:
        """A look-up, for half one, which knows nothing of the network."""
        return self.runner.run(self.target.look_up(kind, by, values))  # type: ignore[arg-type]

    def checkpoint(self, namespace: str, path: Path | None) -> AbstractContextManager[Checkpoint]:
        """The checkpoint of this account and namespace, locked until the block ends."""
        from etl.checkpoint.store import open_checkpoint

        where = path or STATE / self.name / f"{namespace}.sqlite"
        return closing(open_checkpoint(where, portal=f"{self.name} {self.portal.id}", namespace=namespace))


@contextmanager
def open_account(options: AccountOptions, *, reserve: float = 0.2) -> Iterator[Account]:
    """The account behind `--target`, closed when the block ends; a sandbox that was started for it ends too."""
    from etl.hubspot import NO_TOKEN, connect

    target = options["target"]

    def token() -> str:  # read again when it is refused: it may have been renewed
        return NO_TOKEN if target == "sandbox" else _token(options["token_file"])  # a sandbox takes any

    with _base_url(target, options["seed_data"]) as url, asyncio.Runner() as runner:
        opened = connect(url, options["api"], token, reserve=reserve, shared=_shared(url, token()))
        targets = {options["api"]: opened}
        try:
            portal = runner.run(opened.portal())
            name = "sandbox" if target == "sandbox" else portal.id
            yield Account(url, token, reserve, name, portal, opened, runner, targets)
        finally:
            for each in targets.values():
                runner.run(each.close())


def packaged(folder: str) -> Path:
    """A folder that comes with the program: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_packaged" / folder
    return inside if inside.is_dir() else package.parent / folder


def _shared(url: str, token: str) -> Path:
    """The file in which the runs of this machine that use one account count their requests together."""
    from hashlib import sha256

    from platformdirs import user_state_path

    from etl.hubspot import NO_TOKEN

    name = "limits-sandbox" if token == NO_TOKEN else f"limits-{sha256(f'{url} {token}'.encode()).hexdigest()[:16]}"
    if url != HUBSPOT:  # sandboxes come and go: theirs lies with their checkpoints
        STATE.mkdir(mode=0o700, exist_ok=True)
        return STATE / name
    folder = user_state_path("etl-engagements")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / name


@contextmanager
def _base_url(target: str, seed_data: Path | None) -> Iterator[str]:
    if target == "hubspot":
        yield HUBSPOT
    elif target == "sandbox":
        running = _running_sandbox()
        if running and seed_data:
            raise ConfigError(
                "A sandbox is already running with its own data.", hint="Stop it, or leave out --seed-data."
            )
        if running:
            yield running
        else:
            with _own_sandbox(seed_data) as url:
                yield url
    elif target.startswith(("http://", "https://")):
        yield target.rstrip("/")
    else:
        raise ConfigError(f"--target {target!r} is none.", hint="Give sandbox, hubspot, or a URL.")


def _running_sandbox() -> str | None:
    """The sandbox named in `.etl/sandbox.json`, if it answers."""
    try:
        url = str(json.loads((STATE / "sandbox.json").read_text())["url"])
        with urllib.request.urlopen(f"{url}/__sandbox", timeout=2) as answer:  # noqa: S310 - written by ourselves
            return url if json.load(answer).get("sandbox") else None
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return None


@contextmanager
def _own_sandbox(seed_data: Path | None) -> Iterator[str]:
    """A sandbox of our own, on a free loopback port; it ends with us, its store stays."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    seeds = seed_data or packaged("sample_data") / "portal"
    with TemporaryDirectory(dir=STATE, prefix="starting-") as folder:
        ready, log = Path(folder) / "ready.json", Path(folder) / "log"
        command = [sys.executable, "-m", "etl.sandbox", "--db", str(STATE / "sandbox.sqlite"), "--seed-data", str(seeds),
                   "--ready-file", str(ready), "--parent-pid", str(os.getpid())]  # fmt: skip
        with log.open("wb") as out:
            # A session of its own: Ctrl-C is for us, and the sandbox must still answer what is under way.
            child = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)  # noqa: S603
        try:
            yield _wait_until_ready(child, ready, log)
        finally:
            child.terminate()
            child.wait()


def _wait_until_ready(child: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    until = monotonic() + START_S
    while monotonic() < until:
        if ready.exists():
            return str(json.loads(ready.read_text())["url"])
        if child.poll() is not None:
            said = log.read_text(errors="replace").strip()
            raise (InputError if child.returncode in (65, 66) else RemoteDown)(
                f"The sandbox did not start: {said or f'exit {child.returncode}'}",
                hint="See --seed-data and .etl/sandbox.sqlite.",
            )
        sleep(0.02)
    raise RemoteDown(f"The sandbox did not start within {START_S:.0f} s.", hint="Try `etl sandbox serve` to see why.")


def _token(path: Path | None) -> str:
    token = os.environ.get("HUBSPOT_TOKEN", "")
    if path is not None:
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise TokenError(f"{path} can be read by others.", hint=f"chmod 600 {path}")
            token = path.read_text()
        except OSError as e:
            raise TokenError(f"The token file {path} cannot be read: {e.strerror}.") from e
    if not token.strip():
        raise TokenError("There is no token.", hint="Set HUBSPOT_TOKEN, or give --token-file.")
    return token.strip()
