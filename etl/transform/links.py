"""What a row is to be linked to, in words: the values of `associations`, written as the account is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.arrays import flat, lists, per_distinct, to_texts
from etl.flow import LinkKind, Wanted
from etl.mapping.model import Associations, Match, Table
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
        kind: [_way(match, tables, names, f"associations.{kind}") for match in link.match]
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
