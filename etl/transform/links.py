"""What a row is to be linked to, in words: the values of `associations`, written as the account is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.arrays import Column, flat, lists, per_distinct, to_text, to_texts
from etl.columns.fragments import fragment, json_object
from etl.flow import LinkKind, Wanted
from etl.mapping.model import Associations, Match, Table, Value
from etl.transform.addresses import domain, email
from etl.transform.frame import Compiled, Frame
from etl.transform.phones import phone_reader
from etl.transform.tables import normaliser
from etl.transform.values import Names, compile_value

#: Words to words, as the account compares them; what is no phone, address or domain stays as it is and is not found.
_Write = Callable[[Any], Any]


def compile_wanted(
    associations: Associations, tables: Mapping[str, Table], names: Names
) -> Callable[[Frame], dict[LinkKind, tuple[Wanted, ...]]]:
    """A function from a frame to the words of each kind of link, in the order in which they are tried."""
    ways = {
        kind: [
            *(_way(match, tables, names, f"associations.{kind}") for match in link.match),
            *([_newcomer(link.create, names)] if link.not_found == "create" and link.create else []),
        ]
        for kind, link in associations.links.items()
    }

    def compute(frame: Frame) -> dict[LinkKind, tuple[Wanted, ...]]:
        return {kind: tuple(way(frame) for way in some) for kind, some in ways.items()}

    return compute


def _way(match: Match, tables: Mapping[str, Table], names: Names, label: str) -> Callable[[Frame], Wanted]:
    if match.value is None:  # `by: contact` wants something of every row, in no words
        return lambda frame: Wanted(match.by, pa.array([[]] * len(frame), pa.list_(pa.string())), "")
    value = compile_value(match.value, names, label)
    write = _writer(match, tables, names)
    return lambda frame: Wanted(match.by, _words(value, write, frame), match.table or "")


def _newcomer(create: Mapping[str, Value], names: Names) -> Callable[[Frame], Wanted]:
    """The contact to create where none is found, as JSON of its properties; null where neither e-mail nor phone is known."""
    values = {name: compile_value(value, names, f"create.{name}") for name, value in create.items()}
    write: dict[str, _Write] = {
        "email": lambda texts: per_distinct(texts, email, pa.string()),
        "phone": phone_reader(names.region),
    }

    def way(frame: Frame) -> Wanted:
        texts = {name: to_text(value(frame)) for name, value in values.items()}
        texts |= {name: write[name](array) for name, array in texts.items() if name in write}
        known = pc.coalesce(*(array for name, array in texts.items() if name in write)).is_valid()
        made = json_object([(name, fragment(Column("text", array))) for name, array in texts.items()], len(frame))
        made = pc.if_else(known, made, pa.scalar(None, pa.string()))
        return Wanted("create", to_texts(Column("text", made)), "")

    return way


def _words(value: Compiled, write: _Write, frame: Frame) -> Any:
    values, owners = flat(to_texts(value(frame)))
    return lists(write(values), owners, len(frame))


def _writer(match: Match, tables: Mapping[str, Table], names: Names) -> _Write:
    if match.by == "phone":
        read = phone_reader(names.region)
        return lambda texts: pc.coalesce(read(texts), texts)
    if match.by == "email":
        return lambda texts: _each(texts, lambda text: email(text) or text.lower())
    if match.by == "domain":
        return lambda texts: _each(texts, lambda text: domain(text) or text.lower())
    if match.by == "table":
        return lambda texts: _each(texts, normaliser(tables[match.table or ""], names.region))
    return lambda texts: texts


def _each(texts: Any, change: Callable[[str], str]) -> Any:
    return per_distinct(texts, change, pa.string())
