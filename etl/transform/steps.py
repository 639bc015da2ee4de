"""The steps of ``{from: ..., steps}`` as column operations.

Their order is always trim, extract, split, as, map, lookup, default, max_length. On a list a step works on each element.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.arrays import (
    Column,
    as_mask,
    constant,
    flat,
    lists,
    lost,
    per_distinct,
    scatter,
    text,
    to_text,
    to_texts,
    trimmed,
    unify,
)  # fmt: skip
from etl.mapping.model import From
from etl.transform.addresses import to_domain, to_email, to_emails, to_name_part
from etl.transform.frame import Compiled, Frame, Step
from etl.transform.markup import to_html, to_html_from_text, to_text_from_html
from etl.transform.numbers import to_bool, to_id, to_int, to_json, to_number
from etl.transform.patterns import pattern

#: What turns a name into its column.
Refer: TypeAlias = Callable[[str], Compiled]


class Directory(NamedTuple):
    """What `lookup` can ask: the known values, and how a text is written to be found among them."""

    known: Mapping[str, str]
    normal: Callable[[str], str]
    what: str  #: for messages: "table `contacts`"


def trim(frame: Frame, column: Column) -> Column:  # noqa: ARG001 -- a step
    """Without white space around it."""
    return trimmed(column.array) if column.kind == "text" else column


def extract(step: From, label: str) -> Step:
    """The first group of the pattern; a text without a match is refused."""
    found = pattern(step.extract or "", step.place)

    def compute(frame: Frame, column: Column) -> Column:
        texts = to_text(column)
        made = found.first_group(texts)
        odd = lost(made, texts)
        frame.refuse(odd, "no_match", label, texts, f"expected a text that matches `{found.text}`")
        return trimmed(made) if step.trim else text(made)

    return compute


def split(step: From) -> Step:
    """A list of the parts between the separators; empty parts are left out."""
    separator = step.split or ""

    def compute(frame: Frame, column: Column) -> Column:
        values, owners = flat(pc.split_pattern(to_text(column), separator))
        values = (trimmed(values) if step.trim else text(values)).array
        filled = as_mask(values.is_valid())
        return Column("texts", lists(values.filter(pa.array(filled)), owners[filled], len(frame)))

    return compute


def convert(step: From, label: str) -> Step:
    """The `as` kinds that need nothing but the text (times, durations and phones are compiled by `values`)."""
    judged: dict[str, Callable[[Frame, Column, str], Column]] = {
        "int": to_int, "number": to_number, "bool": to_bool, "id": to_id, "json": to_json, "email": to_email,
        "emails": to_emails, "domain": to_domain,
    }  # fmt: skip
    free: dict[str, Callable[[Column], Column]] = {
        "text": lambda column: Column("text", to_text(column)),
        "html": to_html, "html_from_text": to_html_from_text, "text_from_html": to_text_from_html,
        "name_part": lambda column: to_name_part(column, step.part),
    }  # fmt: skip
    kind = step.as_ or "text"
    if kind in free:
        change = free[kind]
        return lambda _, column: change(column)
    judge = judged[kind]
    return lambda frame, column: judge(frame, column, label)


def translate(step: From, label: str) -> Step:
    """`map`: the entry of each text, `else` for what no entry covers, which is otherwise refused."""
    entries = step.map or {}
    keys = pa.array(list(entries), pa.string())
    values = unify([constant(value, 1) for value in entries.values()])
    pool = Column(values[0].kind, pa.concat_arrays([each.array for each in values]))

    def compute(frame: Frame, column: Column) -> Column:
        texts = to_text(column)
        if "" in entries:
            texts = pc.fill_null(texts, "")
        places = pc.index_in(texts, keys, skip_nulls=True)
        made = Column(pool.kind, pool.array.take(places))
        rest = lost(places, texts)
        if step.otherwise is None:
            frame.refuse(rest, "no_rule", label, texts, f"expected one of: {_listed(entries)}")
        elif rest.any():
            others = constant(step.otherwise.value, int(rest.sum()))
            kept = np.flatnonzero(~rest)
            return scatter([(kept, made.take(kept)), (np.flatnonzero(rest), others)], len(frame))
        return made

    return compute


def look_up(step: From, directory: Directory, label: str) -> Step:
    """`lookup`: what the directory says for each distinct text; what it does not know is refused, or empty."""

    def compute(frame: Frame, column: Column) -> Column:
        texts = to_text(column)
        found = per_distinct(texts, lambda value: directory.known.get(directory.normal(value)), pa.string())
        if step.not_found == "reject":
            odd = lost(found, texts)
            frame.refuse(odd, "lookup_missing", label, texts, f"expected an entry of {directory.what}")
        return Column("text", found)

    return compute


def owner_in_words(frame: Frame, column: Column) -> Column:  # noqa: ARG001 -- a step
    """`lookup: owner`: the e-mail in lower case; `associate` asks for its id, and knows what to do without one."""
    return Column("text", pc.utf8_lower(to_text(column)))


def fill(step: From) -> Step:
    """`default`: what stands where nothing is."""
    value = step.default.value if step.default else None

    def compute(frame: Frame, column: Column) -> Column:
        gaps = column.empty
        if not gaps.any():
            return column
        kept = np.flatnonzero(~gaps)
        return scatter(
            [(kept, column.take(kept)), (np.flatnonzero(gaps), constant(value, int(gaps.sum())))], len(frame)
        )

    return compute


def shorten(step: From) -> Step:
    """`max_length`: the first so many characters."""
    return lambda _, column: Column("text", pc.utf8_slice_codeunits(to_text(column), 0, step.max_length))


def over_elements(step: Step) -> Step:
    """The step, on each element where it gets a list; elements that become nothing are left out."""

    def compute(frame: Frame, column: Column) -> Column:
        if column.kind != "texts":
            return step(frame, column)
        values, owners = flat(column.array)
        made = step(frame.at(owners), Column("text", values))
        inner, places = flat(to_texts(made))
        return Column("texts", lists(inner, owners[places], len(frame)))

    return compute


def in_order(source: Compiled, steps: list[Step]) -> Compiled:
    """The source, and then each step."""

    def compute(frame: Frame) -> Column:
        column = source(frame)
        for step in steps:
            column = step(frame, column)
        return column

    return compute


def _listed(entries: Mapping[str, Any]) -> str:
    shown = [repr(each)[1:-1] for each in list(entries)[:12]]
    return ", ".join(shown) + (", ..." if len(entries) > 12 else "")
