"""Good rows to drafts: values and steps as column operations, every row checked against the payload it is to become.

`compile_rules` turns a mapping into closures once; `skip` and `transform` run them over chunks. Nothing here sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Column, as_mask, scatter, to_text
from etl.columns.fragments import joined
from etl.columns.numbers import all_digits
from etl.columns.rows import arrow_columns, keep, rejects_of
from etl.engagement import TYPES
from etl.flow import Cells, Chunk, Drafts, Keys, LinkKind, Reject, Wanted
from etl.transform.compile import Rules, compile_rules, owner_policy
from etl.transform.frame import Frame, whole
from etl.transform.groups import Words, fallen, group_names, transform_groups, without
from etl.transform.payload import checked_time

__all__ = ["Rules", "compile_rules", "fallen", "group_names", "owner_policy", "skip", "transform", "without"]


def skip(chunk: Chunk, rules: Rules) -> tuple[Chunk, dict[str, int], list[Reject]]:
    """The rows that no `skip` rule leaves out, how many rows each reason left out, and the rows on which a rule failed."""
    frame = whole(arrow_columns(chunk.rows), len(chunk.lines))
    left_out = np.zeros(len(frame), np.bool_)
    counts: dict[str, int] = {}
    for holds, reason in rules.skips:
        places, part = frame.part(~left_out)
        mark = frame.problems.mark()
        mask = holds(part)
        mask &= ~part.failed(mark)
        left_out[places[mask]] = True
        counts[reason] = counts.get(reason, 0) + int(mask.sum())
    problems = {row: found for row, found in frame.problems.by_row().items() if not left_out[row]}
    left_out[list(problems)] = True
    return keep(chunk, ~left_out), {reason: n for reason, n in counts.items() if n}, rejects_of(chunk, problems)


def transform(chunk: Chunk, rules: Rules) -> tuple[Drafts, list[Reject]]:
    """Drafts of the rows that every rule and limit lets pass, and a reject with all its problems for each other row.

    Where the mapping groups rows, the chunk must hold whole groups; rows that are in neither went into another.
    """
    if rules.group is None:
        return _map(chunk, rules, rules.wanted)
    return transform_groups(chunk, rules.group, rules.wanted, lambda kept, words: _map(kept, rules, words))


def _map(chunk: Chunk, rules: Rules, words: Words) -> tuple[Drafts, list[Reject]]:
    frame = whole(arrow_columns(chunk.rows), len(chunk.lines))
    keys = rules.key(frame)
    types, times = _types(frame, rules), _times(frame, rules)
    columns = {
        "types": types,
        "engagement": _engagement(frame, types, times, rules),
        "attachments": rules.attachments(frame),
        "metadata": _metadata(frame, types, rules),
        "properties": rules.properties(frame),
        "owner": _owner(frame, rules),
    }
    wanted = words(frame)
    problems = frame.problems.by_row()
    good = np.ones(len(frame), np.bool_)
    good[list(problems)] = False
    return _drafts(chunk, keys, times, columns, wanted, good), rejects_of(chunk, problems, keys)


def _types(frame: Frame, rules: Rules) -> Any:
    """The type of each row; null (and a problem) where it is none of the five, or the mapping has no block for it."""
    mark = frame.problems.mark()
    found = to_text(rules.type(frame))
    known = as_mask(pc.is_in(found, pa.array(TYPES)))
    broken = frame.failed(mark)
    frame.refuse(~known & ~broken, "bad_type", "engagement.type", found, f"expected one of: {', '.join(TYPES)}")
    mapped = as_mask(pc.is_in(found, pa.array(list(rules.metadata), pa.string())))
    frame.refuse(known & ~mapped, "bad_type", "engagement.type", found, "the mapping has no `metadata` for this type")
    return pc.if_else(pa.array(known & mapped), found, pa.scalar(None, pa.string()))


def _times(frame: Frame, rules: Rules) -> Any:
    mark = frame.problems.mark()
    column = rules.timestamp(frame)
    empty = column.empty & ~frame.failed(mark)
    frame.refuse(empty, "field_missing", rules.timestamp_label, None, "an engagement needs a `timestamp`")
    return checked_time(frame, column, rules.timestamp_label, rules.now_ms)


def _engagement(frame: Frame, types: Any, times: Any, rules: Rules) -> Any:
    column = rules.active(frame)
    texts = to_text(column)
    odd = ~as_mask(pc.is_in(texts, pa.array(["true", "false"]))) & ~column.empty
    frame.refuse(odd, "bad_bool", "engagement.active", texts, "expected true or false")
    active = pc.fill_null(texts, "true")
    return joined('"active":', active, ',"type":"', types, '","timestamp":', pc.cast(times, pa.string()))


def _owner(frame: Frame, rules: Rules) -> Any:
    """The owner as digits, or as an e-mail where the mapping looks owners up."""
    texts = to_text(rules.owner(frame))
    if not rules.owner_in_words:
        odd = ~as_mask(all_digits(texts, 18)) & as_mask(texts.is_valid())
        hint = "expected an owner's id; for an e-mail add `lookup: owner`"
        frame.refuse(odd, "bad_id", "engagement.ownerId", texts, hint)
    return texts


def _metadata(frame: Frame, types: Any, rules: Rules) -> Any:
    """The metadata of each row by the block of its type, in the order of the rows."""
    parts = []
    for type_, block in rules.metadata.items():
        places, part = frame.part(as_mask(pc.equal(types, type_)))
        if len(places):
            parts.append((places, Column("json", block(part))))
    return scatter(parts, len(frame)).array


def _drafts(
    chunk: Chunk,
    keys: Keys,
    times: Any,
    columns: Mapping[str, Any],
    wanted: Mapping[LinkKind, tuple[Wanted, ...]],
    good: NDArray[np.bool_],
) -> Drafts:
    """The drafts of the rows that are good."""
    mask = pa.array(good)
    every = bool(good.all())

    def kept(array: Any) -> Any:
        return array if every else array.filter(mask)

    return Drafts(
        lines=chunk.lines if every else chunk.lines[good],
        keys=keys if every else keys.filter(good),
        times_ms=kept(times).to_numpy(zero_copy_only=False).astype(np.int64, copy=False),
        wanted={kind: tuple(way._replace(values=kept(way.values)) for way in ways) for kind, ways in wanted.items()},
        cells=Cells(chunk.rows, np.flatnonzero(good)),
        **{name: kept(array) for name, array in columns.items()},
    )
