"""File uploads: multipart/form-data in, what the account tells about a file out. Files are no engagements.

The form is cut by its boundary here, since a file has to come out byte for byte whatever it is: the standard library's
mail parser would take an attached mail apart.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple
from urllib.parse import unquote
from uuid import NAMESPACE_OID, uuid5

import orjson

from etl.sandbox.answers import Answer, Refusal
from etl.sandbox.fields import iso
from etl.sandbox.files import File
from etl.sandbox.portal import Call, Portal, ids_of

#: HubSpot: files of free accounts, in bytes.
MOST_BYTES: Final = 20 * 1024 * 1024
ACCESS: Final = ("PRIVATE", "PUBLIC_INDEXABLE", "PUBLIC_NOT_INDEXABLE")
STRATEGIES, SCOPES = ("NONE", "REJECT", "RETURN_EXISTING"), ("ENTIRE_PORTAL", "EXACT_FOLDER")
_KINDS: Final = {
    "IMG": "png jpg jpeg gif svg webp bmp ico", "DOCUMENT": "pdf doc docx xls xlsx ppt pptx csv txt rtf eml msg",
    "AUDIO": "mp3 wav ogg m4a flac", "MOVIE": "mp4 mov avi webm mkv",
}  # fmt: skip
_TTL: Final = re.compile(r"P([0-9]{1,3})([DWMY])")
_DAYS: Final = {"D": 1, "W": 7, "M": 30, "Y": 365}
#: `name="file"; filename="a.txt"`; with a star: percent-encoded.
_TOLD: Final = re.compile(r"""[;\s](name|filename\*?)=(?:"([^"]*)"|([^;\s"]+))""", re.IGNORECASE)
_NAME: Final = re.compile(r"[^\x00-\x1f/\\]{1,255}")


class Part(NamedTuple):
    """One part of a form."""

    filename: str  #: empty for a plain field
    content: bytes


class Wanted(NamedTuple):
    """An upload as it is asked for, checked."""

    name: str  #: with its extension
    folder: str  #: begins and ends with `/`
    content: bytes
    options: dict[str, Any]


def upload(portal: Portal, call: Call) -> Answer:
    """POST /files/v3/files: 201. `access` is required, and one of `folderId` and `folderPath`."""
    wanted = _wanted(form(call.body))
    digest = hashlib.sha256(wanted.content).hexdigest()
    if (same := _duplicate(portal, wanted, digest)) is not None:
        return Answer(201, same.shown)
    path = wanted.folder + wanted.name
    before = portal.store.files.at(path)
    if before is not None and wanted.options.get("overwrite") is not True:
        path, before = _free(portal, path), None
    file_id = before.id if before else portal.store.new_id()
    shown = _shown(portal, call, file_id, path, wanted) | ({"createdAt": before.shown["createdAt"]} if before else {})
    portal.store.files.put(File(file_id, path, digest, shown))
    return Answer(201, shown)


def get(portal: Portal, call: Call) -> Answer:
    """GET /files/v3/files/{id}."""
    file = portal.store.files.get(next(iter(ids_of([call.path["id"]])), 0))
    if file is None:
        raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")
    return Answer(200, file.shown)


def delete(portal: Portal, call: Call) -> Answer:
    """DELETE /files/v3/files/{id}: 204, also for what is not there."""
    portal.store.files.archive(next(iter(ids_of([call.path["id"]])), 0))
    return Answer(204)


def form(body: bytes) -> dict[str, Part]:
    """The parts of a multipart/form-data body by name; its first line is its boundary. 400 when it is none."""
    boundary, _, rest = body.partition(b"\r\n")
    if not boundary.startswith(b"--") or len(boundary) < 3:
        raise _refused("the body is not multipart/form-data")
    parts: dict[str, Part] = {}
    whole = b"\r\n" + rest
    *pieces, end = whole.split(b"\r\n" + boundary)
    if not end.startswith(b"--"):
        raise _refused("the form does not end with its boundary")
    for piece in pieces:
        head, blank, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        told = {m[1].lower(): m[2] or m[3] or "" for m in _TOLD.finditer(head.decode("utf-8", "replace"))}
        if not blank or "name" not in told:
            raise _refused("a part of the form has no name")
        encoded = told.get("filename*", "").partition("''")[2]
        parts[told["name"]] = Part(unquote(encoded) or unquote(told.get("filename", "")), content)
    return parts


def _wanted(parts: dict[str, Part]) -> Wanted:
    file = parts.get("file")
    if file is None:
        raise _refused("the part 'file' is missing")
    if len(file.content) > MOST_BYTES:
        raise _refused(f"the file has {len(file.content)} bytes; at most {MOST_BYTES} are allowed")
    given = {name: part.content.decode("utf-8", "replace").strip() for name, part in parts.items() if name != "file"}
    if bool(given.get("folderId")) == bool(given.get("folderPath")):
        raise _refused("one of folderId and folderPath must be given, and not both")
    name = given.get("fileName") or file.filename
    if extension := PurePosixPath(file.filename).suffix:
        name = name if PurePosixPath(name).suffix else name + extension
    if not _NAME.fullmatch(name):
        raise _refused(f"{name[:100]!r} is no name of a file")
    return Wanted(name, _folder(given), file.content, _options(given.get("options", "")))


def _folder(given: dict[str, str]) -> str:
    if folder_id := given.get("folderId"):
        if not ids_of([folder_id]):
            raise _refused(f"folderId {folder_id[:100]!r} is no id")
        return f"/{folder_id}/"
    steps = [step for step in given["folderPath"].split("/") if step]
    if not all(_NAME.fullmatch(step) and step not in {".", ".."} for step in steps):
        raise _refused(f"folderPath {given['folderPath'][:100]!r} is no path")
    return "/".join(["", *steps, ""])


def _options(text: str) -> dict[str, Any]:
    try:
        options = orjson.loads(text)
    except orjson.JSONDecodeError:
        options = None
    if not isinstance(options, dict):
        raise _refused("the part 'options' must be a JSON object")
    allowed = {"duplicateValidationStrategy": STRATEGIES, "duplicateValidationScope": SCOPES}
    if options.get("access") not in ACCESS:
        raise _refused(
            f"options.access is required and one of {', '.join(ACCESS)}; was {str(options.get('access'))[:50]!r}"
        )
    for name, choices in allowed.items():
        if options.get(name) not in (None, *choices):
            raise _refused(f"options.{name} must be one of {', '.join(choices)}")
    if (ttl := options.get("ttl")) is not None:
        read = _TTL.fullmatch(ttl) if isinstance(ttl, str) else None
        if read is None or not 1 <= int(read[1]) * _DAYS[read[2]] <= 366:
            raise _refused("options.ttl must be a duration from a day to a year, as P3M")
    return options


def _duplicate(portal: Portal, wanted: Wanted, digest: str) -> File | None:
    """The file to answer in place of a new one, when the options want that."""
    strategy = wanted.options.get("duplicateValidationStrategy") or "NONE"
    if strategy == "NONE":
        return None
    everywhere = wanted.options.get("duplicateValidationScope") == "ENTIRE_PORTAL"
    same = portal.store.files.with_digest(digest, None if everywhere else wanted.folder)
    if same is not None and strategy == "REJECT":
        raise Refusal(409, f"File already exists. Existing ID: {same.id}", "CONFLICT")
    return same


def _free(portal: Portal, path: str) -> str:
    """The first of `name.ext`, `name-1.ext`, `name-2.ext` that is not taken."""
    given, number = PurePosixPath(path), 0
    while portal.store.files.at(path) is not None:
        number += 1
        path = str(given.with_name(f"{given.stem}-{number}{given.suffix}"))
    return path


def _shown(portal: Portal, call: Call, file_id: int, path: str, wanted: Wanted) -> dict[str, Any]:
    name, at = PurePosixPath(path), iso(call.now_ms)
    extension = name.suffix.removeprefix(".").lower()
    url = f"https://{portal.store.portal_id}.fs1.hubspotusercontent-na1.net/hubfs/{portal.store.portal_id}{path}"
    folder_id = wanted.folder.strip("/") if wanted.folder[1:-1].isdigit() else str(_folder_id(wanted.folder))
    return {
        "id": str(file_id), "parentFolderId": folder_id, "name": name.stem, "path": path, "size": len(wanted.content),
        "type": next((kind for kind, known in _KINDS.items() if extension in known.split()), "OTHER"),
        "extension": extension, "access": wanted.options["access"], "url": url, "defaultHostingUrl": url,
        "isUsableInContent": wanted.options["access"] != "PRIVATE", "createdAt": at, "updatedAt": at, "archived": False,
    }  # fmt: skip


def _folder_id(folder: str) -> int:
    """An id for a folder that was named by its path: the same path has the same one."""
    return 70_000_000_000 + uuid5(NAMESPACE_OID, folder).int % 1_000_000_000


def _refused(why: str) -> Refusal:
    return Refusal(400, f"Invalid file upload: {why}.", "VALIDATION_ERROR")
