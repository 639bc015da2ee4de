"""What is loaded, as the checkpoint knows it: for whoever holds the account against it. Reads only.

Apart from the journal, which works on what is still to be done. Ids are kept as columns of numbers: 16 bytes a row, so
that a million rows can be found by their id without a look at the table.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl.checkpoint import journal
from etl.checkpoint.store import Checkpoint
from etl.flow import Engagement, Key, RemoteId, key_bytes, key_text

_THERE = "state IN ('created', 'adopted')"
_KEY = re.compile(r"[a-z2-7]{26}")
#: Rows whose payloads are read at a time.
ROWS = 1_000


class Loaded(NamedTuple):
    """A row that is in the account: what was sent, and as what it is known there."""

    engagement: Engagement
    wire: str  #: by which it was sent
    remote_id: RemoteId
    place: str  #: ``path:line`` of the file that it came from
    is_adopted: bool = False  #: somebody else wrote it, in words of their own


class Ids(NamedTuple):
    """The rows of a checkpoint that are in the account, ascending by the id that they have in the account."""

    remote_ids: NDArray[np.int64]
    rows: NDArray[np.int64]

    def find(self, remote_ids: Sequence[RemoteId]) -> NDArray[np.int64]:
        """For each id its position in these columns; -1 for an id that no row has."""
        asked = np.array([int(i) for i in remote_ids], np.int64)
        if not len(self.remote_ids):
            return np.full(len(asked), -1, np.int64)
        at = np.minimum(np.searchsorted(self.remote_ids, asked), len(self.remote_ids) - 1)
        return np.where(self.remote_ids[at] == asked, at, -1)


class Known(NamedTuple):
    """What the checkpoint says of a key."""

    state: str
    remote_id: RemoteId  #: empty where it has none


def by_type(checkpoint: Checkpoint) -> dict[str, int]:
    """How many rows of each type are in the account: created, or adopted."""
    found = checkpoint.rows(f"SELECT type, count(*) FROM row WHERE {_THERE} GROUP BY 1 ORDER BY 1")
    return {str(type_): int(rows) for type_, rows in found}


def ids(checkpoint: Checkpoint) -> Ids:
    """The ids of all rows that are in the account, as columns."""
    sql = f"SELECT CAST(remote_id AS INTEGER), id FROM row WHERE {_THERE} AND remote_id IS NOT NULL"
    with checkpoint.reading() as db:
        pairs = np.fromiter(db.execute(sql), dtype=[("remote_id", np.int64), ("row", np.int64)])
    pairs.sort(order="remote_id")
    return Ids(pairs["remote_id"].copy(), pairs["row"].copy())


def loaded(checkpoint: Checkpoint, rows: Collection[int]) -> list[Loaded]:
    """The rows with these numbers that are in the account, in the order of the input. Raises `DamagedCheckpoint`."""
    if not rows:
        return []
    marks = ",".join(str(int(row)) for row in rows)
    where = f"WHERE row.id IN ({marks}) AND {_THERE} ORDER BY row.id"
    found = journal.engagements(checkpoint, checkpoint.rows(f"{journal.SELECT} {where}"))
    told = checkpoint.rows(f"SELECT remote_id, path, line, state FROM row JOIN input ON input.id = row.input {where}")
    return [
        Loaded(due.engagement, due.wire, str(remote_id), f"{path}:{line}", state == "adopted")
        for due, (remote_id, path, line, state) in zip(found, told, strict=True)
    ]


def in_order(checkpoint: Checkpoint, rows: NDArray[np.int64]) -> Iterator[list[Loaded]]:
    """The rows with these numbers in the order of the input, `ROWS` at a time."""
    ordered = np.sort(rows)
    for start in range(0, len(ordered), ROWS):
        yield loaded(checkpoint, ordered[start : start + ROWS].tolist())


def is_key(text: str) -> bool:
    """Whether a text can be an import key of ours, and not another caller's `uid`."""
    return _KEY.fullmatch(text) is not None


def known(checkpoint: Checkpoint, keys: Iterable[Key]) -> dict[Key, Known]:
    """What the checkpoint knows of these keys; texts that are no keys of ours are absent."""
    found: dict[Key, Known] = {}
    listed = [key_bytes(key) for key in dict.fromkeys(keys) if is_key(key)]
    for start in range(0, len(listed), 500):
        some = listed[start : start + 500]
        sql = f"SELECT key, state, remote_id FROM row WHERE key IN ({','.join('?' * len(some))})"
        for key, state, remote_id in checkpoint.rows(sql, *some):
            found[key_text(key)] = Known(state, str(remote_id or ""))
    return found
