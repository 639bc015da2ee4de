"""Complete payloads as JSON lines, joined from columns: what `etl transform` writes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.arrays import text_bytes
from etl.columns.fragments import joined, list_fragment
from etl.columns.keys import key_texts
from etl.flow import Linked, LinkKind

#: The lists of the v1 payload, in its own order.
_IDS: tuple[tuple[str, LinkKind | None], ...] = (
    ("contactIds", "contacts"), ("companyIds", "companies"), ("dealIds", "deals"), ("ownerIds", None),
    ("ticketIds", "tickets"),
)  # fmt: skip


def payload_lines(linked: Linked, *, beside: bool = True, end: str = "") -> pa.StringArray:
    """One v1 payload a row as JSON, then `end`; `properties` after the payload's own parts where there are any.

    `beside` (the links may be open) adds `key`, `line` and `wanted` to rows whose `wanted` is not null.
    """
    drafts = linked.drafts
    owner = pc.fill_null(joined(',"ownerId":', linked.owner_ids), "")
    pieces: list[Any] = ['{"engagement":{', drafts.engagement, owner, '},"associations":{']
    for place, (name, kind) in enumerate(_IDS):
        pieces.append(f'{"," if place else ""}"{name}":')
        pieces += list_fragment(linked.links[kind], quote=False) if kind and kind in linked.links else ["[]"]
    pieces += ['},"attachments":', drafts.attachments, ',"metadata":', drafts.metadata]
    if drafts.properties.null_count < len(drafts):
        pieces.append(pc.fill_null(joined(',"properties":', drafts.properties), ""))
    if beside and linked.wanted.null_count < len(drafts):
        pieces.append(_beside(linked))
    return joined(*pieces, "}" + end)


def payload_text(linked: Linked) -> pa.Buffer:
    """The payloads of a chunk as JSON lines, in UTF-8."""
    _, data = text_bytes(payload_lines(linked, end="\n"))
    return pa.py_buffer(data)


def _beside(linked: Linked) -> Any:
    keys = key_texts(linked.drafts.keys)
    lines = pc.cast(pa.array(linked.drafts.lines), pa.string())
    return pc.fill_null(joined(',"key":"', keys, '","line":', lines, ',"wanted":', linked.wanted), "")
