"""The types that flow from a file to the account, one name for each station of the data.

`Chunk` (text as read) -> `Drafts` (mapped, links in words) -> `Linked` (links as ids) -> *checkpoint* ->
`Engagement` (to be sent) -> `Outcome` (what became of it); `Reject` leaves at any station, `Tally` counts them all.

Columns are pyarrow arrays, one element a row, null meaning empty. Times are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

#: An import key as text: 26 characters of lower-case base32, 16 bytes of SHA-256 over namespace and source key.
Key = str
#: An id of the account, as the digits that HubSpot gives.
RemoteId = str
#: What a link leads to, in the words of the mapping and of the v1 payload (`contacts` -> `contactIds`).
LinkKind = Literal["contacts", "companies", "deals", "tickets"]
LINK_KINDS: tuple[LinkKind, ...] = ("contacts", "companies", "deals", "tickets")

#: Why a row is parked whose contact the mapping creates.
TO_CREATE = "its contact is to be created"

#: `adopted`: another integration had logged it, it has an id; `undone`: created once, and taken back.
State = Literal["planned", "parked", "in_flight", "unknown", "created", "rejected", "unresolved", "adopted", "undone"]


class Problem(NamedTuple):
    """One reason for which a row is not sent."""

    code: str  #: one of `errors.ROW_CODES`
    column: str  #: the source column, or the payload field; empty where it is the whole row
    value: str  #: what was found, as read; empty where nothing was
    message: str  #: what was expected
    hint: str = ""  #: what to do; `errors.ROW_CODES` has the general one


class Reject(NamedTuple):
    """One row that is not sent, with every reason and its cells as read."""

    line: int  #: 1-based line of the file where the row begins
    problems: tuple[Problem, ...]
    cells: tuple[str | None, ...] = ()  #: in the header's order; empty for a ragged row
    raw: str = ""  #: the row's text where it could not be cut into cells
    key: Key = ""  #: where the row came far enough to have one


class MaxRejects(NamedTuple):
    """How many rows half one may refuse before nothing is sent: a share of the rows read, or a number."""

    rows: int | None = None
    share: float = 0.05

    def exceeded(self, rejected: int, read: int) -> bool:
        """Whether so many rejects of so many rows are too many."""
        return rejected > (self.rows if self.rows is not None else self.share * read)

    def __str__(self) -> str:
        return f"{100 * self.share:g} %" if self.rows is None else f"{self.rows:,}"


DEFAULT_MAX_REJECTS = MaxRejects()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some consecutive rows of one input, everything as text.

    `rows` has one column for each column of the file, named as in the file: `pa.string()`, or `pa.list_(pa.string())`
    where the reader gives lists; cells that the mapping's `missing` calls empty are null. `lines[i]` is the 1-based
    line of the file on which row `i` begins (quoted line breaks counted). `rejects` are the rows of the same stretch
    of the file that could not be read; they are not among `rows`. `len(lines) + len(rejects)` rows were read.
    """

    source: str
    rows: pa.RecordBatch
    lines: NDArray[np.int64]
    rejects: list[Reject] = field(default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as pandas has them, `pd.ArrowDtype` columns and a `RangeIndex` from 0; made at each call."""
        import pandas as pd

        frame: pd.DataFrame = self.rows.to_pandas(types_mapper=pd.ArrowDtype)
        return frame


class Wanted(NamedTuple):
    """One way to find what a row is linked to: `values[i]` (list of text, null for none) are row i's words."""

    by: str  #: id, email, phone, domain, name, table or contact
    values: pa.ListArray
    table: str = ""  #: which crosswalk, for `table`


class Keys:
    """The import keys of some rows, 16 bytes each: the beginning of the SHA-256 over a source.

    Digesting takes a microsecond a row, and `etl transform` shows the keys of hardly any: so it is left until then.
    """

    def __init__(self, sources: Any) -> None:
        self.sources = sources  #: binary array, one element a row

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, row: int) -> bytes:
        return sha256(self.sources[row].as_py()).digest()[:16]

    def __iter__(self) -> Iterator[bytes]:
        return iter([sha256(source).digest()[:16] for source in self.sources.to_pylist()])

    def head(self, rows: int) -> Keys:
        """The keys of the first rows."""
        return Keys(self.sources[:rows])

    def filter(self, mask: NDArray[np.bool_]) -> Keys:
        """The keys of the rows where the mask holds."""
        import pyarrow as pa

        return Keys(self.sources.filter(pa.array(mask)))


class Cells:
    """Some rows of a chunk as read, for reject file and checkpoint; copied out of it when they are looked at."""

    def __init__(self, rows: pa.RecordBatch, places: NDArray[np.int64]) -> None:
        self._rows, self._places = rows, places

    def __len__(self) -> int:
        return len(self._places)

    def take(self, rows: NDArray[np.int64]) -> pa.RecordBatch:
        """Some of the rows."""
        import pyarrow as pa

        return self._rows.take(pa.array(self._places[rows]))

    def all(self) -> pa.RecordBatch:
        """All of the rows."""
        import pyarrow as pa

        return self._rows if len(self) == len(self._rows) else self._rows.take(pa.array(self._places))

    def head(self, rows: int) -> Cells:
        """The first of the rows."""
        return Cells(self._rows, self._places[:rows])

    def filter(self, mask: NDArray[np.bool_]) -> Cells:
        """The rows where the mask holds."""
        return Cells(self._rows, self._places[mask])


@dataclass(frozen=True, slots=True)
class Drafts:
    """Mapped rows that no rule refused: the payload in fragments, the links still in words. Sends nothing.

    The v1 payload of row i is
    ``{"engagement":{engagement[i], "ownerId":...},"associations":{...},"attachments":attachments[i],"metadata":metadata[i]}``.
    `engagement` holds members without braces (``"active":true,"type":"CALL","timestamp":1763759106000``),
    `attachments` a JSON list, `metadata` and `properties` JSON objects (`properties` null where there are none).
    """

    lines: NDArray[np.int64]
    keys: Keys  #: 16 bytes each; `flow.key_text` writes one as a `Key`
    types: pa.StringArray  #: CALL, EMAIL, MEETING, NOTE or TASK
    times_ms: NDArray[np.int64]
    engagement: pa.StringArray
    attachments: pa.StringArray
    metadata: pa.StringArray
    properties: pa.StringArray
    owner: pa.StringArray  #: an owner's e-mail (lower case), or digits: an id that needs no look-up
    wanted: Mapping[LinkKind, tuple[Wanted, ...]]  #: tried in order; the first that finds anything wins
    cells: Cells

    def __len__(self) -> int:
        return len(self.lines)

    def head(self, rows: int) -> Drafts:
        """The first `rows` of these."""
        wanted = {kind: tuple(Wanted(w.by, w.values[:rows]) for w in ways) for kind, ways in self.wanted.items()}
        return Drafts(
            self.lines[:rows],
            self.keys.head(rows),
            self.types[:rows],
            self.times_ms[:rows],
            self.engagement[:rows],
            self.attachments[:rows],
            self.metadata[:rows],
            self.properties[:rows],
            self.owner[:rows],
            wanted,
            self.cells.head(rows),
        )


@dataclass(frozen=True, slots=True)
class Linked:
    """Drafts with their links as ids; a parked row has a reason in `parked` and waits in the checkpoint."""

    drafts: Drafts
    owner_ids: pa.StringArray  #: digits, null for unassigned
    links: Mapping[LinkKind, pa.ListArray]  #: list of digits (text) a row, never null
    parked: pa.StringArray  #: why the row waits, null for a row that can be sent
    wanted: pa.StringArray  #: the links in words as JSON, null for a row that can be sent
    misses: int = 0  #: words of lists that were not found while others of the same list were

    def __len__(self) -> int:
        return len(self.drafts)

    def head(self, rows: int) -> Linked:
        """The first `rows` of these."""
        return Linked(
            self.drafts.head(rows),
            self.owner_ids[:rows],
            {kind: ids[:rows] for kind, ids in self.links.items()},
            self.parked[:rows],
            self.wanted[:rows],
            self.misses,
        )


class Links(NamedTuple):
    """What one engagement is tied to, as ids of the account."""

    owner: RemoteId = ""
    contacts: tuple[RemoteId, ...] = ()
    companies: tuple[RemoteId, ...] = ()
    deals: tuple[RemoteId, ...] = ()
    tickets: tuple[RemoteId, ...] = ()


class Engagement(NamedTuple):
    """One planned row, ready to be sent.

    `payload` is the v1 payload as JSON without `associations`, `ownerId` and `uid`: a wire adds those in its own way.
    """

    key: Key
    type: str
    time_ms: int
    payload: bytes
    links: Links
    attempt: int = 0  #: intents written for it so far
    number: int = 0  #: its row in the checkpoint


class Outcome(NamedTuple):
    """What became of one engagement in one attempt. `planned` means: proved not processed, may be sent again."""

    key: Key
    state: State
    remote_id: RemoteId = ""
    reason: str = ""  #: for people; no token and no cell contents in it


@dataclass(slots=True)
class Tally:
    """Every row of this input, counted once; `carried` is the same for rows of earlier inputs.

    `read` is counted by the reader, the others from the checkpoint, so that `balanced` proves something.
    """

    read: int = 0
    created: int = 0
    updated: int = 0
    already: int = 0
    skipped: int = 0
    merged: int = 0
    rejected: int = 0
    parked: int = 0
    unresolved: int = 0
    not_tried: int = 0
    changed: int = 0  #: of `already`: the row's content differs from what was created
    conflicts: int = 0  #: of `changed`: edited in the account since, or gone, so that they were left alone
    adopted: int = 0  #: of `already`: another integration had logged them
    undone: int = 0  #: of `already`: taken back by `etl undo`, and not created again
    vanished: int = 0  #: created rows of the time that this input covers, which it does not hold; no rows of it
    by_type: dict[str, int] = field(default_factory=dict)  #: created by this run, by engagement type
    links: dict[str, int] = field(default_factory=dict)  #: links of the engagements created by this run, by kind
    skipped_by: dict[str, int] = field(default_factory=dict)  #: by the mapping's reason
    rejected_by: dict[str, int] = field(default_factory=dict)  #: by code
    carried: dict[str, int] = field(default_factory=dict)  #: `rows` and their fates

    FATES = ("created", "updated", "already", "skipped", "merged", "rejected", "parked", "unresolved", "not_tried")

    @property
    def balanced(self) -> bool:
        """Whether each row read has exactly one fate, and each carried row too."""
        carried = sum(n for fate, n in self.carried.items() if fate != "rows")
        return self.read == sum(getattr(self, fate) for fate in self.FATES) and self.carried.get("rows", 0) == carried


def key_text(key: bytes) -> Key:
    """A key's 16 bytes as the text that travels: 26 characters of lower-case base32."""
    from base64 import b32encode

    return b32encode(key)[:26].decode().lower()


def key_bytes(key: Key) -> bytes:
    """The 16 bytes of a key's text; the inverse of `key_text`."""
    from base64 import b32decode

    return b32decode(key.upper() + "======")


Json = dict[str, Any]
