"""What happened to one row: found by its key, its id in the source or in the account, or its line. Reads only."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any
from unicodedata import normalize

from etl.checkpoint.segments import load, read_cells
from etl.checkpoint.store import Checkpoint
from etl.flow import Json, Problem, key_bytes, key_text

_KEY = re.compile(r"[a-z2-7]{26}")
_PLACE = re.compile(r"(.+):(\d+)", re.DOTALL)
#: An input as it was given, or by the end of its path.
_OF_FILE = "(path = ?1 OR substr(path, -length(?1) - 1) = '/' || ?1)"


def find(checkpoint: Checkpoint, text: str, namespace: str = "") -> list[int]:
    """The numbers of the rows that are meant by a key, an id of the account (also a former one), a source key, or FILE:LINE.

    A source key is what the mapping's `key` gives, where it is one value.
    """
    sql = "SELECT id FROM row WHERE key = ?"
    found = [number for key in _keys(text, namespace) for (number,) in checkpoint.rows(sql, key)]
    if not found and text.isdigit():
        sql = "SELECT id FROM row WHERE remote_id = ?1 UNION SELECT row FROM change WHERE remote_id = ?1"
        found = [number for (number,) in checkpoint.rows(sql, text)]
    if not found and (place := _PLACE.fullmatch(text)):
        sql = f"SELECT row.id FROM row JOIN input ON input.id = row.input WHERE line = ?2 AND {_OF_FILE}"
        found = [number for (number,) in checkpoint.rows(sql, place[1], int(place[2]))]
    return list(dict.fromkeys(found))


def refused(checkpoint: Checkpoint, text: str, namespace: str = "") -> list[Json]:
    """The same for a row that was refused before it was planned: what the newest plan that saw it said, or nothing."""
    path, line = place.groups() if (place := _PLACE.fullmatch(text)) else (None, None)
    own = key_text(_keys(text, namespace)[-1])
    sql = f"""SELECT key, path, line, problems, cells, raw, header FROM reject JOIN input ON input.id = reject.input
        WHERE key IN (?3, ?4) OR (line = CAST(?2 AS INTEGER) AND {_OF_FILE}) ORDER BY reject.rowid DESC LIMIT 1"""
    return [
        {
            "key": row["key"] or "", "path": row["path"], "line": row["line"], "state": "rejected", "raw": row["raw"],
            "problems": [Problem(*each)._asdict() for each in json.loads(row["problems"])],
            "cells": dict(zip(json.loads(row["header"]), json.loads(row["cells"]), strict=False)),
        }
        for row in _all(checkpoint, sql, path, line, text, own)
    ]  # fmt: skip


def told(checkpoint: Checkpoint, number: int) -> Json:
    """Everything that the checkpoint knows of a row, oldest first where it has a time."""
    row = _one(
        checkpoint,
        """SELECT row.key, row.type, row.time_ms, row.state, row.remote_id, row.reason, row.code, row.links, row.attempt,
               row.doubts, row.request, run.name AS run, path, line, row.segment, row.pos
           FROM row JOIN input ON input.id = row.input LEFT JOIN run ON run.id = row.run WHERE row.id = ?""",
        number,
    )
    changes = _all(
        checkpoint,
        """SELECT c.what, c.state, c.remote_id, c.reason, c.at, c.request, run.name AS run, undone.name AS undoes, path, c.line
           FROM change AS c LEFT JOIN run ON run.id = c.run LEFT JOIN run AS undone ON undone.id = c.undoes
           LEFT JOIN input ON input.id = c.input WHERE c.row = ? ORDER BY c.id""",
        number,
    )
    numbers = [n for n in (row.pop("request"), *(change.pop("request") for change in changes)) if n]
    requests = _all(
        checkpoint,
        """SELECT request.id AS number, run.name AS run, wire, rows, changes, sent_at, answered_at, verdict, reason
           FROM request LEFT JOIN run ON run.id = request.run
           WHERE request.id IN (SELECT value FROM json_each(?)) ORDER BY request.id""",
        json.dumps(numbers),
    )
    segment, pos = row.pop("segment"), row.pop("pos")
    former = next((c["remote_id"] for c in reversed(changes) if c["remote_id"]), "")
    return {
        **row,
        "key": key_text(row["key"]),
        "remote_id": row["remote_id"] or "",
        "former_id": "" if row["remote_id"] else former,
        "cells": _cells(checkpoint, segment, pos),
        "requests": requests,
        "changes": changes,
    }


def _keys(text: str, namespace: str) -> list[bytes]:
    """The keys that a text may stand for: itself, and that of a source key, as `transform.keys` makes it."""
    own = sha256(f"{namespace}\0{normalize('NFC', text)}".encode()).digest()[:16]
    return [key_bytes(text), own] if _KEY.fullmatch(text) else [own]


def _cells(checkpoint: Checkpoint, segment: int, pos: int) -> dict[str, str | None]:
    header = checkpoint.rows(
        "SELECT header FROM input JOIN segment ON segment.input = input.id WHERE segment.id = ?", segment
    )
    with checkpoint.reading() as db:
        cells = read_cells(load(db, segment, "cells"), pos)
    return dict(zip(json.loads(header[0][0]), cells, strict=False)) if header else {}


def _one(checkpoint: Checkpoint, sql: str, *values: object) -> dict[str, Any]:
    return _all(checkpoint, sql, *values)[0]


def _all(checkpoint: Checkpoint, sql: str, *values: object) -> list[dict[str, Any]]:
    with checkpoint.reading() as db:
        cursor = db.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]
