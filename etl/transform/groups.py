"""Rows of one group (the legs of a call) to one draft: which row is kept, and what the others add to it.

A group is whole or not at all: where one of its rows is refused, so are the others, and the reject file holds the whole
group to be corrected and loaded again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Rows, flat, lists, lost, to_text
from etl.columns.numbers import parse_numbers
from etl.columns.rows import arrow_columns, keep, rejects_of
from etl.flow import Chunk, Drafts, LinkKind, Problem, Reject, Wanted
from etl.mapping.model import Group
from etl.transform.frame import Compiled, Frame, whole
from etl.transform.values import Names, compile_value, label_of

Words: TypeAlias = Callable[[Frame], Mapping[LinkKind, tuple[Wanted, ...]]]
#: Maps the rows of a chunk, each for itself, with their words given.
MapRows: TypeAlias = Callable[[Chunk, Words], tuple[Drafts, list[Reject]]]


class Grouping(NamedTuple):
    """The part `group` of a mapping, compiled."""

    by: Compiled
    keep: str  #: first, last or longest
    field: Compiled | None  #: what `longest` compares
    label: str  #: the column behind `field`, for problems


def compile_group(group: Group | None, names: Names) -> Grouping | None:
    """The grouping of a mapping, if it has one."""
    if group is None:
        return None
    field = compile_value(group.field, names, "group.field") if group.field is not None else None
    label = label_of(group.field, names) if group.field is not None else ""
    return Grouping(compile_value(group.by, names, "group.by"), group.keep, field, label or "group.field")


def group_names(chunk: Chunk, grouping: Grouping) -> pa.StringArray:
    """The name of each row's group; null for a row that stands alone, as one does whose name cannot be found out."""
    frame = whole(arrow_columns(chunk.rows), len(chunk.lines))
    found = to_text(grouping.by(frame))
    broken = frame.failed(0)
    return pc.if_else(pa.array(broken), pa.scalar(None, pa.string()), found) if broken.any() else found


def transform_groups(chunk: Chunk, grouping: Grouping, words: Words, map_rows: MapRows) -> tuple[Drafts, list[Reject]]:
    """Drafts of the rows kept, one a group, with the words of all its rows; and a reject for each row of a broken group.

    The chunk holds whole groups. Rows that are in neither went into the row that was kept of theirs.
    """
    frame = whole(arrow_columns(chunk.rows), len(chunk.lines))
    codes = _codes(to_text(grouping.by(frame)))
    sizes = _sizes(frame, grouping)
    said = words(frame)
    if problems := frame.problems.by_row():
        refused = rejects_of(chunk, problems)
        refused += fallen(chunk, refused, grouping)
        drafts, others = transform_groups(without(chunk, refused), grouping, words, map_rows)
        return drafts, [*refused, *others]
    kept = _kept(codes, grouping.keep, sizes)
    mask = np.zeros(len(codes), np.bool_)
    mask[kept] = True
    gathered = {kind: tuple(_gathered(way, codes, kept) for way in ways) for kind, ways in said.items()}
    drafts, refused = map_rows(keep(chunk, mask), lambda _: gathered)
    return drafts, [*refused, *fallen(chunk, refused, grouping)]


def fallen(chunk: Chunk, rejects: Sequence[Reject], grouping: Grouping) -> list[Reject]:
    """The other rows of the groups of which a row was refused, each as a reject that names the first such row's line."""
    if not rejects:
        return []
    codes = _codes(group_names(chunk, grouping))
    own = pa.array([reject.line for reject in rejects], pa.int64())
    refused = pc.is_in(pa.array(chunk.lines), own).to_numpy(zero_copy_only=False)
    first: dict[int, int] = {}
    for code, line in zip(codes[refused].tolist(), chunk.lines[refused].tolist(), strict=True):
        first[code] = min(first.get(code, line), line)
    others = np.flatnonzero(np.isin(codes, list(first)) & ~refused).tolist()
    message = "line {} of the same group was rejected; a group is imported whole or not at all"
    problems = {row: (Problem("group_rejected", "", "", message.format(first[int(codes[row])])),) for row in others}
    return rejects_of(chunk, problems)


def without(chunk: Chunk, rejects: Sequence[Reject]) -> Chunk:
    """The chunk without the rows of these rejects."""
    lines = pa.array([reject.line for reject in rejects], pa.int64())
    return keep(chunk, ~pc.is_in(pa.array(chunk.lines), lines).to_numpy(zero_copy_only=False))


def _codes(names: Any) -> Rows:
    """A number for each row's group; a row without a name has one of its own."""
    coded = names.dictionary_encode()
    codes: Rows = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    alone = np.flatnonzero(codes < 0)
    codes[alone] = len(coded.dictionary) + np.arange(len(alone))
    return codes


def _sizes(frame: Frame, grouping: Grouping) -> NDArray[np.float64]:
    """What `longest` compares: an empty value is shorter than any."""
    if grouping.field is None:
        return np.zeros(len(frame))
    column = grouping.field(frame)
    texts = to_text(column)
    numbers = column.array if column.kind in ("int", "number") else parse_numbers(texts)
    hint = "expected a number to compare rows of a group by; a duration needs `as: duration`"
    frame.refuse(lost(numbers, texts), "bad_number", grouping.label, texts, hint)
    sizes: NDArray[np.float64] = pc.fill_null(pc.cast(numbers, pa.float64()), -np.inf).to_numpy(zero_copy_only=False)
    return sizes


def _kept(codes: Rows, which: str, sizes: NDArray[np.float64]) -> Rows:
    """The row that each group keeps, in the order of the groups' codes; of equally long ones the first."""
    places = np.arange(len(codes))
    rank = -places if which == "last" else places
    order = np.lexsort((rank, -sizes, codes)) if which == "longest" else np.lexsort((rank, codes))
    firsts = np.ones(len(codes), np.bool_)
    firsts[1:] = codes[order][1:] != codes[order][:-1]
    kept: Rows = order[firsts]
    return kept


def _gathered(way: Wanted, codes: Rows, kept: Rows) -> Wanted:
    """The words of all rows of each group, each once, those of the row kept first; one list for each row kept."""
    rows = np.sort(kept)
    if way.by in ("contact", "create"):
        return way._replace(values=way.values.take(pa.array(rows)))
    values, owners = flat(way.values)
    place = np.empty(len(kept), np.int64)  # of each group among the rows kept
    place[np.argsort(kept, kind="stable")] = np.arange(len(kept))
    groups = place[codes[owners]]
    order = np.lexsort((owners, owners != kept[codes[owners]], groups))
    groups, values = groups[order], values.take(pa.array(order))
    words = values.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    _, firsts = np.unique(groups * (len(values) + 1) + words, return_index=True)
    firsts = np.sort(firsts)
    return way._replace(values=lists(values.take(pa.array(firsts)), groups[firsts], len(kept)))
