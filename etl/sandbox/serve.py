"""The sandbox as a server: one process, one socket, gone when its parent is gone."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from etl.errors import ConfigError
from etl.sandbox.app import build_app
from etl.sandbox.faults import Fault
from etl.sandbox.seed import seed
from etl.sandbox.settings import Settings
from etl.sandbox.store import Store, open_store

#: How often a child looks whether its parent is still there, in s; the kernel's own signal usually comes first.
POLL_S: Final = 0.5
_PR_SET_PDEATHSIG, _SIGTERM = 1, 15


def serve(
    *,
    db: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    seed_data: Path | None = None,
    settings: Settings | None = None,
    faults: Iterable[Fault] = (),
    ready: Callable[[str], None] | None = None,
    parent_pid: int | None = None,
) -> None:
    """Runs the sandbox until it is told to stop: by signal, by `POST /__shutdown`, or by the death of its parent.

    Port 0 takes a free one; `ready` is called with the URL as soon as requests are taken. An empty store is seeded from
    `seed_data`. With `parent_pid` it ends within 2 s of that process. `StorageError` when the store cannot be opened,
    `ConfigError` when the address cannot be had, `InputError` and `ContentError` for seed data.
    """
    settings = settings or Settings()
    if parent_pid == os.getppid():
        _die_with_parent()
    store = open_store(db)
    with contextlib.closing(store), _listen(host, port) as listening:
        if seed_data is not None:
            seed(store, seed_data, int(settings.clock() * 1000))
        _Server(store, settings, faults, listening, ready, parent_pid).run(sockets=[listening])


class _Server(uvicorn.Server):
    """A uvicorn server that says when it takes requests, and that watches its parent."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        faults: Iterable[Fault],
        listening: socket.socket,
        ready: Callable[[str], None] | None,
        parent_pid: int | None,
    ) -> None:
        config = uvicorn.Config(
            build_app(store, settings, faults, self.stop),
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._listening, self._ready, self._parent_pid = listening, ready, parent_pid
        self._watching: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Ends the server after the answers that are under way."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal is a request to stop, not an error: `serve` then comes back. A second one does not wait."""
        del sig, frame
        self.force_exit = self.should_exit
        self.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None and not self.should_exit:
            self._ready(url_of(self._listening))
        if self._parent_pid is not None:
            self._watching = asyncio.create_task(self._watch(self._parent_pid))

    async def _watch(self, parent_pid: int) -> None:
        while _alive(parent_pid):  # noqa: ASYNC110  another process sets no event
            await asyncio.sleep(POLL_S)
        self.stop()


def url_of(listening: socket.socket) -> str:
    """The address that a listening socket has."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_exposed(host: str) -> bool:
    """Whether others than this machine may reach a server that listens there."""
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True  # a name: whatever it stands for


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, else no TCP_NODELAY
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as problem:
        listening.close()
        hint = "Choose another port, or 0 for a free one."
        raise ConfigError(f"The sandbox cannot listen on {host}:{port}: {problem}.", hint=hint) from problem
    return listening


def _die_with_parent() -> None:
    """Asks the kernel for SIGTERM when the thread that started this process ends, where the kernel can be asked."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGTERM)


def _alive(pid: int) -> bool:
    if pid == os.getppid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return True
