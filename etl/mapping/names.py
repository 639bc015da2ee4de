"""What a mapping reads: every name followed to its column, and what is wrong with names.

Whatever has to know the columns behind a value (keys by hash, unused columns, the check of a header) asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from etl.errors import Mistake
from etl.mapping.model import (
    All,
    Any_,
    Cases,
    Condition,
    Each,
    Expr,
    First,
    From,
    Hash,
    List,
    Mapping,
    Not,
    Object,
    Ref,
    Template,
    Test,
    Value,
)  # fmt: skip
from etl.mapping.shape import nearest
from etl.mapping.template import expression_names, template_names

Part: TypeAlias = Value | Condition
Use: TypeAlias = tuple[str, str]  # a name that is read, and the place where


def columns_read(mapping: Mapping) -> tuple[str, ...]:
    """Every column that a rule reads, in order of first use; definitions are followed to the columns behind them.

    The rules of `columns` and the footer of `source.stop_at` name columns, but do not read them for the payload.
    """
    found: dict[str, None] = {}
    done: set[str] = set()

    def follow(part: Part) -> None:
        for name, _ in uses(part):
            if name not in mapping.define:
                found[name] = None
            elif name not in done:
                done.add(name)
                follow(mapping.define[name])

    for part in roots(mapping):
        follow(part)
    return tuple(found)


def check_header(mapping: Mapping, header: Sequence[str]) -> list[Mistake]:
    """What is wrong with a mapping for a file with these columns: names that are neither, definitions that are both.

    A column whose rule says `required: false` may be absent: its cells are then empty.
    """
    wrong: list[Mistake] = []
    optional = {name for name, rule in mapping.columns.items() if not rule.required}
    known = {*header, *mapping.define, *optional}
    for name, place in dict.fromkeys(_named(mapping)):
        if name not in known:
            hint = nearest(name, [*header, *mapping.define]) or f"the file has {', '.join(header[:12])}"
            wrong.append(Mistake(place, "unknown_name", f"there is no column `{name}`", hint))
    for name, value in mapping.define.items():
        if name in header:
            wrong.append(
                Mistake(value.place, "name_clash", f"the definition `{name}` has the name of a column", "rename it")
            )
    return in_order(wrong)


def roots(mapping: Mapping) -> Iterator[Part]:
    """The values and conditions of all parts but `define`, in the order of the language."""
    yield from (skip.when for skip in mapping.skip)
    if mapping.group is not None:
        yield mapping.group.by
        yield from _there(mapping.group.field)
    yield from mapping.key
    engagement = mapping.engagement
    yield from (engagement.type, engagement.timestamp, *_there(engagement.ownerId), *_there(engagement.active))
    for link in mapping.associations.links.values():
        for match in link.match:
            yield from _there(match.value)
        yield from (link.create or {}).values()
    for block in mapping.metadata.values():
        yield from block.values()
    yield from mapping.properties.values()
    if mapping.attachments is not None:
        yield from (*_there(mapping.attachments.ids), *_there(mapping.attachments.files))


def uses(part: Part) -> Iterator[Use]:
    """Every name that a value or condition reads itself, with its place; definitions are not followed."""
    if isinstance(part, Ref | Test):
        yield part.name, part.place
    elif isinstance(part, Template):
        yield from ((name, part.place) for name in _or_none(template_names, part.text))
    elif isinstance(part, Expr):
        yield from ((name, part.place) for name in _or_none(expression_names, part.text))
    for child in children(part):
        yield from uses(child)


def children(part: Part) -> Iterator[Part]:
    """The values and conditions directly inside one."""
    if isinstance(part, Cases):
        for when, then in part.cases:
            yield from (when, then)
        yield from _there(part.otherwise)
    elif isinstance(part, First | Hash):
        yield from part.values
    elif isinstance(part, Each):
        yield from (part.each, part.give)
    elif isinstance(part, Object):
        yield from part.fields.values()
    elif isinstance(part, List):
        yield from part.items
    elif isinstance(part, From):
        yield part.source
        if isinstance(part.timezone, Ref):
            yield part.timezone
    else:
        yield from _conditions(part)


def in_order(mistakes: list[Mistake]) -> list[Mistake]:
    """Mistakes in the order of the file."""

    def position(mistake: Mistake) -> tuple[str, int, int]:
        file, line, column = (mistake.place or ":0:0").rsplit(":", 2)
        return file, int(line), int(column)

    return sorted(mistakes, key=position)


def _conditions(part: Part) -> Iterator[Part]:
    if isinstance(part, All | Any_):
        yield from part.conditions
    elif isinstance(part, Not):
        yield part.condition


def _there(part: Value | None) -> tuple[Value, ...]:
    return () if part is None else (part,)


def _or_none(names: Callable[[str], tuple[str, ...]], text: str) -> tuple[str, ...]:
    try:
        return names(text)
    except ValueError:  # complained about where it was read
        return ()


def _named(mapping: Mapping) -> Iterator[Use]:
    """Every name that must exist: read by a rule, contracted by `columns`, or used by a footer or a test."""
    for part in (*mapping.define.values(), *roots(mapping)):
        yield from uses(part)
    yield from ((name, rule.place) for name, rule in mapping.columns.items())
    yield from ((name, mapping.source.place) for name in mapping.source.stop_at or {})
    yield from ((name, example.place) for example in mapping.tests for name in example.given)
