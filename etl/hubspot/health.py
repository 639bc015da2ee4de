"""How much an account may be asked to do at once, from how it bore what it was asked: a state machine, told the time.

                          well             well
    a run begins ──> trial ────> growing ────────> full: up to `width` requests at once
                     ^   ^          │                │
           time over │   └─ unwell ─┘                │ unwell too often
                     open <──────────────────────────┘ (too often in an hour: the account is given up)

One request of one row, then one of ten, then all that the width allows. Only creates are judged: reads change nothing, so
they go on while it is open (what is unknown is settled by reading) and have an end of their own; but what they repeat
costs from the same budget. A refused row or a 429 does not speak against the account.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from etl.errors import RemoteDown
from etl.hubspot.target import Wellness

Stage = Literal["trial", "growing", "full"]

#: Rows of the one request that may be under way.
ROWS: dict[Stage, int] = {"trial": 1, "growing": 10}
#: Most requests under way; far above what any account's limit can use.
MAX_WIDTH = 10
#: After so long without trouble one more request may be under way. Seconds; HubSpot's own window.
WIDER_AFTER_S = 10.0
#: Where it cannot be known when there is room again, it is asked for again after so long.
POLL_S = 0.02
#: The wait before a repetition is between 0 and `BASE_S` x 2^n, at most `CAP_S`.
BASE_S, CAP_S = 0.5, 30.0
#: What is sent again costs 1 of the budget; what is sent for the first time adds to it.
BUDGET, FIRST_ADDS = 20.0, 0.1
NEVER = float("-inf")


class Patience(NamedTuple):
    """When the account is left alone, for how long, and when it is given up. Seconds."""

    in_a_row: int = 5  #: failures one after the other
    share: float = 0.5  #: or more failures than this share
    of: int = 20  #: of at least so many answers
    within_s: float = 60.0  #: in this time
    first_s: float = 5.0  #: left alone so long: a server that is started again needs no more
    then_s: float = 60.0  #: so long the next time, and twice as long each time after
    at_most_s: float = 600.0
    openings: int = 4  #: so many times
    openings_within_s: float = 3600.0  #: in this time, and the account is given up


PATIENCE = Patience()


@dataclass(slots=True)
class Health:
    """The state. `chance` gives numbers between 0 and 1."""

    chance: Callable[[], float]
    patience: Patience
    stage: Stage = "trial"
    width: int = MAX_WIDTH
    under_way: int = 0
    notice: str = ""  #: what is wrong at the moment, for people
    open_until: float = NEVER
    _why: str = ""  #: why it was left alone last
    _paused_until: float = NEVER
    _in_a_row: int = 0
    _budget: float = BUDGET
    _cut_at: float = NEVER  #: when the width was halved last
    _calm_since: float = NEVER  #: last trouble, or when the width grew last
    _openings: deque[float] = field(default_factory=deque)
    _seconds: deque[list[int]] = field(default_factory=deque)  #: [second, answers, failures]

    def wait_s(self, now: float) -> float:
        """Seconds until one more create may be begun; 0 if now. Raises `RemoteDown` once the account is given up."""
        if self._openings:
            self._give_up(now)
        if now < (until := max(self.open_until, self._paused_until)):
            return until - now
        return 0.0 if self.under_way < (self.width if self.stage == "full" else 1) else POLL_S

    def rows(self, most: int) -> int:
        """How many rows a create may hold, where the wire takes `most`."""
        return min(ROWS.get(self.stage, most), most)

    def begin(self) -> None:
        """Counts a create that has its place."""
        self.under_way += 1
        self.first()

    def end(self, now: float, sent: float, found: Wellness, why: str, *, again: bool = False) -> None:
        """Counts the end of a create that was sent at `sent`; `again`: its rows are to be sent once more."""
        self.under_way -= 1
        if sent < self.open_until:  # it was under way when the account was left alone: nothing new
            return
        if found != "busy":
            self._note(int(now), int(found == "unwell"))
        if found == "well":
            self._well(now)
            return
        self._narrow(now, sent)
        if found == "unwell":
            self._unwell(now, why, again=again)

    def first(self) -> None:
        """Counts what is sent for the first time."""
        self._budget = min(BUDGET, self._budget + FIRST_ADDS)

    def before_repeating_s(self, now: float, attempt: int, why: str) -> float:
        """Seconds to wait before a read is repeated that has failed `attempt` times: by chance, on average ever longer.

        With nothing left in the budget it is as if the account were unwell, and the read waits as long as creates do.
        Raises `RemoteDown` once the account is given up.
        """
        wait_s = self._back_off_s(attempt)
        if not self._spend():
            self._open(now, why)
            self._give_up(now)
            wait_s += self.open_until - now
        return wait_s

    def _well(self, now: float) -> None:
        self._in_a_row, self.notice = 0, ""
        self.stage = "growing" if self.stage == "trial" else "full"
        if now - self._calm_since >= WIDER_AFTER_S:
            self.width, self._calm_since = min(MAX_WIDTH, self.width + 1), now

    def _narrow(self, now: float, sent: float) -> None:
        """Halves the width, but not again for what was sent before it was halved."""
        self._calm_since = now
        if sent > self._cut_at:
            self.width, self._cut_at = max(1, self.width // 2), now

    def _unwell(self, now: float, why: str, *, again: bool) -> None:
        self._in_a_row += 1
        spent = again and not self._spend()
        left_alone_before = self.stage == "trial" and self._openings and self._in_a_row == 1
        if spent or left_alone_before or self._in_a_row >= self.patience.in_a_row or self._mostly_unwell():
            self._open(now, why)
        elif self.stage != "full":
            self.stage = "trial"
            self._paused_until = now + self._back_off_s(self._in_a_row)
            self.notice = f"The API is not well ({why}); it is being tried with one row at a time."

    def _open(self, now: float, why: str) -> None:
        """Leaves the account alone for a while; then everything begins anew."""
        times, patience = len(self._openings), self.patience
        wait_s = patience.first_s if not times else min(patience.at_most_s, patience.then_s * 2 ** (times - 1))
        self._openings.append(now)
        self.open_until, self.stage, self._in_a_row, self._budget = now + wait_s, "trial", 0, BUDGET
        self._seconds.clear()
        self.notice, self._why = f"The API is not well ({why}); trying again in {wait_s:.0f} s.", why

    def _give_up(self, now: float) -> None:
        while self._openings and self._openings[0] <= now - self.patience.openings_within_s:
            self._openings.popleft()
        if len(self._openings) >= self.patience.openings:
            raise RemoteDown(
                f"The API is still not well after {len(self._openings) - 1} pauses: {self._why}",
                hint="Run the same command again later; nothing is lost.",
            )

    def _spend(self) -> bool:
        self._budget -= 1
        return self._budget >= 0

    def _note(self, second: int, failures: int) -> None:
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
            while self._seconds[0][0] <= second - self.patience.within_s:
                self._seconds.popleft()
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += failures

    def _mostly_unwell(self) -> bool:
        answers = sum(of for _, of, _ in self._seconds)
        failures = sum(failed for _, _, failed in self._seconds)
        return answers >= self.patience.of and failures > self.patience.share * answers

    def _back_off_s(self, attempt: int) -> float:
        return self.chance() * min(CAP_S, BASE_S * 2.0 ** (attempt - 1))
