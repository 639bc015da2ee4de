"""The mapping language as frozen models: what a mapping says, with nothing of how YAML says it.

`parse` builds these from a file; `transform` compiles them to column operations. A value is one of the `Value` classes.
"""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from etl.engagement import EngagementType
from etl.flow import LinkKind


class Node(BaseModel):
    """Anything in a mapping; `place` is its ``file:line:column`` (empty where it was built by a program)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)
    place: str = Field(default="", repr=False)


# -- values: a value stands wherever a payload field takes one --------------------------------------------------------


class Constant(Node):
    """A text, number, truth value or null that stands for itself (`$$` is already a single `$`)."""

    value: str | int | float | bool | None


class Ref(Node):
    """`$name`: a defined value or else a column of that name; `$item` inside `each` is `Item`, not this."""

    name: str


class Item(Node):
    """`$item`: the element at hand, inside `each`."""


class Template(Node):
    """A Jinja2 template; it reads cells and defined values as ``row['name']``."""

    text: str


class Cases(Node):
    """The first `then` whose condition holds, or `otherwise`; empty where none does."""

    cases: tuple[tuple[Condition, Value], ...]
    otherwise: Value | None = None


class First(Node):
    """The first value that is not empty; one that cannot be converted rejects the row."""

    values: tuple[Value, ...]


class Each(Node):
    """A list built from a list: `give` once for each element of `each`."""

    each: Value
    give: Value


class Hash(Node):
    """A stable text hash over the values."""

    values: tuple[Value, ...]


class Object(Node):
    """An object of the payload, such as ``{email: $from, firstName: ...}``; empty members are left out."""

    fields: ReadOnly[str, Value]


class List(Node):
    """A list of the payload; empty elements are left out."""

    items: tuple[Value, ...]


As: TypeAlias = Literal[
    "text", "int", "number", "bool", "datetime", "duration", "phone", "email", "emails", "name_part", "domain",
    "html", "html_from_text", "text_from_html", "id", "json",
]  # fmt: skip


class From(Node):
    """A value and the steps on it, applied in the order of the fields below, whatever the order in the file."""

    source: Value
    trim: bool = True
    extract: str | None = None  #: a regular expression; its first group
    split: str | None = None  #: a separator: the value becomes a list
    as_: As | None = None
    # parameters of `as`
    formats: tuple[str, ...] = ()  #: `format` and `formats`; for times strptime, iso, epoch_s, epoch_ms
    timezone: str | Ref | None = None  #: IANA name, or the column that holds one; default: the source's
    at: str | None = None  #: HH:MM, for dates without a time
    gap: Literal["reject", "shift"] = "reject"
    fold: Literal["first", "last", "reject"] = "first"
    region: str | None = None  #: of phone numbers; default: the source's
    invalid: Literal["keep", "null", "reject"] = "reject"  #: phones that are none
    part: Literal["first", "last"] | None = None  #: of a name
    # steps after `as`
    map: ReadOnly[str, str | int | float | bool | None] | None = None
    otherwise: Constant | None = None  #: `else`: for what `map` does not cover
    lookup: str | None = None  #: a table of the mapping, or owner, or disposition
    not_found: Literal["reject", "unassigned", "empty"] = "reject"
    default: Constant | None = None
    max_length: int | None = None  #: characters


Value: TypeAlias = Constant | Ref | Item | Template | Cases | First | Each | Hash | Object | List | From

# -- conditions ------------------------------------------------------------------------------------------------------

Operator: TypeAlias = Literal[
    "eq", "ne", "in", "not_in", "gt", "ge", "lt", "le", "matches", "contains", "starts", "ends", "empty"
]


class Test(Node):
    """One operator on one column or defined value. `operand` is text for text operators (a tuple for `in`/`not_in`), a number for the ordering ones, bool for `empty`."""

    name: str
    operator: Operator
    operand: str | float | bool | tuple[str, ...]


class All(Node):
    """Every condition holds."""

    conditions: tuple[Condition, ...]


class Any_(Node):  # noqa: N801 - `Any` is typing's
    """At least one condition holds."""

    conditions: tuple[Condition, ...]


class Not(Node):
    """The condition does not hold."""

    condition: Condition


class Expr(Node):
    """A Jinja2 expression, where data is not enough."""

    text: str


Condition: TypeAlias = Test | All | Any_ | Not | Expr

# -- the parts of a mapping --------------------------------------------------------------------------------------------


#: Columns of a format whose cells hold a list, one element a line: `$to` of an e-mail is a list of addresses.
LIST_COLUMNS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("mbox", "eml"), frozenset({"to", "cc", "bcc", "labels", "attachments"})),
    "ics": frozenset({"attendees"}),
    "google_voice": frozenset({"attachments", "labels"}),
}


class Source(Node):
    """How to read the file."""

    format: Literal["csv", "excel", "jsonl", "parquet", "mbox", "eml", "ics", "google_voice"] = "csv"
    others: tuple[Literal["csv", "excel", "jsonl", "parquet"], ...] = ()  #: formats that the ending of a file tells
    delimiter: str = ","
    quotes: Literal["strict", "lenient"] = "strict"  #: lenient: quotes that do not enclose a field are its text
    sheet: str | None = None  #: of a workbook; the first, unless named
    encoding: str = "utf-8"
    header: int | Literal["none"] = 1  #: the 1-based line of the header after `skip_rows`
    names: tuple[str, ...] = ()  #: column names where there is no header
    skip_rows: int = 0
    stop_at: ReadOnly[str, str] | None = None
    missing: tuple[str, ...] = ("",)  #: texts that mean empty
    timezone: str | None = None  #: IANA name, of times that carry none; `given`: to be said where the mapping is used
    region: str | None = None  #: ISO country of phone numbers without a country code


class ColumnRule(Node):
    """The contract on one raw column; `checks` are pandera's built-in checks by name with their arguments."""

    required: bool = True
    nullable: bool = True
    unique: bool = False
    checks: ReadOnly[str, Any] = Field(default_factory=dict)


class Skip(Node):
    """Rows left out on purpose."""

    when: Condition
    reason: str


class Group(Node):
    """One engagement of several rows, such as the legs of a call."""

    by: Value
    keep: Literal["first", "last", "longest"] = "first"
    field: Value | None = None  #: what `longest` compares


class Table(Node):
    """A crosswalk file: `key` column to `value` column. `path` is relative to the mapping's folder, made absolute."""

    path: Path
    key: str
    value: str
    key_as: Literal["text", "salesforce_id", "email", "phone", "id"] = "text"


class EngagementPart(Node):
    """The `engagement` part. `type` is a `Constant`, or decided per row."""

    type: Value
    timestamp: Value
    ownerId: Value | None = None  # noqa: N815 - the payload's own word
    active: Value | None = None


class Match(Node):
    """One way to find what to link to."""

    by: Literal["id", "email", "phone", "domain", "name", "table", "contact"]
    value: Value | None = None  #: None only for `contact`
    table: str | None = None  #: for `table`


class Link(Node):
    """How one kind of link is found, and what to do when it is not, or more than once."""

    match: tuple[Match, ...]
    not_found: Literal["reject", "park", "unlinked", "create"] = "reject"
    ambiguous: Literal["reject", "park", "all", "oldest", "company"] = "reject"
    park_for: str = "14d"
    create: ReadOnly[str, Value] | None = None
    max: int = 100


class Associations(Node):
    """The links of a row."""

    links: ReadOnly[LinkKind, Link] = Field(default_factory=dict)
    require: Literal["contact", "any", "none"] = "contact"


class Attachments(Node):
    """File ids (`ids`), or paths to upload first (`files`, below the folder `base`)."""

    ids: Value | None = None
    files: Value | None = None
    base: Path = Path()  #: absolute
    max_mb: int = 20  #: of one file; a million bytes each


class Example(Node):
    """One of the mapping's own tests."""

    given: ReadOnly[str, str]
    expect: ReadOnly[str, Any]


class Mapping(Node):
    """One mapping file."""

    version: Literal[1]
    name: str
    namespace: str  #: part of every import key; default: `name`
    description: str = ""
    source: Source
    columns: ReadOnly[str, ColumnRule] = Field(default_factory=dict)
    skip: tuple[Skip, ...] = ()
    group: Group | None = None
    define: ReadOnly[str, Value] = Field(default_factory=dict)
    tables: ReadOnly[str, Table] = Field(default_factory=dict)
    key: tuple[Value, ...] = ()  #: empty: a hash of the columns that the mapping reads, plus the ordinal
    engagement: EngagementPart
    associations: Associations
    metadata: ReadOnly[EngagementType, ReadOnly[str, Value]]  #: one block per type, also where there is only one
    properties: ReadOnly[str, Value] = Field(default_factory=dict)
    attachments: Attachments | None = None
    on_change: Literal["leave", "update"] = "leave"  #: a row that was created with other content
    tests: tuple[Example, ...] = ()
    file: Path | None = None  #: where it was read from
    digest: str = ""  #: SHA-256 (hex) of the file and of its tables' files
