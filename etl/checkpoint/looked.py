"""Plans that were only looked at: what `etl plan` staged is sent by a run with the same arguments, and by no other.

Such a plan is dropped when another plan or another run begins. Rows that the checkpoint knew before it are then as they
were: what an earlier run owes stays owed, what was undone or rejected stays so.
"""

from __future__ import annotations

import sqlite3

_NEW = """id > (SELECT first_row FROM plan WHERE id = ?1) AND input IN (SELECT id FROM input WHERE plan = ?1)
    AND state IN ('planned', 'parked') AND attempt = 0 AND request IS NULL"""


def keep_as_they_were(db: sqlite3.Connection, plan: int) -> None:
    """Keeps the rows that `seen` is about to change, where the plan is only looked at."""
    db.execute(
        """INSERT INTO before_look SELECT row.* FROM seen JOIN row ON row.id = seen.row
           WHERE seen.fate = 'take' AND (SELECT looked FROM plan WHERE id = ?)""", [plan]
    )  # fmt: skip


def drop(db: sqlite3.Connection, but: int | None = None) -> None:
    """Drops every plan that was only looked at; `but` is the one that a run takes up now."""
    if db.execute("UPDATE plan SET looked = 0 WHERE id IS ? AND looked", [but]).rowcount:
        db.execute("DELETE FROM before_look")
    for (plan,) in db.execute("SELECT id FROM plan WHERE looked AND finished").fetchall():
        _drop_rows(db, plan)
        db.execute("REPLACE INTO row SELECT * FROM before_look")
        db.execute("DELETE FROM before_look")
        db.execute("DELETE FROM change WHERE plan = ? AND what = 'update' AND state = 'planned'", [plan])
        db.execute("DELETE FROM vanished WHERE plan = ?", [plan])
        unused = "SELECT id FROM input WHERE plan = ?1 AND id NOT IN (SELECT DISTINCT input FROM row)"
        for table in ("segment", "reject", "skipped"):
            db.execute(f"DELETE FROM {table} WHERE input IN ({unused})", [plan])
        db.execute(f"DELETE FROM input WHERE id IN ({unused})", [plan])
        db.execute("DELETE FROM plan WHERE id = ?1 AND id NOT IN (SELECT plan FROM input)", [plan])
        db.execute("UPDATE plan SET looked = 0, sent = 1 WHERE id = ?", [plan])  # what is left of it is no whole plan


def _drop_rows(db: sqlite3.Connection, plan: int) -> None:
    if not db.execute(f"SELECT 1 FROM row WHERE NOT ({_NEW}) LIMIT 1", [plan]).fetchone():
        db.execute("DROP INDEX IF EXISTS row_key")  # it is made again behind the rows
        db.execute("DELETE FROM row")
        db.execute("DELETE FROM upload WHERE remote_id IS NULL")
    else:
        db.execute(f"DELETE FROM row WHERE {_NEW}", [plan])
