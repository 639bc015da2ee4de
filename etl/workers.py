"""Work on several cores: items go out to worker processes, results come back in the order of the items.

Processes, because half of the work on a chunk holds Python's lock: two threads were measured at 1.2 times one. The
workers are forked from a server process that has done the imports, so they share them, and inherit nothing of ours.
A worker gets its next item when it is idle; a question that it has in between is answered here.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import DupFd
from typing import Any, Literal, NamedTuple, TypeVar

from etl.errors import TryLater

T = TypeVar("T")
R = TypeVar("R")
#: What a worker may ask in the midst of its work: answered where the results are wanted.
Ask = Callable[..., Any]

CHUNK_BYTES = 4 << 20
_LOW_MEMORY_BYTES = 1 << 20
_WORTH_BYTES = 16 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _KEPT_BYTES = -1, -3, 256 << 20  # malloc.h


class Means(NamedTuple):
    """What half one may use."""

    workers: int = 1  #: processes that map
    chunk_bytes: int = CHUNK_BYTES  #: of the file's text, mapped at a time; memory goes by it


ONE_CORE = Means()

_CONTEXT = multiprocessing.get_context("forkserver")


class _Message(NamedTuple):
    """What a worker says."""

    what: Literal["ready", "asks", "done", "failed"]
    value: Any = None


class _Line:
    """A line to another process: values of any size lie in memory that both see, and a pipe says when one is there.

    Through the pipe alone, some twenty megabytes of a chunk's rows take twice as long. Both ends take turns.
    """

    def __init__(self, pipe: Connection, memory: int) -> None:
        self.pipe, self._memory = pipe, memory

    def send(self, value: object) -> None:
        left = memoryview(data := pickle.dumps(value, protocol=5))
        while left:
            left = left[os.pwrite(self._memory, left, len(data) - len(left)) :]
        self.pipe.send_bytes(str(len(data)).encode())

    def recv(self) -> Any:
        size = int(self.pipe.recv_bytes())
        with mmap.mmap(self._memory, size, prot=mmap.PROT_READ) as data:
            return pickle.loads(data)  # noqa: S301 - of our own process, through memory that has no name

    def close(self) -> None:
        self.pipe.close()
        os.close(self._memory)


def means_for(bytes_: int, *, workers: int | None = None, low_memory: bool = False) -> Means:
    """What an input of so many bytes is worth: workers take a second to begin, which a small one does not."""
    if workers is None:
        workers = _cores() if bytes_ >= _WORTH_BYTES else 1
    return Means(workers, _LOW_MEMORY_BYTES if low_memory else CHUNK_BYTES)


def keep_memory() -> None:
    """Lets the C library keep large blocks that are freed, for the next ones.

    It would give them back to the system and take new ones for every column of every chunk: a tenth of the CPU.
    """
    with suppress(OSError, AttributeError):  # another C library than glibc: nothing is lost
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            ctypes.CDLL(None).mallopt(option, _KEPT_BYTES)


def warm_up(module: str) -> None:
    """Starts the server process, which imports `module` while this process has other things to do."""
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload([module])
    forkserver.ensure_running()


def in_order(
    make: Callable[[Ask], Callable[[T], R]], items: Iterable[T], workers: int, ask: Ask | None = None
) -> Iterator[R]:
    """`make(ask)(item)` of each item, in the order of the items, worked out by `workers` processes.

    `make` is called once in each process; it, the items and the results must be fit to travel (pickle). What the work
    asks is answered by `ask` in this process. What it raises is raised here. Not many more items are taken than there
    are workers, however slow the caller is.
    """
    with _crew(make, workers) as crew:
        left, done = enumerate(items), dict[int, R]()
        busy: dict[Any, int] = {}
        idle = set[Any]()
        given = wanted = 0
        more = True
        while more or busy or done:
            while more and idle and given - wanted <= workers:
                if (item := next(left, None)) is None:
                    more = False
                    break
                pipe = idle.pop()
                busy[pipe], given = item[0], item[0] + 1
                crew[pipe].send(item[1])
            if wanted in done:
                yield done.pop(wanted)
                wanted += 1
                continue
            for pipe in wait([each for each in crew if each not in idle]):
                line = crew[pipe]
                message = _heard(line)
                if message.what == "failed":
                    raise message.value
                if message.what == "asks":
                    assert ask is not None
                    line.send(ask(*message.value))
                    continue
                if message.what == "done":
                    done[busy.pop(pipe)] = message.value
                idle.add(pipe)


def _cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _crew(make: Callable[[Ask], Callable[[Any], Any]], workers: int) -> Iterator[dict[Any, _Line]]:
    """The lines to so many processes, by their pipes; they end with the block."""
    crew: dict[Any, _Line] = {}
    processes = []
    try:
        for _ in range(workers):
            ours, theirs = _CONTEXT.Pipe()
            memory = _shared_memory()
            process = _CONTEXT.Process(target=_begin, args=(theirs, DupFd(memory), make), daemon=True)
            process.start()
            theirs.close()
            crew[ours] = _Line(ours, memory)
            processes.append(process)
        yield crew
    finally:
        for line in crew.values():
            line.close()
        for process in processes:
            process.terminate()
            process.join()


def _shared_memory() -> int:
    """A file without a name, in memory where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("etl-chunk")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _heard(line: _Line) -> _Message:
    try:
        return line.recv()  # type: ignore[no-any-return]
    except (EOFError, OSError):
        raise TryLater(
            "A process that maps rows ended in the midst of its work; nothing was sent.",
            hint="Was it killed for want of memory? Run again with --low-memory.",
            code="worker_lost",
        ) from None


def _begin(pipe: Connection, memory: Any, make: Callable[[Ask], Callable[[Any], Any]]) -> None:
    """A worker's life: ends when nobody is at the other end any more."""
    keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: who began us ends us
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _work(_Line(pipe, memory.detach()), make)


def _work(line: _Line, make: Callable[[Ask], Callable[[Any], Any]]) -> None:
    def ask(*question: Any) -> Any:
        line.send(_Message("asks", question))
        return line.recv()

    try:
        work = make(ask)
        line.send(_Message("ready"))
        while True:
            line.send(_Message("done", work(line.recv())))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as e:  # noqa: BLE001 - raised again where the results are wanted
        line.send(_Message("failed", e))
