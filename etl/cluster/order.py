"""Tasks to a cluster, results in the order of the tasks: what is done here, where the questions are answered."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from etl.cluster.line import lost, threads
from etl.cluster.steps import Answer, Ask, Question, Steps, begin, digest, end
from etl.errors import EtlError

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")

_AHEAD = 2  # items for each thread of the cluster: one in work, one that waits there
_LOST_S = 60  # without any worker, before the run is given up
_LOOK_S = 5


class Task(NamedTuple, Generic[T, S, R]):
    """An item and who makes the steps for it; tasks with the same `make` share what it makes on a worker."""

    make: Callable[[], Steps[T, S, R]]
    item: T


@dataclass(slots=True)
class _Part:
    """A task that is under way."""

    number: int
    made: Any  #: the future of the pickled `make`
    item: bytes
    begun: Any = None  #: the future of what the first step made
    known: tuple[list[Answer], list[Answer]] = field(default_factory=lambda: ([], []))  #: of each step


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
        while more and given - wanted < _AHEAD * max(1, threads(client)):
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
            if isinstance(found, Question):
                part.known[found.step].append(Answer(digest(found.words), ask(*found.words)))
                under_way[_submit(client, part, step=found.step)] = part
            else:
                done[part.number] = found


def _part(client: Client, number: int, task: Task[Any, Any, Any], makes: dict[Callable[[], Any], Any]) -> _Part:
    if task.make not in makes:  # a future: it goes to each worker once, and is there again where one is lost
        makes[task.make] = client.submit(bytes, pickle.dumps(task.make), pure=False)
    return _Part(number, makes[task.make], pickle.dumps(task.item, protocol=5))


def _submit(client: Client, part: _Part, *, step: int) -> Any:
    """The future of the part's result; older parts go first."""
    if step == 0:
        part.begun = client.submit(begin, part.made, part.item, part.known[0], pure=False, priority=-part.number)
    return client.submit(end, part.made, part.begun, part.known[1], pure=False, priority=-part.number)


def _next_done(client: Client, futures: list[Any]) -> list[Any]:
    """Those that are done, once some are."""
    from distributed import CancelledError, wait

    seen = monotonic()
    while True:
        try:
            with client.as_current():
                return list(wait(futures, timeout=_LOOK_S, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            if threads(client):
                seen = monotonic()
            elif monotonic() - seen > _LOST_S:
                lost("The Dask cluster has no worker any more.")
        except CancelledError as error:
            lost(f"The Dask scheduler is lost ({type(error).__name__}).")


def _result(future: Any) -> Any:
    """What came of it; what was raised there is raised here."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        lost(
            f"Workers of the Dask cluster were lost again and again: {error.task} was tried {error.allowed_failures + 1} times."
        )
    except EtlError:
        raise
    except (OSError, TimeoutError) as error:
        lost(f"The Dask cluster does not answer: {error}.")
