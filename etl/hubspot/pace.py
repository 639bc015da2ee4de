"""Limits as arithmetic: how long to wait before the next request, from when the last ones reached the server.

No clock, no sleeping and no network in it: the time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort_right
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Until the account has told its own limit: that of the smallest plan. HubSpot: usage guidelines, requests in 10 s.
DEFAULT_LIMIT, DEFAULT_WINDOW_S = 100, 10.0
#: HubSpot allows 5 searches a second and account; one is left to others.
SEARCH_LIMIT, SEARCH_WINDOW_S = 4, 1.0
#: Our window is longer than the server's by this, since requests can arrive closer together than they left.
GUARD_S = 0.025
#: Requests of ours up to this much older than the window may still be in the server's count.
SLACK_S = 0.5


@dataclass(slots=True)
class Pace:
    """A rolling window of the moments at which requests left: at most `limit` in any `window_s`."""

    limit: int = DEFAULT_LIMIT
    window_s: float = DEFAULT_WINDOW_S
    held_until: float = 0.0  #: nothing is sent before this moment
    moments: array[float] = field(default_factory=lambda: array("d"))  #: ascending; foreign requests are among them

    def wait_s(self, now: float) -> float:
        """Seconds until one more request may be sent; 0 if it may be sent now.

        >>> pace = Pace(limit=1, window_s=10)
        >>> pace.take(100.0)
        >>> round(pace.wait_s(104.0), 3)
        6.025
        """
        moments, limit = self.moments, self.limit
        if len(moments) < limit:
            return max(0.0, self.held_until - now)
        if len(moments) > 2 * limit:
            del moments[: bisect_right(moments, now - self.window_s - SLACK_S)]
            if len(moments) < limit:
                return max(0.0, self.held_until - now)
        return max(0.0, moments[-limit] + self.window_s + GUARD_S - now, self.held_until - now)

    def take(self, now: float) -> None:
        """Counts a request that is sent now, or that has its place from now on."""
        insort_right(self.moments, now)

    def move(self, old: float, new: float) -> None:
        """Corrects the moment of one request, in whichever direction; counts it at `new` if `old` is not known."""
        at = bisect_left(self.moments, old)
        if at < len(self.moments) and self.moments[at] == old:
            del self.moments[at]
        insort_right(self.moments, new)

    def hold(self, until: float) -> None:
        """Sends nothing before `until`; an earlier hold that lasts longer stays."""
        self.held_until = max(self.held_until, until)

    def hear(self, headers: Mapping[str, str], sent: float) -> None:
        """Follows the limit in the headers (names in lower case) of the answer to a request that was sent at `sent`.

        What is missing or senseless is ignored. A `Remaining` that is lower than our own requests explain means that
        others share the limit: their requests are counted as if they had been sent with that one.
        """
        limit = number(headers.get("x-hubspot-ratelimit-max"))
        window_ms = number(headers.get("x-hubspot-ratelimit-interval-milliseconds"))
        remaining = number(headers.get("x-hubspot-ratelimit-remaining"))
        if limit:
            self.limit = limit
        if window_ms:
            self.window_s = window_ms / 1000
        if limit and remaining is not None:
            own = len(self.moments) - bisect_right(self.moments, sent - self.window_s - SLACK_S)
            at = bisect_right(self.moments, sent)
            self.moments[at:at] = array("d", [sent] * min(limit, limit - remaining - own))


def number(text: str | None) -> int | None:
    """The whole number of a header; None where there is none, or nothing that is one."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
