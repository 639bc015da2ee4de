"""Files that rows attach: which of them the account has, and their ids put into payloads.

A payload names a file by its content, since a plan is made before anything is uploaded. Where no row attaches files the
table is empty, and nothing here costs anything.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from etl.checkpoint import segments
from etl.checkpoint.seals import sealed
from etl.checkpoint.store import Checkpoint
from etl.flow import Json, RemoteId

#: Stands in every payload with a file that has no id yet; inside a text its quotes would be escaped.
_MARK = b'"sha256":"'


class File(NamedTuple):
    """A file that is to be uploaded."""

    sha256: str  #: hex, of its content when it was planned
    path: Path  #: where it lay then; of several with this content, one
    bytes: int


def note_files(checkpoint: Checkpoint, plan: int, base: Path) -> None:
    """Takes up the files, below the folder `base`, that the rows of a plan attach. Comes before `staging.finish_plan`."""
    inputs = "SELECT id FROM input WHERE plan = ?"
    for (segment,) in checkpoint.rows(f"SELECT id FROM segment WHERE input IN ({inputs}) ORDER BY id", plan):
        with checkpoint.reading() as db:
            payloads = segments.read_payloads(segments.load(db, segment, "payloads"))
        files = {each["sha256"]: each for payload in reversed(payloads) for each in reversed(_open(payload))}
        root = base.resolve()
        values = [(sha256, str(root / each["file"]), each["bytes"]) for sha256, each in files.items()]
        with checkpoint.transaction() as db:
            db.executemany(
                "INSERT INTO upload (sha256, path, bytes) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET path = excluded.path",
                values,
            )


def waiting(checkpoint: Checkpoint) -> tuple[int, int]:
    """How many files are not in the account yet, and how many bytes they have."""
    [(files, size)] = checkpoint.rows("SELECT count(*), coalesce(sum(bytes), 0) FROM upload WHERE remote_id IS NULL")
    return int(files), int(size)


def open_files(checkpoint: Checkpoint, rows: Iterable[tuple[int, bytes]]) -> list[tuple[File, list[int]]]:
    """The files that some rows (number, payload) attach and the account does not have, each with its rows."""
    wanted: dict[str, list[int]] = defaultdict(list)
    for number, payload in rows:
        for sha256 in dict.fromkeys(each["sha256"] for each in _open(payload)):
            wanted[sha256].append(number)
    found = checkpoint.rows(
        "SELECT sha256, path, bytes FROM upload WHERE sha256 IN (SELECT value FROM json_each(?)) AND remote_id IS NULL",
        json.dumps(list(wanted)),
    )
    return [(File(sha256, Path(path), size), wanted[sha256]) for sha256, path, size in found]


def record(checkpoint: Checkpoint, sha256: str, remote_id: RemoteId) -> None:
    """Stores, durably, the id that the account gave a file."""
    with checkpoint.transaction() as db:
        db.execute("UPDATE upload SET remote_id = ? WHERE sha256 = ?", [remote_id, sha256])


def refuse_rows(checkpoint: Checkpoint, run: int, rows: Sequence[int], code: str, reason: str) -> None:
    """Rejects planned rows whose file cannot be had."""
    with checkpoint.transaction() as db:
        db.execute(
            f"""UPDATE row SET {sealed(state="'rejected'")}, reason = ?1, code = ?2, run = ?3
                WHERE id IN (SELECT value FROM json_each(?4)) AND state = 'planned'""",
            [reason, code, run, json.dumps(list(rows))],
        )


def with_ids(checkpoint: Checkpoint, payloads: list[bytes]) -> list[bytes]:
    """The payloads with the ids of their files, as far as the account has them."""
    if not checkpoint.rows("SELECT 1 FROM upload LIMIT 1"):
        return payloads
    ids = _ids(checkpoint, {each["sha256"] for payload in payloads for each in _open(payload)})
    return [_with_ids(payload, ids) if _MARK in payload else payload for payload in payloads] if ids else payloads


def _ids(checkpoint: Checkpoint, digests: set[str]) -> dict[str, RemoteId]:
    found = checkpoint.rows(
        "SELECT sha256, remote_id FROM upload WHERE sha256 IN (SELECT value FROM json_each(?)) AND remote_id IS NOT NULL",
        json.dumps(sorted(digests)),
    )
    return dict(found)


def _with_ids(payload: bytes, ids: Mapping[str, RemoteId]) -> bytes:
    """The payload with ids, each once, in place of the files that have one."""
    whole: Json = orjson.loads(payload)
    files = [{"id": int(ids[each["sha256"]])} if each.get("sha256") in ids else each for each in whole["attachments"]]
    distinct = {orjson.dumps(each): each for each in files}
    return orjson.dumps({**whole, "attachments": list(distinct.values())})


def _open(payload: bytes) -> list[Json]:
    """The elements of the payload's `attachments` that are files without an id."""
    if _MARK not in payload:
        return []
    return [each for each in orjson.loads(payload)["attachments"] if "sha256" in each]
