"""All of a store, read from end to end while it is in use: for the audit, in bounded memory.

Apart from the store, since each stream has a connection of its own and may run in any thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from etl.sandbox.schema import COLUMNS, Held, Link, held_of

#: Rows read at a time.
SOME: Final = 500


def engagements(path: Path) -> Iterator[list[tuple[Held, list[Link]]]]:
    """All engagements of the store in this file by ascending id with their links, some hundred at a time."""
    sql = f"SELECT {COLUMNS} FROM engagement WHERE id > ? AND archived = 0 ORDER BY id LIMIT {SOME}"  # noqa: S608
    to = "SELECT link.* FROM link WHERE from_type = ? AND from_id = ?"
    after = 0
    with closing(sqlite3.connect(path, check_same_thread=False)) as db:
        while held := [held_of(row) for row in db.execute(sql, (after,))]:
            yield [(h, [Link(*row) for row in db.execute(to, (h.type, h.id))]) for h in held]
            after = held[-1].id


def requests(path: Path) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of `Requests.log` by ascending number, some hundred at a time."""
    sql, after = f"SELECT * FROM request WHERE id > ? ORDER BY id LIMIT {SOME}", 0  # noqa: S608
    with closing(sqlite3.connect(path, check_same_thread=False)) as db:
        while rows := db.execute(sql, (after,)).fetchall():
            yield rows
            after = rows[-1][0]
