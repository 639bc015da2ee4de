"""Real processes under one fault at a time, of the account, of the disk or of the person at the keyboard."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import account, ends, invariants
from tests.crash.export import MAPPING, Export, seeds
from tests.crash.lives import Workplace, wait

SETTLE_S = 1.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    """A workplace with a sandbox of its own, which takes 30 ms for an answer."""
    (tmp_path / "work").mkdir()
    seeds(tmp_path / "seeds")
    slow = ["--latency", "30ms", "--index-lag", "0.1", "--no-unique-properties"]
    with account.sandbox(tmp_path / "account", tmp_path / "seeds", *slow) as url:
        made = Workplace(tmp_path / "work", url, "objects", SETTLE_S)
        (made.folder / "kill.yaml").write_text(MAPPING)
        yield made


def export_of(place: Workplace, rows: int) -> Export:
    export = Export(place.folder / "in.csv", random.Random(1), rows)
    export.write()
    return export


def ends_well(place: Workplace, export: Export) -> None:
    """One more run of the same command finishes the work, and everything is compared with everything."""
    assert wait(place.start()) == 3, place.complaint()
    now, held = invariants.snapshot(place.checkpoint), account.engagements(place.url)
    wrong = [*invariants.standing(now, now, held), *invariants.counted(now, held, account.requests(place.url))]
    wrong += [*invariants.settled(export, now, held), *invariants.told(place.said(), 3)]
    assert [*wrong, *invariants.files(place.folder)] == []


@pytest.mark.parametrize("wire", ["objects", "v1"])
@pytest.mark.parametrize(
    "fault", ["commit_then_reset", "late_commit:seconds=0.5", "error_after", "error_before", "cut_json"]
)
def test_an_answer_that_was_lost_is_found_out_about_and_nothing_is_sent_twice(
    place: Workplace, wire: str, fault: str
) -> None:
    place.wire = wire
    export = export_of(place, 300 if wire == "objects" else 30)
    creates = "batch/create" if wire == "objects" else "POST /engagements/v1/engagements"
    name, _, settings = fault.partition(":")
    account.strike(place.url, [f"{name}:nth=2,times=2,match={creates},{settings}"], 1)

    ends_well(place, export)

    said = place.said()
    assert (said["created"], said["rejected"], said["unresolved"]) == (len(export.good), len(export.bad), 0)
    assert sum(account.struck(place.url).values()) == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_sends_nothing_more_records_everything_and_the_same_command_goes_on(
    place: Workplace, number: signal.Signals, code: int
) -> None:
    export = export_of(place, 6000)
    account.strike(place.url, ["latency:seconds=0.3,match=batch/create"])

    run = place.start()
    while run.poll() is None and account.count(place.url) < 500:
        time.sleep(0.01)
    run.send_signal(number)

    assert wait(run, 40) == code, place.complaint()
    stopped, held = place.said(), account.count(place.url)
    assert (stopped["balanced"], stopped["unresolved"], stopped["created"]) == (True, 0, held)
    assert stopped["not_tried"] > 0
    account.strike(place.url, [])
    ends_well(place, export)


def test_a_token_that_expires_half_way_ends_the_run_and_a_new_one_goes_on(place: Workplace) -> None:
    export = export_of(place, 3000)
    account.strike(place.url, ["expired_token:nth=10,match=batch/create"])

    assert wait(place.start(), 60) == 77, place.complaint()

    said = place.said()
    assert (said["error"]["exit"], said["balanced"], said["unresolved"]) == (77, True, 0)
    account.strike(place.url, [])
    ends_well(place, export)


def test_a_second_start_is_turned_away_and_changes_nothing(place: Workplace) -> None:
    export = export_of(place, 2000)
    run = place.start()
    while run.poll() is None and not account.count(place.url):
        time.sleep(0.01)
    run.send_signal(signal.SIGSTOP)

    assert ends.second_start(place) == []

    run.send_signal(signal.SIGCONT)
    assert wait(run) == 3, place.complaint()
    ends_well(place, export)


@pytest.mark.parametrize("nth", [12, -12], ids=["not on disk", "on disk all the same"])
def test_a_commit_that_fails_stops_the_run_which_goes_on_when_the_disk_is_well(place: Workplace, nth: int) -> None:
    export = export_of(place, 2000)

    assert wait(place.start(environment={"FAIL_COMMIT": str(nth)})) == 73, place.complaint()

    assert "disk I/O error" in place.complaint()
    assert 0 < account.count(place.url) < len(export.good)
    ends_well(place, export)


def test_a_file_that_may_not_grow_stops_the_run_as_a_full_disk_would(place: Workplace) -> None:
    export = export_of(place, 3000)

    assert wait(place.start(before=["prlimit", "--fsize=600000", "--"])) == 73, place.complaint()

    assert "Traceback" not in place.complaint()
    ends_well(place, export)
