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
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from socket import MSG_WAITALL, recv_fds, send_fds, socketpair
from socket import socket as Socket  # noqa: N812 - a class
from typing import Any, Literal, NamedTuple, TypeVar

from etl.errors import TryLater

T = TypeVar("T")
R = TypeVar("R")
#: What a worker may ask in the midst of its work: answered where the results are wanted.
Ask = Callable[..., Any]

CHUNK_BYTES = 5 << 20
_LOW_MEMORY_BYTES = 1 << 20
_WORTH_BYTES = 64 << 20
_NUMBER = 8  # bytes
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _KEPT_BYTES = -1, -3, 256 << 20  # malloc.h


class Means(NamedTuple):
    """What half one may use."""

    workers: int = 1  #: processes that map
    chunk_bytes: int = CHUNK_BYTES  #: of the file's text, mapped at a time; memory goes by it
    engine: Literal["local", "dask"] = "local"
    scheduler: str | None = None  #: of an existing Dask cluster; None: one of `workers` processes, for this run


ONE_CORE = Means()

_CONTEXT = multiprocessing.get_context("forkserver")


class _Message(NamedTuple):
    """What a worker says."""

    what: Literal["ready", "asks", "done", "failed"]
    value: Any = None


class _Line:
    """A line to another process: a value lies in memory that both see, and the socket carries the handle of it.

    Arrays are not copied out of that memory: they are read where they lie, and it goes when they go. Through a pipe, some
    twenty megabytes of a chunk's rows take twice as long.
    """

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    def send(self, value: object) -> None:
        arrays: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
        parts = [memoryview(head), *(each.raw() for each in arrays)]
        sizes = array("q", [len(parts), *map(len, parts)])
        memory = _shared_memory()
        try:
            _write(memory, memoryview(sizes).cast("B"), 0)
            places = list(_places(sizes[1:]))
            for part, (begin, _) in zip(parts, places, strict=True):
                _write(memory, part, begin)
            send_fds(self._socket, [places[-1][1].to_bytes(_NUMBER)], [memory])
        finally:
            os.close(memory)

    def recv(self) -> Any:
        size, memories, *_ = recv_fds(self._socket, _NUMBER, 1, MSG_WAITALL)
        if not size:
            raise EOFError
        data = memoryview(mmap.mmap(memories[0], int.from_bytes(size), prot=mmap.PROT_READ))
        os.close(memories[0])
        numbers = data[: len(data) // _NUMBER * _NUMBER].cast("q")
        head, *arrays = (data[begin:end] for begin, end in _places(numbers[1 : 1 + numbers[0]]))
        return pickle.loads(head, buffers=arrays)  # noqa: S301 - of our own process, in memory that has no name

    def close(self) -> None:
        self._socket.close()


def means_for(
    bytes_: int,
    *,
    workers: int | None = None,
    low_memory: bool = False,
    engine: Literal["local", "dask"] = "local",
    scheduler: str | None = None,
) -> Means:
    """What an input of so many bytes is worth: workers take a second to begin, which a small one does not."""
    if workers is None:
        workers = _cores() if bytes_ >= _WORTH_BYTES or engine == "dask" else 1
    return Means(workers, _LOW_MEMORY_BYTES if low_memory else CHUNK_BYTES, engine, scheduler)


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
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for us: who begins us ends it
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, heard)


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
        busy: dict[Any, int] = {}  # by socket
        idle = set[Any]()
        given = wanted = 0
        item = next(left, None)  # made while all are busy, so that nobody waits for it
        while item or busy or done:
            while item and idle and given - wanted <= workers:
                socket = idle.pop()
                busy[socket], given = item[0], item[0] + 1
                crew[socket].send(item[1])
                item = next(left, None)
            if wanted in done:
                yield done.pop(wanted)
                wanted += 1
                continue
            for socket in wait([each for each in crew if each not in idle]):
                line = crew[socket]
                message = _heard(line)
                if message.what == "failed":
                    raise message.value
                if message.what == "asks":
                    assert ask is not None
                    line.send(ask(*message.value))
                    continue
                if message.what == "done":
                    done[busy.pop(socket)] = message.value
                idle.add(socket)


def _cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _crew(make: Callable[[Ask], Callable[[Any], Any]], workers: int) -> Iterator[dict[Any, _Line]]:
    """The lines to so many processes, by their sockets; they end with the block."""
    crew: dict[Any, _Line] = {}
    processes = []
    try:
        for _ in range(workers):
            ours, theirs = socketpair()
            process = _CONTEXT.Process(target=_begin, args=(theirs, make), daemon=True)
            process.start()
            theirs.close()
            crew[ours] = _Line(ours)
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


def _places(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where parts of these sizes begin and end, behind their number and sizes; arrays want to begin at multiples of 64."""
    end = _NUMBER * (1 + len(sizes))
    for size in sizes:
        begin = -(-end // 64) * 64
        end = begin + size
        yield begin, end


def _write(memory: int, part: memoryview, at: int) -> None:
    while part:
        done = os.pwrite(memory, part, at)
        part, at = part[done:], at + done


def _heard(line: _Line) -> _Message:
    try:
        return line.recv()  # type: ignore[no-any-return]
    except (EOFError, OSError):
        raise TryLater(
            "A process that maps rows ended in the midst of its work; nothing was sent.",
            hint="Was it killed for want of memory? Run again with --low-memory.",
            code="worker_lost",
        ) from None


def _begin(socket: Socket, make: Callable[[Ask], Callable[[Any], Any]]) -> None:
    """A worker's life: ends when nobody is at the other end any more."""
    keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: who began us ends us
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _work(_Line(socket), make)


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
