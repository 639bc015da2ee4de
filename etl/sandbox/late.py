"""Rows of the two large indexes, written late: values by which objects are found, and links seen from their far end.

Apart from the store, since it is one idea. The places of such rows in their index are at random: written with its object,
each costs a page of 4 KiB, three times as much as the object itself. So they are put down in the order in which they come
(that keeps them when the process dies), and moved to their places in one sorted go, when many have come or before anything
but a create is answered. Values are held in memory as well until then, so that a create can tell which are taken.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from etl.sandbox.schema import Link

#: So many rows wait at most. More would make moves rarer and longer: 50,000 take a fifth to half a second.
MOST: Final = 50_000
LINK: Final = "INSERT INTO link {} ON CONFLICT DO UPDATE SET main = max(main, excluded.main)"

#: A value that stands in an index: object type, property, value in lower case, id.
Value = tuple[str, str, str, int]
#: One direction of a link, as `schema.Link`.
Row = tuple[str, int, str, int, int]


class Late:
    """The rows that wait; used by the connection that writes, within its transactions."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ids: dict[tuple[str, str, str], list[int]] = {}
        self._links = 0
        self.read_again()

    def __len__(self) -> int:
        return max(len(self._ids), self._links)

    def add(self, values: Sequence[Value], links: Sequence[Row]) -> None:
        """Takes rows of new objects."""
        self._db.executemany("INSERT INTO late_value VALUES (?,?,?,?)", values)
        self._db.executemany("INSERT INTO late_link VALUES (?,?,?,?,?)", links)
        self._hold(values)
        self._links += len(links)

    def ids(self, object_type: str, name: str, values: Iterable[str]) -> Iterable[tuple[str, int]]:
        """Those of the values that wait here, each with the ids that have it, ascending."""
        if self._ids:
            for value in values:
                for i in self._ids.get((object_type, name, value), ()):
                    yield value, i

    def settle(self) -> None:
        """Moves all rows to their places."""
        if not len(self):
            return
        self._db.execute("INSERT INTO value SELECT * FROM late_value ORDER BY type, name, value, id")
        sorted_links = "SELECT * FROM late_link WHERE true ORDER BY from_type, from_id, to_type, to_id"
        self._db.execute(LINK.format(sorted_links))
        self._db.execute("DELETE FROM late_value")
        self._db.execute("DELETE FROM late_link")
        self._ids, self._links = {}, 0

    def read_again(self) -> None:
        """Holds what the tables hold: at the beginning, and after a rollback."""
        self._ids = {}
        self._hold(self._db.execute("SELECT * FROM late_value"))
        self._links = int(self._db.execute("SELECT count(*) FROM late_link").fetchone()[0])

    def _hold(self, values: Iterable[Value]) -> None:
        for object_type, name, value, i in values:
            self._ids.setdefault((object_type, name, value), []).append(i)


def rows_of(links: Iterable[Link]) -> list[Row]:
    """Each link as a row; numbers, since to bind a bool takes ten times as long."""
    return [(from_type, from_id, to_type, to_id, int(main)) for from_type, from_id, to_type, to_id, main in links]


def far_ends(links: Iterable[Link]) -> list[Row]:
    """Each link seen from its far end, as a row."""
    return [(to_type, to_id, from_type, from_id, int(main)) for from_type, from_id, to_type, to_id, main in links]
