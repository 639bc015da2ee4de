"""Half one on a real Dask cluster of two processes: what comes out is what one process makes, whatever is lost."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from etl.associate import payload_text
from etl.checkpoint.folding import fold
from etl.cluster import Ask, Steps, Task, connected, in_order, line
from etl.engagement import DISPOSITIONS
from etl.errors import ConfigError, ContentError, EtlError, TryLater, UsageError
from etl.mapping import load
from etl.partitions import of_files
from etl.read import inputs
from etl.workers import Means, warm_up

pytest.importorskip("distributed", reason="the extra `dask` is not installed: pip install 'etl-engagements[dask]'")
import fsspec
from distributed import Client, LocalCluster

SAMPLES = Path(__file__).parents[1] / "sample_data"
CHUNK_BYTES = 64_000


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a cluster of two processes."""
    warm_up("etl.warm")
    with connected(None, 2) as client:
        yield client.scheduler.address


@pytest.fixture
def client(scheduler: str) -> Iterator[Client]:
    with connected(scheduler, 2) as found:
        yield found


def on(scheduler: str | None) -> Means:
    return Means(1, CHUNK_BYTES, "dask" if scheduler else "local", scheduler)


def outcome(files: list[Path], name: str, scheduler: str | None, look_up: Any = None) -> list[Any]:
    """Everything that half one says of the files: payloads, rejects (lines, problems, cells), counts."""
    mapping = load(name, beside=files[0].parent)
    finish = partial(fold, pack=False) if look_up else payload_text
    found = []
    for place, part in of_files(files, mapping, DISPOSITIONS, look_up, finish, means=on(scheduler)):
        made = bytes(part.made) if look_up is None else folded(part.made)
        found.append((place, made, part.rejects, part.skipped, part.read, part.merged, part.rows))
    return in_total(found)


def folded(made: Any) -> list[Any]:
    columns = (made.lines, made.times_ms, made.types, made.links, made.shapes, made.wanted, made.reasons)
    return [made.keys, made.hashes, *([*map(str, column)] for column in columns)]


def in_total(parts: list[Any]) -> list[Any]:
    """The same of parts of any size, by file."""
    total: dict[int, list[Any]] = {}
    for place, made, rejects, skipped, *counts in parts:
        mine = total.setdefault(place, [[], [], {}, [0] * len(counts)])
        mine[0].append(made)
        mine[1] += rejects
        for reason, rows in skipped.items():
            mine[2][reason] = mine[2].get(reason, 0) + rows
        mine[3] = [a + b for a, b in zip(mine[3], counts, strict=True)]
    for mine in total.values():
        texts = mine[0]
        mine[0] = b"".join(texts) if isinstance(texts[0], bytes) else [joined(c) for c in zip(*texts, strict=True)]
    assert list(total) == sorted(total)
    return list(total.values())


def joined(parts: tuple[Any, ...]) -> Any:
    return b"".join(parts) if isinstance(parts[0], bytes) else [each for part in parts for each in part]


SOURCES = [
    ("phone-nightly", "calls.csv"),  # ragged rows, every kind of reject, skipped rows
    ("salesforce-tasks", "salesforce/tasks.csv"),  # crosswalks, semicolon lists, five types
    ("freeswitch", "freeswitch"),
    ("dialpad", "dialpad"),  # rows grouped by call, with a reject
    ("gmail-takeout", "gmail-takeout"),  # a mailbox: read by the worker
    ("outlook-calendar", "outlook"),
]


@pytest.mark.parametrize(("name", "path"), SOURCES)
def test_a_cluster_gives_the_rows_and_rejects_of_one_process_in_their_order(
    name: str, path: str, scheduler: str
) -> None:
    files = list(inputs([SAMPLES / path], load(name, beside=SAMPLES / path).source))

    assert outcome(files, name, scheduler) == outcome(files, name, None)


def test_groups_of_a_larger_file_go_out_whole(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [SAMPLES / "dialpad" / "calls.csv"]
    monkeypatch.setattr(sys.modules[__name__], "CHUNK_BYTES", 700)
    there = outcome(files, "dialpad", scheduler)

    assert there == outcome(files, "dialpad", None)
    assert there[0][3][1] > 0, "rows were merged"


def test_what_is_looked_up_is_asked_here_and_the_links_are_those_of_one_process(scheduler: str, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def look_up(kind: str, by: str, values: Collection[str]) -> Mapping[str, list[str]]:
        """Of three words one has no answer, one has an answer and one has two."""
        asked.append((kind, by))
        return {v: [str(1000 + n) for n in range(sum(map(ord, v)) % 3)] for v in values}

    files = [some_rows(tmp_path / "calls.csv", 0, 1_200)]
    here = outcome(files, "phone-nightly", None, look_up)
    questions = len(asked)

    assert outcome(files, "phone-nightly", scheduler, look_up) == here
    assert len(asked) == 2 * questions, "an answer is given once"
    assert {("owners", "email"), ("contacts", "phone")} < set(asked)
    assert {problem.code for reject in here[0][1] for problem in reject.problems} > {"bad_time", "ragged_row"}
    assert "no contact by phone" in here[0][0][-1]


def test_many_small_files_are_partitions_and_keep_their_order(tmp_path: Path, scheduler: str) -> None:
    files = [some_rows(tmp_path / f"calls-{n:02}.csv", 40 * n, 20 + n) for n in range(12)]

    there = outcome(files, "phone-nightly", scheduler)

    assert there == outcome(files, "phone-nightly", None)
    assert len(there) == 12


def test_a_file_that_the_workers_do_not_see_as_it_is_here_is_read_here(
    tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = some_rows(tmp_path / "calls.csv", 0, 100)
    here = outcome([file], "phone-nightly", None)
    hidden = tmp_path / "elsewhere.csv"
    monkeypatch.setattr("etl.partitions._as_workers_see", lambda _: hidden)

    assert outcome([file], "phone-nightly", scheduler) == here

    some_rows(hidden, 0, 50)  # another file of the same name, as each machine has its own /tmp
    assert outcome([file], "phone-nightly", scheduler) == here


def test_inputs_of_a_store_are_read_by_workers_that_see_them_and_else_here(scheduler: str, tmp_path: Path) -> None:
    calls = some_rows(tmp_path / "calls.csv", 0, 300)
    fsspec.filesystem("memory").pipe("/bucket/calls/monday.csv", calls.read_bytes())  # of this process alone
    here = outcome([calls], "phone-nightly", None)

    for address in ("memory://bucket/calls/*.csv", f"file://{calls}"):
        files = list(inputs([Path(address)], load("phone-nightly").source))
        assert outcome(files, "phone-nightly", scheduler) == here == outcome(files, "phone-nightly", None)


def test_what_a_worker_raises_is_raised_here_with_all_that_it_says(client: Client) -> None:
    with pytest.raises(ContentError) as caught:
        list(in_order(client, [Task(refusing, n) for n in range(4)], print))

    assert (caught.value.message, caught.value.hint, caught.value.code) == ("three is not allowed", "take two", "three")


def test_no_more_is_taken_than_the_cluster_works_on_while_nobody_takes_results(client: Client) -> None:
    taken: list[int] = []

    def tasks() -> Iterator[Task[int, int, int]]:
        for number in range(1_000):
            taken.append(number)
            yield Task(squares, number)

    results = in_order(client, tasks(), print)
    assert next(results) == 0
    time.sleep(0.2)

    assert len(taken) <= 5
    results.close()


def test_a_worker_that_is_killed_in_the_midst_of_its_work_loses_nothing(client: Client, tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    make = partial(deadly_once, dead)

    found = list(in_order(client, [Task(make, n) for n in range(12)], lambda n: 10 * n))

    assert found == [11 * n for n in range(12)]
    assert not alive(int(dead.read_text())), "a worker was killed"


def test_workers_that_are_lost_again_and_again_end_the_run_with_what_to_do(client: Client) -> None:
    with pytest.raises(TryLater) as caught:
        list(in_order(client, [Task(deadly, 1)], print))

    assert caught.value.code == "worker_lost"
    assert "--low-memory" in caught.value.hint
    client.wait_for_workers(2, timeout=30)


def test_a_scheduler_that_does_not_answer_is_tried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "_REACH_S", 0.3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"

    error = refused(address)

    assert (type(error), error.code) == (TryLater, "no_scheduler")
    assert address in error.message


def test_an_address_that_is_none_says_how_one_is_written() -> None:
    error = refused("nonsense://x:1")

    assert (type(error), error.code) == (ConfigError, "no_scheduler")
    assert "tcp://HOST:8786" in error.hint


def test_a_scheduler_without_workers_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "_REACH_S", 1)
    with LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as empty:
        error = refused(empty.scheduler_address)

    assert (type(error), error.code) == (TryLater, "no_workers")
    assert f"dask worker {empty.scheduler_address}" in error.hint


def test_another_version_on_the_cluster_is_named(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Client.get_versions

    def older(self: Client, *args: Any, **more: Any) -> Any:
        versions = found(self, *args, **more)
        next(iter(versions["workers"].values()))["packages"]["etl-engagements"] = "0.0.1"
        return versions

    monkeypatch.setattr(Client, "get_versions", older)
    error = refused(scheduler)

    assert (type(error), error.code) == (ConfigError, "other_version")
    assert "tcp://" in error.message
    assert "etl 0.0.1" in error.message


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "find_spec", lambda _: None)

    error = refused("tcp://127.0.0.1:8786")

    assert (type(error), error.code) == (ConfigError, "extra_missing")
    assert "pip install 'etl-engagements[dask]'" in error.hint


def test_what_needs_the_rows_in_their_order_is_refused_before_a_cluster_is_asked(tmp_path: Path) -> None:
    text = (SAMPLES.parent / "mappings" / "email-csv.yaml").read_text()
    keyless = tmp_path / "keyless.yaml"
    keyless.write_text("\n".join(line for line in text.splitlines() if not line.startswith("key:")))
    means = on("tcp://nobody.example:1")

    with pytest.raises(UsageError, match="--limit"):
        list(of_files([], load("phone-nightly"), DISPOSITIONS, None, payload_text, limit=3, means=means))
    with pytest.raises(ConfigError, match="no `key`"):
        list(of_files([], load(str(keyless)), DISPOSITIONS, None, payload_text, means=means))


def test_a_plan_made_on_a_cluster_is_the_plan_of_one_process(tmp_path: Path, scheduler: str) -> None:
    calls = some_rows(tmp_path / "calls.csv", 0, 400)

    def plan(name: str, *more: str) -> tuple[Any, Any]:
        command = ["plan", calls, "-m", "phone-nightly", "--checkpoint", f"{name}.sqlite", "--json", *more]
        done = subprocess.run(
            [sys.executable, "-m", "etl", *map(str, command)], cwd=tmp_path, check=True, capture_output=True
        )
        found = json.loads(done.stdout)
        rejects = (tmp_path / found.pop("files")["rejects"]).read_bytes()
        with sqlite3.connect(tmp_path / f"{name}.sqlite") as db:
            db.execute("UPDATE row SET parked_ms = 0")
            rows = db.execute("SELECT * FROM row ORDER BY 1").fetchall()
        return [found[count] for count in ("read", "skipped", "rejected", "parked", "rejected_by")], (rejects, rows)

    assert plan("there", "--engine", "dask", "--scheduler", scheduler) == plan("here")


def test_a_cluster_of_the_run_s_own_ends_with_it(tmp_path: Path) -> None:
    command = ["transform", SAMPLES / "emails.csv", "-m", "email-csv", "-o", "out.jsonl", "--engine", "dask", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "etl", *map(str, command)], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True
    )
    assert json.loads(process.communicate()[0])["payloads"] > 0

    deadline = time.monotonic() + 20
    while (left := of_session(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_nothing_of_it_is_imported_where_the_engine_is_local() -> None:
    script = (
        "import sys; import etl.cli, etl.pipeline, etl.partitions, etl.cli.plan\n"
        "print({'dask', 'distributed', 'fsspec'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def some_rows(to: Path, first: int, rows: int) -> Path:
    """A call log of its own: some rows of the sample, bad ones too."""
    with (SAMPLES / "calls.csv").open(newline="") as source, to.open("w", newline="") as out:
        header, *found = csv.reader(source)
        csv.writer(out).writerows([header, *found[first : first + rows]])
    return to


def refused(scheduler: str) -> EtlError:
    with pytest.raises(EtlError) as caught, connected(scheduler, 1):
        pass
    return caught.value


def squares() -> Steps[int, int, int]:
    return Steps(lambda number, _: number, lambda number, _: number * number)


def refusing() -> Steps[int, int, int]:
    def refuse(number: int, ask: Ask) -> int:
        if number == 3:
            raise ContentError("three is not allowed", hint="take two", code="three")
        return number

    return Steps(refuse, refuse)


def deadly() -> Steps[int, int, int]:
    def die(number: int, ask: Ask) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return number

    return Steps(die, die)


def deadly_once(dead: Path) -> Steps[int, int, int]:
    """Kills the process after an answer to its question, once."""

    def end(number: int, ask: Ask) -> int:
        answer = ask(number)
        if number == 5 and not dead.exists():
            dead.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return number + int(answer)

    return Steps(lambda number, _: number, end)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def of_session(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and in_session(each, session)]


def in_session(process: Path, session: int) -> bool:
    try:
        state, *_, of = (process / "stat").read_text().rsplit(")", 1)[1].split()[:4]
    except OSError:
        return False
    return state != "Z" and int(of) == session
