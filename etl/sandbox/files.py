"""What the store tells about uploaded files: where they stand, their digest, and the answer that describes them.

The bytes are not kept: nothing of this account ever hands them out, and an import of many attachments would fill the disk.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

import orjson


class File(NamedTuple):
    """One uploaded file."""

    id: int
    path: str  #: `/folder/name.ext`
    sha256: str  #: hexadecimal digest of its bytes
    shown: dict[str, Any]  #: as the API answers it


class Files:
    """The files of an open store, in the transaction of the request."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put(self, file: File) -> None:
        """Adds a file, or writes it again."""
        row = (file.id, file.path, file.sha256, orjson.dumps(file.shown).decode())
        self._db.execute("INSERT OR REPLACE INTO file (id, path, sha256, shown) VALUES (?,?,?,?)", row)

    def get(self, file_id: int) -> File | None:
        """The file with this id; None when it is not there, or archived."""
        return self._first("id = ?", file_id)

    def at(self, path: str) -> File | None:
        """The file that stands at a path."""
        return self._first("path = ?", path)

    def with_digest(self, sha256: str, folder: str | None) -> File | None:
        """The first file with these bytes, in one folder (ending in `/`) or, without one, anywhere."""
        where = "sha256 = ? AND (? IS NULL OR rtrim(path, replace(path, '/', '')) = ?)"
        return self._first(where, sha256, folder, folder)

    def archive(self, file_id: int) -> None:
        """Takes a file away."""
        self._db.execute("UPDATE file SET archived = 1 WHERE id = ?", (file_id,))

    def _first(self, where: str, *values: Any) -> File | None:
        sql = f"SELECT id, path, sha256, shown FROM file WHERE archived = 0 AND {where} ORDER BY id LIMIT 1"  # noqa: S608
        row = self._db.execute(sql, values).fetchone()
        return None if row is None else File(row[0], row[1], row[2], orjson.loads(row[3]))
