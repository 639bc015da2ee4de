"""The account's limits: what the headers tell, and who gets a 429 when they are enforced.

A rolling window, a daily count, and a bucket of their own for searches, whose answers do not carry the headers of the
window. HubSpot: usage guidelines.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

from etl.sandbox.answers import Answer
from etl.sandbox.settings import Settings

WINDOW, DAILY, SEARCH = "TEN_SECONDLY_ROLLING", "DAILY", "SECONDLY"
_RATE: Final = b"x-hubspot-ratelimit-"


class Limits:
    """The counts of one account; the time is an argument, in seconds since 1970."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._calls, self._searches = _Rolling(settings.window_s), _Rolling(1.0)
        self._last_second = _Rolling(1.0)  # told by deprecated headers, never enforced
        self._secondly = max(1, int(settings.window_max / settings.window_s))
        self._day = (0.0, 0.0)
        self.used_today = 0
        told = (b"interval-milliseconds", int(settings.window_s * 1000)), (b"max", settings.window_max)
        self._fixed = [_header(name, value) for name, value in (*told, (b"secondly", self._secondly))]
        self._daily = _header(b"daily", settings.daily_max)

    def count_on(self, now_s: float, used_today: int) -> None:
        """Starts with so many requests made today already."""
        self._day, self.used_today = self.day(now_s), used_today

    def day(self, now_s: float) -> tuple[float, float]:
        """When the account's day began and when it ends, at midnights of its time zone, in seconds since 1970."""
        zone = ZoneInfo(self._settings.time_zone)
        midnight = datetime.fromtimestamp(now_s, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return midnight.timestamp(), (midnight + timedelta(days=1)).timestamp()

    def take(self, now_s: float, *, search: bool) -> str | None:
        """Counts a request; the policy that refuses it, if limits are enforced and one does."""
        if not self._day[0] <= now_s < self._day[1]:
            self.count_on(now_s, 0)
        most = self._settings.search_max if search else self._settings.window_max
        rolling = self._searches if search else self._calls
        used = rolling.used(now_s)
        if self._settings.enforce_limits and self.used_today >= self._settings.daily_max:
            return DAILY
        if self._settings.enforce_limits and used >= most:
            return SEARCH if search else WINDOW
        self.used_today += 1
        rolling.add(now_s, most)
        if not search:
            self._last_second.used(now_s)
            self._last_second.add(now_s, self._secondly)
        return None

    def headers(self, *, search: bool) -> list[tuple[bytes, bytes]]:
        """The limit headers of an answer, as of the last `take`."""
        told = [self._daily, _header(b"daily-remaining", max(0, self._settings.daily_max - self.used_today))]
        if search:
            return told
        left = self._settings.window_max - len(self._calls.times)
        left_now = self._secondly - len(self._last_second.times)
        return [*told, *self._fixed, _header(b"remaining", left), _header(b"secondly-remaining", left_now)]

    def wait_s(self, policy: str, now_s: float) -> int:
        """How long until a request that this policy refuses would be taken, in whole seconds."""
        if policy == DAILY:
            return ceil(self.day(now_s)[1] - now_s)
        rolling = self._searches if policy == SEARCH else self._calls
        return max(1, ceil((rolling.times[0] if rolling.times else now_s) + rolling.seconds - now_s))

    def too_many(self, policy: str, now_s: float, correlation_id: str, retry_after: str = "") -> Answer:
        """The 429 of a policy; without `Retry-After`, as recorded, unless the settings or the argument ask for it."""
        wait = retry_after or (str(self.wait_s(policy, now_s)) if self._settings.retry_after else "")
        return Answer(429, _body(policy, correlation_id), headers=(("Retry-After", wait),) if wait else ())


class _Rolling:
    """The moments of the last so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.times: deque[float] = deque()

    def used(self, now_s: float) -> int:
        times, gone = self.times, now_s - self.seconds
        while times and times[0] <= gone:
            times.popleft()
        return len(times)

    def add(self, now_s: float, most: int) -> None:
        if len(self.times) < most:  # beyond it only while limits are not enforced: the count stays bounded
            self.times.append(now_s)


def _header(name: bytes, value: int) -> tuple[bytes, bytes]:
    return _RATE + name, b"%d" % value


def _body(policy: str, correlation_id: str) -> dict[str, str]:
    """The words of a 429, by which official clients decide whether to try again."""
    if policy == SEARCH:
        body = {"status": "error", "message": "You have reached your secondly limit."}
        return body | {"correlationId": correlation_id, "category": "RATE_LIMITS"}
    body = {"status": "error", "message": f"You have reached your {policy.lower()} limit.", "errorType": "RATE_LIMIT"}
    body |= {"correlationId": correlation_id, "policyName": policy}
    return body | {"requestId": correlation_id} if policy == DAILY else body
