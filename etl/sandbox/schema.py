"""The tables of the store, and what stands in a row of them.

Engagements and the other objects have the same columns in two tables, since the ids of engagements are unique in the
account and those of the others only within their type. Values with an index stand once more in `value`, folded to lower
case; links stand in both directions; rows of both wait in `late_value` and `late_link` for their move. `version` has the values that properties had before a change; `file` has what is
told about an uploaded file, not its bytes. `archived` is 1 for what is in the recycle bin, 2 for what is gone for good.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from etl.sandbox.fields import ENGAGEMENTS, FOREIGN

_OBJECT_COLUMNS = """
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    active INTEGER NOT NULL DEFAULT 1, archived INTEGER NOT NULL DEFAULT 0,
    properties TEXT NOT NULL, request INTEGER NOT NULL DEFAULT 0"""
SCHEMA: Final = f"""
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=16000; PRAGMA cache_size=-32000;
CREATE TABLE IF NOT EXISTS portal (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS engagement (id INTEGER PRIMARY KEY, type TEXT NOT NULL, {_OBJECT_COLUMNS});
CREATE INDEX IF NOT EXISTS engagement_type ON engagement (type, id);
CREATE INDEX IF NOT EXISTS engagement_updated ON engagement (updated_ms, id);
CREATE TABLE IF NOT EXISTS crm (type TEXT NOT NULL, id INTEGER NOT NULL, {_OBJECT_COLUMNS}, PRIMARY KEY (type, id));
CREATE TABLE IF NOT EXISTS link (from_type TEXT, from_id INTEGER, to_type TEXT, to_id INTEGER, main INTEGER NOT NULL,
    PRIMARY KEY (from_type, from_id, to_type, to_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS value (type TEXT, name TEXT, value TEXT, id INTEGER,
    PRIMARY KEY (type, name, value, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS late_value (type TEXT, name TEXT, value TEXT, id INTEGER);
CREATE TABLE IF NOT EXISTS late_link (from_type TEXT, from_id INTEGER, to_type TEXT, to_id INTEGER, main INTEGER);
CREATE TABLE IF NOT EXISTS owner (id INTEGER PRIMARY KEY, email TEXT NOT NULL, firstname TEXT NOT NULL,
    lastname TEXT NOT NULL, active INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS property (type TEXT, name TEXT, definition TEXT NOT NULL, is_unique INTEGER NOT NULL,
    PRIMARY KEY (type, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS version (type TEXT, id INTEGER, name TEXT, until_ms INTEGER NOT NULL, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS version_of ON version (type, id);
CREATE TABLE IF NOT EXISTS file (id INTEGER PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, shown TEXT NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS file_path ON file (path);
CREATE INDEX IF NOT EXISTS file_sha256 ON file (sha256);
CREATE TABLE IF NOT EXISTS request (id INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, status INTEGER, fault TEXT NOT NULL, created TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS request_status ON request (status, received_ms);
"""
#: For the pages alone, and made when the first is asked for: where times are at random it costs a tenth of every create.
DAY_INDEX: Final = """CREATE INDEX IF NOT EXISTS engagement_day
    ON engagement (time_ms / 86400000, type, time_ms, archived) WHERE archived = 0"""
COLUMNS: Final = "type, id, created_ms, updated_ms, time_ms, active, archived, properties, request"


class Held(NamedTuple):
    """An engagement, contact, company, deal or ticket as it is stored; times in ms, UTC."""

    type: str  #: plural, as in paths: `calls`, `contacts`
    id: int
    created_ms: int
    updated_ms: int
    time_ms: int  #: its place on the timeline; for what has none, `created_ms`
    active: bool
    archived: bool
    properties: dict[str, str]  #: what was written, checked; ids and dates are not among them
    request: int  #: number of the request that made it; 0 for seeds


class Link(NamedTuple):
    """One direction of an association."""

    from_type: str
    from_id: int
    to_type: str
    to_id: int
    main: bool = False  #: the primary company of a contact


def table(object_type: str) -> str:
    """The table that holds objects of this type."""
    return "engagement" if object_type in ENGAGEMENTS or object_type == FOREIGN else "crm"


def held_of(row: tuple[Any, ...]) -> Held:
    """A row of `COLUMNS` as the object that it holds."""
    object_type, held_id, created_ms, updated_ms, time_ms, active, archived, properties, request = row
    own = orjson.loads(properties)
    return Held(object_type, held_id, created_ms, updated_ms, time_ms, bool(active), bool(archived), own, request)
