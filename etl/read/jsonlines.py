"""JSON Lines -> chunks: one object a line; objects within it by their path (`from.phoneNumber`), lists as JSON.

The columns are the keys of the first lines, and `names` of the mapping's `source`. A key that comes up later for the first
time rejects its row: to leave it out in silence would lose what a rule may want.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from etl.errors import ContentError
from etl.flow import Chunk, Reject
from etl.mapping.model import Source
from etl.read.cells import text_of
from etl.read.files import empty, unpacked
from etl.read.gather import Row, chunks, unreadable
from etl.read.limits import Limits
from etl.read.text import BOM

_HEAD_ROWS = 10_000
_HEAD_BYTES = 16 << 20
_DEPTH = 8  # objects within objects; what is deeper is JSON in its cell


def read(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Chunk]:
    """The objects of a file; see `etl.read.read`."""
    names = header(path, source, limits)
    places = {name: place for place, name in enumerate(names)}
    rows = (_row(line, raw, places, limits) for line, raw in _lines(path, limits))
    yield from chunks(path, names, rows, source.missing, chunk_bytes, limits)


def header(path: Path, source: Source, limits: Limits) -> tuple[str, ...]:
    """The keys of the first lines, in the order in which they come up; see `etl.read.header`."""
    names: dict[str, None] = {}
    bytes_ = 0
    for _, raw in islice(_lines(path, limits), _HEAD_ROWS):
        value = _loaded(raw)
        names.update(dict.fromkeys(_flat(value)) if isinstance(value, dict) else {})
        bytes_ += len(raw)
        if bytes_ > _HEAD_BYTES:
            break
    if not names:
        hint = 'Each line is an object such as {"id": 1}. A file that is one list is no JSON Lines file.'
        raise ContentError(f"{path}: none of its first lines is a JSON object.", hint=hint, code="not_jsonl")
    return tuple(dict.fromkeys([*names, *source.names]))


def _lines(path: Path, limits: Limits) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers; one that is too long comes cut off."""
    none, number, begins = True, 0, True
    with unpacked(path, limits) as stream:
        held = b""
        while True:
            piece = stream.read(1 << 20)
            held = (held + piece).removeprefix(BOM) if number == 0 else held + piece
            *whole, held = held.split(b"\n") if piece else [*held.split(b"\n"), b""]
            for raw in whole:
                number += begins
                if begins and raw.strip():
                    none = False
                    yield number, raw
                begins = True
            if len(held) > limits.row_bytes:
                if begins:
                    number, none = number + 1, False
                    yield number, held[: limits.row_bytes + 1]
                begins, held = False, b""
            if not piece:
                break
    if none:
        raise empty(path, "it holds only empty lines")


def _row(line: int, raw: bytes, places: dict[str, int], limits: Limits) -> Row | Reject:
    value = _loaded(raw)
    if not isinstance(value, dict):
        what = f"a line of at most {limits.row_bytes >> 20} MiB" if len(raw) > limits.row_bytes else "a JSON object"
        return unreadable(line, f"expected {what}", raw[:65_536])
    cells: list[str | None] = [None] * len(places)
    for name, each in _flat(value).items():
        place = places.get(name)
        if place is not None:
            cells[place] = text_of(each)
        elif each is not None:
            message = (
                f"the key {name[:200]!r} is in none of the first {_HEAD_ROWS:,} lines: add it to `names` under `source`"
            )
            return unreadable(line, message, raw[:65_536])
    return Row(line, cells)


def _loaded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _flat(value: dict[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, each in value.items():
        if isinstance(each, dict) and each and depth < _DEPTH:
            found |= _flat(each, f"{prefix}{name}.", depth + 1)
        else:
            found[f"{prefix}{name}"] = each
    return found
