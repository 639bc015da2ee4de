"""Rows that know their fate: how they are spoiled, repeated, written and counted.

The counts come from how a row was made, never from reading it back, so the pipeline can be held to them.
"""

from __future__ import annotations

import csv
import io
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

FATES = ("created", "already", "skipped", "parked", "rejected")
NOTES = (
    "Asked for the annual plan, wants security review first",
    'Said "call me back after lunch", then hung up',
    "Left details with the front desk",
    "Line one\nline two\n\nline four",
    "Needs pricing; legal sign-off pending",
    "<b>Urgent</b> & escalated: a < b",
    "Very happy 🙂 — café meeting, naïve résumé, 東京",
    "=SUM(A1:A3) pasted from a sheet",
    "Path C:\\calls\\2025, see attachment",
    "NA",
    "Renewal; budget approved, send contract",
)


@dataclass(eq=False)
class Row:
    """One row of an export and what must become of it."""

    cells: dict[str, str]
    type: str
    links: Counter[str] = field(default_factory=Counter)
    fate: str = "created"
    why: str = ""  #: the code of a reject, the reason of a skip
    width: int = 0  #: fields too many (1) or too few (-1)


class Fault(NamedTuple):
    """What makes a good row a reject: the cells that are overwritten, in a row whose cells match `only`."""

    code: str
    cells: Mapping[str, str]
    only: Mapping[str, str] = {}  #: column -> regular expression
    width: int = 0


def faults(code: str, column: str, *values: str, only: Mapping[str, str] | None = None) -> list[Fault]:
    """One fault for each value that may stand wrongly in `column`."""
    return [Fault(code, {column: value}, only or {}) for value in values]


def spoil(r: random.Random, rows: list[Row], todo: list[Fault]) -> None:
    """Makes a reject of one good row for each fault; a repeated key is a copy some rows further down."""
    for fault in todo:
        row = r.choice([x for x in rows if x.fate == "created" and _suits(fault, x)])
        if fault.code == "repeated_key":
            copy = replace(row, cells=dict(row.cells))
            rows.insert(rows.index(row) + r.randrange(1, 40), copy)
            row = copy
        row.fate, row.why, row.width = "rejected", fault.code, fault.width
        row.cells |= fault.cells


def repeat(r: random.Random, rows: list[Row], count: int) -> None:
    """Copies `count` good rows to some rows further down; the copies are `already` there when they come."""
    for row in r.sample([x for x in rows if x.fate == "created"], count):
        rows.insert(rows.index(row) + r.randrange(1, 40), replace(row, fate="already"))


def write_rows(path: Path, rows: list[Row]) -> dict[str, object]:
    """What must become of the rows of the CSV file that this writes: counts, and the line on which each reject begins."""
    lines = write(path, rows[0].cells, map(_fields, rows))
    created = [row for row in rows if row.fate == "created"]
    rejected: dict[str, list[int]] = {}
    for row, line in zip(rows, lines, strict=True):
        if row.fate == "rejected":
            rejected.setdefault(row.why, []).append(line)
    return {
        "rows": len(rows),
        **{fate: sum(row.fate == fate for row in rows) for fate in FATES},
        "by_type": dict(sorted(Counter(row.type for row in created).items())),
        "links": dict(sorted(sum((row.links for row in created), Counter[str]()).items())),
        "skipped_by": dict(Counter(row.why for row in rows if row.fate == "skipped")),
        "rejected_by": {code: len(at) for code, at in sorted(rejected.items())},
        "rejected_lines": dict(sorted(rejected.items())),
    }


def write(path: Path, header: Iterable[str], rows: Iterable[Sequence[object]]) -> list[int]:
    """The 1-based line on which each row begins in the CSV file that this writes (the header stands on line 1)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines, line = [], 1
    with path.open("w", encoding="utf-8", newline="") as out:
        for row in (list(header), *rows):
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerow(row)
            out.write(text.getvalue())
            lines.append(line)
            line += text.getvalue().count("\n")
    return lines[1:]


def _suits(fault: Fault, row: Row) -> bool:
    return all(re.search(pattern, row.cells[column]) for column, pattern in fault.only.items())


def _fields(row: Row) -> list[str]:
    """The row's fields as they stand in the file; a ragged row has one too many or too few."""
    cells = list(row.cells.values())
    return [*cells, "x"] if row.width > 0 else cells[: len(cells) + row.width]
