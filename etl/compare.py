"""Same or different: what was sent against what the account holds, field by field and link by link. Sends nothing.

What HubSpot does to values by itself is no difference: addresses in lower case, markup cleaned up, white space, empty
fields left out, numbers and times written another way. Neither is a field that was not sent and that HubSpot fills by
itself. Used by whoever has to know whether a person changed something: verifying, updating, undoing, adopting.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import orjson

from etl.engagement import FIELDS, EngagementType, Kind
from etl.flow import Engagement, Json
from etl.hubspot.names import ASSOCIATIONS_V1, METADATA
from etl.hubspot.target import Held

#: Fields that HubSpot fills where nothing was sent: marks of its own, defaults, and texts it derives from others.
FILLED: Final[dict[str, frozenset[str]]] = {
    "CALL": frozenset({"title", "status"}),
    "EMAIL": frozenset({"text", "html", "sender", "status", "direction", "messageId", "threadId"}),
    "MEETING": frozenset({"meetingOutcome", "attendeeOwnerIds", "iCalUid", "externalUrl", "location"}),
    "NOTE": frozenset(),
    "TASK": frozenset({"status", "forObjectType", "taskType", "priority", "reminders", "sendDefaultReminder", "isAllDay"}),
}  # fmt: skip
#: Properties that a mapping can give by name, and that have another place in the payload.
_ELSEWHERE: Final = {
    "hs_timestamp": "timestamp", "hubspot_owner_id": "ownerId", "hs_attachment_ids": "attachments",
    "hs_email_headers": "headers",
}  # fmt: skip


class Difference(NamedTuple):
    """One thing that is not as it was sent; texts for people, empty where there is nothing."""

    field: str  #: as the payload names it: `metadata.body`, `associations.contactIds`, `engagement.ownerId`, `properties.x`
    sent: str
    held: str
    added: bool = False  #: nothing of what was sent is gone or changed; something came on top


def differences(row: Engagement, held: Held, wires: Collection[str] = ("objects",)) -> list[Difference]:
    """What the account holds otherwise than `row` says, in the order of the payload; empty: the same.

    `wires` are those by which it was sent and by which it is read: a field that one of them drops or cannot show is not
    compared.
    """
    payload: Json = orjson.loads(row.payload)
    type_ = cast("EngagementType", row.type)
    both = set(wires) == {"objects"}
    own = (
        {name: value for name, value in (payload.get("properties") or {}).items() if value is not None} if both else {}
    )
    metadata = {**(payload.get("metadata") or {}), **_renamed(type_, own)}
    starts_ms = metadata.get("startTime")  # HubSpot may put a meeting where it starts
    found = [*_engagement(row, held, own, wires, starts_ms), *_associations(row, held)]
    if "hs_attachment_ids" not in own:
        files = [{str(f.get("id")) for f in part.get("attachments") or []} for part in (payload, held.payload)]
        found += _sets("attachments", *files)
    found += _metadata(type_, metadata, held, own, wires)
    shown = held.payload.get("properties") or {}
    places = {*_ELSEWHERE, *METADATA[type_].values()}
    rest = {name: value for name, value in own.items() if name not in places}
    found += [
        _different(f"properties.{n}", v, shown.get(n)) for n, v in rest.items() if _value(v) != _value(shown.get(n))
    ]
    return found


def plain_text(value: Any) -> str:
    """What a text or markup says, without what HubSpot changes in it."""
    return _html(value)


def _engagement(row: Engagement, held: Held, own: Json, wires: Collection[str], starts_ms: Any) -> Iterable[Difference]:
    """Type, time, owner and key."""
    mail = row.type == "EMAIL" and held.type.endswith("EMAIL")
    if held.type != row.type and not mail:
        yield Difference("engagement.type", row.type, held.type)
    if "hs_timestamp" not in own and held.time_ms not in (row.time_ms, starts_ms):
        yield Difference("engagement.timestamp", str(row.time_ms), str(held.time_ms))
    owner = str(held.payload["engagement"].get("ownerId") or "")
    if "hubspot_owner_id" not in own and owner != row.links.owner:
        yield Difference("engagement.ownerId", row.links.owner, owner, added=not row.links.owner)
    if len(set(wires)) == 1 and held.key != row.key:  # each wire has its own place for the key
        yield Difference("engagement.uid", row.key, held.key)


def _associations(row: Engagement, held: Held) -> Iterable[Difference]:
    lists = held.payload["associations"]
    for kind, name in ASSOCIATIONS_V1.items():
        sent = {str(int(to)) for to in getattr(row.links, kind)}
        yield from _sets(f"associations.{name}", sent, {str(to) for to in lists.get(name) or ()})


def _sets(field: str, sent: set[str], held: set[str]) -> Iterable[Difference]:
    if sent != held:
        yield Difference(field, _listed(sent), _listed(held), added=sent < held)


def _metadata(type_: EngagementType, sent: Json, held: Held, own: Json, wires: Collection[str]) -> Iterable[Difference]:
    shown = held.payload.get("metadata") or {}
    for name, field in FIELDS[type_].items():
        if not set(wires) <= set(field.wires) or (
            name in {"from", "sender", "to", "cc", "bcc"} and "hs_email_headers" in own
        ):
            continue
        same: Callable[[Any], Any] = _AS.get(field.kind, _text)
        a, b = same(sent.get(name)), same(shown.get(name))
        if a == b or (not a and name in FILLED[type_]):
            continue
        yield _different(f"metadata.{name}", sent.get(name), shown.get(name))


def _renamed(type_: EngagementType, own: Json) -> Json:
    """The properties of a mapping's own that stand for a field of `metadata`."""
    fields = {name: field for field, name in METADATA[type_].items()}
    return {fields[name]: value for name, value in own.items() if name in fields}


def _different(field: str, sent: Any, held: Any) -> Difference:
    return Difference(field, _shown(sent), _shown(held), added=sent in (None, "", []))


def _text(value: Any) -> str:
    """A text as HubSpot may keep it: trimmed, line ends and runs of white space of any kind."""
    return " ".join(str("" if value is None else value).split())


def _html(value: Any) -> str:
    """What markup shows, and where it leads: HubSpot rewrites tags and attributes, not words and addresses."""
    text = str("" if value is None else value)
    if "<" not in text and "&" not in text:
        return " ".join(text.split())
    leads = _LEADS.findall(text)
    words = html.unescape(_TAG.sub(" ", _HIDDEN.sub(" ", text))).split()
    return " ".join([*words, *sorted(html.unescape(lead) for lead in leads)])


def _number(value: Any) -> str:
    text = _text(value)
    try:
        return str(int(text)) if text.lstrip("-").isdigit() else f"{float(text):.15g}"
    except ValueError:
        return text


def _bool(value: Any) -> str:
    return "true" if _text(value).lower() == "true" else ""  # false and nothing are the same


def _upper(value: Any) -> str:
    return _text(value).upper()


def _numbers(value: Any) -> list[str]:
    parts = value if isinstance(value, list) else _text(value).split(";")
    return sorted(_number(part) for part in parts if part not in (None, ""))


def _addresses(value: Any) -> list[str]:
    """The addresses in lower case, names aside: HubSpot takes `Name <a@b>` apart, and knows names of its own."""
    people = value if isinstance(value, list) else [value]
    texts = [str(person.get("email") or "") if isinstance(person, dict) else str(person or "") for person in people]
    return sorted({(_ANGLE.findall(text) or [text])[-1].strip().lower() for text in texts} - {""})


def _value(value: Any) -> str:
    """A value of a property whose kind is not known: numbers, times and lists in one way of writing each."""
    if isinstance(value, list):
        return ";".join(sorted(map(_value, value)))
    if isinstance(value, bool):
        return str(value).lower()
    text = _text(value)
    if ";" in text:
        return ";".join(sorted(map(_value, text.split(";"))))
    if _TIME.fullmatch(text):
        return str(round(datetime.fromisoformat(text).timestamp() * 1000))
    return _number(text) if _NUMBER.fullmatch(text) else text


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _listed(ids: set[str]) -> str:
    return ",".join(sorted(ids, key=lambda text: (len(text), text)))


_TAG: Final = re.compile(r"<[^<>]*>")
_HIDDEN: Final = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->")
_LEADS: Final = re.compile(r"""(?i)<[^<>]*?\s(?:href|src)\s*=\s*["']?([^"'\s<>]+)""")
_ANGLE: Final = re.compile(r"<([^<>]*)>")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?")
_AS: Final[dict[Kind, Callable[[Any], Any]]] = {
    "html": _html, "int": _number, "duration": _number, "time": _number, "bool": _bool, "choice": _upper, "guid": _upper,
    "times": _numbers, "ids": _numbers, "address": _addresses, "addresses": _addresses,
}  # fmt: skip
