"""The limits of one account as one thing: its two paces, with those of other processes, and when requests reached it.

Apart from the door, because what counts is when a request reaches the account, not when it leaves here. That is known
only as well as its answer tells: a request whose answer took longer than the quickest may have arrived later by as
much. The difference is added to its moment, so that the window never holds more than the account counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from etl.hubspot.pace import SEARCH_LIMIT, SEARCH_WINDOW_S, Pace
from etl.hubspot.shared import MOMENTS, Shared

#: A request is not taken to arrive later than this after it left: what is beyond is the time of the work itself.
MAX_LATE_S = 0.25
#: A request that leaves so soon after it took its place leaves at the moment of its place.
AT_ONCE_S = 0.01


class Limits:
    """One pace for searches, whose limit is their own, and one for the rest. Moments are of `time.monotonic`."""

    def __init__(self, shared: Shared | None = None) -> None:
        self.pace, self.search_pace = Pace(), Pace(SEARCH_LIMIT, SEARCH_WINDOW_S)
        self._shared = shared
        self._quickest_s = float("inf")  #: the shortest time to an answer so far

    def take(self, now: float, *, search: bool = False) -> float:
        """Takes a place in the window if there is one; else the seconds after which to ask again."""
        with self._together(now):
            pace = self._pace(search=search)
            if (wait_s := pace.wait_s(now)) <= 0:
                pace.take(now)
            return wait_s

    def left(self, now: float, place: float | None) -> float:
        """The moment of a request that leaves now, in the place that it took at the moment `place`, or without one."""
        if place is not None and now - place < AT_ONCE_S:
            return place
        with self._together(now):
            if place is None:
                self.pace.take(now)
            else:
                self.pace.move(place, now)
        return now

    def answered(self, sent: float, now: float, headers: Mapping[str, str], *, search: bool = False) -> None:
        """Takes the answer, or its absence, to a request that left at the moment `sent`."""
        took_s = now - sent
        if headers:
            self._quickest_s = min(took_s, self._quickest_s)
        with self._together(now):
            pace = self._pace(search=search)
            pace.move(sent, sent + max(0.0, min(took_s - self._quickest_s, MAX_LATE_S)))
            if not search:  # answers to a search do not tell its limit
                pace.hear(headers, sent)

    def hold(self, now: float, wait_s: float, *, search: bool = False) -> None:
        """Sends nothing for so long; only searches are held up by what is no longer than their window."""
        with self._together(now):
            for pace in (self.pace, self.search_pace):
                if pace is self.search_pace or not search or wait_s > pace.window_s:
                    pace.hold(now + wait_s)

    def _pace(self, *, search: bool) -> Pace:
        return self.search_pace if search else self.pace

    def _together(self, now: float) -> AbstractContextManager[object]:
        """The paces as all processes know them, for the time of a `with` block."""
        if self._shared is None or self.pace.limit > MOMENTS:
            return nullcontext()
        return self._shared.lent(now, (self.pace, self.search_pace))
