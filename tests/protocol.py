"""A machine that stages, sends, kills and goes on in any order, and after each step holds what is on disk against what
the account has. The invariants are those of the promise: no row twice, none lost, no wrong id, no request without its
intent on disk, no end of a row undone.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from etl import load, pipeline, settle
from etl.checkpoint import beside, counts, journal
from etl.checkpoint.segments import read_payloads
from etl.checkpoint.store import Checkpoint, open_checkpoint
from etl.errors import ConfigError, RemoteDown, TokenError, TryLater
from etl.flow import Key, State, key_text
from tests.conftest import make_linked, stage_all
from tests.faults import POISON
from tests.nights import DEATHS, DISKS, ENDINGS, INPUTS, PAUSES, ROWS, SCRIPTS, WIRES, Ending, Row
from tests.remote import Remote, Script
from tests.virtual import Clock, Fate, Killed, doomed_commits, live

SETTLE_S = 10.0
#: The loader's own sizes made small, so that a dozen rows fill pages, slices and groups.
SMALL = [
    (load, "PAGE_ROWS", 5), (load, "MAX_UNKNOWN", 6), (settle, "SLICE_ROWS", 4), (settle, "GROUP_ROWS", 3),
    (beside, "BALLAST_BYTES", 10),
]  # fmt: skip
MEMORY = Path("/dev/shm")


class Stored(NamedTuple):
    """A row as it is on disk."""

    state: str
    remote_id: str
    payload: bytes
    attempt: int
    doubts: int


@dataclass
class Ended:
    """When a run was asked to end."""

    at: float = float("inf")


class Protocol(RuleBasedStateMachine):
    """Nights of an importer on one checkpoint and one account."""

    settle_s = SETTLE_S  #: what the loader waits; the account keeps to SETTLE_S
    unknown_is: State = "unknown"  #: what the wire makes of rows without an answer
    varied = True  #: runs take either wire, and a row can change its type

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
        self.path = self.folder / "c.sqlite"
        self.clock = Clock()
        self.before: dict[Key, Stored] = {}
        self.latest: list[Row] = []
        self.changed: set[Key] = set()  #: rows that the step at hand may take up anew, since their wording is another
        self.retried = False
        self.forgotten: set[Key] = set()  #: rows of the account of which a mishap robbed the checkpoint
        self.strangers: set[Key] = set()  #: rows of which the account may hold another wording than the checkpoint
        self.damaged: set[Key] = set()  #: rows that a mishap changed
        self.suspect = False  #: a mishap was not noticed yet
        self.runs = 0
        self.sound = False  #: the last step came to its end, and what it left was well

    @initialize(batch=st.sampled_from([2, 5, 16]), strict=st.booleans(), rows=ROWS)
    def begin(self, batch: int, strict: bool, rows: list[Row]) -> None:
        self.remote = Remote(self.clock, SETTLE_S, self.path, batch, strict, self.unknown_is)
        self._life(rows, "objects", Script(), Ending("kill", "never"), send=False)

    @rule(
        rows=INPUTS, wire=WIRES, script=SCRIPTS, ending=ENDINGS, pause_s=PAUSES, disk_s=DISKS,
        only=st.sampled_from([False] * 4 + [True]),
    )  # fmt: skip
    def night(
        self,
        rows: list[Row] | None,
        wire: str,
        script: Script,
        ending: Ending,
        pause_s: float,
        disk_s: float,
        only: bool,
    ) -> None:
        """Stages an input (or goes on with the last one), and sends what there is."""
        self.clock.now += pause_s
        self._life(rows, wire, script, ending, only=only, disk_s=disk_s)

    @rule(rows=INPUTS, wire=WIRES, script=SCRIPTS, death=DEATHS, disk_s=DISKS)
    def short_night(self, rows: list[Row] | None, wire: str, script: Script, death: Ending, disk_s: float) -> None:
        """The same, but the process dies."""
        self._life(rows, wire, script, death, disk_s=disk_s)

    @rule(script=SCRIPTS, ending=ENDINGS)
    @precondition(lambda self: any(row.state == "unresolved" for row in self.before.values()))
    def retry(self, script: Script, ending: Ending) -> None:
        """Lets the unresolved rows be tried again."""
        self._life(None, "objects", script, ending, retry=True)

    @invariant()
    def the_disk_says_what_the_account_has(self) -> None:
        self.sound = False
        self.remote.catch_up()
        now, records = self._on_disk(), self.remote.keys()
        self.forgotten -= {key for key, row in now.items() if row.state == "created"}
        for key, n in records.items():
            assert n <= 1, f"{key} is there {n} times (I2)"
            assert key in now or key in self.forgotten, "a row was lost (I1)"
        for key, row in now.items():
            if self.suspect and key in self.damaged:
                continue
            assert row.attempt >= self.remote.seen[key], "more requests than intents (I7)"
            if row.state in ("planned", "parked", "rejected") and key not in self.forgotten:
                assert not records[key], f"{key} is there and {row.state} (I2)"
            if row.state == "created":
                self._check_created(key, row)
        self._check_steps(now)
        self.before = now
        self.sound = True

    def teardown(self) -> None:
        try:
            if self.sound:
                self._last_nights()
        finally:
            shutil.rmtree(self.folder)

    def _life(
        self, rows: list[Row] | None, wire: str, script: Script, ending: Ending,
        *, send: bool = True, only: bool = False, retry: bool = False, disk_s: float = 0.0,
    ) -> None:  # fmt: skip
        """One process, from its start to its end or death."""
        self.sound = False
        self.runs += 1
        wire = wire if self.varied else "objects"
        fate = Fate(ending.point, ending.at)
        self.remote.begin(script, fate)
        self.retried = retry
        self.changed = set()
        try:
            with ExitStack() as end:
                end.enter_context(doomed_commits(fate))
                opened = open_checkpoint(self.path, portal="sandbox 1", namespace="test")
                end.callback(opened.close)
                plan = self._stage(opened, rows)
                if send and plan:
                    run = self._begin_run(opened, plan, wire)
                    assert not opened.one("SELECT count(*) FROM row WHERE state = 'in_flight'"), "I6"
                    if retry:
                        journal.retry_unresolved(opened)
                    self._send(opened, plan, run, wire, fate, ending, only=only, disk_s=disk_s)
                    self._finish(opened, plan, run)
        except Killed:
            pass

    def _begin_run(self, opened: Checkpoint, plan: int, wire: str) -> int:
        return journal.begin_run(opened, f"run {self.runs}", plan, wire=wire)

    def _stage(self, opened: Checkpoint, rows: list[Row] | None) -> int:
        if rows is None:
            plan = opened.one("SELECT max(id) FROM plan WHERE finished")
            if plan or not self.latest:
                return plan
            rows = self.latest
        if not self.varied:
            rows = [row._replace(type="CALL" if row.number % 3 else "NOTE") for row in rows]
        for row in rows:
            known = self.before.get(row.key)
            if known is None or row.body.encode() not in known.payload or row.type.encode() not in known.payload:
                self.changed.add(row.key)
        self.latest = rows
        linked = make_linked(
            [f"n{row.number}" for row in rows],
            bodies=[row.body for row in rows],
            types=[row.type for row in rows],
            parked=["no contact" if row.version == 3 else None for row in rows],
        )
        return stage_all(opened, *([linked] if rows else []))

    def _send(
        self,
        opened: Checkpoint,
        plan: int,
        run: int,
        wire: str,
        fate: Fate,
        ending: Ending,
        *,
        only: bool,
        disk_s: float,
    ) -> None:
        """Sends as the command does; an error of the account's is an orderly end."""
        asked = Ended()

        async def main() -> None:
            stop, closing = asyncio.Event(), asyncio.Event()
            if ending.what in ("stop", "closing"):
                fate.act = partial(self._ask, asked, {"stop": stop, "closing": closing}[ending.what].set)
            await pipeline.send(
                opened, run, self.remote.target, wire, settle_s=self.settle_s, stop=stop, closing=closing,
                only_plan=plan if only else None,
            )  # fmt: skip

        def die() -> None:
            opened.db.close()
            self.remote.hang_up()

        with suppress(RemoteDown, TryLater, TokenError, ConfigError):  # as the script wills
            live(main, self.clock, fate, zero=97.0 * self.runs, disk_s=disk_s, at_death=die)
        assert self.remote.last_sent <= asked.at + 0.5, "something was sent after the run was asked to end"
        if ending.what == "stop":
            assert self.clock.now <= asked.at + load.GRACE_S + 1, "the run did not end in time"

    def _ask(self, asked: Ended, act: Callable[[], None]) -> None:
        asked.at = self.clock.now
        act()

    def _finish(self, opened: Checkpoint, plan: int, run: int) -> None:
        """The tally, as the command makes it."""
        tally = counts.tally(opened, plan, run)
        tally.read = counts.rows_read(opened, plan)
        assert tally.balanced, f"{tally} (I1)"
        new = [k for k, row in self._on_disk().items() if row.state == "created" and not self._was(k, "created")]
        found = tally.created + tally.carried.get("created", 0)
        assert found == len(new) or self.damaged, f"{tally}, and {len(new)} new (I1)"
        open_ = opened.one("SELECT count(*) FROM row WHERE state IN ('planned', 'in_flight', 'unknown')")
        journal.end_run(opened, run, complete=not tally.not_tried and not open_)

    def _was(self, key: Key, state: str) -> bool:
        return key in self.before and self.before[key].state == state

    def _on_disk(self) -> dict[Key, Stored]:
        """The rows of finished plans, seen from outside."""
        found = self.remote.on_disk(
            """SELECT row.key, row.state, coalesce(row.remote_id, ''), row.attempt, row.doubts, row.pos, segment.payloads
               FROM row JOIN input ON input.id = row.input JOIN plan ON plan.id = input.plan
               JOIN segment ON segment.id = row.segment WHERE plan.finished"""
        )
        return {
            key_text(key): Stored(state, remote_id, _payloads(blob)[pos], attempt, doubts)
            for key, state, remote_id, attempt, doubts, pos, blob in found
        }

    def _check_created(self, key: Key, row: Stored) -> None:
        records = self.remote.held.get(key, [])
        assert [record.id for record in records] == [row.remote_id], "not the record of this row (I4)"
        if key not in self.strangers:
            assert records[0].payload == row.payload, "not what was sent (I4)"

    def _check_steps(self, now: dict[Key, Stored]) -> None:
        """No row is lost, no end is undone (I5)."""
        for key, row in self.before.items():
            assert key in now, "a row was lost (I1)"
            if key in self.damaged:
                continue
            assert now[key].attempt >= row.attempt, "an attempt was forgotten (I7)"
            if row.state == "created":
                assert now[key][:3] == row[:3], f"{row} became {now[key]} (I5)"
            if row.state == "rejected" and key not in self.changed:
                assert now[key].state == "rejected", f"{row} became {now[key]} (I5)"
            if row.state == "unresolved" and not self.retried:
                assert now[key].state == "unresolved", f"{row} became {now[key]} (I5)"

    def _check_ends(self) -> None:
        """Every row has the end that it must have; what is unresolved has a cause."""
        for key, row in self._on_disk().items():
            if row.state == "unresolved":
                is_doubtful = key in self.remote.blinded or self.remote.doubted[key] >= settle.MAX_DOUBTS
                assert is_doubtful or key in self.damaged, f"{key} {row}"
                continue
            expected = "rejected" if POISON in row.payload else "parked" if b" v3" in row.payload else "created"
            has_other_wording = key in self.strangers and key in self.remote.held
            assert row.state == expected or (has_other_wording and row.state != "planned"), f"{key} {row}"

    def _last_nights(self) -> None:
        """All is well again: every row comes to its end, and then nothing is sent any more (I8, I10)."""
        self.clock.now += SETTLE_S
        self._life(None, "objects", Script(), Ending())
        self._check_ends()
        self.the_disk_says_what_the_account_has()
        self.remote.blinded.clear()
        self.remote.doubted.clear()
        self._life(None, "objects", Script(), Ending(), retry=True)
        self.the_disk_says_what_the_account_has()
        assert not any(row.state == "unresolved" and key not in self.damaged for key, row in self.before.items())
        self._check_ends()
        creates = self.remote.creates
        self._life(self.latest, "objects", Script(), Ending())
        if not self.changed:
            assert self.remote.creates == creates, "a further run sent something (I8)"
        self.clock.now += SETTLE_S
        self.the_disk_says_what_the_account_has()


@lru_cache(1000)
def _payloads(segment: bytes) -> list[bytes]:
    return read_payloads(segment)
