"""How one row became what it became: each payload field step by step, and which rule left the row out.

Nothing is computed a second way: the row goes through the stages by itself, and each step is the compiler's own
result for the value up to that step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from etl.associate import payload_lines
from etl.columns.rows import arrow_columns, keep
from etl.engagement import DISPOSITIONS
from etl.errors import InputError
from etl.explain.steps import Step, evaluated, trace
from etl.flow import Chunk, Json, Problem, Reject
from etl.half_one import in_whole, of_chunk
from etl.mapping import Mapping
from etl.mapping.model import Value
from etl.read import header
from etl.transform import Rules, compile_rules, group_names
from etl.transform.conditions import compile_when
from etl.transform.frame import Frame, whole
from etl.transform.values import refer


class Explained(NamedTuple):
    """One field of the payload (or the key, or a link in words)."""

    path: str
    place: str
    value: Any  #: what the payload holds
    steps: tuple[Step, ...]


class Row(NamedTuple):
    """What became of one row, and how."""

    line: int
    outcome: str  #: mapped, skipped, rejected, or merged (into another row of its group)
    reason: str
    code: str
    place: str  #: of the rule that skipped or rejected it
    cells: dict[str, Any]
    payload: Json | None
    fields: tuple[Explained, ...]


def explain(file: Path, mapping: Mapping, line: int) -> Row:
    """The row that stands on that line of the file. Raises `InputError` where no row does."""
    columns = header(file, mapping.source)
    rules = compile_rules(mapping, dispositions=DISPOSITIONS, header=columns, now_ms=int(time() * 1000))
    chunk = row_at(file, mapping, rules, line)
    if not len(chunk.lines):
        return _unread(chunk.rejects[0])
    half = of_chunk(chunk, mapping, DISPOSITIONS, columns)
    payload = json.loads(payload_lines(half.linked)[0].as_py()) if len(half.linked) else None
    kept = int(half.linked.drafts.lines[0]) if payload else 0
    place = int(np.flatnonzero(chunk.lines <= line)[-1])
    frame = whole(arrow_columns(chunk.rows), len(chunk.lines)).at(np.array([place]))
    cells = {name: array[place].as_py() for name, array in arrow_columns(chunk.rows).items()}
    here = int(chunk.lines[place])
    fields = tuple(_fields(mapping, frame, rules, payload if kept == here else None))
    reject = next((each for each in half.rejects if each.line == here), None)
    if reject is not None:
        first = reject.problems[0]
        at = place_of(first, mapping, fields)
        return Row(here, "rejected", _said(reject), first.code, at, cells, None, fields)
    for each in mapping.skip:
        if compile_when(each.when, refer(rules.names, each))(frame)[0]:
            return Row(here, "skipped", each.reason, "", each.place, cells, None, ())
    if kept != here and mapping.group is not None:
        reason = f"went into the row on line {kept} of its group" if kept else "went into another row of its group"
        return Row(here, "merged", reason, "", mapping.group.place, cells, payload, fields)
    return Row(here, "mapped", "", "", "", cells, payload, fields)


def row_at(file: Path, mapping: Mapping, rules: Rules, line: int) -> Chunk:
    """The row that stands on that line, alone or with the other rows of its group; or a reject and no row."""
    best: Chunk | None = None
    for chunk in in_whole(file, mapping, rules):
        broken = [each for each in chunk.rejects if each.line <= line]
        starts = chunk.lines[chunk.lines <= line]
        last = max([int(starts.max()) if len(starts) else 0, *(each.line for each in broken)])
        if last and (best is None or last > _last(best)):
            best = _alone(chunk, last, rules) if last in starts else _only_reject(chunk, last)
        if rules.group is None and len(chunk.lines) and int(chunk.lines[0]) > line:
            break
    if best is None or not _covers(best, line):
        hint = (
            "Lines are counted from 1, and the first one is the header; the row is named by the line where it begins."
        )
        raise InputError(f"{file}: no row stands on line {line}.", hint=hint, code="no_such_row")
    return best


def place_of(problem: Problem, mapping: Mapping, fields: tuple[Explained, ...] = ()) -> str:
    """The place in the mapping of the rule that found the problem; no text where it is the file's alone."""
    if problem.code in ("required", "check_failed", "not_unique") and problem.column in mapping.columns:
        return mapping.columns[problem.column].place
    for each in fields:
        for step in each.steps:
            if step.problem.startswith(f"[{problem.code}]"):
                return step.place
    named = next((each.place for each in fields if each.path == problem.column), "")
    if named or problem.code not in ("no_link", "field_missing", "bad_type"):
        return named
    return mapping.associations.place if problem.code == "no_link" else mapping.engagement.place


def _last(chunk: Chunk) -> int:
    return max([*chunk.lines.tolist(), *(each.line for each in chunk.rejects)], default=0)


def _alone(chunk: Chunk, line: int, rules: Rules) -> Chunk:
    """The row that begins on the line (the first, where a message holds several), with the rows of its group."""
    mask = np.arange(len(chunk.lines)) == int(np.flatnonzero(chunk.lines == line)[0])
    if rules.group is not None:
        names = group_names(chunk, rules.group)
        name = names[int(np.flatnonzero(mask)[0])].as_py()
        if name is not None:
            mask = pc.fill_null(pc.equal(names, name), False).to_numpy(zero_copy_only=False)
    alone = keep(chunk, mask)
    return Chunk(alone.source, alone.rows, alone.lines)


def _only_reject(chunk: Chunk, line: int) -> Chunk:
    return Chunk(chunk.source, chunk.rows[:0], chunk.lines[:0], [r for r in chunk.rejects if r.line == line])


def _covers(chunk: Chunk, line: int) -> bool:
    """Whether a row reaches to the line: it begins there, or its cells hold as many line breaks."""
    starts = [int(start) for start in chunk.lines if start <= line] + [each.line for each in chunk.rejects]
    if not starts or max(starts) == line:
        return bool(starts)
    place = np.flatnonzero(chunk.lines == max(starts))
    texts = [a[int(place[0])].as_py() for a in chunk.rows.columns] if len(place) else []
    breaks = sum(text.count("\n") for text in texts if isinstance(text, str))
    breaks += sum(each.raw.count("\n") for each in chunk.rejects)
    return line <= max(starts) + breaks


def _unread(reject: Reject) -> Row:
    first = reject.problems[0]
    return Row(reject.line, "rejected", _said(reject), first.code, "", {"": reject.raw}, None, ())


def _said(reject: Reject) -> str:
    return "; ".join(f"{p.column + ': ' if p.column else ''}{p.message} (found {p.value!r})" if p.value else
                     f"{p.column + ': ' if p.column else ''}{p.message}" for p in reject.problems)  # fmt: skip


def _fields(mapping: Mapping, frame: Frame, rules: Rules, payload: Json | None) -> Iterator[Explained]:
    """Every value of the mapping that this row uses, in the order of the payload."""
    part, links = mapping.engagement, mapping.associations.links
    kind, _ = evaluated(part.type, frame, rules)
    roots: list[tuple[str, Value]] = [(f"key.{i}" if i else "key", value) for i, value in enumerate(mapping.key)]
    roots += [(f"engagement.{name}", value) for name in ("type", "timestamp", "ownerId", "active")
              if (value := getattr(part, name)) is not None]  # fmt: skip
    for name, link in links.items():
        roots += [(f"associations.{name}.{match.by}", match.value) for match in link.match if match.value is not None]
    roots += [(f"metadata.{name}", value) for name, value in mapping.metadata.get(kind, {}).items()]
    roots += [(f"properties.{name}", value) for name, value in mapping.properties.items()]
    if mapping.attachments and (files := mapping.attachments.ids or mapping.attachments.files):
        roots.append(("attachments", files))
    for path, value in roots:
        steps = tuple(trace(value, frame, rules, 0))
        made, problem = evaluated(value, frame, rules)
        if steps and problem and not any(step.problem for step in steps):
            steps = (*steps[:-1], steps[-1]._replace(problem=problem))
        section, _, field = path.partition(".")
        held = (payload or {}).get(section)
        if isinstance(held, dict) and section in ("engagement", "metadata", "properties") and field != "ownerId":
            made = held.get(field)
        elif section == "attachments" and held:
            made = held
        yield Explained(path, value.place, made, steps)
