"""How an account is read back with the fewest requests, and what that takes; said before it begins.

Rows can be read by their ids, or met in a list of everything of their type, which shows duplicates and strangers too and
is cheaper while the account holds little else. By ids, what carries a key is searched for besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from etl.engagement import TYPES
from etl.flow import LINK_KINDS
from etl.hubspot.names import MAX_ASSOCIATIONS, MAX_BATCH, MAX_PAGE, MAX_PAGED_V1
from etl.hubspot.target import Listing


class Ways(NamedTuple):
    """Which lists are gone through, and at least how many requests all reading takes."""

    lists: tuple[Listing, ...]  #: none for a sample: then duplicates are looked for by their keys, strangers are not
    requests: int  #: under the account's ordinary limit
    searches: int = 0  #: under the limit for searches, 5 a second

    def seconds(self, requests_a_second: float) -> float:
        """How long that takes at this pace."""
        return max(self.requests / requests_a_second, self.searches / 5)


def ways(wire: str, rows: Mapping[str, int], held: Mapping[str, int], *, sample: int | None = None) -> Ways:
    """The cheapest way to verify so many rows by type, in an account that holds `held` engagements by type.

    With `sample`, so many rows of all types.
    """
    total = sum(rows.values())
    if sample is not None:
        part = min(1.0, sample / total) if total else 0.0
        rows = {type_: ceil(number * part) for type_, number in rows.items()}
        found = 0 if wire == "v1" else sum(ceil(n / MAX_BATCH) for n in rows.values())
        return Ways((), found + (2 * sum(rows.values()) if wire == "v1" else _by_id(rows)))
    if wire == "v1":
        pages = ceil(max(total, sum(held.values())) / MAX_PAGED_V1)
        return Ways((Listing(),), pages) if pages <= 2 * total else Ways((), 2 * total)
    lists, requests, searches = [], 0, 0
    for type_ in TYPES:
        mine: dict[str, int] = {type_: rows.get(type_, 0)}
        pages = ceil(max(mine[type_], held.get(type_, 0)) / MAX_BATCH)
        if pages <= _by_id(mine):
            lists.append(Listing((type_,)))
            requests += pages
        else:
            lists.append(Listing((type_,), keys_only=True))
            requests += _by_id(mine)
            searches += 1 + mine[type_] // MAX_PAGE
    return Ways(tuple(lists), requests, searches)


def _by_id(rows: Mapping[str, int]) -> int:
    """Requests of the objects API for rows and their links, by id."""
    return sum(ceil(n / MAX_BATCH) + len(LINK_KINDS) * ceil(n / MAX_ASSOCIATIONS) for n in rows.values())
