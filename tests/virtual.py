"""A process whose time is virtual and which can be killed at any point.

The loop's clock jumps to the next timer when nothing is ready, and what would run in a thread runs inline, so that an
hour of waiting costs microseconds and every run of the same script is the same. Apart from the tests, since no word of
it is about rows.
"""

from __future__ import annotations

import asyncio
import selectors
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

MAX_STEPS = 50_000  #: a process that takes more will never end


class Killed(SystemExit):
    """The process is gone. No `except Exception` sees it, and the loop does not take another step."""


@dataclass
class Clock:
    """The time outside all processes, in seconds."""

    now: float = 1_000.0


@dataclass
class Fate:
    """What happens to a process: at the `at`-th passing of `point` it does `act` (kills it, unless told otherwise).

    Points: `step` of the loop, `before commit` and `after commit` of the checkpoint, and whatever others `pass_`.
    """

    point: str = ""
    at: int = 1
    act: Callable[[], None] | None = None
    passed: Counter[str] = field(default_factory=Counter)

    def pass_(self, point: str) -> None:
        """The process is at `point`."""
        self.passed[point] += 1
        if point == self.point and self.passed[point] == self.at:
            if self.act is None:
                raise Killed
            self.act()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on `clock`; its own time has another zero than the clock's, as after a restart of the machine."""

    def __init__(self, clock: Clock, fate: Fate, zero: float) -> None:
        self.clock, self.fate, self.zero = clock, fate, zero
        super().__init__(_Jumping(clock))
        self.set_exception_handler(lambda *_: None)  # what the killed leave behind is of no interest

    def time(self) -> float:
        return self.clock.now - self.zero

    def _run_once(self) -> None:
        self.fate.pass_("step")
        assert self.fate.passed["step"] < MAX_STEPS, "the process never ends"
        super()._run_once()  # type: ignore[misc]


class _Jumping(selectors.SelectSelector):
    """A selector that waits for nothing: the clock jumps."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everything waits, and no timer is set"
        self.clock.now += max(0.0, timeout)
        return []


def live(
    main: Callable[[], Coroutine[Any, Any, Any]],
    clock: Clock,
    fate: Fate,
    *,
    zero: float = 0.0,
    disk_s: float = 0.0,
    at_death: Callable[[], None] = lambda: None,
) -> Any:
    """Runs `main` as a process would; a commit takes `disk_s`. Raises `Killed` if `fate` says so.

    Then `at_death` is called first (it must see to it that the dead write nothing), and what is left of the process is
    taken down.
    """
    loop = VirtualLoop(clock, fate, zero)

    async def inline(work: Callable[..., Any], *arguments: Any) -> Any:
        await asyncio.sleep(disk_s)
        result = work(*arguments)
        await asyncio.sleep(0)
        return result

    try:
        with mock.patch.object(asyncio, "to_thread", inline):
            try:
                return loop.run_until_complete(main())
            except Killed:
                at_death()
                raise
            finally:
                fate.point = ""
                _take_down(loop)
    finally:
        loop.close()


def _take_down(loop: asyncio.AbstractEventLoop) -> None:
    while tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        with suppress(Killed):  # a task that waited for the one in which the process died
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


@contextmanager
def doomed_commits(fate: Fate) -> Iterator[None]:
    """Connections to SQLite that are opened inside pass the points `before commit` and `after commit`."""

    class Doomed(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql != "COMMIT":
                return super().execute(sql, *values)
            fate.pass_("before commit")
            cursor = super().execute(sql, *values)
            fate.pass_("after commit")
            return cursor

    connect = sqlite3.connect
    with mock.patch.object(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Doomed)):
        yield
