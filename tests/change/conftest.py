"""Nights of an overlapping call log, the account behind them, and the command line."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import sandbox_process
from tests.verify.conftest import Cli, Said, cli

__all__ = ["Cli", "Said", "cli"]

PEOPLE = 20
MAPPING = """\
version: 1
name: nights
source: {format: csv, timezone: UTC}
key: $id
engagement: {type: CALL, timestamp: {from: $at, as: datetime, format: epoch_s}}
associations:
  contacts: {by: email, value: $email, not_found: park, park_for: 2d}
metadata: {body: $text, toNumber: $to, title: $title}
"""
Write = Callable[..., Path]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A sandbox with some contacts."""
    people = "".join(f"{i},c{i}@customer.example,,,Con,Tact,\n" for i in range(1, PEOPLE + 1))
    seeds = {"contacts.csv": "id,email,phone,mobilephone,firstname,lastname,company_id\n" + people}
    with sandbox_process(tmp_path / "sandbox", more=seeds) as found:
        yield found


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an input: rows by number, each with its text and its contact; by default `text N` and a contact by turns."""

    def written(
        rows: range | list[int], texts: dict[int, str] | None = None, who: dict[int, int] | None = None
    ) -> Path:
        (tmp_path / "m.yaml").write_text(MAPPING)
        lines = ["id,at,email,to,title,text"]
        for row in rows:
            person = (who or {}).get(row, 1 + row % PEOPLE)
            text = (texts or {}).get(row, f"text {row}")
            lines.append(f"{row},{1_700_000_000 + 60 * row},c{person}@customer.example,+12065550100,Call {row},{text}")
        path = tmp_path / "in.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return written


def held(url: str) -> dict[str, Any]:
    """What the account holds of ours, by title."""
    with urllib.request.urlopen(f"{url}/__audit/engagements", timeout=30) as answer:
        found = [json.loads(line) for line in answer if line.strip()]
    assert len({f["metadata"].get("title") for f in found}) == len(found)
    return {f["metadata"]["title"]: f for f in found if f["metadata"].get("title", "").startswith("Call ")}


def requests(url: str) -> list[dict[str, Any]]:
    """Everything that the account was asked to change."""
    with urllib.request.urlopen(f"{url}/__audit/requests", timeout=30) as answer:
        found = [json.loads(line) for line in answer if line.strip()]
    reads = ("/search", "/batch/read")
    return [f for f in found if f["method"] != "GET" and not f["path"].partition("?")[0].endswith(reads)]
