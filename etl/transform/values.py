"""The compiler: a value of a mapping becomes a function from a frame to a column.

Everything that can be decided from the mapping and the header is decided here, once a run; what is left to do for a
chunk is a chain of column operations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.arrays import (
    Column,
    Rows,
    as_mask,
    constant,
    flat,
    lists,
    nothing,
    per_distinct,
    scatter,
    to_text,
    to_texts,
)  # fmt: skip
from etl.columns.fragments import fragment, joined, json_object, json_text, list_fragment, with_commas
from etl.errors import MappingError, Mistake
from etl.mapping.model import (
    Cases,
    Constant,
    Each,
    First,
    From,
    Item,
    List,
    Node,
    Object,
    Ref,
    Template,
    Value,
)  # fmt: skip
from etl.transform import steps
from etl.transform.conditions import compile_when
from etl.transform.durations import to_duration
from etl.transform.frame import Compiled, Frame, Step
from etl.transform.moments import to_time
from etl.transform.phones import to_phone
from etl.transform.templates import compile_text


class Names(NamedTuple):
    """What values can refer to, and what they take where a mapping leaves it open."""

    columns: frozenset[str]  #: of the file
    absent: frozenset[str]  #: columns that may be missing from the file, and are: always empty
    define: Mapping[str, Value]
    directories: Mapping[str, steps.Directory]  #: tables and `disposition`; `owner` stays in words
    timezone: str | None
    region: str | None
    now_ms: int
    lists: frozenset[str] = frozenset()  #: columns whose cells hold one element a line


def compile_value(value: Value, names: Names, label: str) -> Compiled:
    """The value as a function from a frame to a column; `label` names the payload field in problems.

    Raises `MappingError` for names, patterns and templates that cannot work.
    """
    if isinstance(value, Constant | Ref | Item | Template):
        return _plain(value, names, label)
    if isinstance(value, Cases | From | Object):
        return _branched(value, names, label)
    if isinstance(value, Each):
        return _each(compile_value(value.each, names, label), compile_value(value.give, names, label))
    if isinstance(value, List):
        return _list([compile_value(each, names, label) for each in value.items])
    parts = [compile_value(each, names, label) for each in value.values]
    return _first(parts) if isinstance(value, First) else _hash(parts)


def label_of(value: Value, names: Names) -> str:
    """The column that a value is made of directly, or no text: what problems name."""
    if isinstance(value, From):
        return label_of(value.source, names)
    return value.name if isinstance(value, Ref) and value.name in names.columns else ""


def refer(names: Names, node: Node, *, trim: bool = True) -> steps.Refer:
    """A function from a name (a defined value, else a column) to its compiled column."""
    return lambda name: _ref(name, names, node, trim=trim)


def _plain(value: Constant | Ref | Item | Template, names: Names, label: str) -> Compiled:
    if isinstance(value, Constant):
        fixed = value.value
        return lambda frame: constant(fixed, len(frame))
    if isinstance(value, Template):
        return compile_text(value, refer(names, value), label)
    return _ref(value.name, names, value) if isinstance(value, Ref) else _item


def _branched(value: Cases | From | Object, names: Names, label: str) -> Compiled:
    if isinstance(value, Cases):
        return _cases(value, names, label)
    if isinstance(value, From):
        return _from(value, names, label)
    return _object({name: compile_value(each, names, f"{label}.{name}") for name, each in value.fields.items()})


def _ref(name: str, names: Names, node: Node, *, trim: bool = True) -> Compiled:
    if name in names.define:
        compiled = compile_value(names.define[name], names, name)
        return lambda frame: frame.defined(name, compiled)
    if name in names.columns and name in names.lists:
        return steps.in_order(
            lambda frame: frame.cell(name), [steps.split(From(source=Constant(value=None), split="\n"))]
        )
    if name in names.columns:
        return (lambda frame: frame.cell(name)) if trim else (lambda frame: frame.raw(name))
    if name in names.absent:
        return lambda frame: nothing(len(frame))
    raise MappingError([Mistake(node.place, "unknown_name", f"there is no column or defined value `{name}`")])


def _item(frame: Frame) -> Column:
    assert frame.item is not None, "$item outside each"
    return frame.item


def _cases(value: Cases, names: Names, label: str) -> Compiled:
    branches = [
        (compile_when(when, refer(names, value)), compile_value(then, names, label)) for when, then in value.cases
    ]
    otherwise = compile_value(value.otherwise, names, label) if value.otherwise is not None else None

    def compute(frame: Frame) -> Column:
        parts: list[tuple[Rows, Column]] = []
        left = np.arange(len(frame))
        for when, then in branches:
            rest = frame if len(left) == len(frame) else frame.at(left)
            mask = when(rest)
            if mask.any():
                _, part = rest.part(mask)
                parts.append((left[mask], then(part)))
            left = left[~mask]
            if not len(left):
                break
        if otherwise is not None and len(left):
            parts.append((left, otherwise(frame if len(left) == len(frame) else frame.at(left))))
        return scatter(parts, len(frame))

    return compute


def _first(values: list[Compiled]) -> Compiled:
    def compute(frame: Frame) -> Column:
        left, parts = np.arange(len(frame)), []
        for value in values:
            part = frame if len(left) == len(frame) else frame.at(left)
            mark = frame.problems.mark()
            column = value(part)
            empty = column.empty
            filled = np.flatnonzero(~empty)
            parts.append((left[filled], column.take(filled)))
            left = left[empty & ~part.failed(mark)]  # only an empty value moves on, not a broken one
            if not len(left):
                break
        return scatter(parts, len(frame))

    return compute


def _each(source: Compiled, give: Compiled) -> Compiled:
    def compute(frame: Frame) -> Column:
        values, owners = flat(to_texts(source(frame)))
        made = give(frame.at(owners, Column("text", values)))
        if made.kind in ("text", "texts"):
            inner, places = flat(to_texts(made))
            return Column("texts", lists(inner, owners[places], len(frame)))
        filled = ~made.empty
        members = json_text(made).filter(pa.array(filled))
        return Column("json", joined(*list_fragment(lists(members, owners[filled], len(frame)), quote=False)))

    return compute


def _hash(values: list[Compiled]) -> Compiled:
    def compute(frame: Frame) -> Column:
        parts = [pc.fill_null(to_text(value(frame)), "") for value in values]
        return Column("text", per_distinct(pc.binary_join_element_wise(*parts, "\x1f"), _digest, pa.string()))

    return compute


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _object(fields: Mapping[str, Compiled]) -> Compiled:
    def compute(frame: Frame) -> Column:
        members = [(name, fragment(value(frame))) for name, value in fields.items()]
        some = np.zeros(len(frame), np.bool_)
        for _, each in members:
            some |= as_mask(each.array.is_valid())
        made = json_object(members, len(frame))
        return Column("json", made if some.all() else pc.if_else(pa.array(some), made, pa.scalar(None, pa.string())))

    return compute


def _list(items: list[Compiled]) -> Compiled:
    def compute(frame: Frame) -> Column:
        if not items:
            return Column("json", pa.repeat(pa.scalar("[]"), len(frame)))
        columns = [item(frame) for item in items]
        if all(column.kind in ("text", "texts") for column in columns):
            found = [flat(to_texts(column)) for column in columns]
            owners = np.concatenate([rows for _, rows in found])
            order = np.argsort(owners, kind="stable")
            values = pa.concat_arrays([part for part, _ in found]).take(pa.array(order))
            return Column("texts", lists(values, owners[order], len(frame)))
        return Column("json", joined("[", *with_commas(list(map(fragment, columns)), len(frame)), "]", null=""))

    return compute


def _from(value: From, names: Names, label: str) -> Compiled:
    name = label_of(value.source, names)
    label = name or label
    if isinstance(value.source, Ref):
        source = _ref(value.source.name, names, value.source, trim=value.trim)
    else:
        source = compile_value(value.source, names, label)
    some: list[Step] = []
    if value.trim and not isinstance(value.source, Ref):
        some.append(steps.trim)
    if value.extract is not None:
        some.append(steps.over_elements(steps.extract(value, label)))
    if value.split is not None:
        some.append(steps.split(value))
    if value.as_ is not None:
        some.append(steps.over_elements(_convert(value, names, label)))
    if value.map is not None:
        some.append(steps.over_elements(steps.translate(value, label)))
    if value.lookup is not None:
        some.append(steps.over_elements(_look_up(value, names, label)))
    if value.default is not None:
        some.append(steps.fill(value))
    if value.max_length is not None:
        some.append(steps.over_elements(steps.shorten(value)))
    return steps.in_order(source, some)


def _convert(value: From, names: Names, label: str) -> Step:
    if value.as_ == "datetime":
        zone = value.timezone or names.timezone
        return to_time(value, compile_value(zone, names, label) if isinstance(zone, Ref) else zone, names.now_ms, label)
    if value.as_ == "duration":
        return to_duration(value.formats, label)
    if value.as_ == "phone":
        return to_phone(value.region or names.region, value.invalid, label)
    return steps.convert(value, label)


def _look_up(value: From, names: Names, label: str) -> Step:
    if value.lookup == "owner":
        return steps.owner_in_words
    directory = names.directories.get(value.lookup or "")
    if directory is None:
        raise MappingError([Mistake(value.place, "unknown_name", f"there is no table `{value.lookup}`")])
    return steps.look_up(value, directory, label)
