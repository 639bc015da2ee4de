"""The steps by which a value came about on one row, each by the compiler's own result for the value up to that step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from etl.columns.fragments import json_text
from etl.mapping.model import (
    All,
    Any_,
    Cases,
    Condition,
    Constant,
    Each,
    First,
    From,
    Hash,
    List,
    Not,
    Object,
    Ref,
    Template,
    Test,
    Value,
)  # fmt: skip
from etl.transform import Rules
from etl.transform.conditions import compile_when
from etl.transform.frame import Frame, whole
from etl.transform.values import compile_value, refer

#: The steps of `from`, in the order in which they are applied.
STEPS = ("extract", "split", "as_", "map", "lookup", "default", "max_length")


class Step(NamedTuple):
    """One step on the way to a value."""

    what: str  #: cell, missing, constant, template, define, case, else, first, each, member, hash, or the step's key
    detail: str  #: the column, the template's text, the condition, the step's argument
    value: Any  #: after it, as JSON; of a case whether it holds
    place: str  #: file:line:column in the mapping
    depth: int  #: how deep inside other values
    problem: str = ""


def evaluated(value: Value, frame: Frame, rules: Rules) -> tuple[Any, str]:
    """The value on the row, as JSON, and what was wrong on the way."""
    fresh = whole(frame.cells, len(next(iter(frame.cells.values()), ()))).at(frame.rows)
    column = compile_value(value, rules.names, "value")(fresh)
    text = json_text(column)[0].as_py()
    found = fresh.problems.by_row().get(int(frame.rows[0]), ())
    return (None if text is None else json.loads(text)), "; ".join(f"[{p.code}] {p.message}" for p in found)


def trace(value: Value, frame: Frame, rules: Rules, depth: int) -> Iterator[Step]:
    """The steps by which a value comes about."""
    made, problem = evaluated(value, frame, rules) if not isinstance(value, From) else (None, "")
    if isinstance(value, Constant):
        yield Step("constant", "", made, value.place, depth)
    elif isinstance(value, Template):
        yield Step("template", value.text, made, value.place, depth, problem)
    elif isinstance(value, Ref):
        yield from _named(value, made, frame, rules, depth)
    elif isinstance(value, From):
        yield from trace(value.source, frame, rules, depth)
        yield from _stepped(value, frame, rules, depth)
    elif isinstance(value, Cases):
        yield from _chosen(value, frame, rules, depth)
    elif isinstance(value, First):
        yield from _firsts(value, frame, rules, depth)
    elif isinstance(value, Each):
        yield from trace(value.each, frame, rules, depth)
        yield Step("each", "", made, value.place, depth, problem)
    else:
        yield from _parts(value, made, frame, rules, depth)


def _named(value: Ref, made: Any, frame: Frame, rules: Rules, depth: int) -> Iterator[Step]:
    defined = rules.names.define.get(value.name)
    if defined is not None:
        yield Step("define", value.name, made, defined.place, depth)
        yield from trace(defined, frame, rules, depth + 1)
    elif value.name in frame.cells:
        raw = frame.cells[value.name][int(frame.rows[0])].as_py()
        yield Step("cell", value.name, raw, value.place, depth)
        if isinstance(raw, str) and raw != (made or ""):
            yield Step("trim", "", made, value.place, depth)
    else:
        yield Step("missing", value.name, None, value.place, depth)


def _stepped(value: From, frame: Frame, rules: Rules, depth: int) -> Iterator[Step]:
    """Each step with the value up to it: the same value, compiled with the steps so far."""
    there = [name for name in STEPS if getattr(value, name) is not None]
    for count, name in enumerate(there, 1):
        later = dict.fromkeys(there[count:]) | ({} if "map" in there[:count] else {"otherwise": None})
        made, problem = evaluated(value.model_copy(update=later), frame, rules)
        yield Step(name.rstrip("_"), _argument(value, name, rules), made, value.place, depth, problem)
        if problem:
            return


def _argument(value: From, name: str, rules: Rules) -> str:
    if name == "as_":
        zone = value.timezone or rules.names.timezone
        zoned = f"${zone.name}" if isinstance(zone, Ref) else zone
        about = [*value.formats, *([f"in {zoned}"] if value.as_ == "datetime" and zoned else [])]
        about += [value.region or rules.names.region or ""] if value.as_ == "phone" else []
        return " ".join([str(value.as_), *filter(None, [", ".join(filter(None, about))])])
    found = getattr(value, name)
    if isinstance(found, Constant):
        return str(found.value)
    return f"{len(found)} entries" if name == "map" else str(found)


def _chosen(value: Cases, frame: Frame, rules: Rules, depth: int) -> Iterator[Step]:
    for number, (when, then) in enumerate(value.cases, 1):
        holds = bool(compile_when(when, refer(rules.names, value))(frame)[0])
        yield Step("case", f"{number} of {len(value.cases)}: {in_words(when)}", holds, when.place, depth)
        if holds:
            yield from trace(then, frame, rules, depth + 1)
            return
    if value.otherwise is not None:
        yield Step("else", "", True, value.otherwise.place, depth)
        yield from trace(value.otherwise, frame, rules, depth + 1)


def _firsts(value: First, frame: Frame, rules: Rules, depth: int) -> Iterator[Step]:
    for number, each in enumerate(value.values, 1):
        made, problem = evaluated(each, frame, rules)
        taken = made not in (None, "", []) or bool(problem)
        yield Step("first", f"{number} of {len(value.values)}", taken, each.place, depth)
        yield from trace(each, frame, rules, depth + 1)
        if taken:
            return


def _parts(value: Any, made: Any, frame: Frame, rules: Rules, depth: int) -> Iterator[Step]:
    """The members of an object, the elements of a list, the parts of a hash."""
    parts: list[tuple[str, Value]] = []
    if isinstance(value, Object):
        parts = list(value.fields.items())
    elif isinstance(value, List):
        parts = [(str(i), each) for i, each in enumerate(value.items)]
    elif isinstance(value, Hash):
        parts = [(str(i), each) for i, each in enumerate(value.values)]
    for name, each in parts:
        yield Step("member", name, evaluated(each, frame, rules)[0], each.place, depth)
        yield from trace(each, frame, rules, depth + 1)
    if not parts or isinstance(value, Hash):
        yield Step("hash" if isinstance(value, Hash) else "constant", "", made, value.place, depth)


def in_words(condition: Condition) -> str:
    """A condition on one line: `Direction eq Inbound and Seconds gt 0`."""
    if isinstance(condition, Test):
        operand = condition.operand
        shown = (
            ", ".join(operand)
            if isinstance(operand, tuple)
            else f"{operand:g}"
            if isinstance(operand, float)
            else str(operand)
        )
        return f"{condition.name} {condition.operator} {shown}"
    if isinstance(condition, All):
        return " and ".join(map(in_words, condition.conditions))
    if isinstance(condition, Any_):
        return " or ".join(map(in_words, condition.conditions))
    return f"not ({in_words(condition.condition)})" if isinstance(condition, Not) else condition.text
