"""Updates and undos killed in their course: nothing is changed twice, nothing is left out, nothing else is touched.

Each test takes some of the places, by KILL_SEED; DEATHS=7 takes all.
"""

from __future__ import annotations

import json
import os
import random
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.change.conftest import MAPPING
from tests.crash import account
from tests.crash.lives import KILLED, Workplace, wait

SEED = int(os.environ.get("KILL_SEED", random.randrange(1 << 32)))
SOME = int(os.environ.get("DEATHS", "4"))
PEOPLE = 20
#: Where lives end, of those places in points.py that an update or an undo passes.
DEATHS = (
    "create.answered:1",
    "intent.committed:2",
    "create.answered:2",
    "outcome.inside:2",
    "outcome.committed:3",
    "create.sent:2",
    "intent.inside:3",
)
#: After these the account has what the checkpoint does not know.
LOST_ANSWERS = ("create.answered:1", "create.sent:2", "create.answered:2")
FAULTS = ("error_before:p=0.05", "cut_json:p=0.05", "slow_headers:p=0.1,seconds=0.2")
WIRES = pytest.mark.parametrize(("wire", "rows"), [("objects", 400), ("v1", 40)])
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@contextmanager
def workplace(folder: Path, wire: str) -> Iterator[Workplace]:
    """An account with contacts, and a folder to work in."""
    seeds = folder / "seeds"
    seeds.mkdir()
    people = "".join(f"{i},c{i}@customer.example,,,Con,Tact,\n" for i in range(1, PEOPLE + 1))
    (seeds / "contacts.csv").write_text("id,email,phone,mobilephone,firstname,lastname,company_id\n" + people)
    (seeds / "companies.csv").write_text("id,name,domain\n")
    (seeds / "deals.csv").write_text("id,dealname\n")
    (seeds / "owners.csv").write_text("id,email,firstname,lastname,active\n")
    (folder / "work").mkdir()
    with account.sandbox(folder / "account", seeds, "--index-lag", "0.2", "--latency", "0.03") as url:
        place = Workplace(folder / "work", url, wire)
        (place.folder / "m.yaml").write_text(MAPPING)
        yield place


def write(place: Workplace, rows: range, changed: frozenset[int] = frozenset()) -> None:
    """The input: some of the rows in another wording and with another contact."""
    lines = ["id,at,email,to,title,text"]
    for row in rows:
        new = row in changed
        who = 1 + (row + new) % PEOPLE
        text = "new" if new else f"text {row}"
        lines.append(f"{row},{1_700_000_000 + 60 * row},c{who}@customer.example,+12065550100,Call {row},{text}")
    (place.folder / "in.csv").write_text("\n".join(lines) + "\n")


def run(place: Workplace, *more: str) -> list[str]:
    return ["run", "in.csv", "-m", "m.yaml", *place.where(), *more]


def lived(place: Workplace, arguments: list[str], doom: str = "", **environment: str) -> int:
    """The exit code of one life."""
    life = place.start(arguments, environment={**({"DOOM": doom} if doom else {}), **environment})
    return wait(life)


def held(url: str) -> dict[int, dict[str, Any]]:
    """What the account holds, by the number of the row."""
    with urllib.request.urlopen(f"{url}/__audit/engagements", timeout=30) as answer:
        found = [json.loads(line) for line in answer if line.strip()]
    assert len({f["metadata"]["title"] for f in found}) == len(found)
    return {int(f["metadata"]["title"].split()[1]): f for f in found}


def carried_out(url: str, after: int, way: str) -> Counter[str]:
    """The requests of one way that the account carried out, by path."""
    return Counter(
        f"{request.method} {request.path}"
        for request in account.writes(url, after)
        if way in f"{request.method} {request.path}"
        and request.fault != "error_before"
        and request.status in {200, 204, None}
    )


def some_deaths() -> list[str]:
    print(f"KILL_SEED={SEED}")  # shown when the test fails
    return random.Random(SEED).sample(DEATHS, SOME)


def besieged(place: Workplace, arguments: list[str], deaths: Sequence[str], **environment: str) -> int:
    """Lives that end at each of the places, and one in peace; gives how many were killed."""
    account.strike(place.url, FAULTS, seed=7)
    killed = sum(lived(place, arguments, doom, **environment) == KILLED for doom in deaths)
    account.strike(place.url, ())
    code = lived(place, arguments, **environment)
    assert code == 0, place.complaint()
    return killed


@WIRES
def test_an_update_killed_again_and_again_changes_every_changed_row_once(tmp_path: Path, wire: str, rows: int) -> None:
    changed = frozenset(range(0, rows, 2))
    with workplace(tmp_path, wire) as place:
        write(place, range(rows))
        assert lived(place, run(place)) == 0, place.complaint()
        before = account.newest(place.url)
        write(place, range(rows), changed)

        assert besieged(place, run(place, "--update-changed"), some_deaths()) >= SOME // 2

        there = held(place.url)
        assert len(there) == rows
        for row, engagement in there.items():
            new = row in changed
            assert engagement["metadata"]["body"] == ("new" if new else f"text {row}")
            assert engagement["associations"]["contactIds"] == [1 + (row + new) % PEOPLE]
        done = carried_out(place.url, before, "PATCH" if wire == "v1" else "/batch/update")
        assert sum(done.values()) == (len(changed) if wire == "v1" else len(changed) // 100)
        assert set(done.values()) == ({1} if wire == "v1" else {len(changed) // 100})


@WIRES
def test_an_update_that_does_not_read_first_is_found_out(tmp_path: Path, wire: str, rows: int) -> None:
    changed = frozenset(range(0, rows, 2))
    with workplace(tmp_path, wire) as place:
        write(place, range(rows))
        assert lived(place, run(place)) == 0, place.complaint()
        before = account.newest(place.url)
        write(place, range(rows), changed)

        besieged(place, run(place, "--update-changed"), LOST_ANSWERS, BLIND="1")

        done = carried_out(place.url, before, "PATCH" if wire == "v1" else "/batch/update")
        assert sum(done.values()) > (len(changed) if wire == "v1" else len(changed) // 100)


@WIRES
def test_an_undo_killed_again_and_again_ends_with_exactly_the_runs_records_gone(
    tmp_path: Path, wire: str, rows: int
) -> None:
    first, updated = rows // 4, frozenset(range(0, rows // 4, 5))
    with workplace(tmp_path, wire) as place:
        write(place, range(first))
        assert lived(place, run(place)) == 0, place.complaint()
        before = {row: (e["metadata"], e["associations"]) for row, e in held(place.url).items()}
        write(place, range(rows), updated)
        assert lived(place, run(place, "--update-changed")) == 0, place.complaint()
        assert len(held(place.url)) == rows

        runs = place.folder / ".etl" / "sandbox" / "runs"
        name = (
            max(path.name for path in next(iter((place.folder / ".etl").glob("*/runs"))).iterdir())
            if not runs.is_dir()
            else max(p.name for p in runs.iterdir())
        )
        assert besieged(place, ["undo", name, "--yes", *place.where()], some_deaths()) >= SOME // 2

        assert {row: (e["metadata"], e["associations"]) for row, e in held(place.url).items()} == before
        said = place.said()
        assert (said["archived"], said["restored"], said["conflict"]) == (rows - first, len(updated), 0)
        assert said["still_there"] == 0
