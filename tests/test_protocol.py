"""The write protocol against everything that can happen to it, in virtual time: see `protocol` for the machine.

`EXAMPLES=5000 pytest tests/test_protocol.py` looks longer, each time elsewhere, and at
more of the controls.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from etl import dispatch, load, settle
from etl.checkpoint import integrity, journal
from etl.checkpoint.integrity import ROLLED_BACK
from etl.checkpoint.journal import Answer, Intent, begin_run
from etl.checkpoint.seals import sealed
from etl.checkpoint.store import Checkpoint
from etl.errors import DamagedCheckpoint, TryLater
from etl.flow import Engagement, key_bytes
from etl.hubspot.target import Sent, Target
from tests.protocol import SETTLE_S, SMALL, Protocol

CHANGES = ["state = 'planned'", "state = 'created'", "state = 'rejected'", "remote_id = '7'", "hash = zeroblob(16)"]
EXAMPLES = int(os.environ.get("EXAMPLES", "0"))


def usual(examples: int) -> settings:
    """Settings under which a machine runs; always the same examples unless `EXAMPLES` says how many others."""
    return settings(
        max_examples=EXAMPLES or examples or 1, stateful_step_count=12, deadline=None, derandomize=not EXAMPLES, database=None,
        suppress_health_check=list(HealthCheck), print_blob=True, report_multiple_bugs=False,
        phases=[Phase.generate, *([Phase.shrink] if EXAMPLES else [])],
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with ExitStack() as patches:
        for module, name, value in SMALL:
            patches.enter_context(mock.patch.object(module, name, value))
        yield


class Mishaps(Protocol):
    """The same, and now and then the checkpoint itself is lost, replaced by an old copy, or damaged; then the person
    does as the error says: the same command with --reconcile.

    A request by another wire, or of another type, cannot be found once the checkpoint has forgotten it: there is one
    wire, and no row changes its type.
    """

    varied = False

    @rule()
    def copy(self) -> None:
        """Somebody makes a backup."""
        copy = self.folder / "copy"
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path)) as db, closing(sqlite3.connect(copy)) as to:
            db.backup(to)

    @rule()
    @precondition(lambda self: (self.folder / "copy").exists())
    def put_back(self) -> None:
        """Somebody puts the backup in the checkpoint's place."""
        self._remove()
        shutil.copy(self.folder / "copy", self.path)
        self._forget()

    @rule()
    @precondition(lambda self: self.before)
    def lose(self) -> None:
        """Somebody deletes the checkpoint; the mark beside it stays."""
        self._remove()
        self._forget()

    @rule(row=st.integers(0, 50), change=st.sampled_from(CHANGES))
    @precondition(lambda self: self.before)
    def damage(self, row: int, change: str) -> None:
        """A disk changes a value."""
        key = sorted(self.before)[row % len(self.before)]
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(f"UPDATE row SET {change} WHERE key = ?", [key_bytes(key)])
        self.damaged.add(key)
        self._forget()

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def _forget(self) -> None:
        """What the account has beyond the checkpoint is no longer held against the loader, as long as it is not sent again."""
        self.before, records = self._on_disk(), self.remote.keys()
        known = {key for key, row in self.before.items() if row.state not in ("planned", "parked", "rejected")}
        self.forgotten |= records.keys() - (known - self.damaged)
        self.strangers |= records.keys()
        self.remote.seen.clear()
        self.suspect = True

    def _begin_run(self, opened: Checkpoint, plan: int, wire: str) -> int:
        try:
            run = super()._begin_run(opened, plan, wire)
        except (DamagedCheckpoint, TryLater) as e:
            if not self.suspect or e.code not in (ROLLED_BACK, "DamagedCheckpoint"):
                raise
            run = journal.begin_run(opened, f"run {self.runs}", plan, wire=wire, reconcile=True)
        self.suspect = False
        return run


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("machine", "examples"), [(Protocol, 40), (Mishaps, 40)])
def test_nothing_is_lost_and_nothing_twice_whatever_happens(machine: type[Protocol], examples: int) -> None:
    run_state_machine_as_test(machine, settings=usual(examples))


class Forgetful(Mishaps):
    def _begin_run(self, opened: Checkpoint, plan: int, wire: str) -> int:
        run = super()._begin_run(opened, plan, wire)
        with opened.transaction() as db:
            db.execute("DELETE FROM meta WHERE name = 'doubt'")
        return run


class NoWait(Protocol):
    settle_s = 0.0


class ShortWait(Protocol):
    settle_s = 0.6 * SETTLE_S


class TightWait(Protocol):
    settle_s = 0.9 * SETTLE_S


class SendsAgain(Protocol):
    unknown_is = "planned"


def _in_flight_is_planned(checkpoint: Checkpoint, *arguments: Any, **options: Any) -> int:
    with checkpoint.transaction() as db:
        planned = sealed(state="'planned'")
        db.execute(f"UPDATE row SET {planned} WHERE state = 'in_flight'")
    return begin_run(checkpoint, *arguments, **options)


async def _intent_after_the_request(rows: Sequence[Engagement], target: Target, journal_: dispatch.Journal) -> Sent:
    sent = await target.create(rows)
    request = await journal_.write(Intent(target.wire, [row.number for row in rows]))
    numbers = {row.key: row.number for row in rows}
    answered = [numbers[outcome.key] for outcome in sent.outcomes]
    await journal_.write(Answer(request, answered, sent.outcomes, "", ""))
    return sent


CONTROLS = {
    "no settle wait": (NoWait, None, "", None),
    "an answer that did not come is sent again": (SendsAgain, None, "", None),
    "what was in flight at a start is sent again": (Protocol, journal, "begin_run", _in_flight_is_planned),
    "silence is believed without a control": (Protocol, settle, "last_created", lambda *_: None),
    "an old copy is believed": (Mishaps, integrity, "verify", lambda *_, **__: None),
    "intent after the request": (Protocol, load, "dispatch", _intent_after_the_request),
}
if EXAMPLES:  # those that are found by some hundred examples only
    CONTROLS |= {
        "a settle wait shorter than the index lags": (ShortWait, None, "", None),
        "one look, after a settle wait that is a little short": (TightWait, settle, "_stays", settle._absent),
        "what later exports bring again is not looked for": (Forgetful, None, "", None),
    }


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("control", CONTROLS)
def test_a_loader_without_a_part_of_the_protocol_is_found_out(control: str) -> None:
    """The negative controls: a machine that does not see these would prove nothing."""
    machine, module, name, wrong = CONTROLS[control]
    patch = mock.patch.object(module, name, wrong) if module else nullcontext()
    known = settings(usual(0), max_examples=max(400, EXAMPLES), derandomize=True, phases=[Phase.generate])
    with patch, pytest.raises(AssertionError, match=r"\(I\d\)"):
        run_state_machine_as_test(machine, settings=known)
