"""Work on a Dask cluster: items go out to its workers, results come back in the order of the items.

Beside `workers`, which does the same on the cores of this machine. A worker of a cluster cannot wait for an answer from
here: what it asks is its result, and it is given the same item again with what is known by then. Two steps, so that this
costs little: what the first made stays on the worker, and only the step that asked is done again.

    here      item ──▶ begin ─────▶ end? ──question──▶ ask ──▶ end, with the answer ──▶ result, in order
    worker             └ made once, kept there ───────────────┘
"""

from __future__ import annotations

import logging
import pickle
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TypeVar

from etl.errors import ConfigError, EtlError, TryLater
from etl.workers import keep_memory

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")
#: What a step may ask in the midst of its work: answered where the results are wanted.
Ask = Callable[..., Any]

_DISTRIBUTION = "etl-engagements"
_AHEAD = 2  # items for each thread of the cluster: one in work, one that waits there
_REACH_S = 10  # for the scheduler to answer, and then for its first worker
_LOST_S = 60  # without any worker, before the run is given up
_LOOK_S = 5
_MADE_KEPT = 4  # steps that a worker's thread keeps: of the last runs, or of files with several headers


_CONFIG = {
    "distributed.admin.large-graph-warning-threshold": "1GB",  # stretches of files are large, and meant to be
    "distributed.worker.multiprocessing-method": "forkserver",  # a server that was warmed up has the imports done
    "distributed.worker.profile.enabled": False,
}


class Steps(NamedTuple, Generic[T, S, R]):
    """What is done with an item; both give the same whenever they are called with the same."""

    begin: Callable[[T, Ask], S]
    end: Callable[[S, Ask], R]


class Task(NamedTuple, Generic[T, S, R]):
    """An item and who makes the steps for it; tasks with the same `make` share what it makes on a worker."""

    make: Callable[[], Steps[T, S, R]]
    item: T


class _Question(NamedTuple):
    """What a step needs to know, in place of what it should have made."""

    step: int
    words: tuple[Any, ...]


class _Answer(NamedTuple):
    """What it was told."""

    to: bytes  #: digest of the question
    value: Any


@dataclass(slots=True)
class _Part:
    """A task that is under way."""

    number: int
    made: Any  #: the future of the pickled `make`
    item: bytes
    begun: Any = None  #: the future of what the first step made
    known: tuple[list[_Answer], list[_Answer]] = field(default_factory=lambda: ([], []))  #: of each step


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

    with dask.config.set(_CONFIG):
        if scheduler:
            with _client(scheduler) as client:
                yield client
            return
        with LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=None,
            dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
        ) as cluster, _client(cluster.scheduler_address) as client:  # fmt: skip
            client.run(keep_memory)
            yield client


def in_order(client: Client, tasks: Iterable[Task[T, S, R]], ask: Ask) -> Iterator[R]:
    """What the steps make of each item, in the order of the items.

    `make`, items and results must be fit to travel (pickle). What the steps ask is answered by `ask` in this process;
    what they raise is raised here. What a lost worker had is done again by another. At most two items for each thread
    of the cluster are under way or wait to be taken. Raises `TryLater` where workers are lost again and again, or all.
    """
    left, makes = enumerate(tasks), dict[Callable[[], Any], Any]()
    under_way, done = dict[Any, _Part](), dict[int, R]()
    given = wanted = 0
    more = True
    while more or under_way or done:
        while more and given - wanted < _AHEAD * _threads(client):
            if (numbered := next(left, None)) is None:
                more = False
                break
            part = _part(client, *numbered, makes)
            under_way[_submit(client, part, step=0)] = part
            given += 1
        if wanted in done:
            yield done.pop(wanted)
            wanted += 1
            continue
        for future in _next_done(client, list(under_way)):
            part, found = under_way.pop(future), _result(future)
            if isinstance(found, _Question):
                part.known[found.step].append(_Answer(_digest(found.words), ask(*found.words)))
                under_way[_submit(client, part, step=found.step)] = part
            else:
                done[part.number] = found


@contextmanager
def _client(scheduler: str) -> Iterator[Client]:
    from distributed import Client

    try:
        with warnings.catch_warnings(action="ignore"):  # of other versions: they are told apart below
            client = Client(scheduler, timeout=_REACH_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise TryLater(
            f"The Dask scheduler at {scheduler} does not answer.",
            hint="Is it running, and is the address right (tcp://HOST:8786)?",
            code="no_scheduler",
        ) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{scheduler!r} is no address of a Dask scheduler: {error}.",
            hint="Give it as tcp://HOST:8786 or tls://HOST:8786.",
            code="no_scheduler",
        ) from error
    with client:
        _wait_for_a_worker(client, scheduler)
        _check_versions(client)
        yield client


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


def _threads(client: Client) -> int:
    return max(1, sum(map(int, client.nthreads().values())))


def _part(client: Client, number: int, task: Task[Any, Any, Any], makes: dict[Callable[[], Any], Any]) -> _Part:
    if task.make not in makes:  # a future: it goes to each worker once, and is there again where one is lost
        makes[task.make] = client.submit(bytes, pickle.dumps(task.make), pure=False)
    return _Part(number, makes[task.make], pickle.dumps(task.item, protocol=5))


def _submit(client: Client, part: _Part, *, step: int) -> Any:
    """The future of the part's result; older parts go first."""
    if step == 0:
        part.begun = client.submit(_begin, part.made, part.item, part.known[0], pure=False, priority=-part.number)
    return client.submit(_end, part.made, part.begun, part.known[1], pure=False, priority=-part.number)


def _next_done(client: Client, futures: list[Any]) -> list[Any]:
    """Those that are done, once some are."""
    from distributed import CancelledError, wait

    seen = monotonic()
    while True:
        try:
            with client.as_current():
                return list(wait(futures, timeout=_LOOK_S, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            if client.nthreads():
                seen = monotonic()
            elif monotonic() - seen > _LOST_S:
                _lost("The Dask cluster has no worker any more.")
        except CancelledError as error:
            _lost(f"The Dask scheduler is lost ({type(error).__name__}).")


def _result(future: Any) -> Any:
    """What came of it; what was raised there is raised here."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        _lost(
            f"Workers of the Dask cluster were lost again and again: {error.task} was tried {error.allowed_failures + 1} times."
        )
    except EtlError:
        raise
    except (OSError, TimeoutError) as error:
        _lost(f"The Dask cluster does not answer: {error}.")


def _lost(what: str) -> NoReturn:
    raise TryLater(
        f"{what} Nothing was sent.",
        hint="Look at the logs of scheduler and workers; were they killed for want of memory? Run again, with --low-memory.",
        code="worker_lost",
    )


def _begin(made: bytes, item: bytes, known: list[_Answer]) -> Any:
    """The first step, on a worker."""
    return _step(0, _THREAD.steps(made).begin, pickle.loads(item), known)  # noqa: S301 - of the run's own client


def _end(made: bytes, begun: Any, known: list[_Answer]) -> Any:
    """The second step, on a worker."""
    return begun if isinstance(begun, _Question) else _step(1, _THREAD.steps(made).end, begun, known)


class _Unknown(Exception):
    """A step asked what nobody has answered yet."""


def _step(number: int, step: Callable[[Any, Ask], Any], value: Any, known: list[_Answer]) -> Any:
    """What the step makes of the value, or what it asks; done again, it asks the same and goes on."""
    answers = iter(known)

    def ask(*words: Any) -> Any:
        if (answer := next(answers, None)) is None:
            raise _Unknown(*words)
        assert answer.to == _digest(words), "a step asks the same whenever it is done"
        return answer.value

    try:
        return step(value, ask)
    except _Unknown as unknown:
        return _Question(number, unknown.args)


def _digest(words: tuple[Any, ...]) -> bytes:
    return blake2b(repr(words).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _made(made: bytes) -> Steps[Any, Any, Any]:
    return pickle.loads(made)()  # type: ignore[no-any-return]  # noqa: S301 - as above


class _Thread(threading.local):
    """What a worker's thread has made: what is compiled is not for two threads at a time."""

    def __init__(self) -> None:
        self.steps = lru_cache(maxsize=_MADE_KEPT)(_made)


_THREAD = _Thread()
