"""One siege: a growing export loaded by lives that are cut short again and again, until so many have been killed.

After every life the account is compared with the checkpoint; at the end the faults are switched off, one run goes
through in peace, and everything is compared with everything.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash import account, invariants
from tests.crash.account import LATE_S, LATENCY_S, Held
from tests.crash.ends import WAYS
from tests.crash.export import MAPPING, Export, seeds
from tests.crash.invariants import Snapshot
from tests.crash.lives import INTERRUPTED, KILLED, TERMINATED, Workplace, wait

#: What goes wrong at the account while lives come and go; p is the chance of each for a request, by wire: a run on the
#: objects wire sends few requests, on v1 many.
FAULTS = (
    "error_before:p={p}", "error_after:p={p},status=500", "commit_then_hang:p={p},seconds=0.4",
    "commit_then_reset:p={p}", "late_commit:p={p},seconds={late}", "cut_json:p={p},match=create",
    "cut_json:p={p},match=/v1/engagements", "slow_headers:p={p},seconds=0.3", "missing_from_207:p={p}",
    "error_before:p=0.01,match=GET", "repeated_results:p=0.05", "rate_limit:p=0.002",
)  # fmt: skip
P = {"objects": 0.015, "v1": 0.003}
ROWS = {"objects": (100, 500), "v1": (30, 90)}  #: by how much the export grows
#: What the account permits: so little that loaders have to wait for it, also those that come after a kill.
LIMIT = {"objects": "25/5s", "v1": "60/5s"}
#: Beyond what the sandbox announces: it shares its processors with the loaders.
SPARE_S = 0.2
#: A run that stops by itself with one of these went wrong in a way that it told, and the next one goes on: account down, later.
TOLD = (69, 75)


@dataclass(slots=True)
class Siege:
    """A siege as it goes: what is besieged, what was seen."""

    place: Workplace
    export: Export
    rng: random.Random
    wanted: int  #: kills
    say: Callable[[str], None] = print
    lives: int = 0
    kills: int = 0
    finished: int = 0
    turned_away: int = 0  #: second starts
    unresolved: int = 0  #: rows that only `etl retry --unknown` could settle
    ways: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    forgot: bool = False  #: the checkpoint was lost or put back: it cannot know of all that was sent
    seen: Snapshot = field(default_factory=Snapshot)
    held: list[Held] = field(default_factory=list)
    work_s: float = 4.0  #: how long a life works that is left alone
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        """Good rows that are not in the account."""
        return len(self.export.good - {engagement.row for engagement in self.held})

    @property
    def misplaced(self) -> int:
        """Rows that have the id or the key of another."""
        return sum(text.startswith("I4") for text in self.wrong)

    @property
    def duplicates(self) -> int:
        """Engagements that are in the account beside the first of their row."""
        return len(self.held) - len({engagement.row for engagement in self.held})

    def verify(self) -> None:
        """Compares account and checkpoint, after the death of a life."""
        now = invariants.snapshot(self.place.checkpoint)
        self.held = account.engagements(self.place.url)
        asked = account.requests(self.place.url)
        self.note([*invariants.standing(self.seen, now, self.held, forgot=self.forgot), *invariants.paced(asked)])
        if not self.forgot:
            self.note([*invariants.counted(now, self.held, asked)])
        self.seen = now

    def note(self, wrong: list[str]) -> None:
        """Keeps what is wrong, each once, and says the first of it."""
        new = [text for text in dict.fromkeys(wrong) if text not in self.wrong]
        self.wrong += new
        for text in new[:5]:
            self.say(f"life {self.lives}: WRONG: {text}" + (f" ({len(new)} in all)" if len(new) > 5 else ""))


@contextmanager
def besieged(
    folder: Path, wire: str, seed: int, *, kills: int, unique: bool = False, lag_s: float | None = None,
    say: Callable[[str], None] = print,
) -> Iterator[Siege]:  # fmt: skip
    """A siege made ready: a sandbox of its own, an export, a mapping. The same seed, the same plans."""
    rng = random.Random(f"{seed} {wire} {unique}")
    lag = rng.choice([0.2, 0.3, 0.4]) if lag_s is None else lag_s
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "work").mkdir()
    seeds(folder / "seeds")
    options = [
        "--limit",
        LIMIT[wire],
        "--index-lag",
        f"{lag}",
        "--latency",
        f"{LATENCY_S}",
        *([] if unique else ["--no-unique-properties"]),
    ]
    with account.sandbox(folder / "account", folder / "seeds", *options) as url:
        place = Workplace(folder / "work", url, wire)
        (place.folder / "kill.yaml").write_text(MAPPING)
        siege = Siege(place, Export(place.folder / "in.csv", rng), rng, kills, say)
        siege.export.grow(max(ROWS[wire]))
        yield siege


def besiege(siege: Siege, *, until_s: float = float("inf"), at_least: int = 0) -> None:
    """Lives and kills until there were enough, or until the monotonic clock says so; then peace, and the comparison.

    The clock is not heard before `at_least` were killed: how many lives a time holds, and how many of them end before
    their kill comes, is the machine's.
    """
    begun = time.monotonic()
    harass(siege)
    while siege.kills < at_least or (siege.kills < siege.wanted and time.monotonic() < until_s):
        live(siege)
    calm(siege)
    peace(siege)
    siege.seconds = time.monotonic() - begun


def harass(siege: Siege) -> None:
    """Switches the faults on, and the settle time to what they allow."""
    faults = [f.format(p=P[siege.place.wire], late=LATE_S) for f in FAULTS]
    account.strike(siege.place.url, faults, siege.rng.randrange(1 << 20))
    siege.place.settle_s = account.settle_s(siege.place.url) + SPARE_S


def calm(siege: Siege) -> None:
    """Switches the faults off, and counts how often they struck."""
    siege.faults += Counter(account.struck(siege.place.url))
    account.strike(siege.place.url, [])


def live(siege: Siege) -> None:
    """One life, and how it ends; then the comparison."""
    way = siege.rng.choices([*WAYS], [often for often, _ in WAYS.values()])[0]
    siege.lives += 1
    try:
        code = WAYS[way][1](siege)
    except subprocess.TimeoutExpired as hanging:
        siege.note([f"a life had to be ended: {hanging}"])
        code = KILLED
    siege.ways[way] += 1
    siege.exits[code] += 1
    if "Traceback" in siege.place.complaint() and code not in INTERRUPTED:
        siege.note([f"a traceback: {siege.place.complaint()}"])
    if code == KILLED:
        siege.kills += 1
    elif code in {0, 3}:
        siege.finished += 1
        siege.note([*invariants.told(siege.place.said(), code)])
        siege.export.grow(siege.rng.randint(*ROWS[siege.place.wire]))
    elif code not in {*INTERRUPTED, *TERMINATED, *TOLD}:
        siege.note([f"I16: exit {code}: {siege.place.complaint()}"])
    siege.verify()
    if siege.lives % 20 == 0:
        siege.say(f"{siege.lives} lives, {siege.kills} killed, {siege.finished} ended, {siege.export.rows} rows, "
                  f"{len(siege.held)} in the account, {siege.duplicates} twice")  # fmt: skip


def peace(siege: Siege) -> None:
    """A run over the whole export with no fault and no kill, and what must hold then."""
    time.sleep(LATE_S)
    siege.export.all()
    code = _run(siege)
    for _ in range(3):
        if not siege.place.said().get("not_tried"):
            break
        code = _run(siege)
    siege.unresolved = _whole(siege.place.said(), "unresolved")
    if siege.unresolved:
        wait(siege.place.start(["retry", "--unknown", *siege.place.where()], name="retry"))
        code = _run(siege)
    siege.note([*invariants.told(siege.place.said(), code)])
    if siege.place.said().get("read") != siege.export.rows:
        siege.note([f"I1: {siege.place.said().get('read')} rows read of {siege.export.rows}"])
    siege.verify()
    siege.note([*invariants.settled(siege.export, siege.seen, siege.held)])
    _again(siege)
    siege.note([*invariants.files(siege.place.folder)])


def _run(siege: Siege) -> int:
    code = wait(siege.place.start())
    if code != 3:
        siege.note([f"I16: exit {code} in peace: {siege.place.complaint()}"])
    return code


def _again(siege: Siege) -> None:
    """I8, I11: a further run, and one of the reject file alone, write nothing."""
    if "rejects" not in siege.place.said().get("files", {}):
        siege.note(["I11: there is no reject file"])
        return
    rejects = siege.place.folder / siege.place.said()["files"]["rejects"]
    siege.note([*invariants.reject_file(rejects, siege.export)])
    for files in ([], [str(rejects.resolve())]):
        before = account.newest(siege.place.url)
        wait(siege.place.start([*siege.place.arguments(*files), "--max-rejects", "100%"]))
        if written := account.writes(siege.place.url, before):
            siege.note([f"I8, I11: a run with nothing to do wrote: {written[:3]}"])


def _whole(summary: dict[str, object], fate: str) -> int:
    carried = summary.get("carried")
    parts = (summary, carried if isinstance(carried, dict) else {})
    return sum(int(str(part.get(fate, 0))) for part in parts)
