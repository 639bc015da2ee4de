"""The loader and the settling, against an account in memory that misbehaves on demand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from time import monotonic

import pytest

from etl import pipeline
from etl.checkpoint import counts, journal
from etl.checkpoint.store import Checkpoint
from etl.errors import ConfigError, RemoteDown, TokenError, TooManyRejects, TryLater
from etl.flow import Engagement, Outcome
from etl.hubspot.target import Sent, Verdict
from tests.conftest import DONE, FakeAccount, make_linked, stage_all

NO_WAIT = 0.02


def sent(
    checkpoint: Checkpoint, plan: int, account: FakeAccount, stop: asyncio.Event | None = None
) -> tuple[int, counts.Tally]:
    """A run of everything planned, and its tally."""
    run = journal.begin_run(checkpoint, f"run {random.random()}", plan)

    async def go() -> None:
        await pipeline.send(
            checkpoint, run, lambda _: account, "objects", settle_s=NO_WAIT, stop=stop or asyncio.Event()
        )

    try:
        asyncio.run(go())
    finally:
        tally = counts.tally(checkpoint, plan, run)
        tally.read = counts.rows_read(checkpoint, plan)
        assert tally.balanced, tally
    return run, tally


def once_each(account: FakeAccount, rows: int) -> bool:
    return len(account.held) == rows and all(len(ids) == 1 for ids in account.held.values())


def test_every_planned_row_is_created_once_in_batches_of_one_type(checkpoint: Checkpoint) -> None:
    account = FakeAccount()
    names = [f"n{i}" for i in range(450)]
    plan = stage_all(checkpoint, make_linked(names, types=["NOTE", "CALL", "CALL"] * 150))

    _, tally = sent(checkpoint, plan, account)

    assert tally.by_type == {"CALL": 300, "NOTE": 150}
    assert tally.links == {"contacts": 450}
    assert once_each(account, 450)
    assert sorted(map(len, account.requests)) == [50, 100, 100, 100, 100]


def test_a_second_run_sends_nothing(checkpoint: Checkpoint) -> None:
    account = FakeAccount()
    sent(checkpoint, stage_all(checkpoint, make_linked(["a", "b"])), account)
    before = len(account.requests)

    _, tally = sent(checkpoint, stage_all(checkpoint, make_linked(["a", "b"])), account)

    assert (tally.created, tally.already) == (0, 2)
    assert len(account.requests) == before


@pytest.mark.parametrize("taken_before", [300, 0])
def test_refusals_are_judged_with_what_the_account_took_of_the_plan_before(
    checkpoint: Checkpoint, taken_before: int
) -> None:
    account = FakeAccount(max_batch=30)  # ten workers: 300 rows are under way before the first answer
    names = [f"n{i}" for i in range(taken_before + 60)]
    plan = stage_all(checkpoint, make_linked(names))
    if taken_before:
        account.gives_up_after = 1
        with pytest.raises(RemoteDown):
            sent(checkpoint, plan, account)
        account.gives_up_after = 0
    account.answer = lambda *_: Verdict("refused", "no such deal")

    if not taken_before:
        with pytest.raises(TooManyRejects, match="refused 60 of the first 60"):
            sent(checkpoint, plan, account)
    else:
        _, tally = sent(checkpoint, plan, account)
        assert (tally.already, tally.rejected) == (300, 60)


def test_an_answer_lost_after_the_write_is_found_and_not_sent_again(checkpoint: Checkpoint) -> None:
    account = FakeAccount()

    def lose_the_first(_: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        write()
        return Verdict("unknown", "time-out") if len(account.requests) == 1 else DONE

    account.answer = lose_the_first
    _, tally = sent(checkpoint, stage_all(checkpoint, make_linked([f"n{i}" for i in range(150)])), account)

    assert tally.created == 150
    assert once_each(account, 150)
    assert len(account.requests) == 2


def test_an_answer_lost_before_the_write_is_proved_absent_and_sent_again(checkpoint: Checkpoint) -> None:
    account = FakeAccount()

    def refuse_the_first(_: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        if len(account.requests) == 1:
            return Verdict("unknown", "502")
        write()
        return DONE

    account.answer = refuse_the_first
    _, tally = sent(checkpoint, stage_all(checkpoint, make_linked([f"n{i}" for i in range(150)])), account)

    assert tally.created == 150
    assert once_each(account, 150)


def test_without_the_read_back_the_same_fault_makes_duplicates(checkpoint: Checkpoint) -> None:
    """The negative control: rows of a lost answer put back to planned, as loaders that retry do."""
    account = FakeAccount()

    def lose_the_first(rows: Sequence[Engagement], write: Callable[[], None]) -> Sent:
        write()
        state = "planned" if len(account.requests) == 1 else "created"
        return Sent([Outcome(row.key, state, account.held[row.key][0]) for row in rows], DONE)

    account.answer = lose_the_first
    sent(checkpoint, stage_all(checkpoint, make_linked([f"n{i}" for i in range(50)])), account)

    assert not once_each(account, 50)


def test_silence_of_a_read_that_does_not_show_a_known_row_proves_nothing(checkpoint: Checkpoint) -> None:
    account = FakeAccount()
    sent(checkpoint, stage_all(checkpoint, make_linked(["known"])), account)

    def lose_and_go_blind(_: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        write()
        account.blind = True
        return Verdict("unknown", "time-out")

    account.answer = lose_and_go_blind
    _, tally = sent(checkpoint, stage_all(checkpoint, make_linked(["a", "b"])), account)

    assert (tally.unresolved, tally.created) == (2, 0)
    assert once_each(account, 3)
    [row, _] = counts.open_rows(checkpoint, ("unresolved",))
    assert "proves nothing" in row.reason

    account.blind, account.answer = False, account.accept
    _, tally = sent(checkpoint, stage_all(checkpoint, make_linked(["a", "b"])), account)
    assert (tally.unresolved, tally.created) == (2, 0), "an unresolved row is never sent by itself"


def test_the_row_that_spoils_its_batch_is_alone_in_the_end_and_rejected(checkpoint: Checkpoint) -> None:
    account = FakeAccount()
    names = [f"n{i}" for i in range(250)]
    plan = stage_all(checkpoint, make_linked(names))
    poison = journal.due(checkpoint, "planned", after=0, rows=1000)[137].engagement.key

    def all_or_nothing(rows: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        if poison in {row.key for row in rows}:
            return Verdict("refused" if len(rows) == 1 else "split", "400 VALIDATION_ERROR")
        write()
        return DONE

    account.answer = all_or_nothing
    _, tally = sent(checkpoint, plan, account)

    assert (tally.created, tally.rejected) == (249, 1)
    assert once_each(account, 249)


def test_what_is_never_answered_is_unresolved_after_some_attempts_and_listed(checkpoint: Checkpoint) -> None:
    account = FakeAccount()
    plan = stage_all(checkpoint, make_linked(["good", "bad"], types=["NOTE", "CALL"]))
    bad = journal.due(checkpoint, "planned", after=0, rows=1000)[1].engagement.key

    def never(rows: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        if bad in {row.key for row in rows}:
            return Verdict("unknown", "500")
        write()
        return DONE

    account.answer = never
    _, tally = sent(checkpoint, plan, account)

    assert (tally.created, tally.unresolved) == (1, 1)
    assert sum(bad in keys for keys in account.requests) == 4


def test_a_rate_limit_is_waited_for_and_costs_no_row(checkpoint: Checkpoint) -> None:
    account = FakeAccount()

    def limit_every_other(_: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        if len(account.requests) % 2:
            return Verdict("wait", "429", wait_s=0.01)
        write()
        return DONE

    account.answer = limit_every_other
    _, tally = sent(checkpoint, stage_all(checkpoint, make_linked([f"n{i}" for i in range(950)])), account)

    assert tally.created == 950
    assert once_each(account, 950)


def test_an_api_that_does_not_answer_ends_the_run_with_everything_planned(checkpoint: Checkpoint) -> None:
    account = FakeAccount()
    account.answer = lambda *_: Verdict("not_sent", "connection refused")
    account.gives_up_after = 20
    plan = stage_all(checkpoint, make_linked([f"n{i}" for i in range(950)]))

    with pytest.raises(RemoteDown, match="connection refused"):
        sent(checkpoint, plan, account)

    assert counts.states(checkpoint) == {"planned": 950}


@pytest.mark.parametrize(("code", "kind"), [(77, TokenError), (75, TryLater), (78, ConfigError), (69, RemoteDown)])
def test_a_stop_verdict_ends_the_run_with_its_own_exit_code(
    checkpoint: Checkpoint, code: int, kind: type[Exception]
) -> None:
    account = FakeAccount()
    account.answer = lambda *_: Verdict("stop", "401 EXPIRED_AUTHENTICATION", exit_code=code)

    with pytest.raises(kind) as raised:
        sent(checkpoint, stage_all(checkpoint, make_linked(["a"])), account)
    assert raised.value.exit_code == code  # type: ignore[attr-defined]


def test_a_stop_sends_nothing_more_and_waits_for_answers_under_way(checkpoint: Checkpoint) -> None:
    account = FakeAccount(max_batch=10)
    stop = asyncio.Event()

    def stop_at_the_third(_: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        write()
        if len(account.requests) == 3:
            stop.set()
        return DONE

    account.answer = stop_at_the_third
    plan = stage_all(checkpoint, make_linked([f"n{i}" for i in range(500)]))
    _, tally = sent(checkpoint, plan, account, stop)

    assert tally.unresolved == 0
    assert tally.created == len(account.held) < 500
    assert tally.not_tried == 500 - tally.created

    account.answer = account.accept
    _, tally = sent(checkpoint, plan, account)
    assert once_each(account, 500)


def test_the_settle_time_is_waited_before_the_first_read(checkpoint: Checkpoint) -> None:
    account = FakeAccount()
    late: list[Sequence[Engagement]] = []
    begun = monotonic()

    def commit_late(rows: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        if len(account.requests) == 1:
            asyncio.get_running_loop().call_later(0.15, lambda: account.write(rows))
            late.append(rows)
            return Verdict("unknown", "reset")
        write()
        return DONE

    account.answer = commit_late
    plan = stage_all(checkpoint, make_linked(["a", "b"]))
    run = journal.begin_run(checkpoint, "r", plan)
    asyncio.run(pipeline.send(checkpoint, run, lambda _: account, "objects", settle_s=0.3, stop=asyncio.Event()))

    assert once_each(account, 2)
    assert monotonic() - begun >= 0.3
