"""An account with a truth of its own, which misbehaves by script: what it holds, what it shows, and what it answers.

What it holds does not depend on the life of the process that asked: a request that has left commits when its time has
come, whoever still waits for the answer. Every create is held against what is on disk at that moment.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from etl.errors import ConfigError, RemoteDown, TryLater
from etl.flow import Engagement, Key, Outcome, RemoteId, State, key_bytes
from etl.hubspot.target import Place, Sent
from tests.faults import Fault, judged, written
from tests.virtual import Clock, Fate

LATENCY_S = 0.05
PLACES = ("all", "one", "ten", "none", "later", "down")
READS = ("ok", "blind", "long blind", "down", "repeats")

_BLIND = {"blind": 0.7, "long blind": 12.0}  #: settle times for which reads show nothing


class Held(NamedTuple):
    """A record of the account."""

    id: RemoteId
    payload: bytes
    type: str
    wire: str
    shown_at: float


@dataclass(eq=False)
class Request:
    """A request that has left: what it will write, and when."""

    rows: Sequence[Engagement]
    wire: str
    lag_s: float
    late_s: float = 0.0
    due: float = float("inf")


@dataclass
class Script:
    """What happens next; when a list is at its end, all is well."""

    faults: list[Fault] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)


@dataclass
class Remote:
    """The account. Whatever it writes can be read at most `settle_s` after the request ended, as the promise asks."""

    clock: Clock
    settle_s: float
    path: Path  #: the checkpoint
    batch: int = 16  #: rows in one create of the objects wire
    strict: bool = False  #: one poisonous row spoils its batch, always
    unknown_is: State = "unknown"  #: what a lost answer makes of its rows; anything else is a wrong verdict
    held: dict[Key, list[Held]] = field(default_factory=dict)
    coming: list[Request] = field(default_factory=list)
    open: list[Request] = field(default_factory=list)
    seen: Counter[Key] = field(default_factory=Counter)  #: how often a key was in a request
    creates: int = 0
    blinded: set[Key] = field(default_factory=set)  #: looked for in a read that showed nothing
    doubted: Counter[Key] = field(default_factory=Counter)  #: how often an answer left it in doubt
    last_sent: float = 0.0
    script: Script = field(default_factory=Script)
    fate: Fate = field(default_factory=Fate)
    _blind_until: float = 0.0
    _held_until: float = 0.0
    _ids: int = 1000

    def begin(self, script: Script, fate: Fate) -> None:
        """A new process, under a new script."""
        self.script = Script(list(script.faults), list(script.places), list(script.reads))
        self.fate, self._blind_until = fate, 0.0

    def target(self, wire: str) -> Wire:
        """The account as one wire shows it."""
        return Wire(self, wire, self.batch if wire == "objects" else 1)

    def hang_up(self) -> None:
        """The process that asked is gone: its requests end now."""
        for request in self.open:
            self._end(request)
        self.open.clear()

    def catch_up(self) -> None:
        """Writes what is due."""
        now = self.clock.now + 1e-6  # sums of floats
        due = [request for request in self.coming if request.due <= now]
        self.coming = [request for request in self.coming if request.due > now]
        for request in sorted(due, key=lambda request: request.due):
            for row in request.rows:
                self._ids += 1
                shown_at = request.due + request.lag_s
                record = Held(str(self._ids), row.payload, row.type, request.wire, shown_at)
                self.held.setdefault(row.key, []).append(record)

    def keys(self) -> Counter[Key]:
        """How many records each key has, or will have."""
        coming = [row.key for request in self.coming for row in request.rows]
        return Counter({key: len(records) for key, records in self.held.items()}) + Counter(coming)

    def depart(self, rows: Sequence[Engagement], wire: str, fault: Fault) -> Request:
        """Takes a request up: what it writes is settled here, whatever becomes of the asker."""
        busy = {row.key for request in self.open for row in request.rows}
        assert not busy & {row.key for row in rows}, "a row is in two requests at once (I7)"
        self._check_intent(rows)
        self.creates += 1
        self.seen.update(row.key for row in rows)
        self.last_sent = self.clock.now
        late_s = self.settle_s * 0.3 * fault.late
        request = Request(
            written(rows, fault, strict=self.strict), wire, (self.settle_s - late_s) * 0.33 * fault.lag, late_s
        )
        if request.rows and fault.kind not in ("late", "hang"):
            request.due = self.clock.now + LATENCY_S
        self.coming += [request] * bool(request.rows)
        self.open.append(request)
        return request

    def end(self, request: Request) -> None:
        """The asker has its answer, or waits no longer."""
        if request in self.open:
            self.open.remove(request)
            self._end(request)

    def show(self, rows: Sequence[Engagement], wire: str) -> Mapping[Key, list[RemoteId]]:
        """What a read shows."""
        self.catch_up()
        read = self.script.reads.pop(0) if self.script.reads else "ok"
        if read == "down":
            raise RemoteDown("no useful answer")
        if read in _BLIND:
            self._blind_until = self.clock.now + self.settle_s * _BLIND[read]
        if self.clock.now < self._blind_until and self._has_a_control(rows, wire):
            self.blinded |= {row.key for row in rows}
            return {}
        seen = {}
        for row in rows:
            way, now = (wire, row.type), self.clock.now
            ids = [r.id for r in self.held.get(row.key, []) if (r.wire, r.type) == way and r.shown_at <= now]
            if ids:
                seen[row.key] = ids * (2 if read == "repeats" else 1)
        return seen

    def place(self, most: int) -> Place:
        """Leave to send."""
        if self._held_until > self.clock.now:
            return Place(0, self._held_until - self.clock.now)
        place = self.script.places.pop(0) if self.script.places else "all"
        if place == "later":
            raise TryLater("the day's allowance is used up")
        if place == "down":
            raise RemoteDown("unwell too often")
        return {"none": Place(0, 0.7), "one": Place(1), "ten": Place(min(10, most))}.get(place, Place(most))

    def wait(self, seconds: float) -> None:
        """Gives no places for so long."""
        self._held_until = self.clock.now + seconds

    def on_disk(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        """What a query of the checkpoint gives at this moment, seen from outside the process; nothing without one."""
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'row'").fetchone():
                return []
            return db.execute(sql, values).fetchall()

    def _end(self, request: Request) -> None:
        request.due = min(request.due, self.clock.now + request.late_s)

    def _check_intent(self, rows: Sequence[Engagement]) -> None:
        marks = ", ".join("?" * len(rows))
        sql = f"SELECT key, state, attempt FROM row WHERE key IN ({marks})"
        found = {key: rest for key, *rest in self.on_disk(sql, *(key_bytes(row.key) for row in rows))}
        for row in rows:
            expected = ["in_flight", row.attempt + 1]
            assert found[key_bytes(row.key)] == expected, f"{found} at the moment of sending (I3)"

    def _has_a_control(self, rows: Sequence[Engagement], wire: str) -> bool:
        """A read can be told blind only where something is known that it should show; before that the promise
        supposes that reading works."""
        sql = """SELECT count(DISTINCT type) FROM row JOIN request ON request.id = row.request
            WHERE state = 'created' AND type IN (?, ?) AND wire = ?"""
        types = sorted({row.type for row in rows})
        return bool(self.on_disk(sql, types[0], types[-1], wire) == [(len(types),)])


class Wire:
    """A `Target` onto the account."""

    def __init__(self, remote: Remote, wire: str, max_batch: int) -> None:
        self.remote = remote
        self.wire = wire
        self.max_batch = max_batch
        self._places: list[int] = []

    def notice(self) -> str:
        return ""

    def place(self) -> Place:
        place = self.remote.place(self.max_batch)
        self._places += [place.rows] * bool(place.rows)
        return place

    async def create(self, rows: Sequence[Engagement]) -> Sent:
        remote = self.remote
        place = min((rows_ for rows_ in self._places if rows_ >= len(rows)), default=None)
        assert place is not None, "a create without a place, or with more rows than it had"
        self._places.remove(place)
        assert len({row.type for row in rows}) == 1
        remote.fate.pass_("before request")
        fault = remote.script.faults.pop(0) if remote.script.faults else Fault()
        if fault.kind == "error before":
            raise RemoteDown("the connection broke in a way that was not foreseen")
        request = remote.depart(rows, self.wire, fault)
        try:
            await asyncio.sleep(LATENCY_S)
            remote.catch_up()
            remote.fate.pass_("after request")
            await asyncio.sleep(40.0 * (1 + fault.part % 2) if fault.kind == "hang" else LATENCY_S * (fault.part % 5))
            return self._answer(rows, fault, {row.key for row in request.rows})
        finally:
            remote.end(request)

    async def find(self, rows: Sequence[Engagement]) -> Mapping[Key, list[RemoteId]]:
        await asyncio.sleep(LATENCY_S)
        return self.remote.show(rows, self.wire)

    async def close(self) -> None:
        return None

    def _answer(self, rows: Sequence[Engagement], fault: Fault, stored: set[Key]) -> Sent:
        """The answer, with outcomes in another order than the rows."""
        if fault.kind == "error after":
            raise ConfigError("something in the answer was not foreseen")
        verdict, fates = judged(rows, fault, stored, strict=self.remote.strict)
        if verdict.wait_s:
            self.remote.wait(verdict.wait_s)
        outcomes = []
        for row, fate in zip(rows, fates, strict=True):
            state = self.remote.unknown_is if fate == "unknown" and verdict.next == "unknown" else fate
            id_ = self.remote.held[row.key][-1].id if state == "created" else ""
            outcomes.append(Outcome(row.key, state, id_, verdict.reason))
            self.remote.doubted[row.key] += state == "unknown" or verdict.next == "split"
        return Sent(outcomes[::-1], verdict)
