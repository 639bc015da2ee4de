"""Links wanted in words to ids, on distinct values, with the mapping's policies for what is not found or not alone.

The account is reached through a function that is handed in, so half one never knows a network; without it, links stay
in words and what is wanted is what is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.associate.ask import LookUp, Tables
from etl.associate.lines import payload_lines, payload_text
from etl.associate.linking import Ties, by_row, tie
from etl.associate.words import Wants, wanted_json, words_from_json, words_of
from etl.columns.arrays import as_mask, replaced
from etl.columns.rows import rejects_of_rows
from etl.flow import Drafts, Linked, LinkKind, Problem, Reject
from etl.mapping.model import Associations

__all__ = [
    "LookUp",
    "Relinked",
    "Tables",
    "associate",
    "associate_words",
    "in_words",
    "payload_lines",
    "payload_text",
    "wanted_json",
]


@dataclass(frozen=True, slots=True)
class Relinked:
    """What the stored words of some rows lead to now, in the order asked."""

    owner_ids: pa.StringArray  #: digits, null for unassigned
    links: Mapping[LinkKind, pa.ListArray]  #: list of digits (text) a row, never null
    parked: pa.StringArray  #: why the row still waits, null for a row that can be sent or has a problem
    problems: Mapping[int, tuple[Problem, ...]]  #: place in the order asked -> why the row is not sent


def associate(
    drafts: Drafts, associations: Associations, look_up: LookUp, owner_policy: str, tables: Tables
) -> tuple[Linked, list[Reject]]:
    """Drafts with ids instead of words, or parked; and a reject for each row that a policy refuses.

    `owner_policy` and `tables` come with the rules (`transform.owner_policy`, `Rules.tables`). `Linked.wanted` holds
    all words of each parked row. `look_up` is asked once for the distinct words of each way.
    """
    wants = words_of(drafts)
    ties = tie(wants, associations, look_up, owner_policy, tables)
    return _linked(drafts, ties, _words_of(wants, as_mask(ties.parked.is_valid())))


def in_words(drafts: Drafts, associations: Associations, tables: Tables) -> tuple[Linked, list[Reject]]:
    """Drafts without an account: ids where the mapping gives ids (`by: id`, `by: table`), the other links in words.

    `Linked.wanted` holds only what is still open, null for a row that is final. `require` is judged on what is wanted.
    """
    wants = words_of(drafts)
    ties = tie(wants, associations, None, "unassigned", tables)
    if not any(mask.any() for mask in ties.open.values()):
        return _linked(drafts, ties, pa.nulls(len(drafts), pa.string()))
    wanted = wanted_json(wants, ties.open)
    return _linked(drafts, ties, pc.if_else(pc.equal(wanted, "{}"), pa.scalar(None, pa.string()), wanted))


def associate_words(
    wanted: Sequence[str], associations: Associations, look_up: LookUp, owner_policy: str, tables: Tables
) -> Relinked:
    """The links of rows that were parked, from the words that the checkpoint kept of them (`Linked.wanted`)."""
    ties = tie(words_from_json(wanted), associations, look_up, owner_policy, tables)
    return Relinked(ties.owner_ids, ties.links, ties.parked, by_row(ties.problems))


def _words_of(wants: Wants, parked: NDArray[np.bool_]) -> pa.StringArray:
    """All words of the rows where the mask holds; few rows wait, and JSON takes a microsecond each."""
    texts = pa.nulls(len(wants), pa.string())
    return replaced(texts, parked, wanted_json(wants.filter(parked))) if parked.any() else texts


def _linked(drafts: Drafts, ties: Ties, wanted: pa.StringArray) -> tuple[Linked, list[Reject]]:
    problems = by_row(ties.problems)
    rejects = rejects_of_rows(drafts.cells, drafts.lines, problems, drafts.keys)
    if not problems:
        return Linked(drafts, ties.owner_ids, ties.links, ties.parked, wanted, ties.misses), rejects
    good = np.ones(len(drafts), np.bool_)
    good[list(problems)] = False
    mask = pa.array(good)
    linked = Linked(
        drafts=_kept(drafts, good),
        owner_ids=ties.owner_ids.filter(mask),
        links={kind: links.filter(mask) for kind, links in ties.links.items()},
        parked=ties.parked.filter(mask),
        wanted=wanted.filter(mask),
        misses=ties.misses,
    )
    return linked, rejects


def _kept(drafts: Drafts, good: NDArray[np.bool_]) -> Drafts:
    """The drafts where the mask holds."""
    mask = pa.array(good)
    columns = ("types", "engagement", "attachments", "metadata", "properties", "owner")
    return Drafts(
        lines=drafts.lines[good],
        keys=drafts.keys.filter(good),
        times_ms=drafts.times_ms[good],
        wanted={
            kind: tuple(way._replace(values=way.values.filter(mask)) for way in ways)
            for kind, ways in drafts.wanted.items()
        },
        cells=drafts.cells.filter(good),
        **{name: getattr(drafts, name).filter(mask) for name in columns},
    )
