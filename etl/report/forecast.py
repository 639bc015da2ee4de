"""What sending a plan will take: requests, time at the account's limit, share of the day's allowance, look-ups.

Arithmetic on what is staged and what the account told; an estimate from below, since answers take their time too.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from etl.flow import Json
from etl.hubspot.lookups import requests_for
from etl.hubspot.pace import SEARCH_LIMIT
from etl.hubspot.target import Allowance


def forecast(
    by_type: Mapping[str, int], asked: Mapping[tuple[str, str], int], allowance: Allowance, max_batch: int
) -> Json:
    """`by_type` counts the planned rows of each type, `asked` the values looked up by (kind, by) for this plan.

    `create_s` is what the creates take at the account's limit, `search_s` what the look-ups by search take in a plan
    that has to ask all of them, both in seconds; `day_share` of the day's allowance is null where it is not told.
    """
    creates = sum(ceil(rows / max_batch) for rows in by_type.values())
    reads, searches = (
        sum(parts) for parts in zip((0, 0), *(requests_for(*way, n) for way, n in asked.items()), strict=True)
    )
    return {
        "creates": creates,
        "rows_a_request": max_batch,
        "limit": allowance.limit,
        "window_s": allowance.window_s,
        "create_s": round(creates / allowance.limit * allowance.window_s, 1),
        "look_up_reads": reads,
        "look_up_searches": searches,
        "search_s": round(searches / SEARCH_LIMIT, 1),
        "day_limit": allowance.daily_limit,
        "day_left": allowance.daily_left,
        "day_reserve": allowance.reserve,
        "day_share": round(creates / allowance.daily_limit, 6) if allowance.daily_limit else None,
        "days": _days(creates, allowance),
    }


def lines(found: Json) -> list[tuple[str, str, str]]:
    """The forecast as rows of the plan's table."""
    speed = f"{_span(found['create_s'])} at {found['limit']:,} requests in {found['window_s']:g} s"
    told = [("requests", f"{found['creates']:,}", f"{found['rows_a_request']} rows each at most; at least {speed}")]
    if found.get("adopt_reads"):
        reads = found["adopt_reads"]
        speed = _span(reads / found["limit"] * found["window_s"])
        told.append(("reads", f"{reads:,}", f"to recognise what others logged (--adopt); at least {speed}"))
    if found["look_up_searches"]:
        n = found["look_up_searches"]
        told.append(
            (
                "searches",
                f"{n:,}",
                f"look-ups; {_span(found['search_s'])} at {SEARCH_LIMIT} a second, done for this plan",
            )
        )
    if found["day_limit"]:
        left = "" if found["day_left"] is None else f", {found['day_left']:,} of them left"
        days = f"; needs {found['days']} days" if (found["days"] or 0) > 1 else ""
        detail = (
            f"of the day's {found['day_limit']:,} requests{left}; {found['day_reserve']:,} are kept for others{days}"
        )
        told.append(("allowance", f"{found['day_share']:.2%}", detail))
    return told


def _days(creates: int, allowance: Allowance) -> int | None:
    """On how many days the plan has to be sent, with the reserve left to others on each."""
    if not allowance.daily_limit:
        return None
    return max(1, ceil(creates / max(1, allowance.daily_limit - allowance.reserve)))


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
