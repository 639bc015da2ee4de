"""What the store knows of the requests that were received: the lines of the audit."""

from __future__ import annotations

import sqlite3


class Requests:
    """The requests of an open store, in the transaction of the one that is answered."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._next = 1 + int(db.execute("SELECT coalesce(max(id), 0) FROM request").fetchone()[0])

    def new(self) -> int:
        """The number of the request that has just come in."""
        self._next += 1
        return self._next - 1

    def log(self, row: tuple[int, int, str, str, int | None, str, str]) -> None:
        """Notes a request: number, received (ms), method, path, status (None: no answer), fault, created (JSON)."""
        self._db.execute("INSERT INTO request VALUES (?,?,?,?,?,?,?)", row)

    def unanswered(self, number: int) -> None:
        """Notes of a request that its client had left before the answer was sent."""
        self._db.execute("UPDATE request SET status = NULL WHERE id = ?", (number,))

    def taken_since(self, moment_ms: int) -> int:
        """How many requests came since then and were not refused for their number."""
        count = 0
        for received_ms, status in self._db.execute("SELECT received_ms, status FROM request ORDER BY id DESC"):
            if received_ms < moment_ms:
                break
            count += status != 429
        return count
