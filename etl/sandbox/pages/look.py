"""What the pages ask of the store, and the only SQL outside `store`.

Apart, because pages look and never touch: each opens the file read-only for itself and runs in a thread of its own, so a
person who browses a million engagements keeps no request waiting. What a request has not committed is not seen. Only the
index that they need is made by them, when the first page is asked for.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from etl.sandbox.fields import CRM, ENGAGEMENTS, FOREIGN
from etl.sandbox.schema import COLUMNS, DAY_INDEX, Held, held_of

#: Later than any place on a timeline: where paging begins.
NEWEST: Final = (2**62, 2**62)
_CRM: Final = ",".join(f"'{t}'" for t in CRM)
#: What of an object is searched, by type.
_SEARCHED: Final = {
    "contacts": ("firstname", "lastname", "email", "hs_additional_emails", "company"),
    "companies": ("name", "domain", "website"),
    "deals": ("dealname",),
    "tickets": ("subject",),
}
_PHONES: Final = ("phone", "mobilephone", "hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")  # fmt: skip
_PHONE: Final = re.compile(r"[\d\s()+./-]+")
#: Fewer digits than these are no phone number to look for.
_LEAST_DIGITS: Final = 4


class Owner(NamedTuple):
    """Somebody who owns engagements."""

    name: str
    email: str
    active: bool


class Logged(NamedTuple):
    """One request that was received: when (ms, UTC), what, its status (None: no answer) and how much it created."""

    number: int
    received_ms: int
    method: str
    path: str
    status: int | None
    fault: str
    created: int


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """The store's file, open for reading for as long as one page takes."""
    _index(path)
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        db.execute("BEGIN")  # one page sees one state
        yield db
    finally:
        db.close()


@cache
def _index(path: Path) -> None:
    """Makes the index of days, about a second for a million engagements; without it pages are slow, not wrong."""
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
        db.execute(DAY_INDEX)


def objects(db: sqlite3.Connection) -> dict[str, int]:
    """How many contacts, companies, deals and tickets there are, by type."""
    return dict(db.execute("SELECT type, count(*) FROM crm WHERE archived = 0 GROUP BY type"))


def days(db: sqlite3.Connection) -> list[tuple[int, str, int]]:
    """How many engagements there are on each day of each type: days since 1970 (UTC) ascending, type, count."""
    sql = "SELECT time_ms / 86400000, type, count(*) FROM engagement WHERE archived = 0 GROUP BY 1, 2"
    return db.execute(sql).fetchall()


def get(db: sqlite3.Connection, object_type: str, ids: Collection[int]) -> dict[int, Held]:
    """The contacts, companies, deals or tickets with these ids."""
    sql = f"SELECT {COLUMNS} FROM crm WHERE type = ? AND archived = 0 AND id IN (SELECT value FROM json_each(?))"
    return {h.id: h for h in map(held_of, db.execute(sql, (object_type, _list(ids))))}


def engagement(db: sqlite3.Connection, engagement_id: int) -> Held | None:
    """The engagement with this id, of any type; None when there is none."""
    row = db.execute(f"SELECT {COLUMNS} FROM engagement WHERE id = ? AND archived = 0", (engagement_id,)).fetchone()
    return held_of(row) if row else None


def counted(db: sqlite3.Connection, of: tuple[str, int]) -> dict[str, int]:
    """How many engagements an object has, by type."""
    sql = f"SELECT e.type, count(*) FROM {_JOINED} GROUP BY 1"
    return dict(db.execute(sql, of))


def timeline(
    db: sqlite3.Connection, of: tuple[str, int] | None, only: str, before: tuple[int, int], limit: int
) -> list[Held]:
    """Engagements, newest first: of one object (its type and id) or of all, of one type or (empty) of all.

    `before` is a place on the timeline: the time (ms) and id of the engagement after which this part begins.
    """
    ids, order = f"SELECT e.id FROM {_JOINED}", "e.time_ms DESC, e.id DESC"
    first: tuple[object, ...] = of or (before[0],)
    if of is None:  # day by day, in the order of the index
        ids = "SELECT e.id FROM engagement e WHERE e.archived = 0 AND e.time_ms / 86400000 <= ? / 86400000"
        order = f"e.time_ms / 86400000 DESC, {order}"
    sql = (
        f"SELECT {COLUMNS} FROM engagement WHERE id IN ({ids} AND (e.time_ms, e.id) < (?, ?) "
        f"AND ? IN ('', e.type) ORDER BY {order} LIMIT ?) ORDER BY time_ms DESC, id DESC"
    )
    return [held_of(row) for row in db.execute(sql, (*first, *before, only, limit))]


def linked(db: sqlite3.Connection, engagement_ids: Collection[int]) -> dict[int, list[Held]]:
    """The contacts, companies, deals and tickets that each of the engagements is linked to, with their properties."""
    sql = (
        f"SELECT l.from_id, {_columns('c')} FROM link l JOIN crm c ON c.type = l.to_type AND c.id = l.to_id "
        f"WHERE l.from_id IN (SELECT value FROM json_each(?)) AND l.from_type NOT IN ({_CRM}) AND l.to_type IN ({_CRM}) "
        "AND l.from_type IN (SELECT value FROM json_each(?)) AND c.archived = 0 ORDER BY l.to_id"
    )
    types = "SELECT DISTINCT type FROM engagement WHERE id IN (SELECT value FROM json_each(?))"
    own = [t for (t,) in db.execute(types, (_list(engagement_ids),))]
    found: dict[int, list[Held]] = {}
    for engagement_id, *row in db.execute(sql, (_list(engagement_ids), orjson.dumps(own).decode())):
        found.setdefault(engagement_id, []).append(held_of(tuple(row)))
    return {i: sorted(several, key=lambda held: CRM.index(held.type)) for i, several in found.items()}


def neighbours(db: sqlite3.Connection, of: tuple[str, int], to_type: str, limit: int) -> tuple[list[Held], int]:
    """The first contacts, companies, deals or tickets linked to an object, main ones first, and how many there are."""
    joined = (
        "FROM link l JOIN crm c ON c.type = l.to_type AND c.id = l.to_id "
        "WHERE l.from_type = ? AND l.from_id = ? AND l.to_type = ? AND c.archived = 0"
    )
    rows = db.execute(f"SELECT {_columns('c')} {joined} ORDER BY l.main DESC, c.id LIMIT ?", (*of, to_type, limit))
    found = [held_of(row) for row in rows]
    if len(found) < limit:
        return found, len(found)
    return found, int(db.execute(f"SELECT count(*) {joined}", (*of, to_type)).fetchone()[0])


def owners(db: sqlite3.Connection, ids: Collection[str]) -> dict[str, Owner]:
    """The owners with these ids."""
    sql = "SELECT id, email, firstname, lastname, active FROM owner WHERE id IN (SELECT value FROM json_each(?))"
    numbers = [int(i) for i in ids if i.isascii() and i.isdigit() and len(i) < 19]
    rows = db.execute(sql, (_list(numbers),))
    return {str(i): Owner(f"{first} {last}".strip() or email, email, bool(on)) for i, email, first, last, on in rows}


def search(db: sqlite3.Connection, object_type: str, words: str, after: int, limit: int) -> list[Held]:
    """Objects of a type by ascending id above `after` whose names, addresses or numbers have all the words.

    A word is met by the beginning of a word; digits by the digits of a phone number, with or without its country code.
    No words at all find everything. Every object is looked at until the limit is reached, most of them by SQLite alone.
    """
    db.create_function("met", 1, _meeting(object_type, words), deterministic=True)
    sql = (
        f"SELECT {COLUMNS} FROM crm WHERE type = ? AND id > ? AND archived = 0 "
        "AND properties LIKE ? ESCAPE '!' AND met(properties) ORDER BY id LIMIT ?"
    )
    return [held_of(row) for row in db.execute(sql, (object_type, after, _roughly(words), limit))]


def keyed(db: sqlite3.Connection, text: str) -> list[Held]:
    """The engagements with this id, import key or other value that the caller knows them by."""
    names = "SELECT 'hs_unique_id' UNION SELECT 'hs_call_external_id' UNION SELECT name FROM property"
    types = ",".join(f"'{t}'" for t in (*ENGAGEMENTS, FOREIGN))
    sql = f"SELECT DISTINCT id FROM value WHERE type IN ({types}) AND name IN ({names}) AND value = ? LIMIT 10"
    ids = [i for (i,) in db.execute(sql, (text.lower(),))]
    if text.isascii() and text.isdigit() and len(text) < 19:
        ids.append(int(text))
    return [held for i in dict.fromkeys(ids) if (held := engagement(db, i))]


def statuses(db: sqlite3.Connection) -> dict[int | None, int]:
    """How many requests were answered with each status; None: cut off without an answer."""
    return dict(db.execute("SELECT status, count(*) FROM request GROUP BY status ORDER BY status"))


def rates(db: sqlite3.Connection, since_s: int, of: Collection[int | None]) -> list[tuple[int, int | None, int]]:
    """How many requests with these statuses came in each second from `since_s` (s since 1970): second, status, count."""
    sql = (
        "SELECT received_ms / 1000, status, count(*) FROM request "
        "WHERE status IS ? AND received_ms >= ? GROUP BY received_ms / 1000"
    )
    return [row for status in of for row in db.execute(sql, (status, since_s * 1000))]


def last_second(db: sqlite3.Connection) -> int | None:
    """The second in which the latest request came; None before the first."""
    found = db.execute("SELECT received_ms FROM request ORDER BY id DESC LIMIT 1").fetchone()
    return found and int(found[0]) // 1000


def requests(db: sqlite3.Connection, before: int, limit: int) -> list[Logged]:
    """Requests with numbers below `before`, newest first."""
    sql = (
        "SELECT id, received_ms, method, path, status, fault, json_array_length(created) FROM request "
        "WHERE id < ? ORDER BY id DESC LIMIT ?"
    )
    return [Logged(*row) for row in db.execute(sql, (before, limit))]


#: The engagements of one object; what is bound are its type and id.
_JOINED: Final = (
    "link l JOIN engagement e ON e.id = l.to_id "
    f"WHERE l.from_type = ? AND l.from_id = ? AND l.to_type NOT IN ({_CRM}) AND e.archived = 0"
)


def _meeting(object_type: str, words: str) -> Callable[[str], bool]:
    """A function of an object's properties (JSON): whether they meet the words."""
    if digits := _digits(words):
        return lambda text: any(_rings(number, digits) for number in _values(text, _PHONES))
    wanted, names = words.casefold().split(), _SEARCHED[object_type]
    # the word stands first in its pattern, and what may not stand before it behind: that is found ten times as fast
    starts = [re.compile(rf"{w}(?<!\w{w})") for w in map(re.escape, wanted)]
    outside_names = [re.compile(rf"{start.pattern}(?!\w*\":)") for start in starts]

    def met(text: str) -> bool:
        if "\\" not in text and not all(start.search(text.casefold()) for start in outside_names):
            return False  # most of the rest are out without being read as JSON
        own = "\n".join(_values(text, names)).casefold()
        return all(start.search(own) for start in starts)

    return met if wanted else lambda _: True


def _roughly(words: str) -> str:
    """A pattern that all which meets the words is like, so that SQLite can leave out most of the others by itself."""
    digits = _digits(words)
    plain = [digits[-_LEAST_DIGITS:]] if digits else [w for w in words.split() if w.isascii() and w.isprintable()]
    longest = max(plain, key=len, default="")
    if any(c in longest for c in '"\\'):  # written otherwise in JSON
        return "%"
    return "%" + re.sub("([!%_])", r"!\1", longest) + "%"


def _digits(words: str) -> str:
    """The digits of what looks like a phone number; else nothing."""
    digits = "".join(filter(str.isdigit, words))
    return digits if len(digits) >= _LEAST_DIGITS and _PHONE.fullmatch(words.strip()) else ""


def _rings(number: str, digits: str) -> bool:
    own = "".join(filter(str.isdigit, number))
    return digits in own or (len(own) >= 7 and digits.endswith(own))


def _values(text: str, names: Sequence[str]) -> list[str]:
    own = orjson.loads(text)
    return [own[name] for name in names if own.get(name)]


def _columns(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in COLUMNS.split(", "))


def _list(ids: Collection[int]) -> str:
    return orjson.dumps(list(ids)).decode()
