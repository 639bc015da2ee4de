"""One engagement as one row of text: what the preset `engagements` reads, and a person too.

Ids of the account stand beside words that mean the same elsewhere: e-mails, phones, domains, names. What has no column
of its own, of known types and unknown ones, stays whole as JSON in `metadata`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from etl.engagement import FIELDS
from etl.flow import Json, RemoteId
from etl.hubspot.names import ASSOCIATIONS_V1
from etl.hubspot.target import Held

Row = dict[str, str]
#: What is known of linked objects: kind -> id -> word -> value.
Known = Mapping[str, Mapping[RemoteId, Json]]

#: Every field of `metadata` of the five types, in their order; a column each.
FIELD_COLUMNS: Final = tuple(dict.fromkeys(name for fields in FIELDS.values() for name in fields))
#: column -> (kind of link, word): the words of all that is linked, joined by semicolons.
WORD_COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "contact_emails": ("contacts", "email"), "contact_phones": ("contacts", "phone"),
    "company_domains": ("companies", "domain"), "company_names": ("companies", "name"),
    "deal_names": ("deals", "name"), "ticket_names": ("tickets", "name"),
}  # fmt: skip
ID_COLUMNS: Final = {
    "contact_ids": "contacts",
    "company_ids": "companies",
    "deal_ids": "deals",
    "ticket_ids": "tickets",
}
COLUMNS: Final = (
    "id", "portal_id", "type", "timestamp", "created_at", "updated_at", "import_key", "active", "owner_id", "owner_email",
    *ID_COLUMNS, *WORD_COLUMNS, "attachment_ids", "outcome", *FIELD_COLUMNS, "metadata", "properties",
)  # fmt: skip
_TIMES: Final = frozenset(name for fields in FIELDS.values() for name, field in fields.items() if field.kind == "time")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES_OF_MAIL: Final = ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL")


def row_of(held: Held, portal: str, known: Known, outcomes: Mapping[str, str]) -> Row:
    """The row of one engagement; columns without a value are left out. `outcomes`: GUID -> label of call outcomes."""
    engagement, links, metadata = (held.payload[part] for part in ("engagement", "associations", "metadata"))
    row: Row = {
        "id": held.remote_id, "portal_id": portal, "type": held.type, "timestamp": iso(held.time_ms),
        "created_at": iso(held.created_ms), "updated_at": iso(held.updated_ms), "import_key": held.key,
        "active": _text(engagement.get("active")), "owner_id": _text(engagement.get("ownerId")),
    }  # fmt: skip
    row["owner_email"] = str(known.get("owners", {}).get(row["owner_id"], {}).get("email") or "")
    ids = {kind: [str(i) for i in links.get(ASSOCIATIONS_V1[kind]) or ()] for kind in ASSOCIATIONS_V1}
    row |= {column: ";".join(ids[kind]) for column, kind in ID_COLUMNS.items()}  # type: ignore[index]
    row |= {column: _words(column, ids, known) for column in WORD_COLUMNS}
    row["attachment_ids"] = ";".join(str(file["id"]) for file in held.payload.get("attachments") or ())
    row["outcome"] = outcomes.get(str(metadata.get("disposition") or ""), "")
    fields = FIELDS.get("EMAIL" if held.type in _TYPES_OF_MAIL else held.type, {})  # type: ignore[call-overload]
    row |= {name: _field(name, value) for name, value in metadata.items() if name in fields}
    rest = {name: value for name, value in metadata.items() if name not in fields}
    row["metadata"] = orjson.dumps(rest).decode() if rest else ""
    own = held.payload.get("properties")
    row["properties"] = orjson.dumps(own).decode() if own else ""
    return {name: value for name, value in row.items() if value}


def nameless(held: Held, known: Known) -> int:
    """How many of its links lead to something that has no word by which another account could find it."""
    links = held.payload["associations"]
    return sum(
        not known.get(kind, {}).get(str(remote_id))
        for kind, name in ASSOCIATIONS_V1.items()
        for remote_id in links.get(name) or ()
    )


def iso(time_ms: int) -> str:
    """A time as text: ISO 8601, UTC, with its milliseconds.

    >>> iso(1_772_357_400_120)
    '2026-03-01T09:30:00.120Z'
    """
    try:
        return (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:  # a time that no calendar has: somebody's wrong unit, kept as it is
        return str(time_ms)


def _words(column: str, ids: Mapping[Any, Iterable[RemoteId]], known: Known) -> str:
    """The words of one column. A phone is told only of a contact without e-mail, a name only of one without domain."""
    kind, word = WORD_COLUMNS[column]
    better = {"phone": "email", "name": "domain"}.get(word, "")
    own = [known.get(kind, {}).get(remote_id, {}) for remote_id in ids[kind]]
    return ";".join(dict.fromkeys(str(each[word]) for each in own if each.get(word) and not each.get(better)))


def _field(name: str, value: Any) -> str:
    if name in _TIMES and isinstance(value, int):
        return iso(value)
    return _text(value)


def _text(value: Any) -> str:
    """A value as text: lists of numbers joined by semicolons, other lists and objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ";".join(map(str, value))
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return str(value)
