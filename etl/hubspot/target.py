"""What any target answers: the one door through which the program reaches an account.

Two wires stand behind it (`v1`, one record a request, and `objects`, 100 a request), and the network or the sandbox
behind those; nobody above this room can tell which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from etl.flow import Engagement, Json, Key, LinkKind, Outcome, RemoteId

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


class Held(NamedTuple):
    """One engagement as the account holds it. Times are ms, UTC.

    `payload` is v1's JSON, whichever wire it came by: `engagement` (`id`, `type`, `timestamp`, where there are any
    `ownerId` and `uid`, through v1 also `active`), `associations` (the lists of `names.ASSOCIATIONS_V1`, always all,
    ascending), `attachments`, `metadata` (what has a value, by the seed's names and kinds) and, through the objects
    API, `properties` (text by name: those asked for that have no name of the seed's). It is empty in a page of keys.
    """

    remote_id: RemoteId
    type: str  #: as v1 names it, also those that nothing can create: `INCOMING_EMAIL`, `CONVERSATION_SESSION`
    key: Key  #: the import key that it carries, or another caller's `uid`; empty where this wire shows none
    time_ms: int  #: its place on the timeline
    created_ms: int
    updated_ms: int
    payload: Json
    archived: bool = False


class Listing(NamedTuple):
    """Which engagements `Target.page` shows. At most one of `since_ms`, `contact` and `keys_only` is given."""

    types: tuple[str, ...] = ()  #: v1 names; empty for all that the wire can show
    since_ms: int = 0  #: only those changed since then (ms, UTC)
    contact: RemoteId = ""  #: only those of this contact
    keys_only: bool = False  #: at least those that carry a key; of these perhaps no more than key, id and type
    properties: tuple[str, ...] = ()  #: further properties to read (objects API), beside those with a seed name


class Page(NamedTuple):
    """One page of a listing. Pages of a list that moves can repeat what they said."""

    held: list[Held]
    after: str  #: the cursor of the next page, a text that outlives the process; empty after the last


#: What is done to engagements that are there, in this order: their fields, links made, links taken away; or all at once.
Step = Literal["values", "link", "unlink", "archive"]


class Patch(NamedTuple):
    """What is to become of one engagement of the account."""

    remote_id: RemoteId
    before: Engagement  #: what was sent last
    after: Engagement  #: what it is to be
    link: Mapping[LinkKind, tuple[RemoteId, ...]] = {}
    unlink: Mapping[LinkKind, tuple[RemoteId, ...]] = {}
    values: bool = True  #: whether the fields are not as they are to be; else only links are written
    whole: bool = False  #: write every field that `after` has, not only those that differ from `before`


class Write(NamedTuple):
    """One request that changes engagements which are there."""

    step: Step
    method: str
    path: str
    body: bytes
    ids: tuple[RemoteId, ...]  #: the engagements that it changes


class Wrote(NamedTuple):
    """One attempt at a `Write`: the engagements that were refused, each with the reason, and the verdict on the whole."""

    refused: Mapping[RemoteId, str]
    verdict: Verdict


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

    async def add_contact(self, properties: Mapping[str, str]) -> Outcome:
        """One attempt to create a contact, in a `place`; the outcome has no key. Raises where the account asks for an end."""

    async def upload(self, name: str, content: bytes) -> Outcome:
        """One attempt to upload a file, in a `place`; of the same content there is one. Otherwise as `add_contact`."""

    async def find(self, rows: Sequence[Engagement]) -> Mapping[Key, list[RemoteId]]:
        """The ids that engagements with these keys have in the account; a key that is not seen is absent. For settling."""

    def writes(self, step: Step, patches: Sequence[Patch]) -> list[Write]:
        """The requests of one step for engagements of one type; none for those that it does not concern."""

    async def write(self, write: Write) -> Wrote:
        """One attempt at one of these, in a `place`. Doing it again changes nothing more; never raises for an answer."""

    async def look_up(self, to: ObjectType, by: str, values: Collection[str]) -> Mapping[str, list[RemoteId]]:
        """The ids that match each value, in ascending order; a value without a match is absent.

        `contacts` by email or phone (E.164), `companies` by domain, name or contact (a contact's id; the primary
        company first), `deals` by name or contact, `owners` by email. E-mails and domains compare in lower case.
        """

    async def read(
        self, type_: str, ids: Sequence[RemoteId], properties: Collection[str] = ()
    ) -> Mapping[RemoteId, Held]:
        """The engagements of one type (v1 name) with these ids, links included; what is not there, or archived, is absent.

        Any number of ids; reads the store, not the search index. `properties` are read beside those with a seed name
        (objects API only). Type `""` reads any type where the wire can (v1).
        """

    async def page(self, listing: Listing, after: str = "") -> Page:
        """One page of a listing, whole engagements with their links; `after` is the cursor of the page before."""

    async def words(self, kind: LinkKind | Literal["owners"], ids: Collection[RemoteId]) -> Mapping[RemoteId, Json]:
        """What identifies contacts (email, phone), companies (domain, name), deals (name), owners (email) elsewhere.

        By id; what is not there is absent, what has no value is left out. Of owners all there are, also former ones.
        """

    async def count(self) -> Mapping[str, int]:
        """About how many engagements of each of the five types the account has, by its search index; 0 if it may not say."""

    async def own_properties(self, type_: str) -> list[str]:
        """Names of the properties that the account has added to this type; none through a wire that shows none."""

    async def close(self) -> None:
        """Closes the connections."""
