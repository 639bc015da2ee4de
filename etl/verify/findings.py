"""What is said of each row, in rclone's symbols, and the counts of a whole verification."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from etl.compare import Difference
from etl.flow import Key, RemoteId

Symbol = Literal["=", "*", "-", "+", "!"]
#: What each symbol says; those of rclone's `check --combined`.
SYMBOLS: dict[Symbol, str] = {
    "=": "equal",
    "*": "differs",
    "-": "missing in the account",
    "+": "extra in the account",
    "!": "could not be read",
}
#: Texts of the values that differ are cut to so many characters.
MAX_SHOWN = 120


class Finding(NamedTuple):
    """What is said of one row, or of one engagement that is no row's."""

    symbol: Symbol
    key: Key
    remote_id: RemoteId
    type: str
    place: str  #: ``path:line`` of the row; empty for an extra engagement
    what: str  #: what differs, or why it is extra; for people

    def line(self) -> str:
        """The finding as a line of the combined file: symbol, key, id, type, place, what differs."""
        parts = (self.symbol, self.key or "-", self.remote_id or "-", self.type, self.place or "-", self.what)
        return " ".join(part for part in parts if part)


@dataclass(slots=True)
class Verified:
    """The counts of a verification, and the first of what has to be named."""

    counts: Counter[str] = field(default_factory=Counter)  #: by symbol
    by_type: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    fields: Counter[str] = field(default_factory=Counter)  #: how often a field differs
    duplicates: int = 0  #: of `+`: engagements beside the one that the checkpoint knows
    unlinked: int = 0  #: rows that are there and linked to nothing, so that no timeline shows them

    @property
    def is_equal(self) -> bool:
        """Whether the account holds what was loaded, and nothing beside it."""
        return not any(self.counts[symbol] for symbol in "*-+!")


def explained(found: Sequence[Difference]) -> str:
    """Differences as text for people."""
    return "; ".join(
        f"{d.field}: {_cut(d.sent) or 'nothing'} -> {_cut(d.held) or 'nothing'}" for d in found
    )  # fmt: skip


def _cut(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= MAX_SHOWN else f"{plain[: MAX_SHOWN - 3]}..."
