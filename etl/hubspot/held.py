"""What an answer says of one engagement, as `Held`: one shape, whichever wire it came by.

Apart from the wires' reading, because which text is which value is a matter of names, not of requests. Answers are not
trusted: what is missing or of another kind is left out, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from etl.engagement import FIELDS, EngagementType, Kind
from etl.flow import LINK_KINDS, Json, LinkKind
from etl.hubspot.names import ASSOCIATIONS_V1, HEADER_FIELDS, KEY_PROPERTY, METADATA
from etl.hubspot.target import Held

#: Properties that every read asks for: the place on the timeline, the owner, files, our key and v1's.
ON_ALL: Final = ("hs_timestamp", "hubspot_owner_id", "hs_attachment_ids", KEY_PROPERTY, "hs_unique_id")
#: v1 shows mail of other directions under types of their own.
MAIL_TYPES: Final = ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL")
_DIRECTION: Final = "direction"


def asked(type_: EngagementType, properties: Collection[str] = ()) -> list[str]:
    """The properties to ask for so that `of_object` misses nothing: those with a seed name, and `properties`."""
    headers = ["hs_email_headers"] if type_ == "EMAIL" else []
    return list(dict.fromkeys([*ON_ALL, *METADATA[type_].values(), *headers, *properties]))


def of_object(
    type_: EngagementType, result: Json, links: Mapping[LinkKind, Sequence[int]], properties: Collection[str] = ()
) -> Held:
    """One result of the objects API, with its links; `properties` are those asked for beside the usual ones."""
    own: Json = result.get("properties") or {}
    metadata = _metadata(type_, own)
    mail_type = str(metadata.get(_DIRECTION) or "EMAIL")
    engagement: Json = {"id": int(result["id"]), "type": mail_type if type_ == "EMAIL" else type_}
    time_ms = _ms(own.get("hs_timestamp")) or 0
    engagement["timestamp"] = time_ms
    key = str(own.get(KEY_PROPERTY) or own.get("hs_unique_id") or "")
    if key:
        engagement["uid"] = key
    if owner := _int(own.get("hubspot_owner_id")):
        engagement["ownerId"] = owner
    payload: Json = {
        "engagement": engagement,
        "associations": {name: sorted(links.get(kind, ())) for kind, name in ASSOCIATIONS_V1.items()},
        "attachments": [{"id": file} for file in _ints(own.get("hs_attachment_ids")) or []],
        "metadata": metadata,
        "properties": {name: str(own[name]) for name in properties if own.get(name) not in (None, "")},
    }
    created_ms, updated_ms = _ms(result.get("createdAt")) or 0, _ms(result.get("updatedAt")) or 0
    archived = bool(result.get("archived"))
    return Held(str(result["id"]), engagement["type"], key, time_ms, created_ms, updated_ms, payload, archived)


def of_v1(result: Json) -> Held:
    """One engagement as v1 answers it."""
    engagement: Json = result["engagement"]
    lists = result.get("associations")
    lists = lists if isinstance(lists, dict) else {}
    metadata = {name: value for name, value in (result.get("metadata") or {}).items() if value not in (None, "", [])}
    type_ = str(engagement.get("type") or "")
    if type_ in MAIL_TYPES:
        metadata[_DIRECTION] = type_
    payload: Json = {
        "engagement": {name: value for name, value in engagement.items() if value is not None},
        "associations": {name: sorted(_ints(lists.get(name)) or []) for name in ASSOCIATIONS_V1.values()},
        "attachments": [{"id": a["id"]} for a in result.get("attachments") or [] if isinstance(a, dict) and "id" in a],
        "metadata": metadata,
    }
    time_ms, created_ms, updated_ms = (_int(engagement.get(n)) or 0 for n in ("timestamp", "createdAt", "lastUpdated"))
    return Held(
        str(engagement["id"]), type_, str(engagement.get("uid") or ""), time_ms, created_ms, updated_ms, payload
    )


def object_links(result: Json) -> tuple[dict[LinkKind, list[int]], list[LinkKind]]:
    """The links that an object of a list carries, and the kinds of which it has more than it shows."""
    found: dict[LinkKind, list[int]] = {}
    more: list[LinkKind] = []
    for kind in LINK_KINDS:
        shown = (result.get("associations") or {}).get(kind) or {}
        found[kind] = sorted({int(link["id"]) for link in shown.get("results") or []})
        if shown.get("paging"):
            more.append(kind)
    return found, more


def _metadata(type_: EngagementType, own: Json) -> Json:
    """The seed's fields from properties, each in v1's kind."""
    found: Json = {}
    for field, name in METADATA[type_].items():
        read: Callable[[Any], Any] = _READ.get(FIELDS[type_][field].kind, _text)
        value = read(own.get(name))
        if value not in (None, "", []):
            found[field] = value
    if type_ == "EMAIL":
        found |= _headers(own.get("hs_email_headers"))
        found.setdefault(_DIRECTION, "EMAIL")
    return found


def _headers(text: Any) -> Json:
    """The addresses, which travel as JSON text."""
    try:
        read = orjson.loads(text) if isinstance(text, str) and text else {}
    except orjson.JSONDecodeError:
        return {}
    return {name: read[name] for name in HEADER_FIELDS if read.get(name)} if isinstance(read, dict) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _int(value: Any) -> int | None:
    try:
        return None if value in (None, "") else int(float(value)) if "." in str(value) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _bool(value: Any) -> bool | None:
    return None if value in (None, "") else str(value).lower() == "true"


def _ms(value: Any) -> int | None:
    """A time of the objects API, ISO 8601 or ms as text, in ms, UTC."""
    text = str(value or "")
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _ints(value: Any) -> list[int] | None:
    parts = value if isinstance(value, list) else str(value or "").split(";")
    return [number for part in parts if (number := _int(part)) is not None]


_READ: Final[dict[Kind, Callable[[Any], Any]]] = {
    "int": _int,
    "duration": _int,
    "bool": _bool,
    "time": _ms,
    "times": _ints,
    "ids": _ints,
}
