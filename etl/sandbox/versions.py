"""The values that properties had before: noted when an object changes, told by `propertiesWithHistory`.

Apart from the store, since most objects never change: only what was replaced is kept, with the moment until which it held.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Final, NamedTuple

from etl.sandbox.schema import Held

_NOTE: Final = "INSERT INTO version VALUES (?,?,?,?,?)"
_READ: Final = "SELECT name, until_ms, value FROM version WHERE type = ? AND id = ? ORDER BY rowid DESC"


class Version(NamedTuple):
    """One value of a property, and the moment (ms, UTC) from which it held."""

    value: str
    since_ms: int


def note(db: sqlite3.Connection, before: Held, after: Held) -> None:
    """Keeps the values that `after` no longer has."""
    old, new = before.properties, after.properties
    gone = [name for name in old.keys() | new.keys() if old.get(name, "") != new.get(name, "")]
    db.executemany(_NOTE, [(after.type, after.id, n, after.updated_ms, old.get(n, "")) for n in sorted(gone)])


def versions(db: sqlite3.Connection, held: Held, names: Collection[str]) -> dict[str, list[Version]]:
    """The values that these properties have and had, newest first; a property that never had one is absent."""
    was: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
    for name, until_ms, value in db.execute(_READ, (held.type, held.id)):
        if name in was:
            was[name].append((until_ms, value))
    return {name: _line(held, name, was[name]) for name in names if held.properties.get(name) or was[name]}


def _line(held: Held, name: str, was: list[tuple[int, str]]) -> list[Version]:
    """From the newest value to the oldest: each holds since the one before it ended, the first since the beginning."""
    values = [held.properties.get(name, ""), *(value for _, value in was)]
    since = [*(until_ms for until_ms, _ in was), held.created_ms]
    line = [Version(value, at) for value, at in zip(values, since, strict=True)]
    return line if line[-1].value else line[:-1]
