"""Files that rows attach: which of them are in the account, and their ids put into payloads.

A payload names a file by its content, since a plan is made before anything is uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson

from etl.checkpoint.store import Checkpoint
from etl.errors import ConfigError
from etl.flow import RemoteId

#: A file in a payload. Inside a text of the payload its quotes would be escaped.
_FILE = re.compile(rb'\{"id":"sha256-([0-9a-f]{64})","file":("(?:[^"\\]|\\.)*")\}')


def files_in(payloads: Sequence[bytes]) -> dict[str, str]:
    """The files that these payloads name: SHA-256 (hex) -> path below the mapping's `base`."""
    found: dict[str, str] = {}
    for payload in payloads:
        for digest, path in _FILE.findall(payload):
            found.setdefault(digest.decode(), orjson.loads(path))
    return found


def uploaded(checkpoint: Checkpoint) -> dict[str, RemoteId]:
    """The files that are in the account: SHA-256 (hex) -> id."""
    return dict(checkpoint.rows("SELECT sha256, remote_id FROM upload"))


def record(checkpoint: Checkpoint, digest: str, remote_id: RemoteId) -> None:
    """Stores the id that the account gave a file."""
    with checkpoint.transaction() as db:
        db.execute("INSERT OR REPLACE INTO upload VALUES (?, ?)", [digest, remote_id])


def with_ids(checkpoint: Checkpoint, payloads: Sequence[bytes]) -> list[bytes]:
    """The payloads with the ids of their files, as far as those are in the account."""
    if not any(b'"sha256-' in payload for payload in payloads):
        return list(payloads)
    ids = uploaded(checkpoint)

    def put(found: re.Match[bytes]) -> bytes:
        remote_id = ids.get(found[1].decode())
        return b'{"id":%s}' % remote_id.encode() if remote_id else found[0]

    return [_FILE.sub(put, payload) if b'"sha256-' in payload else payload for payload in payloads]


def refuse_open(rows: Sequence[Any]) -> None:
    """Raises `ConfigError` where a row is about to be sent whose files are not in the account."""
    for row in rows:
        if b'"sha256-' in row.payload and _FILE.search(row.payload):
            raise ConfigError(
                "Files of planned rows are not uploaded yet.", hint="`etl run` with the same arguments uploads them."
            )
