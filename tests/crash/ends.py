"""The ways in which a life ends: by force at some moment or at a named place, by a signal, stopped, or beside a second one.

Each starts a life, sees it to its end, and gives its exit code.
"""

from __future__ import annotations

import fcntl
import hashlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.crash import account
from tests.crash.account import LATE_S, LATENCY_S
from tests.crash.lives import KILLED, Workplace, kill, sleep_while_alive, wait
from tests.crash.points import POINTS, RECOVERY

if TYPE_CHECKING:
    from tests.crash.siege import Siege


def _at_a_time(siege: Siege) -> int:
    """Any time; most times are at work, since much of a short life goes by before it has opened its checkpoint."""
    if siege.rng.random() < 0.2:
        life = siege.place.start()
        sleep_while_alive(life, siege.rng.uniform(0.3, 1.5))
    else:
        life = _some_time_at_work(siege)
    if life.poll() is None:
        kill(life)
    return wait(life)


def _at_a_point(siege: Siege) -> int:
    """At the place that was hit least so far; at one of recovery more likely when there is something to recover."""
    doubt = any(row.state in {"in_flight", "unknown"} for row in siege.seen.rows.values())
    open_ = [name for name in POINTS if (name in RECOVERY) <= doubt]
    if doubt and siege.rng.random() < 0.5:
        open_ = [*RECOVERY]
    least = min(siege.points[name] for name in open_)
    name = siege.rng.choice([name for name in open_ if siege.points[name] <= least + 1])
    nth = siege.rng.choice([1, 1, 1, 2, 3]) if name.startswith(("create", "intent", "outcome", "report")) else 1
    environment = {"DOOM": f"{name}:{nth}", "DOOM_AFTER_MS": f"{siege.rng.uniform(0, 1000 * LATENCY_S):.1f}"}
    before = len(siege.place.died_at())
    life = siege.place.start(environment=environment)
    code = wait(life)
    died = siege.place.died_at()[before:]
    siege.points.update(died)
    if (code == KILLED) != (died == [name]):
        siege.note([f"exit {code} of a life that was to die at {name} and died at {died}"])
    return code


def _stopped_then_killed(siege: Siege) -> int:
    return _stopped(siege, kill)


def _stopped_then_gone_on(siege: Siege) -> int:
    return _stopped(siege, lambda life: life.send_signal(signal.SIGCONT))


def _stopped(siege: Siege, then: Callable[[subprocess.Popen[bytes]], None]) -> int:
    life = _some_time_at_work(siege)
    if life.poll() is None:
        life.send_signal(signal.SIGSTOP)
        time.sleep(3)
        then(life)
    return wait(life)


def _signalled(siege: Siege, number: signal.Signals) -> int:
    life = _some_time_at_work(siege)
    if life.poll() is None:
        life.send_signal(number)
    return wait(life)


def two_at_once(siege: Siege) -> int:
    """I12: while a life holds the checkpoint (stopped, so that it changes nothing) a second one is turned away."""
    life = _some_time_at_work(siege)
    if life.poll() is None:
        life.send_signal(signal.SIGSTOP)
        if _is_locked(siege.place):  # it may have been about to end
            siege.note(second_start(siege.place))
            siege.turned_away += 1
        life.send_signal(signal.SIGCONT)
    return wait(life)


def second_start(place: Workplace) -> list[str]:
    """What is wrong with a start beside a stopped life that holds the checkpoint: it must end with 75 and change nothing."""
    time.sleep(LATE_S + 0.2)  # what the stopped one has sent shall have come to its end
    before = _content(place.folder)
    asked = account.newest(place.url)
    code = wait(place.start(name="second"), 40)
    written = account.writes(place.url, asked)
    wrong = [] if code == 75 else [f"I12: a second start ended with {code}: {place.complaint('second')}"]
    after = _content(place.folder)
    changed = sorted({name for name, _ in before ^ after})
    return [
        *wrong,
        *(f"I12: a second start changed {name}" for name in changed),
        *(f"I12: it wrote: {w}" for w in written),
    ]


def _some_time_at_work(siege: Siege) -> subprocess.Popen[bytes]:
    """A life, some time after it has opened its checkpoint; it may have ended."""
    life = siege.place.start()
    while life.poll() is None and not _holds(siege.place, life.pid):
        time.sleep(0.01)
    begun = time.monotonic()
    if not sleep_while_alive(life, siege.rng.uniform(0, siege.work_s)):
        siege.work_s += 0.3 * (time.monotonic() - begun - siege.work_s)
    return life


def _holds(place: Workplace, pid: int) -> bool:
    lock = Path(f"{place.checkpoint}.lock")
    return lock.exists() and f"process {pid} " in lock.read_text()


def _is_locked(place: Workplace) -> bool:
    with Path(f"{place.checkpoint}.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _content(folder: Path) -> set[tuple[str, str]]:
    """Every file of a workplace with a digest of what is in it; but for what the second start itself says, and for the
    file by which processes share the limits of an account."""
    return {
        (str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("second.", "limits-")) and not path.name.endswith("-shm")
    }


#: Ways, and how often each is chosen of a hundred.
WAYS: dict[str, tuple[int, Callable[[Siege], int]]] = {
    "killed at a random time": (41, _at_a_time),
    "killed at a named place": (50, _at_a_point),
    "stopped for 3 s, then killed": (2, _stopped_then_killed),
    "stopped for 3 s, then gone on": (1, _stopped_then_gone_on),
    "SIGTERM": (2, lambda siege: _signalled(siege, signal.SIGTERM)),
    "SIGINT": (2, lambda siege: _signalled(siege, signal.SIGINT)),
    "two at once": (2, two_at_once),
}
