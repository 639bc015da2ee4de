"""The store: one SQLite file with all that the account holds.

All SQL that writes is here, in `files`, `late`, `requests` and `versions`. One connection writes. WAL with
`synchronous=NORMAL`: what was acknowledged survives the death of the process (a power cut may take the last moments with it).
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import orjson

from etl.errors import StorageError
from etl.sandbox.fields import STANDARD, TEXT, UNINDEXED, Property, as_number
from etl.sandbox.files import Files
from etl.sandbox.late import LINK, MOST, Late, Value, far_ends, rows_of
from etl.sandbox.requests import Requests
from etl.sandbox.schema import COLUMNS, SCHEMA, Held, Link, held_of, table
from etl.sandbox.versions import Version, note, versions
from etl.sandbox.words import has_token

#: HubSpot: what is archived can be looked at in the recycle bin, except of these types.
GONE_FOR_GOOD: Final = frozenset({"emails"})
#: The first id given to an engagement; seeds with higher ids push it up.
FIRST_ID: Final = 20_000_000_001


def open_store(path: Path) -> Store:
    """The store in this file, made (with mode 0600) when it is not there; `StorageError` when it cannot be opened."""
    try:
        return Store(path)
    except (OSError, sqlite3.Error) as problem:
        hint = "Give another file with --db, or move this one away."
        raise StorageError(f"The sandbox cannot use {path} as its store: {problem}.", hint=hint) from problem


class Store:
    """One open store, used by the one thread that answers requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.executescript(SCHEMA)
        except sqlite3.Error:  # not a database: `open_store` says so
            self._db.close()
            raise
        self._db.create_function("has_token", 2, has_token, deterministic=True)
        self._db.create_function("as_number", 1, as_number, deterministic=True)
        self._db.execute(
            "INSERT OR IGNORE INTO portal VALUES ('id', ?)", (str(40_000_000 + secrets.randbelow(9_000_000)),)
        )
        self.files = Files(self._db)
        self._late, self._late_changed = Late(self._db), False
        self.portal_id = int(self._one("SELECT value FROM portal WHERE name = 'id'"))
        self._next_id = FIRST_ID
        self.count_on_from_highest()
        self.requests = Requests(self._db)
        self._known: dict[str, dict[str, Property]] = {}
        self._owner_ids: frozenset[str] | None = None

    def close(self) -> None:
        """Closes the file; what was committed stays."""
        self._db.close()

    def begin(self, *, settled: bool = False) -> None:
        """Starts the writing of one request, within the transaction that is open, or in a new one.

        With `settled` all that is in the store is found by value and from either end of its links.
        """
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        if settled or len(self._late) >= MOST:
            self._late.settle()
        self._db.execute("SAVEPOINT request")
        self._late_changed = False

    def commit(self) -> None:
        """Adds what was written since `begin` to the transaction; `keep` makes it last."""
        self._db.execute("RELEASE request")

    def keep(self) -> None:
        """Ends the transaction: from here on what was committed outlives this process."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Drops what was written since `begin`."""
        self._db.execute("ROLLBACK TO request")
        self._db.execute("RELEASE request")
        self._known.clear()
        self._owner_ids = None
        if self._late_changed:
            self._late.read_again()

    def settle(self) -> None:
        """Makes all that is in the store to be found by value and from either end of its links, also by other connections."""
        self.begin(settled=True)
        self.commit()
        self.keep()

    def is_empty(self) -> bool:
        """Whether the store holds no contact, company, deal, owner or engagement yet."""
        return not self._one(
            "SELECT EXISTS (SELECT 1 FROM crm) OR EXISTS (SELECT 1 FROM owner) OR EXISTS (SELECT 1 FROM engagement)"
        )

    def new_id(self) -> int:
        """The next id; ids are never given twice."""
        self._next_id += 1
        return self._next_id - 1

    def count_on_from_highest(self) -> None:
        """Lets new ids begin above all that are in the store."""
        tables = ("engagement", "crm", "file")
        highest = max(self._one(f"SELECT coalesce(max(id), 0) FROM {name}") for name in tables)  # noqa: S608  three names
        self._next_id = max(self._next_id, highest + 1)

    # -- objects ------------------------------------------------------------------------------------------------------

    def insert(self, held: Sequence[Held], links: Iterable[Link] = ()) -> None:
        """Adds objects of one type with their links."""
        if held:
            rows = [
                (*h[:5], int(h.active), int(h.archived), orjson.dumps(h.properties).decode(), h.request) for h in held
            ]
            sql = f"INSERT INTO {table(held[0].type)} ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)"  # noqa: S608
            self._db.executemany(sql, rows)
        listed = list(links)
        self._db.executemany(LINK.format("VALUES (?,?,?,?,?)"), rows_of(listed))
        self._late.add(self._values(held), far_ends(listed))
        self._late_changed = True

    def update(self, held: Held) -> None:
        """Writes an object again; what is archived loses its links, and what changed is noted in its history."""
        self._late.settle()
        self._late_changed = True
        before = self.get(held.type, [held.id])[held.id]
        note(self._db, before, held)
        self._db.executemany("DELETE FROM value WHERE type=? AND name=? AND value=? AND id=?", self._values([before]))
        sql = (
            f"UPDATE {table(held.type)} SET updated_ms=?, time_ms=?, active=?, archived=?, properties=? "  # noqa: S608
            "WHERE type=? AND id=?"
        )
        text = orjson.dumps(held.properties).decode()
        archived = 2 if held.archived and held.type in GONE_FOR_GOOD else held.archived
        self._db.execute(sql, (*held[3:6], archived, text, held.type, held.id))
        if held.archived:
            self._unlink_all(held)
        else:
            self._db.executemany("INSERT INTO value VALUES (?,?,?,?)", self._values([held]))

    def versions(self, held: Held, names: Collection[str]) -> dict[str, list[Version]]:
        """The values that properties of an object have and had, newest first; one that never had any is absent."""
        return versions(self._db, held, names)

    def get(self, object_type: str, ids: Collection[int], *, archived: bool = False) -> dict[int, Held]:
        """The objects with these ids; what is not there, or archived when that is not asked for, is absent."""
        where = "type = ? AND id IN (SELECT value FROM json_each(?)) AND archived = ?"
        return {h.id: h for h in self.select(object_type, where, (object_type, _list(ids), archived))}

    def engagement(self, engagement_id: int) -> Held | None:
        """The engagement with this id, of any type; None when it is not there."""
        return next(self.select("calls", "id = ? AND archived = 0", (engagement_id,)), None)

    def existing(self, object_type: str, ids: Collection[int]) -> set[int]:
        """Those of the ids that exist."""
        sql = f"SELECT id FROM {table(object_type)} WHERE type = ? AND archived = 0 AND id IN (SELECT value FROM json_each(?))"  # noqa: S608
        return {i for (i,) in self._db.execute(sql, (object_type, _list(ids)))}

    def by_value(self, object_type: str, name: str, values: Collection[str]) -> dict[str, list[int]]:
        """The ids that have each value (in lower case) in an indexed property, ascending."""
        folded = [v.lower() for v in values]
        sql = "SELECT value, id FROM value WHERE type = ? AND name = ? AND value IN (SELECT value FROM json_each(?)) ORDER BY id"
        found: dict[str, list[int]] = {}
        rows = self._db.execute(sql, (object_type, name, orjson.dumps(folded).decode()))
        for value, i in chain(rows, self._late.ids(object_type, name, folded)):  # ids that wait are the highest
            found.setdefault(value, []).append(i)
        return found

    def select(
        self,
        object_type: str,
        where: str,
        values: Sequence[Any],
        *,
        order: str = "id",
        limit: int = -1,
        offset: int = 0,
    ) -> Iterator[Held]:
        """The objects for which the condition holds; conditions are written in this package, values are bound."""
        sql = f"SELECT {COLUMNS} FROM {table(object_type)} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
        return (held_of(row) for row in self._db.execute(sql, (*values, limit, offset)))

    def count(self, object_type: str, where: str, values: Sequence[Any], *, most: int = -1) -> int:
        """How many objects the condition holds for; counting stops at `most`."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {table(object_type)} WHERE {where} LIMIT ?)"  # noqa: S608
        return int(self._one(sql, (*values, most)))

    def counts(self) -> dict[str, int]:
        """How many there are of each type."""
        sql = "SELECT type, count(*) FROM {} WHERE archived = 0 GROUP BY type"
        return dict([*self._db.execute(sql.format("crm")), *self._db.execute(sql.format("engagement"))])

    # -- links --------------------------------------------------------------------------------------------------------

    def link(self, links: Iterable[Link]) -> None:
        """Makes links, both directions each; those that are there stay (and become main when that is asked for)."""
        listed = list(links)
        self._db.executemany(LINK.format("VALUES (?,?,?,?,?)"), [*rows_of(listed), *far_ends(listed)])

    def unlink(self, a: Link) -> None:
        """Takes a link away, both directions."""
        sql = "DELETE FROM link WHERE from_type=? AND from_id=? AND to_type=? AND to_id=?"
        self._db.executemany(sql, [a[:4], (a.to_type, a.to_id, a.from_type, a.from_id)])

    def _unlink_all(self, held: Held) -> None:
        far = "SELECT to_type, to_id FROM link WHERE from_type=? AND from_id=?"
        back = f"DELETE FROM link WHERE (from_type, from_id) IN ({far}) AND to_type=? AND to_id=?"  # noqa: S608
        self._db.execute(back, (held.type, held.id, held.type, held.id))
        self._db.execute("DELETE FROM link WHERE from_type=? AND from_id=?", (held.type, held.id))

    def links(self, from_type: str, ids: Collection[int], to_type: str | None = None) -> dict[int, list[Link]]:
        """The links of each id (to one type), by type and id ascending; an id without any is absent."""
        sql = "SELECT * FROM link WHERE from_type = ? AND from_id IN (SELECT value FROM json_each(?)) AND ? IN ('', to_type)"
        found: dict[int, list[Link]] = {}
        for row in self._db.execute(sql, (from_type, _list(ids), to_type or "")):
            found.setdefault(row[1], []).append(Link(*row))
        return found

    # -- owners and properties ----------------------------------------------------------------------------------------

    def add_owners(self, owners: Iterable[tuple[int, str, str, str, bool]]) -> None:
        """Adds owners: id, email, first name, last name, active."""
        self._db.executemany("INSERT INTO owner VALUES (?,?,?,?,?)", owners)
        self._owner_ids = None

    def owners(self, *, email: str, after: int, archived: bool, limit: int) -> list[tuple[int, str, str, str, bool]]:
        """Owners by ascending id; `email` in any case, empty for all."""
        sql = "SELECT * FROM owner WHERE id > ? AND active <> ? AND ? IN ('', lower(email)) ORDER BY id LIMIT ?"
        return self._db.execute(sql, (after, archived, email.lower(), limit)).fetchall()

    def owner_ids(self) -> frozenset[str]:
        """The ids that `hubspot_owner_id` may have."""
        if self._owner_ids is None:
            self._owner_ids = frozenset(str(i) for (i,) in self._db.execute("SELECT id FROM owner"))
        return self._owner_ids

    def known(self, object_type: str) -> Mapping[str, Property]:
        """The properties by name, standard and added ones."""
        if object_type not in self._known:
            added = {d["name"]: _property(d) for d in self.added(object_type)}
            self._known[object_type] = STANDARD[object_type] | added
        return self._known[object_type]

    def added(self, object_type: str) -> list[dict[str, Any]]:
        """The definitions of the properties that were added, as they were given."""
        rows = self._db.execute("SELECT definition FROM property WHERE type = ? ORDER BY name", (object_type,))
        return [orjson.loads(text) for (text,) in rows]

    def unique_names(self, object_type: str) -> list[str]:
        """The added properties whose values are unique."""
        rows = self._db.execute("SELECT name FROM property WHERE type = ? AND is_unique ORDER BY name", (object_type,))
        return [name for (name,) in rows]

    def put_property(self, object_type: str, definition: Mapping[str, Any]) -> None:
        """Adds or replaces the definition of an added property."""
        row = (
            object_type,
            definition["name"],
            orjson.dumps(definition).decode(),
            bool(definition.get("hasUniqueValue")),
        )
        self._db.execute("INSERT OR REPLACE INTO property VALUES (?,?,?,?)", row)
        self._known.clear()

    def drop_property(self, object_type: str, name: str) -> None:
        """Takes away an added property; its values stay out of reach."""
        self._db.execute("DELETE FROM property WHERE type = ? AND name = ?", (object_type, name))
        self._known.clear()

    def _values(self, held: Iterable[Held]) -> list[Value]:
        return [
            (h.type, name, value.lower(), h.id)
            for h in held
            for name in h.properties.keys() - UNINDEXED[h.type]
            if (value := h.properties[name])
        ]

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        return self._db.execute(sql, values).fetchone()[0]


#: `type` of a property's definition -> the kind of value that it takes.
_KINDS = {"number": "number", "datetime": "datetime", "date": "datetime", "enumeration": "enumeration", "bool": "bool"}


def _property(definition: Mapping[str, Any]) -> Property:
    options = tuple(str(o["value"]) for o in definition.get("options") or ())
    added = Property(_KINDS.get(definition["type"], "string"), options)
    return TEXT if added == TEXT else added


def _list(ids: Collection[int]) -> str:
    return orjson.dumps(list(ids)).decode()
