"""The product's own command line, in its own process, with places woven in at which it kills itself.

    DOOM=create.half_sent:2 DOOM_LOG=deaths python tests/crash/doomed.py run in.csv -m kill.yaml

dies by SIGKILL when it passes that place (see points.py) for the second time, after writing its name to DOOM_LOG.
Everything is woven in from here, by replacing functions before the command line is called: nothing of it is in etl/.

These make loaders that must be caught: NO_SETTLE=1 one that reads back at once and believes the first look, RETRY=1 one
that sends again what had no answer, NO_PACE=1 one that keeps no limit, BY_PLACE=1 one that takes results in the order in
which it sent the rows, NO_RECOVERY=1 one that leaves what is in flight at a start as it is, BLIND=1 one that sends
changes without reading first. FAIL_COMMIT=N lets the Nth commit fail as a broken disk would.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Timer
from typing import Any

CREATING: ContextVar[bool] = ContextVar("CREATING", default=False)
#: the paths of a read-back that were answered so far
FINDING: ContextVar[list[str] | None] = ContextVar("FINDING", default=None)


class Doom:
    """Where this process dies, and how often it has been there."""

    def __init__(self) -> None:
        name, _, nth = os.environ.get("DOOM", "").partition(":")
        self.name, self.left = name, int(nth or 1)
        self.commits_left = int(os.environ.get("FAIL_COMMIT", "0"))
        self.after_s = float(os.environ.get("DOOM_AFTER_MS", "5")) / 1000

    def at(self, name: str) -> bool:
        """Whether this is the moment."""
        if name != self.name:
            return False
        self.left -= 1
        return self.left == 0

    def passing(self, name: str) -> None:
        """Dies here, if this is the moment."""
        if self.at(name):
            self.die()

    def nearing(self, name: str, after_s: float | None = None) -> Timer | None:
        """Dies a little later, if this is the moment, whatever goes on then."""
        if not self.at(name):
            return None
        timer = Timer(self.after_s if after_s is None else after_s, self.die)
        timer.daemon = True
        timer.start()
        return timer

    def fail_commit(self, *, after: bool) -> None:
        """Fails as SQLite does on a broken disk, at the Nth commit: before it, or (N is negative) when it is done."""
        if self.commits_left == 0 or (self.commits_left < 0) != after:
            return
        self.commits_left += 1 if after else -1
        if self.commits_left == 0:
            raise sqlite3.OperationalError("disk I/O error")

    def die(self) -> None:
        """Writes down where, and is gone."""
        log = os.open(os.environ["DOOM_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(log, f"{self.name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)


DOOM = Doom()


def weave() -> None:
    """Puts every place into the program."""
    from httpcore._backends.anyio import AnyIOStream

    from etl import settle
    from etl.checkpoint.store import Checkpoint
    from etl.hubspot.objects import ObjectsTarget
    from etl.hubspot.transport import Transport
    from etl.hubspot.v1 import V1Target
    from etl.report import files

    _around(Checkpoint, "transaction", _transaction)
    _around(Checkpoint, "close", _close)
    _around(Transport, "ask", _ask)
    _around(AnyIOStream, "write", _write)
    _around(AnyIOStream, "read", _read)
    _around(ObjectsTarget, "find", _find)
    _around(V1Target, "find", _find)
    _around(settle, "_wait", _settle_wait)
    _around(files, "write_run_files", _report)
    _around(Path, "replace", _replace)


def cripple() -> None:
    """Takes the part out of the program that the environment asks for."""
    if os.environ.get("NO_SETTLE"):
        from etl import settle

        async def at_once(*_: object) -> None:
            return None

        _around(settle, "_wait", lambda _: at_once)
        _around(settle, "_stays", lambda _: settle._absent)
    if os.environ.get("BLIND"):
        from etl import change

        _around(change, "judge", _unread)
    if os.environ.get("NO_PACE"):
        from etl.hubspot.pace import Pace

        _around(Pace, "wait_s", lambda _: lambda *_: 0.0)
    if os.environ.get("NO_RECOVERY"):
        from etl.checkpoint import journal

        _around(journal, "begin_run", _unrecovered)
    if os.environ.get("BY_PLACE"):
        from etl.hubspot import objects

        _around(objects, "outcomes", _by_place)
    if os.environ.get("RETRY"):
        from etl.hubspot import door

        _around(door, "judge", _hasty)


def _around(where: Any, name: str, weaver: Callable[[Any], Any]) -> None:
    """Replaces what a module or a class has under this name; it must be there."""
    setattr(where, name, weaver(getattr(where, name)))


def _unread(original: Callable[..., Any]) -> Callable[..., Any]:
    """Sends every change, whatever the account holds."""

    def judge(due: Any, held: Any, *more: Any, **named: Any) -> Any:
        from etl.hubspot.target import Patch

        return Patch(due.remote_id, due.before, due.after) if held else original(due, held, *more, **named)

    return judge


def _unrecovered(original: Callable[..., int]) -> Callable[..., int]:
    """Leaves in flight what was so when the process started."""

    def begin_run(checkpoint: Any, *given: Any, **named: Any) -> int:
        from etl.checkpoint.seals import sealed

        left = checkpoint.rows("SELECT id FROM row WHERE state = 'in_flight'")
        run = original(checkpoint, *given, **named)
        with checkpoint.transaction() as db:
            in_flight = sealed(state="'in_flight'")
            db.executemany(f"UPDATE row SET {in_flight} WHERE id = ?", left)
        return run

    return begin_run


def _by_place(original: Callable[..., Any]) -> Callable[..., Any]:
    """Gives each row the id that stands at its place in the answer."""

    def outcomes(keys: list[str], answer: Any) -> Any:
        found = original(keys, answer)
        if any(outcome.state != "created" for outcome in found):
            return found
        results = answer.json["results"]
        return [outcome._replace(remote_id=str(result["id"])) for outcome, result in zip(found, results, strict=True)]

    return outcomes


def _hasty(original: Callable[..., Any]) -> Callable[..., Any]:
    def judge(*given: Any) -> Any:
        verdict, rows = original(*given)
        return verdict, "planned" if verdict.next == "unknown" else rows

    return judge


# -- the checkpoint ------------------------------------------------------------------------------------------------------


def _transaction(original: Callable[..., AbstractContextManager[Any]]) -> Callable[..., AbstractContextManager[Any]]:
    def transaction(checkpoint: Any) -> AbstractContextManager[Any]:
        caller = sys._getframe(1)
        names = _names(caller.f_code.co_name, caller.f_locals)
        return _woven(checkpoint.path, original(checkpoint), names)

    return transaction


def _names(function: str, given: dict[str, Any]) -> list[str]:
    """What a transaction is called here: after the function that opens it; the journal's after what it holds."""
    if function != "write":
        return [function]
    return ["outcome"] * bool(given["answers"]) + ["intent"] * bool(given["intents"])


@contextmanager
def _woven(path: Path, inner: AbstractContextManager[Any], names: list[str]) -> Iterator[Any]:
    from etl.checkpoint.store import storage_errors

    _all(DOOM.passing, names, "before")
    with inner as db:
        yield Connection(db) if "outcome" in names else db
        _all(DOOM.passing, names, "inside")
        DOOM.fail_commit(after=False)
        late = _all(DOOM.nearing, names, "syncing")
    with storage_errors(path):
        DOOM.fail_commit(after=True)
    _wait_for(late)
    _all(DOOM.passing, names, "committed")


def _all(how: Callable[[str], Timer | None], names: list[str], where: str) -> list[Timer | None]:
    return [how(f"{name}.{where}") for name in names]


def _wait_for(timers: Iterable[Timer | None]) -> None:
    for timer in timers:
        if timer:
            timer.join()


class Connection:
    """A connection on which one can die in the midst of a statement that stores outcomes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """The same, past a place after some steps of SQLite's own machine."""
        return self._watched(self._db.execute, sql, *values)

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """The same for many rows."""
        return self._watched(self._db.executemany, sql, *values)

    def _watched(self, statement: Callable[..., sqlite3.Cursor], sql: str, *values: Any) -> sqlite3.Cursor:
        if DOOM.name != "outcome.row" or "UPDATE row" not in sql:
            return statement(sql, *values)
        self._db.set_progress_handler(lambda: DOOM.passing("outcome.row"), 20)
        try:
            return statement(sql, *values)
        finally:
            self._db.set_progress_handler(None, 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


def _close(original: Callable[..., None]) -> Callable[..., None]:
    def close(checkpoint: Any) -> None:
        late = DOOM.nearing("closing", DOOM.after_s / 5)
        original(checkpoint)
        _wait_for([late])

    return close


# -- the wire ------------------------------------------------------------------------------------------------------------


def _ask(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def ask(transport: Any, method: str, path: str, *more: Any, **named: Any) -> Any:
        finding = FINDING.get()
        if finding:
            DOOM.passing("find.half")
        writes = ("/batch/create", "/batch/update", "/batch/archive", "/engagements/v1/engagements")
        creates = (method == "POST" and path.endswith(writes)) or method in {"PATCH", "PUT", "DELETE"}
        if creates:
            DOOM.passing("create.before")
        token = CREATING.set(creates)
        try:
            answer = await original(transport, method, path, *more, **named)
        finally:
            CREATING.reset(token)
        if finding is not None:
            finding.append(path)
        if creates:
            DOOM.passing("create.answered")
        return answer

    return ask


def _write(original: Callable[..., Any]) -> Callable[..., Any]:
    async def write(stream: Any, buffer: bytes, *more: Any, **named: Any) -> None:
        body_at = buffer.index(b"\r\n\r\n") + 4 if buffer.startswith((b"POST ", b"PATCH ")) else 0
        has_body = CREATING.get() and body_at < len(buffer)
        if has_body and DOOM.at("create.half_sent"):
            await original(stream, buffer[: (body_at + len(buffer)) // 2], *more, **named)
            DOOM.die()
        await original(stream, buffer, *more, **named)
        if has_body:
            DOOM.nearing("create.sent")

    return write


def _read(original: Callable[..., Any]) -> Callable[..., Any]:
    async def read(stream: Any, *given: Any, **named: Any) -> bytes:
        data: bytes = await original(stream, *given, **named)
        if CREATING.get():
            DOOM.passing("create.arriving")
        return data

    return read


def _find(original: Callable[..., Any]) -> Callable[..., Any]:
    async def find(target: Any, rows: Any) -> Any:
        token = FINDING.set([])
        try:
            return await original(target, rows)
        finally:
            FINDING.reset(token)

    return find


# -- settling, and the files of a run ------------------------------------------------------------------------------------


def _settle_wait(original: Callable[..., Any]) -> Callable[..., Any]:
    async def waiting(seconds: float, *more: Any) -> None:
        if seconds > 0:
            DOOM.nearing("settle.waiting", random.uniform(0, seconds))
        await original(seconds, *more)

    return waiting


def _report(original: Callable[..., Any]) -> Callable[..., Any]:
    def writing(*given: Any, **named: Any) -> Any:
        DOOM.passing("report.begin")
        return original(*given, **named)

    return writing


def _replace(original: Callable[..., Path]) -> Callable[..., Path]:
    def replacing(path: Path, target: Any) -> Path:
        ours = Path(target).parent.parent.name == "runs"
        if ours:
            DOOM.passing("report.unrenamed")
        moved = original(path, target)
        if ours:
            DOOM.passing("report.renamed")
        return moved

    return replacing


if __name__ == "__main__":
    from etl.cli import main

    weave()
    cripple()
    main()
