"""The line to a cluster: a scheduler that is there, workers of the same version, or a cluster of the run's own."""

from __future__ import annotations

import logging
import signal
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from etl.errors import ConfigError, TryLater
from etl.workers import keep_memory

if TYPE_CHECKING:
    from distributed import Client

_PROTOCOLS = ("tcp", "tls", "ws", "wss", "ucx")
_DISTRIBUTION = "etl-engagements"
_REACH_S = 10  # for the scheduler to answer, and then for its first worker
_CONFIG = {
    "distributed.admin.large-graph-warning-threshold": "1GB",  # stretches of files are large, and meant to be
    "distributed.worker.multiprocessing-method": "forkserver",  # a server that was warmed up has the imports done
    "distributed.worker.profile.enabled": False,
}


def check_installed() -> None:
    """Raises `ConfigError` where the extra is missing."""
    if find_spec("distributed") is None or find_spec("fsspec") is None:
        raise ConfigError(
            "`--engine dask` needs libraries that are not installed.",
            hint="Install the extra: pip install 'etl-engagements[dask]'.",
            code="extra_missing",
        )


@contextmanager
def connected(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A line to the scheduler at that address; without one, to a cluster of so many processes that ends with the block.

    Raises `TryLater` where nobody answers or no worker is there, `ConfigError` where the workers run another version.
    """
    check_installed()
    import dask
    from distributed import LocalCluster

    with dask.config.set(_CONFIG), _quiet():
        if scheduler:
            with _client(scheduler) as client:
                yield client
            return
        with LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=None,
            dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL, preload=__name__,
        ) as cluster, _client(cluster.scheduler_address, direct=True) as client:  # fmt: skip
            yield client


def dask_setup(worker: object) -> None:
    """Called by Dask where this module is preloaded: in the processes of a cluster of the run's own, as they begin."""
    del worker
    keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: who began us ends us


def threads(client: Client) -> int:
    """How many tasks the cluster works on at a time; 0 where it has no worker. Raises `TryLater`."""
    try:
        return sum(map(int, client.nthreads().values()))
    except OSError as error:
        lost(f"The Dask scheduler is lost ({error}).")


def lost(what: str) -> NoReturn:
    """Raises what a run ends with when the cluster goes away under it."""
    raise TryLater(
        f"{what} Nothing was sent.",
        hint="Look at the logs of scheduler and workers; were they killed for want of memory? Run again, with --low-memory.",
        code="worker_lost",
    )


@contextmanager
def _client(scheduler: str, *, direct: bool | None = None) -> Iterator[Client]:
    """A line to a scheduler that is there, and its workers as they should be; `direct`: they are reached from here."""
    from distributed import Client

    _reach(scheduler)
    try:
        with warnings.catch_warnings(action="ignore"):  # of other versions: they are told apart below
            client = Client(scheduler, timeout=_REACH_S, set_as_default=False, direct_to_workers=direct)
    except (OSError, TimeoutError) as error:
        raise _no_scheduler(scheduler) from error
    with client:
        _wait_for_a_worker(client, scheduler)
        _check_versions(client)
        yield client


def _reach(scheduler: str) -> None:
    """Sees that somebody listens there, before Dask tries it in the background and speaks of its own accord."""
    parts = urlsplit(scheduler)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in _PROTOCOLS or not host or not port:
        hint = "Give it as tcp://HOST:8786 or tls://HOST:8786."
        raise ConfigError(f"{scheduler!r} is no address of a Dask scheduler.", hint=hint, code="no_scheduler")
    try:
        socket.create_connection((host, port), _REACH_S).close()
    except OSError as error:
        raise _no_scheduler(scheduler) from error


def _no_scheduler(scheduler: str) -> TryLater:
    return TryLater(
        f"The Dask scheduler at {scheduler} does not answer.",
        hint="Is it running, and is the address right (tcp://HOST:8786)?",
        code="no_scheduler",
    )


def _wait_for_a_worker(client: Client, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_REACH_S)
    except TimeoutError:
        hint = f"Start some, with the same version of etl: dask worker {scheduler}"
        raise TryLater(f"The Dask scheduler at {scheduler} has no worker.", hint=hint, code="no_workers") from None


def _check_versions(client: Client) -> None:
    """The scheduler reads what is sent through it, so it must be able to, as every worker."""
    found = client.get_versions(packages=[_DISTRIBUTION])
    ours = _versions(found["client"])
    for where, versions in {"the scheduler": found["scheduler"], **found["workers"]}.items():
        if versions and (theirs := _versions(versions)) != ours:
            raise ConfigError(
                f"On the Dask cluster, {where} has {theirs}; here is {ours}.",
                hint="Install the same etl with the same Python for the scheduler and for every worker.",
                code="other_version",
            )


def _versions(found: dict[str, Any]) -> str:
    packages = found["packages"]
    return f"etl {packages[_DISTRIBUTION]} with Python {'.'.join(packages['python'].split('.')[:2])}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Dask's own words on stderr: what matters of them is raised."""
    loggers = [
        logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if name.startswith("distributed")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
