"""Limits as arithmetic: how long to wait before the next request, from when the last ones were sent.

No clock, no sleeping and no network in it: the time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import deque
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
    """A rolling window of the moments at which requests were sent: at most `limit` in any `window_s`."""

    limit: int = DEFAULT_LIMIT
    window_s: float = DEFAULT_WINDOW_S
    held_until: float = 0.0  #: nothing is sent before this moment
    _sent: deque[float] = field(default_factory=deque)  #: moments, oldest first; foreign requests are among them

    def wait_s(self, now: float) -> float:
        """Seconds until one more request may be sent; 0 if it may be sent now.

        >>> pace = Pace(limit=1, window_s=10)
        >>> pace.take(100.0)
        >>> round(pace.wait_s(104.0), 3)
        6.025
        """
        self._forget(now)
        free_at = self._sent[-self.limit] + self.window_s + GUARD_S if len(self._sent) >= self.limit else now
        return max(0.0, free_at - now, self.held_until - now)

    def take(self, now: float) -> None:
        """Counts a request that is sent now."""
        self._sent.append(now)

    def hold(self, until: float) -> None:
        """Sends nothing before `until`; an earlier hold that lasts longer stays."""
        self.held_until = max(self.held_until, until)

    def hear(self, headers: Mapping[str, str], now: float) -> None:
        """Follows the limit in an answer's headers (names in lower case); what is missing or senseless is ignored.

        A `Remaining` that is lower than our own requests explain means that others share the limit: their requests
        are counted as if they had been sent now.
        """
        limit = _number(headers.get("x-hubspot-ratelimit-max"))
        window_ms = _number(headers.get("x-hubspot-ratelimit-interval-milliseconds"))
        remaining = _number(headers.get("x-hubspot-ratelimit-remaining"))
        if limit:
            self.limit = limit
        if window_ms:
            self.window_s = window_ms / 1000
        if limit and remaining is not None:
            self._forget(now)
            self._sent.extend([now] * (limit - remaining - len(self._sent)))

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0] <= now - self.window_s - SLACK_S:
            self._sent.popleft()


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
