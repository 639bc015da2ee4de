"""What any target answers: the one door through which the program reaches an account.

Two wires stand behind it (`v1`, one record a request, and `objects`, 100 a request), and the network or the sandbox
behind those; nobody above this room can tell which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from etl.flow import Engagement, Key, Outcome, RemoteId

ObjectType = Literal["contacts", "companies", "deals", "tickets", "owners"]
#: What to do next, judged from a status or an exception; see `verdicts.VERDICTS`.
Next = Literal["done", "per_row", "not_sent", "wait", "auth", "refused", "unknown", "split", "stop"]
#: What an answer, or its absence, says of the account's health; `busy`: well, but not now.
Wellness = Literal["well", "busy", "unwell"]


class Verdict(NamedTuple):
    """What one answer, or its absence, means for the rows of its request."""

    next: Next
    reason: str  #: for people: status, category and message of the answer, at most 2 KiB, no secrets
    wait_s: float = 0.0  #: nothing may be sent before this has passed
    exit_code: int = 0  #: for `stop`: the exit code of the run (69 down, 75 later, 77 credentials, 78 configuration)
    found: Wellness = "well"


class Sent(NamedTuple):
    """One attempt: an outcome for every engagement asked, matched by key, and the verdict on the request as a whole.

    `split` (a batch refused as a whole) leaves its rows `planned` if the wire documents that nothing was written.
    """

    outcomes: list[Outcome]
    verdict: Verdict


class Place(NamedTuple):
    """Leave to send one create, or how long to wait for it."""

    rows: int  #: how many rows the next create may hold at most; 0: none now
    wait_s: float = 0.0  #: with 0 rows: ask again after so long


class Allowance(NamedTuple):
    """What the account lets us do, as far as it has told."""

    limit: int  #: requests in a window
    window_s: float
    daily_limit: int | None = None  #: requests a day
    daily_left: int | None = None
    reserve: int = 0  #: requests of the day that are left to others


@dataclass(frozen=True, slots=True)
class Portal:
    """The account behind the token, as `/account-info/v3/details` tells."""

    id: str
    kind: str  #: `accountType`, e.g. STANDARD; `SANDBOX` for the embedded one
    time_zone: str
    settle_s: float | None = None  #: announced by the embedded sandbox: after this a create can be read back
    daily_limit: int | None = None
    daily_left: int | None = None


class Target(Protocol):
    """An account reached through one wire. Methods raise `EtlError`s for what ends a run; rows never raise."""

    wire: str  #: "objects" or "v1"
    max_batch: int  #: engagements in one `create`

    async def portal(self) -> Portal:
        """The account; the first call of a run, so it also tells whether the token works (`TokenError`)."""

    async def prepare(self) -> None:
        """Makes what writing needs (objects: the property `etl_import_key` on each type). Idempotent."""

    async def dispositions(self) -> Mapping[str, str]:
        """The account's call outcomes: label -> GUID."""

    def allowance(self) -> Allowance:
        """What the account has told of its limits so far."""

    def notice(self) -> str:
        """What holds the sending up at the moment, for people; empty when nothing does."""

    def place(self) -> Place:
        """Takes a place for one create where limits, health and the day's allowance have one; each `create` uses one up.

        Comes before the intent is written, so that no row is in flight while it waits. Raises `TryLater` when the
        day's allowance but for the reserve is used up, `RemoteDown` when the account has been unwell too often.
        """

    async def create(self, rows: Sequence[Engagement]) -> Sent:
        """One attempt to create `rows` (of one type, as many as its `Place` allows). Never repeats itself and never raises for an answer."""

    async def find(self, rows: Sequence[Engagement]) -> Mapping[Key, list[RemoteId]]:
        """The ids that engagements with these keys have in the account; a key that is not seen is absent. For settling."""

    async def look_up(self, to: ObjectType, by: str, values: Collection[str]) -> Mapping[str, list[RemoteId]]:
        """The ids that match each value, in ascending order; a value without a match is absent.

        `contacts` by email or phone (E.164), `companies` by domain, name or contact (a contact's id; the primary
        company first), `deals` by name or contact, `owners` by email. E-mails and domains compare in lower case.
        """

    async def close(self) -> None:
        """Closes the connections."""
