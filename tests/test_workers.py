"""Work on several processes: the same results in the same order, and nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from etl.associate import payload_text
from etl.engagement import DISPOSITIONS
from etl.errors import ContentError, TryLater
from etl.mapping import load
from etl.partitions import of_files
from etl.workers import CHUNK_BYTES, Ask, Means, in_order, means_for

SAMPLES = Path(__file__).parents[1] / "sample_data"


def squares(ask: Ask, *, slow: int = -1) -> Callable[[int], int]:
    del ask

    def square(number: int) -> int:
        time.sleep(0.2 if number == slow else 0)
        return number * number

    return square


def doubled_by_who_asks(ask: Ask) -> Callable[[int], tuple[int, int]]:
    return lambda number: (ask(number), os.getpid())


def refusing(ask: Ask) -> Callable[[int], int]:
    del ask

    def refuse(number: int) -> int:
        if number == 3:
            raise ContentError("three is not allowed", hint="take another", code="three")
        return number

    return refuse


def deadly(ask: Ask) -> Callable[[int], int]:
    del ask

    def work(number: int) -> int:
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    return work


def test_results_come_in_the_order_of_the_items_however_long_one_takes() -> None:
    assert list(in_order(partial(squares, slow=0), range(50), 3)) == [n * n for n in range(50)]


def test_no_items_give_no_results() -> None:
    assert list(in_order(squares, [], 2)) == []


def test_a_question_is_answered_in_this_process() -> None:
    asked: list[int] = []

    def answer(number: int) -> int:
        asked.append(number)
        return 2 * number

    found = list(in_order(doubled_by_who_asks, range(20), 2, answer))

    assert [value for value, _ in found] == [2 * n for n in range(20)]
    assert sorted(asked) == list(range(20))
    assert os.getpid() not in {who for _, who in found}


def test_what_a_worker_raises_is_raised_here_with_all_that_it_says() -> None:
    with pytest.raises(ContentError) as caught:
        list(in_order(refusing, range(10), 2))

    assert (caught.value.message, caught.value.hint, caught.value.code) == (
        "three is not allowed",
        "take another",
        "three",
    )


def test_a_worker_that_is_killed_ends_the_work_with_what_to_do() -> None:
    with pytest.raises(TryLater) as caught:
        list(in_order(deadly, range(10), 2))

    assert caught.value.code == "worker_lost"
    assert "--low-memory" in caught.value.hint


def test_no_more_is_read_than_the_workers_can_take_while_nobody_takes_results() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1_000):
            taken.append(number)
            yield number

    results = in_order(squares, items(), 2)
    assert next(results) == 0
    time.sleep(0.2)

    assert len(taken) <= 4
    results.close()


def test_small_inputs_are_not_worth_a_worker_and_large_ones_get_one_a_core() -> None:
    assert means_for(1_000_000) == Means(1, CHUNK_BYTES)
    assert means_for(1 << 30).workers >= 1
    assert means_for(1_000, workers=4).workers == 4
    assert means_for(1 << 30, low_memory=True).chunk_bytes < CHUNK_BYTES


@pytest.mark.parametrize(
    ("name", "file"), [("phone-nightly", "calls.csv"), ("salesforce-tasks", "salesforce/tasks.csv")]
)
def test_half_one_gives_the_same_whatever_the_number_of_workers(name: str, file: str) -> None:
    mapping = load(name, beside=(SAMPLES / file).parent)

    def run(workers: int) -> tuple[bytes, list[object], int]:
        means = Means(workers, chunk_bytes=4_000)
        files = [SAMPLES / file]
        parts = [part for _, part in of_files(files, mapping, DISPOSITIONS, None, payload_text, means=means)]
        assert len(parts) > 2, "the file is one chunk: nothing is shown"
        return b"".join(p.made for p in parts), [r for p in parts for r in p.rejects], sum(p.read for p in parts)

    assert run(1) == run(3)


def test_nothing_is_left_running_when_the_command_is_killed(tmp_path: Path) -> None:
    source = tmp_path / "calls.csv"
    lines = (SAMPLES / "calls.csv").read_text().splitlines(keepends=True)
    source.write_text(lines[0] + "".join(lines[1:]) * 400)
    command = ["transform", str(source), "-m", "phone-nightly", "-o", str(tmp_path / "out.jsonl"), "--workers", "2"]
    process = subprocess.Popen([sys.executable, "-m", "etl", *command], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(_descendants(process.pid)) < 4 and time.monotonic() < deadline:  # tracker, server, two workers
            time.sleep(0.02)
        left = _descendants(process.pid)
        assert len(left) >= 4
    finally:
        process.kill()
        process.wait()

    deadline = time.monotonic() + 20
    while (alive := [pid for pid in left if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive


def _descendants(pid: int) -> list[int]:
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found, new = [], [pid]
    while new:
        new = [each for each, parent in parents.items() if parent in new]
        found += new
    return found


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return -1


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
