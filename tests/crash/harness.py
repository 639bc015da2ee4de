"""`make crash`: every siege, mishap and control of the proof, with the tables of what was hit and what was found.

    make crash KILLS=200 WIRE=both SEED=7 RESULTS=tests/crash/RESULTS.md

The seed is printed; it makes the same plans again (not the same moments: those are the machine's). Ends with 1 when
anything was lost, doubled or misplaced, or any other promise broken; and when a control found nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.crash.controls import CONTROLS, caught, found
from tests.crash.mishaps import MISHAPS, missing
from tests.crash.points import POINTS
from tests.crash.siege import Siege, besiege, besieged

#: What has no lines here: the loader has no such moment, or it is made in another way.
_ELSEWHERE = {"C17": "the loader renews no token", "C18": "a full disk: see the mishaps"}
_UNIQUE_SHARE = 4  #: one kill of so many is on an account that knows our keys as unique
#: Kills of one siege; more are done in several, each with a seed, an account and an index lag of its own.
_SIEGE = 50


@dataclass(frozen=True, slots=True)
class Done:
    """One siege that is over."""

    name: str
    wire: str
    seed: int
    siege: Siege | None
    why_not: str = ""  #: why it could not be made
    broken: str = ""  #: what ended the harness itself in it
    must_fail: bool = False

    @property
    def well(self) -> bool:
        """Whether it found what it must."""
        if self.siege is None:
            return not self.broken
        return bool(found(self.name, self.siege)) if self.must_fail else not self.siege.wrong


def main(arguments: Sequence[str]) -> int:
    """Runs what was asked for, some at a time, prints the tables and writes them where they are wanted."""
    given = _parser().parse_args(arguments)
    seed = random.randrange(1 << 32) if given.seed is None else given.seed
    wires = ["objects", "v1"] if given.wire == "both" else [given.wire]
    print(f"SEED={seed}", flush=True)
    started, begun = datetime.now(UTC), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        work = [*_work(Path(folder), wires, given.kills, seed, given.only)]
        with ThreadPoolExecutor(given.at_once) as threads:
            done = [future.result() for future in [threads.submit(_whole, part) for part in work]]
    text = "\n".join(_report(done, seed, started, time.monotonic() - begun, arguments))
    print(text)
    if given.results:
        given.results.write_text(text + "\n")
    return 0 if all(part.well for part in done) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200, help="of each wire")
    parser.add_argument("--wire", choices=["objects", "v1", "both"], default="both")
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--only", choices=["kills", "mishaps", "controls"], help="default: all")
    parser.add_argument(
        "--at-once", type=int, default=3 * (os.cpu_count() or 1), metavar="N", help="sieges at the same time"
    )
    parser.add_argument("--results", type=Path, help="a file for the tables")
    return parser


def _work(folder: Path, wires: list[str], kills: int, seed: int, only: str | None) -> Iterator[partial[Done]]:
    """Everything to do, the longest first."""
    if only in {None, "kills"}:
        for part, some in enumerate(_parts(kills)):
            yield from (partial(_kills, folder, "kills", wire, seed + part, some) for wire in wires)
        if "objects" in wires:
            yield partial(_kills, folder, "kills, unique keys", "objects", seed, kills // _UNIQUE_SHARE, unique=True)
    if only in {None, "mishaps"}:
        yield from (partial(_mishap, folder, name, wire, seed, kills) for name in MISHAPS for wire in wires)
    if only in {None, "controls"}:
        yield from (
            partial(_control, folder, name, wire, seed)
            for name in CONTROLS
            for wire in wires
            if wire in CONTROLS[name].wires
        )


def _parts(kills: int) -> list[int]:
    """So many kills in parts of about the same size."""
    parts = -(-kills // _SIEGE)
    return [kills // parts + (i < kills % parts) for i in range(parts)]


def _whole(part: partial[Done]) -> Done:
    """What a part gives; its own failure does not take the findings of the others with it."""
    try:
        return part()
    except Exception as failure:  # noqa: BLE001 - whatever it was, it is told
        _, name, wire, seed, *_ = part.args
        return _over(Done(name, wire, seed, None, broken=repr(failure)))


def _kills(folder: Path, name: str, wire: str, seed: int, kills: int, *, unique: bool = False) -> Done:
    place = folder / f"{name} {wire} {seed}"
    with besieged(place, wire, seed, kills=kills, unique=unique, say=_voice(name, wire)) as siege:
        besiege(siege)
    return _over(Done(name, wire, seed, siege))


def _mishap(folder: Path, name: str, wire: str, seed: int, kills: int) -> Done:
    if why_not := missing(name):
        return _over(Done(name, wire, seed, None, why_not))
    mishap, times = MISHAPS[name]
    place = folder / f"{name} {wire}".replace("/", " ")
    with besieged(place, wire, seed, kills=0, say=_voice(name, wire)) as siege:
        begun = time.monotonic()
        mishap(siege, max(2, min(times, times * kills // 200)))
        siege.seconds = time.monotonic() - begun
    return _over(Done(name, wire, seed, siege))


def _control(folder: Path, name: str, wire: str, seed: int) -> Done:
    begun = time.monotonic()
    siege = caught(folder / f"{name} {wire}", name, wire, seed)
    siege.seconds = time.monotonic() - begun
    return _over(Done(name, wire, seed, siege, must_fail=True))


def _voice(name: str, wire: str) -> Callable[[str], None]:
    return lambda text: print(f"[{name}, {wire}] {text}", flush=True)


def _over(done: Done) -> Done:
    _voice(done.name, done.wire)("as it must be" if done.well else "NOT as it must be")
    return done


# -- the tables ----------------------------------------------------------------------------------------------------------


def _report(
    done: list[Done], seed: int, started: datetime, seconds: float, arguments: Sequence[str]
) -> Iterator[str]:  # fmt: skip
    made = [part for part in done if part.siege and not part.must_fail]
    yield "# What the kill harness found\n"
    yield "Written by `make crash`; the last run, whole. What is done and checked is said in `tests/crash/*.py`.\n"
    yield f"- date: {started:%Y-%m-%d}; seed: {seed}; {seconds / 60:.0f} minutes; `python -m tests.crash.harness {' '.join(arguments)}`"
    yield f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()}"
    yield f"- verdict: {'all as it must be' if all(part.well for part in done) else 'NOT as it must be'}\n"
    yield from _table(
        "| siege | wire | seed | lives | killed | ended | rows | lost | twice | wrong ids | unresolved | s |",
        [_line(part) for part in done if not part.must_fail],
    )
    yield "A row in `unresolved` was given up by a run, listed, and settled in the end by `etl retry --unknown`.\n"
    yield "Loaders that lack a part of the protocol, and must be found out:\n"
    yield from _table(
        "| lacks | wire | lives until found out | found |", [_control_line(p) for p in done if p.must_fail]
    )
    yield "How lives ended:\n"
    yield from _table("| way | times |", _counted(made, lambda siege: siege.ways))
    yield "Exit codes (-9: killed):\n"
    yield from _table("| code | times |", _counted(made, lambda siege: siege.exits))
    yield "Places at which lives killed themselves:\n"
    points = sum((part.siege.points for part in made if part.siege), Counter[str]())
    yield from _table("| place | | what was where | times |", [_point_line(name, points) for name in POINTS])
    yield "".join(f"- {point}: {why}\n" for point, why in _ELSEWHERE.items())
    yield "Faults of the account that struck, on requests of these lives:\n"
    yield from _table("| fault | times |", _counted(made, lambda siege: siege.faults))
    for part in made:
        for text in part.siege.wrong[:20] if part.siege else ():
            yield f"- WRONG ({part.name}, {part.wire}): {text}"


def _line(part: Done) -> str:
    siege = part.siege
    if siege is None:
        return f"| {part.name} | {part.wire} | {part.seed} | {f'not made: {part.why_not}' if part.why_not else part.broken} |"
    numbers = (siege.lives, siege.kills, siege.finished, siege.export.rows, siege.lost, siege.duplicates,
               siege.misplaced, siege.unresolved, round(siege.seconds))  # fmt: skip
    return f"| {part.name} | {part.wire} | {part.seed} | {' | '.join(f'{n:,}' for n in numbers)} |"


def _control_line(part: Done) -> str:
    if part.siege is None:
        return f"| {part.name} | {part.wire} | {part.broken} | |"
    return f"| {part.name}: {CONTROLS[part.name].lacks} | {part.wire} | {part.siege.lives} | {found(part.name, part.siege)} {CONTROLS[part.name].breaks} |"


def _point_line(name: str, times: Counter[str]) -> str:
    number, what = POINTS[name]
    return f"| {name} | {number} | {what} | {times[name]} |"


def _counted(made: list[Done], of: Callable[[Siege], Counter[object]]) -> list[str]:
    total: Counter[object] = sum((of(part.siege) for part in made if part.siege), Counter())
    return [f"| {name} | {times:,} |" for name, times in sorted(total.items(), key=lambda pair: -pair[1])]


def _table(head: str, lines: list[str]) -> Iterator[str]:
    yield head
    yield "|" + " --- |" * (head.count("|") - 1)
    yield from lines
    yield ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
