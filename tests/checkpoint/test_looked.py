"""A plan that was only looked at is sent by the run that takes it up, and by no other; what was owed before stays owed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from etl.checkpoint import counts, journal, seals, staging
from etl.checkpoint.folding import fold
from etl.checkpoint.store import Checkpoint
from etl.errors import DamagedCheckpoint
from etl.flow import Linked, Outcome
from tests.checkpoint.test_staging import create_all
from tests.conftest import make_linked, stage_all


def look_at(checkpoint: Checkpoint, *chunks: Linked, fingerprint: str = "looked", again: bool = False) -> int:
    plan = staging.begin_plan(checkpoint, fingerprint, "mapping", looking=True)
    input_ = staging.add_input(checkpoint, plan, "looked.csv", ["Id", "Body"])
    pack = staging.is_empty(checkpoint)
    for chunk in chunks:
        staging.stage(checkpoint, input_, fold(chunk, pack=pack), read=len(chunk), rejects=[], skipped={})
    staging.judge_repeats(checkpoint, plan)
    staging.finish_plan(checkpoint, plan, again=again)
    return plan


def bodies(checkpoint: Checkpoint) -> list[str]:
    rows = journal.due(checkpoint, "planned", after=0, rows=100)
    return [row.engagement.payload.decode().split('"body":"')[1].split('"')[0] for row in rows]


def test_another_plan_drops_it(checkpoint: Checkpoint) -> None:
    look_at(checkpoint, make_linked(["a", "b"], bodies=["wrong a", "wrong b"]))

    plan = stage_all(checkpoint, make_linked(["c"], bodies=["right"]))
    journal.begin_run(checkpoint, "r", plan)

    assert bodies(checkpoint) == ["right"]
    assert checkpoint.one("SELECT count(*) FROM segment") == 1


def test_a_plan_that_a_run_was_to_send_is_not_dropped(checkpoint: Checkpoint) -> None:
    stage_all(checkpoint, make_linked(["a"], bodies=["owed"]))

    plan = stage_all(checkpoint, make_linked(["c"], bodies=["new"]))
    journal.begin_run(checkpoint, "r", plan)

    assert bodies(checkpoint) == ["owed", "new"]


def test_the_run_that_takes_it_up_sends_it_and_later_ones_owe_it(checkpoint: Checkpoint) -> None:
    looked = look_at(checkpoint, make_linked(["a", "b"], bodies=["a", "b"]))
    assert staging.resumable_plan(checkpoint, "looked") == looked
    journal.begin_run(checkpoint, "r1", looked)

    later = stage_all(checkpoint, make_linked(["c"], bodies=["c"]))
    journal.begin_run(checkpoint, "r2", later)

    assert bodies(checkpoint) == ["a", "b", "c"]


def test_a_run_of_something_else_drops_it(checkpoint: Checkpoint) -> None:
    look_at(checkpoint, make_linked(["a"]))

    journal.begin_run(checkpoint, "r", None)

    assert bodies(checkpoint) == []


@pytest.mark.parametrize("state", ["planned", "created"])
def test_rows_that_were_there_before_it_stay(checkpoint: Checkpoint, state: str) -> None:
    first = stage_all(checkpoint, make_linked(["a"], bodies=["old"]))
    if state == "created":
        create_all(checkpoint, first)

    look_at(checkpoint, make_linked(["a", "b"], bodies=["new", "only looked at"]))
    plan = stage_all(checkpoint, make_linked(["c"], bodies=["c"]))
    journal.begin_run(checkpoint, "r2", plan)

    assert bodies(checkpoint) == (["old", "c"] if state == "planned" else ["c"])
    assert counts.states(checkpoint) == ({"planned": 2} if state == "planned" else {"created": 1, "planned": 1})


def refused(checkpoint: Checkpoint) -> None:
    """One row, sent and refused by the account."""
    run = journal.begin_run(checkpoint, "r", stage_all(checkpoint, make_linked(["a"], bodies=["old"])))
    [row] = journal.due(checkpoint, "planned", after=0, rows=10)
    [request] = journal.write(checkpoint, run, [journal.Intent("objects", [row.number])], [])
    outcome = Outcome(row.engagement.key, "rejected", "", "no such owner")
    journal.write(checkpoint, run, [], [journal.Answer(request, [row.number], [outcome], "refused", "")])
    journal.end_run(checkpoint, run, complete=True)


def undone(checkpoint: Checkpoint) -> None:
    """One row, created and taken back."""
    create_all(checkpoint, stage_all(checkpoint, make_linked(["a"], bodies=["old"])))
    taken_back = seals.sealed(state="'undone'", remote_id="NULL")
    with checkpoint.transaction() as db:
        db.execute(f"UPDATE row SET {taken_back}")


@pytest.mark.parametrize("before", [refused, undone])
def test_a_row_whose_fate_was_sealed_has_it_again_when_the_look_is_dropped(
    checkpoint: Checkpoint, before: Callable[[Checkpoint], None]
) -> None:
    before(checkpoint)
    was = checkpoint.rows("SELECT * FROM row")

    look_at(checkpoint, make_linked(["a"], bodies=["looked at"]), again=True)
    assert bodies(checkpoint) == ["looked at"]
    other = journal.begin_run(checkpoint, "other", None)
    assert (bodies(checkpoint), checkpoint.rows("SELECT * FROM row")) == ([], was)
    journal.end_run(checkpoint, other, complete=True)

    looked = look_at(checkpoint, make_linked(["a"], bodies=["looked at"]), again=True)
    journal.begin_run(checkpoint, "taken up", looked)
    journal.begin_run(checkpoint, "later", None)
    assert bodies(checkpoint) == ["looked at"]


def test_what_a_look_kept_is_forgotten_by_the_run_that_takes_it_up(checkpoint: Checkpoint) -> None:
    stage_all(checkpoint, make_linked(["a"], bodies=["owed"]))
    create_all(checkpoint, look_at(checkpoint, make_linked(["a"], bodies=["looked at"])))
    assert counts.states(checkpoint) == {"created": 1}

    look_at(checkpoint, make_linked(["b"]), fingerprint="another")
    journal.begin_run(checkpoint, "other", None)

    assert counts.states(checkpoint) == {"created": 1}


def test_damage_to_what_is_kept_aside_is_noticed(checkpoint: Checkpoint) -> None:
    stage_all(checkpoint, make_linked(["a"], bodies=["owed"]))
    look_at(checkpoint, make_linked(["a"], bodies=["looked at"]))
    checkpoint.db.execute("UPDATE before_look SET links = '|666|||'")

    with pytest.raises(DamagedCheckpoint, match=r"in\.csv:2"):
        journal.begin_run(checkpoint, "r", None)


def test_a_look_leaves_no_change_behind(checkpoint: Checkpoint) -> None:
    create_all(checkpoint, stage_all(checkpoint, make_linked(["a"], bodies=["old"])))
    plan = staging.begin_plan(checkpoint, "f", "m", looking=True)
    input_ = staging.add_input(checkpoint, plan, "in.csv", ["Id", "Body"])
    changed = fold(make_linked(["a"], bodies=["wrong"]), pack=False)
    staging.stage(checkpoint, input_, changed, read=1, rejects=[], skipped={}, keep_changed=True)
    staging.judge_repeats(checkpoint, plan)
    staging.finish_plan(checkpoint, plan)
    assert checkpoint.one("SELECT count(*) FROM change") == 1

    stage_all(checkpoint, make_linked(["a"], bodies=["old"]))

    assert checkpoint.one("SELECT count(*) FROM change") == 0
