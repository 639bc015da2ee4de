"""What can be set about a sandbox, with the values it has when nothing is said.

Switches stand where it is unproven how the real API behaves; their default is what has been recorded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

#: Beyond the index lag, this much for requests that are still being answered when their client has given up, in s.
MARGIN_S = 0.5
#: HubSpot: usage guidelines, private apps. Tier -> requests in 10 s for an app, requests a day for the account.
TIERS: Final = {"free": (100, 250_000), "pro": (190, 625_000), "enterprise": (190, 1_000_000)}


@dataclass(frozen=True, slots=True)
class Settings:
    """How this sandbox behaves; all seconds are wall-clock seconds."""

    token: str = ""  #: the only bearer token accepted; empty: any
    seed: int = 0  #: of the faults and of the order of batch results
    index_lag_s: float = 1.5  #: what is new is not found by searches and change lists for so long
    settle_s: float | None = None  #: what `/__sandbox` announces; None: lag, latency, the latest commit and a margin
    window_max: int = 100_000  #: requests in a window, as the headers tell; HubSpot: 100, 190 or 250 by plan
    window_s: float = 10.0  #: length of that window
    daily_max: int = 1_000_000  #: requests a day, as the headers tell
    search_max: int = 5  #: searches a second
    enforce_limits: bool = False  #: answer 429 beyond them
    time_zone: str = "US/Eastern"  #: the account's; its midnight ends the day
    unique_properties: bool = True  #: activities may have unique properties (unproven for the real API)
    missing_engagement: Literal["empty200", "404"] = "empty200"  #: v1 GET of an id that is not there, or deleted
    repeated_uid: Literal["accept", "existing", "conflict"] = "accept"  #: v1 create, `uid` taken (unproven)
    retry_after: bool = False  #: whether a 429 tells how long to wait (recorded ones do not)
    latency_s: float = 0.0  #: every answer of the API takes so long at least
    clock: Callable[[], float] = time.time  #: seconds since 1970, UTC


def duration(text: str) -> float:
    """A length of time in seconds; a number alone is seconds. `ValueError` for what is none.

    >>> duration("50ms"), duration("2s"), duration("1.5"), duration("3m")
    (0.05, 2.0, 1.5, 180.0)
    """
    if not (found := re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h)?\s*", text, re.ASCII)):
        raise ValueError(f"{text!r} is no length of time; write e.g. 50ms, 2s or 1.5")
    return float(found[1]) * {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}[found[2]]
