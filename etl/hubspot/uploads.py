"""One file uploaded, as a form."""

from __future__ import annotations

import secrets

import orjson

from etl.flow import Outcome
from etl.hubspot.door import Door
from etl.hubspot.verdicts import stopped

FILES = "/files/v3/files"
FOLDER = "/imported"
#: Seen only by who is let; of the same content this folder has one file, so that asking again makes no second.
_OPTIONS = {
    "access": "PRIVATE", "duplicateValidationStrategy": "RETURN_EXISTING", "duplicateValidationScope": "EXACT_FOLDER",
}  # fmt: skip


async def upload(door: Door, name: str, content: bytes) -> Outcome:
    """One attempt; without a key. The file that is there of the same content is what was created.

    Raises what `verdicts.stopped` gives, where the account asks for an end.
    """
    kind, body = _form(name, content)
    answer, verdict, fate = await door.create(FILES, body, 1, content_type=kind)
    if verdict.next == "stop":
        raise stopped(verdict)
    if verdict.next not in ("done", "per_row"):
        return Outcome("", fate, "", verdict.reason)
    remote_id = str(answer.json.get("id") or "") if isinstance(answer.json, dict) else ""
    return (
        Outcome("", "created", remote_id)
        if remote_id.isdigit()
        else Outcome("", "unknown", "", "the answer names no file")
    )


def _form(name: str, content: bytes) -> tuple[bytes, bytes]:
    """The content type and the body: multipart/form-data."""
    boundary = b"etl-" + secrets.token_hex(16).encode()
    shown = name.encode("utf-8").replace(b"\\", b"_").replace(b'"', b"_").replace(b"\r", b"_").replace(b"\n", b"_")
    parts = [
        (b'name="file"; filename="%s"\r\nContent-Type: application/octet-stream' % shown, content), (b'name="folderPath"', FOLDER.encode()),
        (b'name="options"', orjson.dumps(_OPTIONS)),
    ]  # fmt: skip
    pieces = [
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (boundary, head, body) for head, body in parts
    ]
    return b"multipart/form-data; boundary=" + boundary, b"".join([*pieces, b"--%s--\r\n" % boundary])
