"""A v1 payload as the properties of the objects API: other names, every value a string.

Apart from the wire, because updating and verifying need the same names as creating.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from etl.flow import Engagement, Json
from etl.hubspot.names import HEADER_FIELDS, KEY_PROPERTY, METADATA


def properties(row: Engagement) -> dict[str, str]:
    """What one engagement's properties are, its import key among them.

    A mapping's own `properties` come on top; they may replace what the payload gives, but never the import key.
    """
    payload: Json = orjson.loads(row.payload)
    metadata: Json = payload.get("metadata") or {}
    named: Mapping[str, str] = METADATA[row.type]  # type: ignore[index]  # a row's type is one of the five
    found: dict[str, str] = {
        named[field]: value if value.__class__ is str else text(value)  # most are: one call less for each
        for field, value in metadata.items()
        if field in named and value is not None
    }
    found["hs_timestamp"] = str(row.time_ms)
    if row.links.owner:
        found["hubspot_owner_id"] = row.links.owner
    if attachments := payload.get("attachments"):
        found["hs_attachment_ids"] = ";".join(str(file["id"]) for file in attachments)
    if row.type == "EMAIL":
        found.setdefault("hs_email_direction", "EMAIL")
        if headers := _headers(metadata):
            found["hs_email_headers"] = headers
    if own := payload.get("properties"):
        found |= {name: text(value) for name, value in own.items() if value is not None}
    found[KEY_PROPERTY] = row.key
    return found


def text(value: Any) -> str:
    """A value as HubSpot writes it in a property: `true`, `38000`, `1;2`; times in ms.

    >>> text(True), text(38000), text([1, 2])
    ('true', '38000', '1;2')
    """
    if value.__class__ is int:
        return str(value)
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(map(text, value))
    return str(value)


def _headers(metadata: Json) -> str:
    """The addresses as JSON text; the three lists are there even when they are empty, as in HubSpot's guide."""
    given = {field: metadata[field] for field in HEADER_FIELDS if metadata.get(field)}
    if not given:
        return ""
    return orjson.dumps({"to": [], "cc": [], "bcc": [], **given}).decode()
