"""The account's limits: what the headers tell, and who gets a 429 when they are enforced.

A rolling window of 10 s, a daily count, and a bucket of their own for searches, whose answers do not carry the headers
of the window. HubSpot: usage guidelines.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from etl.sandbox.answers import Answer
from etl.sandbox.settings import Settings

WINDOW_S: Final = 10.0
#: policy -> the parts of its 429 body; official clients retry by exactly these words.
BODIES: Final[dict[str, dict[str, str]]] = {
    "TEN_SECONDLY_ROLLING": {
        "message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT",
        "policyName": "TEN_SECONDLY_ROLLING",
    },
    "DAILY": {"message": "You have reached your daily limit.", "errorType": "RATE_LIMIT", "policyName": "DAILY"},
    "SECONDLY": {"message": "You have reached your secondly limit.", "category": "RATE_LIMITS"},
}  # fmt: skip


class Limits:
    """The counts of one account; the time is an argument, in seconds since 1970."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._calls: deque[float] = deque()
        self._searches: deque[float] = deque()
        self._day = 0
        self.used_today = 0

    def take(self, now_s: float, *, search: bool) -> str | None:
        """Counts a request; the policy that refuses it, if limits are enforced and one does."""
        if int(now_s // 86_400) != self._day:
            self._day, self.used_today = int(now_s // 86_400), 0
        times, most, window_s, policy = (
            (self._searches, self._settings.search_max, 1.0, "SECONDLY")
            if search
            else (self._calls, self._settings.window_max, WINDOW_S, "TEN_SECONDLY_ROLLING")
        )
        while times and times[0] <= now_s - window_s:
            times.popleft()
        if self._settings.enforce_limits and self.used_today >= self._settings.daily_max:
            return "DAILY"
        if self._settings.enforce_limits and len(times) >= most:
            return policy
        self.used_today += 1
        if len(times) < most:  # beyond it only while limits are not enforced: the count stays bounded
            times.append(now_s)
        return None

    def headers(self, *, search: bool) -> list[tuple[str, str]]:
        """The limit headers of an answer."""
        daily = self._settings.daily_max
        told = [("Daily", daily), ("Daily-Remaining", max(0, daily - self.used_today))]
        if not search:
            most = self._settings.window_max
            told += [("Interval-Milliseconds", int(WINDOW_S * 1000)), ("Max", most)]
            told += [("Remaining", most - len(self._calls)), ("Secondly", most // 10)]
            told += [("Secondly-Remaining", max(0, most // 10 - 1))]
        return [(f"X-HubSpot-RateLimit-{name}", str(value)) for name, value in told]


def too_many(policy: str, correlation_id: str) -> Answer:
    """The 429 of a policy; without `Retry-After`, as recorded."""
    return Answer(429, {"status": "error", "correlationId": correlation_id, **BODIES[policy]})
