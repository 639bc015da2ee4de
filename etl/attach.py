"""Files that rows attach, uploaded before the engagements that need them: each content once.

The account itself is asked to answer with the file that it has of the same content, so a second upload, after an answer
that was lost, makes no second file.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from etl.checkpoint import journal, uploads
from etl.checkpoint.store import Checkpoint
from etl.errors import ContentError, RemoteDown
from etl.hubspot.target import Target

_TRIES = 4
_ROWS = 2_000


def open_files(checkpoint: Checkpoint) -> dict[str, str]:
    """The files of planned rows that are not in the account: SHA-256 (hex) -> path below the mapping's `base`."""
    found: dict[str, str] = {}
    last = 0
    while due := journal.due(checkpoint, "planned", after=last, rows=_ROWS):
        found |= uploads.files_in([each.engagement.payload for each in due])
        last = due[-1].number
    return found


async def upload_files(checkpoint: Checkpoint, target: Target, base: Path, on_file: Callable[[str], None]) -> None:
    """Uploads what planned rows attach; each id is stored as soon as it is known.

    Raises `ContentError` for a file that changed since the plan or that the account refuses, `RemoteDown` where there is
    no answer, and what ends any run.
    """
    for digest, path in open_files(checkpoint).items():
        try:
            content = (base / path).read_bytes()
        except OSError as error:
            raise ContentError(
                f"The attachment {path} cannot be read: {error.strerror}.", hint="Plan again."
            ) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise ContentError(f"The attachment {path} changed since the plan; nothing was sent.", hint="Plan again.")
        uploads.record(checkpoint, digest, await _upload(target, Path(path).name, content, path))
        on_file(path)


async def _upload(target: Target, name: str, content: bytes, path: str) -> str:
    reason = ""
    for _ in range(_TRIES):
        while not (place := target.place()).rows:  # noqa: ASYNC110 - a place comes with time, nobody tells of it
            await asyncio.sleep(place.wait_s)
        outcome = await target.upload(name, content)
        if outcome.state == "created":
            return outcome.remote_id
        if outcome.state == "rejected":
            raise ContentError(
                f"The account refuses the attachment {path}: {outcome.reason}",
                hint="Remove it from the row, or correct it.",
            )
        reason = outcome.reason
    raise RemoteDown(f"The attachment {path} could not be uploaded: {reason}", hint="The same command goes on later.")
