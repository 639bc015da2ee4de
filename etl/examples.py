"""The tests inside a mapping: each example row goes through half one, and its payload is compared with what is expected."""

from __future__ import annotations

import json
from time import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from etl.associate import in_words, payload_lines
from etl.columns.rows import batch_of
from etl.engagement import DISPOSITIONS
from etl.errors import Mistake
from etl.flow import Chunk, Json
from etl.mapping import columns_read
from etl.transform import compile_rules, skip, transform
from etl.validate import compile_contract, validate

if TYPE_CHECKING:
    from etl.mapping.model import Example, Mapping


def run_examples(mapping: Mapping) -> list[Mistake]:
    """What the mapping's own tests found wrong; empty when all pass. No account: links stay in words."""
    return [mistake for example in mapping.tests for mistake in _run(mapping, example)]


def _run(mapping: Mapping, example: Example) -> list[Mistake]:
    got = outcome_of(mapping, dict(example.given))
    return [
        Mistake(example.place, "test_failed", f"{path}: expected {wanted!r}, got {found!r}")
        for path, wanted in example.expect.items()
        if (found := _at(got, path)) != wanted
    ]


def outcome_of(mapping: Mapping, given: dict[str, str]) -> Json:
    """What becomes of one row: its payload with `outcome: mapped`, or `outcome` skipped or rejected with the reason.

    Where the mapping leaves the zone to be given, it is UTC here.
    """
    if mapping.source.timezone == "given":
        mapping = mapping.model_copy(update={"source": mapping.source.model_copy(update={"timezone": "UTC"})})
    columns = list(dict.fromkeys([*columns_read(mapping), *mapping.columns, *given]))
    missing = set(mapping.source.missing)
    cells = {c: [None if (v := given.get(c, "")) in missing or not v else v] for c in columns}
    row = batch_of({column: pa.array(cell, pa.string()) for column, cell in cells.items()})
    chunk = Chunk("test", row, np.array([1], dtype=np.int64))
    rules = compile_rules(mapping, dispositions=DISPOSITIONS, header=columns, now_ms=int(time() * 1000))
    kept, skipped, unjudged = skip(chunk, rules)
    if skipped:
        return {"outcome": "skipped", "reason": next(iter(skipped))}
    good, broken = validate(kept, compile_contract(mapping))
    drafts, unmapped = transform(good, rules)
    linked, unlinked = in_words(drafts, mapping.associations, rules.tables)
    for reject in [*unjudged, *broken, *unmapped, *unlinked]:
        first = reject.problems[0]
        return {"outcome": "rejected", "code": first.code, "column": first.column, "reason": first.message}
    return {"outcome": "mapped", **json.loads(payload_lines(linked)[0].as_py())}


def _at(found: Any, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for part in path.split("."):
        if isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, dict):
            found = found.get(part)
        else:
            return None
    return found
