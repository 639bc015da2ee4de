"""The requests that an account may make in a day, and the part of them that is left to others.

What the account does not tell is not known: neither unlimited nor used up. HubSpot: the day begins at midnight in the
account's time zone; tokens of public apps are told no daily limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.errors import TryLater
from etl.hubspot.pace import number

#: The part of the day's requests that is left to others where nothing is said.
RESERVE = 0.2


@dataclass(slots=True)
class Day:
    """What has been told of the day so far. `reserve` is a number of requests, or as a float a share of the limit."""

    reserve: int | float = RESERVE
    limit: int | None = None
    left: int | None = None
    zone: str = ""  #: name of the account's time zone

    @property
    def kept(self) -> int:
        """The reserve in requests; 0 where it is a share of a limit that is not known."""
        return self.reserve if isinstance(self.reserve, int) else int((self.limit or 0) * self.reserve)

    def told(self, limit: int | None, left: int | None, zone: str) -> None:
        """Takes what the account says of its usage; what headers said is newer and stays."""
        self.limit = limit if self.limit is None else self.limit
        self.left = left if self.left is None else self.left
        self.zone = zone

    def hear(self, headers: Mapping[str, str]) -> None:
        """Follows the headers (names in lower case) of one answer; where they are silent one request less is left."""
        limit = number(headers.get("x-hubspot-ratelimit-daily"))
        left = number(headers.get("x-hubspot-ratelimit-daily-remaining"))
        self.limit = limit or self.limit
        self.left = left if left is not None else self.left and self.left - 1  # None and 0 stay

    def has_room(self, under_way: int) -> bool:
        """Whether one more create is allowed beside those under way; False: their answers will tell.

        Raises `TryLater` once nothing but the reserve is left.
        """
        if self.left is None:
            return True
        if self.left <= self.kept:
            limit = f" of {self.limit:,}" if self.limit else ""
            zone = f" ({self.zone})" if self.zone else ""
            raise TryLater(
                f"The day's allowance is used up but for the reserve: {self.left:,}{limit} requests are left, and "
                f"{self.kept:,} are kept for others.",
                hint=f"Run the same command again after midnight in the account's time zone{zone}, or lower --reserve.",
                code="day_used_up",
            )
        return self.left - under_way > self.kept
