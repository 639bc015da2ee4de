"""Chunks from rows and mappings from text, with defaults that are right: a test writes only what matters."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from etl.columns.rows import batch_of
from etl.engagement import DISPOSITIONS
from etl.flow import Chunk, Drafts, Reject
from etl.mapping import Mapping as Rulebook
from etl.mapping import parse
from etl.transform import Rules, compile_rules, transform

FIXTURES = Path(__file__).parents[1] / "mapping" / "fixtures"
NOW_MS = 1_764_000_000_000  # 2025-11-24
HERE = Path("/nowhere/m.yaml")

Row = Mapping[str, Any]


def chunk_of(rows: Sequence[Row], header: Sequence[str] = (), first_line: int = 2) -> Chunk:
    """A chunk of these rows; an empty text is a cell that is empty. Lists stay lists."""
    names = header or list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        cells = [row.get(name) or None for row in rows]
        type_ = pa.list_(pa.string()) if any(isinstance(cell, list) for cell in cells) else pa.string()
        columns[name] = pa.array(cells, type_)
    return Chunk("in.csv", batch_of(columns), np.arange(first_line, first_line + len(rows), dtype=np.int64))


def note(body: str = "$Body", *, more: str = "", timestamp: str = "", source: str = "") -> Rulebook:
    """A mapping of notes: `body` is the value of the one field."""
    return mapping_of(
        "version: 1\nname: small\nkey: $Id\nassociations: {require: none}\n"
        f"source: {source or '{format: csv, timezone: UTC, region: US}'}\n"
        f"engagement: {{type: NOTE, timestamp: {timestamp or '{from: $When, as: datetime, format: iso}'}}}\n"
        f"metadata: {{body: {body}}}\n" + textwrap.dedent(more)
    )


def mail(metadata: str, *, more: str = "") -> Rulebook:
    """A mapping of e-mails with these fields."""
    return mapping_of(
        "version: 1\nname: mails\nkey: $Id\nassociations: {require: none}\n"
        "source: {format: csv, timezone: UTC, region: US}\n"
        "engagement: {type: EMAIL, timestamp: {from: $When, as: datetime, format: iso}}\n"
        f"metadata: {metadata}\n" + textwrap.dedent(more)
    )


def mapping_of(text: str, file: Path = HERE) -> Rulebook:
    """A mapping from its text."""
    return parse(textwrap.dedent(text), file)


def rules_of(mapping: Rulebook, header: Sequence[str], now_ms: int = NOW_MS) -> Rules:
    """The mapping compiled for that header, with the API's own call outcomes."""
    return compile_rules(mapping, dispositions=DISPOSITIONS, header=header, now_ms=now_ms)


def mapped(mapping: Rulebook, rows: Sequence[Row]) -> tuple[Drafts, list[Reject]]:
    """What becomes of rows; `Id` and `When` are filled where a row leaves them out."""
    full = [{"Id": str(place), "When": "2025-01-01T00:00:00Z", **row} for place, row in enumerate(rows)]
    chunk = chunk_of(full)
    return transform(chunk, rules_of(mapping, list(chunk.frame.columns)))


def values(mapping: Rulebook, rows: Sequence[Row], field: str = "body") -> list[Any]:
    """The field of each row's metadata; the codes of its problems where it was refused."""
    drafts, rejects = mapped(mapping, rows)
    found: dict[int, Any] = {
        int(line): orjson.loads(text).get(field)
        for line, text in zip(drafts.lines, drafts.metadata.to_pylist(), strict=True)
    }
    found.update({reject.line: [problem.code for problem in reject.problems] for reject in rejects})
    return [found[line] for line in range(2, len(rows) + 2)]


def payloads(drafts: Drafts) -> list[Any]:
    """The `engagement` and `metadata` parts of each draft, parsed."""
    return [
        {"engagement": orjson.loads("{" + head + "}"), "metadata": orjson.loads(body)}
        for head, body in zip(drafts.engagement.to_pylist(), drafts.metadata.to_pylist(), strict=True)
    ]
