"""Half one's side of the checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.checkpoint import counts, journal, segments, staging
from etl.checkpoint.folding import fold
from etl.checkpoint.store import Checkpoint
from etl.flow import Linked, Outcome, Problem, Reject, key_text
from etl.report.files import write_run_files
from tests.conftest import make_linked, stage_all


def states(checkpoint: Checkpoint) -> dict[str, int]:
    return counts.states(checkpoint)


def create_all(checkpoint: Checkpoint, plan: int) -> int:
    run = journal.begin_run(checkpoint, f"run of {plan}", plan)
    rows = journal.due(checkpoint, "planned", after=0, rows=1000)
    numbers = [row.number for row in rows]
    [request] = journal.write(checkpoint, run, [journal.Intent("objects", numbers)], [])
    outcomes = [Outcome(row.engagement.key, "created", str(i)) for i, row in enumerate(rows, 1)]
    journal.write(checkpoint, run, [], [journal.Answer(request, numbers, outcomes, "done", "")])
    journal.end_run(checkpoint, run, complete=True)
    return run


def balanced(checkpoint: Checkpoint, plan: int, run: int | None = None) -> counts.Tally:
    tally = counts.tally(checkpoint, plan, run)
    tally.read = counts.rows_read(checkpoint, plan)
    assert tally.balanced, tally
    return tally


def test_an_equal_row_further_down_is_already_there_and_not_sent_twice(checkpoint: Checkpoint) -> None:
    plan = stage_all(checkpoint, make_linked(["a", "b"]), make_linked(["a"], lines=[9]))

    tally = balanced(checkpoint, plan)
    assert (tally.not_tried, tally.already) == (2, 1)
    assert states(checkpoint) == {"planned": 2}


@pytest.mark.parametrize("together", [True, False], ids=["one chunk", "two chunks"])
def test_other_content_under_the_same_key_is_rejected_naming_the_first_line(
    checkpoint: Checkpoint, *, together: bool
) -> None:
    if together:
        plan = stage_all(checkpoint, make_linked(["a", "a"], bodies=["one", "two"]))
    else:
        plan = stage_all(checkpoint, make_linked(["a"], bodies=["one"]), make_linked(["a"], bodies=["two"], lines=[3]))

    [reject] = counts.rejects(checkpoint, counts.inputs(checkpoint, plan)[0][0])
    assert (reject.line, reject.problems[0].code, reject.cells) == (3, "repeated_key", ("a", "two"))
    assert "line 2" in reject.problems[0].message
    tally = balanced(checkpoint, plan)
    assert (tally.not_tried, tally.rejected, tally.rejected_by) == (1, 1, {"repeated_key": 1})


def test_a_second_import_of_created_rows_is_already_and_a_difference_is_counted_as_changed(
    checkpoint: Checkpoint,
) -> None:
    create_all(checkpoint, stage_all(checkpoint, make_linked(["a", "b"])))

    plan = stage_all(checkpoint, make_linked(["a", "b", "c"], bodies=["body of a", "other", "new"]))

    tally = balanced(checkpoint, plan)
    assert (tally.already, tally.changed, tally.not_tried) == (2, 1, 1)
    assert states(checkpoint) == {"created": 2, "planned": 1}


def test_repeats_are_judged_the_same_on_every_night(checkpoint: Checkpoint) -> None:
    night = make_linked(["a", "a", "a", "b"], bodies=["one", "two", "one", "b"])
    first = balanced(checkpoint, stage_all(checkpoint, night))
    create_all(checkpoint, 1)

    second = balanced(checkpoint, stage_all(checkpoint, night))

    assert (first.not_tried, first.already, first.rejected) == (2, 1, 1)
    assert (second.not_tried, second.already, second.rejected, second.changed) == (0, 3, 1, 0)


def test_a_plan_that_was_not_finished_sends_nothing_and_changes_nothing(checkpoint: Checkpoint) -> None:
    stage_all(checkpoint, make_linked(["a"], bodies=["old"]))
    stage_all(checkpoint, make_linked(["a", "b"], bodies=["new", "b"]), finish=False)

    due = journal.due(checkpoint, "planned", after=0, rows=10)
    assert [row.engagement.payload for row in due] == [
        b'{"engagement":{"type":"NOTE","timestamp":1700000000000},"attachments":[],"metadata":{"body":"old"}}'
    ]

    plan = stage_all(checkpoint, make_linked(["c"]))
    assert balanced(checkpoint, plan).not_tried == 1
    assert states(checkpoint) == {"planned": 2}


def test_a_row_that_was_never_sent_takes_the_new_payload(checkpoint: Checkpoint) -> None:
    stage_all(checkpoint, make_linked(["a"], bodies=["old"]))
    plan = stage_all(checkpoint, make_linked(["a"], bodies=["new"]))

    [row] = journal.due(checkpoint, "planned", after=0, rows=10)
    assert b"new" in row.engagement.payload
    assert balanced(checkpoint, plan).not_tried == 1


def test_a_refused_row_is_planned_again_only_when_its_content_changed(checkpoint: Checkpoint) -> None:
    plan = stage_all(checkpoint, make_linked(["a", "b"]))
    run = journal.begin_run(checkpoint, "r", plan)
    rows = journal.due(checkpoint, "planned", after=0, rows=10)
    keys, numbers = [row.engagement.key for row in rows], [row.number for row in rows]
    [request] = journal.write(checkpoint, run, [journal.Intent("objects", numbers)], [])
    outcomes = [Outcome(key, "rejected", reason="no such contact") for key in keys]
    journal.write(checkpoint, run, [], [journal.Answer(request, numbers, outcomes, "refused", "")])

    plan = stage_all(checkpoint, make_linked(["a", "b"], bodies=["body of a", "corrected"]))

    assert states(checkpoint) == {"planned": 1, "rejected": 1}
    tally = balanced(checkpoint, plan)
    assert (tally.not_tried, tally.rejected, tally.rejected_by) == (1, 1, {"refused": 1})
    [reject] = counts.rejects(checkpoint, counts.inputs(checkpoint, plan)[0][0])
    assert reject == Reject(2, (Problem("refused", "", "", "no such contact"),), ("a", "body of a"), key=keys[0])


def test_a_parked_row_waits_with_its_words_and_is_planned_once_its_contact_is_there(checkpoint: Checkpoint) -> None:
    plan = stage_all(checkpoint, make_linked(["a", "b"], parked=[None, "no contact"]))
    assert balanced(checkpoint, plan).parked == 1

    later = stage_all(checkpoint, make_linked(["c"]))
    run = journal.begin_run(checkpoint, "r", later)
    [batch] = staging.parked(checkpoint, later, 10)
    staging.unpark(checkpoint, run, [(number, "planned", "|7|||", "1,0,0,0", None, None) for number, *_ in batch])

    due = journal.due(checkpoint, "planned", after=0, rows=10)
    assert [row.engagement.links.contacts for row in due] == [("1",), ("7",), ("1",)]
    tally = balanced(checkpoint, later, run)
    assert tally.carried == {"rows": 2, "not_tried": 2}


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([make_linked(["a", "b"]), make_linked(["c"], types=["CALL"], contacts=[["1", "2"]])], id="plain"),
        pytest.param([make_linked(["a", "b", "c"], parked=[None, "no contact", None])], id="some parked"),
        pytest.param([make_linked(["a", "b"]), make_linked(["b", "a"], bodies=["body of b", "other"])], id="repeats"),
    ],
)
def test_the_first_plan_is_counted_as_it_was_inserted_and_as_it_lies_there(
    checkpoint: Checkpoint, chunks: list[Linked]
) -> None:
    plan = stage_all(checkpoint, *chunks)
    tally, held = balanced(checkpoint, plan), counts.states_held(checkpoint)

    checkpoint.db.execute("DROP TABLE temp.inserted")
    assert (balanced(checkpoint, plan), counts.states_held(checkpoint)) == (tally, held)


def test_what_was_inserted_counts_until_a_run_begins_or_another_plan(checkpoint: Checkpoint) -> None:
    plan = stage_all(checkpoint, make_linked(["a", "b"]))
    assert counts.as_inserted(checkpoint).total() == 2

    create_all(checkpoint, plan)
    assert not counts.as_inserted(checkpoint)
    assert balanced(checkpoint, plan).already == 2
    stage_all(checkpoint, make_linked(["b", "c"]))
    assert not counts.as_inserted(checkpoint)


def test_a_unique_column_names_the_row_that_has_the_value_already(checkpoint: Checkpoint) -> None:
    plan = staging.begin_plan(checkpoint, "f", "m")
    input_ = staging.add_input(checkpoint, plan, "in.csv", ["Id", "Body"])
    linked = make_linked(["a", "b", "a"], bodies=["same", "same", "same"])

    folded = fold(linked, pack=False)
    staging.stage(checkpoint, input_, folded, read=3, rejects=[], skipped={}, unique=["Body"])
    staging.judge_repeats(checkpoint, plan)

    [reject] = counts.rejects(checkpoint, input_)
    assert (reject.line, reject.problems[0].code, reject.problems[0].column) == (3, "not_unique", "Body")
    assert balanced(checkpoint, plan).already == 1


def test_a_plan_is_taken_up_again_until_a_run_has_ended_with_it(checkpoint: Checkpoint) -> None:
    plan = stage_all(checkpoint, make_linked(["a"]))
    assert staging.resumable_plan(checkpoint, "fingerprint") == plan
    assert staging.resumable_plan(checkpoint, "another file") is None

    create_all(checkpoint, plan)

    assert staging.resumable_plan(checkpoint, "fingerprint") is None


def test_payloads_come_back_from_beyond_the_first_segment(checkpoint: Checkpoint) -> None:
    names = [f"n{i}" for i in range(segments.SEGMENT_ROWS + 5)]
    stage_all(checkpoint, make_linked(names))

    rows = journal.due(checkpoint, "planned", after=0, rows=10_000)

    assert len(rows) == len(names)
    assert rows[-1].engagement.payload.endswith(f'"body of {names[-1]}"}}}}'.encode())
    assert rows[-1].engagement.key == key_text(make_linked([names[-1]]).drafts.keys[0])


def test_a_row_of_an_earlier_night_that_is_rejected_now_is_listed_too(checkpoint: Checkpoint, tmp_path: Path) -> None:
    stage_all(checkpoint, make_linked(["a"], parked=["no contact"]), path="monday.csv")
    later = stage_all(checkpoint, make_linked(["b"]), path="tuesday.csv")
    run = journal.begin_run(checkpoint, "r", later)
    [[(number, *_)]] = staging.parked(checkpoint, later, 10)

    staging.unpark(checkpoint, run, [(number, "rejected", "||||", "0,0,0,0", "several contacts", None)])
    written = write_run_files(checkpoint, later, tmp_path / "run", run)

    assert balanced(checkpoint, later, run).carried == {"rows": 1, "rejected": 1}
    [path] = written.values()
    assert "several contacts" in Path(path).read_text()
    assert "monday.csv" in next(iter(written))
