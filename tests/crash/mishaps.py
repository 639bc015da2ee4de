"""Other ways for a life to go wrong: a full disk, a disk that fails, a clock that jumps, a second start, an old checkpoint.

Each gives the siege in which it happened, with what it saw; the number of times that it struck is in `ways`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crash import account
from tests.crash.ends import two_at_once
from tests.crash.invariants import Snapshot
from tests.crash.lives import KILLED, wait
from tests.crash.siege import ROWS, Siege, calm, harass, peace

#: `StorageError`: the run says that its disk failed, and stops.
STORAGE = 73
#: `TryLater`: nothing was done, and what to do is said.
LATER = 75
_DISK_MIB = 32


def disk_full(siege: Siege, times: int) -> None:
    """The disk of the checkpoint, or that of the run's files, has so little room that it fills up somewhere in a run."""
    with _disks(siege.place.folder) as disks:
        for _ in _until(siege, "disk full", times):
            disk = siege.rng.choice([disks[0], disks[0], disks[-1]])
            filler = disk / "filler"
            room = siege.rng.choice([0, 30_000, 200_000, 700_000, 1_200_000])
            free = shutil.disk_usage(disk).free
            filler.write_bytes(bytes(max(0, free - int(siege.rng.random() * room))))
            code = wait(siege.place.start())
            filler.unlink()
            _storage(siege, "disk full", code)
        peace(siege)


def file_too_large(siege: Siege, times: int) -> None:
    """A file of the run becomes longer than the system allows: the full disk of those who cannot mount one."""
    for _ in _until(siege, "file-size limit", times):
        size = max((path.stat().st_size for path in siege.place.checkpoint.parent.glob("*")), default=0)
        most = int(size + siege.rng.choice([-1, 1, 1, 1]) * siege.rng.random() * 300_000)
        code = wait(siege.place.start(before=["prlimit", f"--fsize={max(4096, most)}", "--"]))
        _storage(siege, "file-size limit", code)
    peace(siege)


def broken_disk(siege: Siege, times: int) -> None:
    """The Nth sync or write of the process fails with EIO; without strace, the Nth commit."""
    trace = siege.place.folder.parent / "trace"
    for _ in _until(siege, "I/O error", times):
        if shutil.which("strace") and siege.rng.random() < 0.8:
            call, most = siege.rng.choice([("fdatasync", 12), ("fdatasync", 30), ("pwrite64", 250)])
            inject = f"inject={call}:error=EIO:when={siege.rng.randint(1, most)}"
            strace = ["strace", "-f", "-qq", "-o", str(trace), "--seccomp-bpf", "-e", f"trace={call}", "-e", inject]
            code = wait(siege.place.start(before=strace))
            struck = "INJECTED" in trace.read_text(errors="replace")
        else:
            nth = siege.rng.choice([-1, 1]) * siege.rng.randint(1, 30)
            code = wait(siege.place.start(environment={"FAIL_COMMIT": str(nth)}))
            struck = code not in {0, 3}
        _storage(siege, "I/O error", code, struck=struck)
    peace(siege)


def clock_jumps(siege: Siege, times: int) -> None:
    """The clock of the loader's machine is an hour ahead, or behind, of what it was in the life before, which was killed."""
    harass(siege)
    hours = 0
    for _ in _until(siege, "clock jump", times):
        hours = siege.rng.choice([h for h in (-1, 0, 1) if h != hours])
        doom = _clock(hours) | {
            "DOOM": siege.rng.choice(["create.sent:2", "create.arriving:1", "outcome.before:2", "settle.waiting:1"])
        }
        code = wait(siege.place.start(environment=doom))
        siege.kills += code == KILLED
        siege.points.update(siege.place.died_at()[-1:] if code == KILLED else [])
        siege.ways["clock jump"] += 1
        _ended(siege, code, {KILLED})
    calm(siege)
    peace(siege)


def two_starts(siege: Siege, times: int) -> None:
    """A second start beside a stopped life that holds the checkpoint, and two starts at the very same time."""
    harass(siege)
    for turn in _until(siege, "second start", times):
        if turn % 2:
            before = siege.turned_away
            code = two_at_once(siege)
            siege.ways["second start"] += siege.turned_away - before
        else:
            both = siege.place.start(), siege.place.start(name="second")
            code, other = (wait(life) for life in both)
            if not {code, other} <= {0, 3, 75} or {code, other} == {75}:
                siege.note([f"I12: two starts ended with {code} and {other}: {siege.place.complaint()}"])
            code = min(code, other)
            siege.ways["second start"] += 1
        _ended(siege, code, {LATER})
    calm(siege)
    peace(siege)


def older_copy(siege: Siege, times: int) -> None:
    """The checkpoint of an earlier day is put back, or the checkpoint is lost: the run stops, and only goes on when told to
    read the account first."""
    harass(siege)
    state = siege.place.checkpoint.parent
    kept = state.with_name("kept")
    for turn in _until(siege, "older copy", times):
        shutil.rmtree(kept, ignore_errors=True)
        if turn % 3:
            shutil.copytree(state, kept)
        _ended(siege, wait(siege.place.start()), {LATER})
        for file in [f for f in state.iterdir() if not f.name.endswith(".epoch")]:
            file.unlink()
        for file in kept.glob("kill.sqlite*") if kept.exists() else ():
            if not file.name.endswith(".epoch"):
                shutil.copy2(file, state)
        before = account.newest(siege.place.url)
        code = wait(siege.place.start())
        if code != LATER or account.writes(siege.place.url, before):
            siege.note([f"a run with a checkpoint of an earlier day ended with {code}: {siege.place.complaint()}"])
        siege.seen, siege.forgot = Snapshot(), True
        _ended(siege, wait(siege.place.start([*siege.place.arguments(), "--reconcile"])), {LATER})
        siege.ways["older copy"] += 1
    calm(siege)
    peace(siege)


#: Mishap -> how it is made, and how often on each wire.
MISHAPS: dict[str, tuple[Callable[[Siege, int], None], int]] = {
    "disk full": (disk_full if os.geteuid() == 0 else file_too_large, 10),
    "I/O error": (broken_disk, 10),
    "clock jump": (clock_jumps, 10),
    "second start": (two_starts, 5),
    "older copy": (older_copy, 5),
}


def missing(mishap: str) -> str:
    """Why a mishap cannot be made on this machine; empty where it can."""
    return "faketime is not installed" if mishap == "clock jump" and not shutil.which("faketime") else ""


def _until(siege: Siege, mishap: str, times: int) -> Iterator[int]:
    """Turns, until the mishap has struck so often; not for ever."""
    begun = time.monotonic()
    for turn in range(6 * times):
        if siege.ways[mishap] >= times:
            break
        siege.lives += 1
        yield turn
    siege.seconds += time.monotonic() - begun


def _storage(siege: Siege, mishap: str, code: int, *, struck: bool = True) -> None:
    """A run whose disk failed says so and stops, or got through because nothing of it was lost."""
    siege.ways[mishap] += struck and code not in {0, 3}
    siege.ways[f"{mishap}, and the run got through"] += struck and code in {0, 3}
    _ended(siege, code, {STORAGE})


def _ended(siege: Siege, code: int, others: set[int]) -> None:
    siege.exits[code] += 1
    if "Traceback" in siege.place.complaint():
        siege.note([f"a traceback: {siege.place.complaint()}"])
    if code in {0, 3}:
        siege.finished += 1
        siege.export.grow(siege.rng.randint(*ROWS[siege.place.wire]))
    elif code not in others:
        siege.note([f"I16: exit {code}: {siege.place.complaint()}"])
    siege.verify()


def _clock(hours: int) -> dict[str, str]:
    """The environment in which a process's clock is so many hours ahead; its monotonic clock is left alone."""
    if not hours:
        return {}
    command = ["faketime", "--exclude-monotonic", "-f", f"{hours:+d}h", "env"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    return {name: lines[name] for name in ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC") if name in lines}


@contextmanager
def _disks(folder: Path) -> Iterator[list[Path]]:
    """Small disks of their own for the checkpoint and for the run's files."""
    disks = [folder / "state", folder / ".etl"]
    mounted = []
    try:
        for disk in disks:
            disk.mkdir(mode=0o700)
            command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m,mode=0700", "tmpfs", str(disk)]
            subprocess.run(command, check=True)
            mounted.append(disk)
        yield disks
    finally:
        for disk in mounted:
            subprocess.run(["umount", "-l", str(disk)], check=False)
