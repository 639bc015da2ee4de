"""A plan that was only looked at is sent by the run that takes it up, and by no other; what was owed before stays owed."""

from __future__ import annotations

import pytest

from etl.checkpoint import counts, journal, staging
from etl.checkpoint.folding import fold
from etl.checkpoint.store import Checkpoint
from etl.flow import Linked
from tests.checkpoint.test_staging import create_all
from tests.conftest import make_linked, stage_all


def look_at(checkpoint: Checkpoint, *chunks: Linked, fingerprint: str = "looked") -> int:
    plan = staging.begin_plan(checkpoint, fingerprint, "mapping", looking=True)
    input_ = staging.add_input(checkpoint, plan, "looked.csv", ["Id", "Body"])
    pack = staging.is_empty(checkpoint)
    for chunk in chunks:
        staging.stage(checkpoint, input_, fold(chunk, pack=pack), read=len(chunk), rejects=[], skipped={})
    staging.judge_repeats(checkpoint, plan)
    staging.finish_plan(checkpoint, plan)
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

    assert bodies(checkpoint) == (["new", "c"] if state == "planned" else ["c"])
    assert counts.states(checkpoint) == ({"planned": 2} if state == "planned" else {"created": 1, "planned": 1})


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
