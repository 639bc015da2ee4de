"""A v1 payload as the properties of the objects API: other names, every value a string.

Apart from the wire, because updating and verifying need the same names as creating.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from etl.engagement import EngagementType
from etl.flow import Engagement, Json
from etl.hubspot.names import HEADER_FIELDS, KEY_PROPERTY, METADATA


def properties(row: Engagement) -> dict[str, str]:
    """What one engagement's properties are, its import key among them.

    A mapping's own `properties` come on top; they may replace what the payload gives, but never the import key.
    """
    payload: Json = orjson.loads(row.payload)
    engagement_type = cast("EngagementType", row.type)
    metadata: Json = payload.get("metadata") or {}
    named = METADATA[engagement_type]
    found = {named[field]: value for field, value in metadata.items() if field in named and value is not None}
    for name, value in found.items():
        if value.__class__ is not str:  # few are: `text` is not called for the others
            found[name] = text(value)
    found["hs_timestamp"] = str(row.time_ms)
    if row.links.owner:
        found["hubspot_owner_id"] = row.links.owner
    if attachments := payload.get("attachments"):
        found["hs_attachment_ids"] = ";".join(str(file["id"]) for file in attachments)
    if engagement_type == "EMAIL":
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
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
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
