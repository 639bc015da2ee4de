"""Links in words: as columns, and as the JSON text that the checkpoint keeps of a parked row.

The text is enough to look a parked row up again in a later run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Column
from etl.columns.fragments import Fragment, bare, fragment, joined, json_object, list_fragment, with_commas
from etl.flow import LINK_KINDS, Drafts, LinkKind, Wanted


@dataclass(frozen=True, slots=True)
class Wants:
    """What some rows are to be linked to, in words."""

    owner: pa.StringArray  #: an e-mail in lower case, or digits
    links: Mapping[LinkKind, tuple[Wanted, ...]]  #: tried in order; the first that finds anything wins

    def __len__(self) -> int:
        return len(self.owner)

    def filter(self, mask: NDArray[np.bool_]) -> Wants:
        """What the rows want where the mask holds."""
        rows = pa.array(mask)
        links = {
            kind: tuple(w._replace(values=w.values.filter(rows)) for w in ways) for kind, ways in self.links.items()
        }
        return Wants(self.owner.filter(rows), links)


def words_of(drafts: Drafts) -> Wants:
    """The words of drafts."""
    return Wants(drafts.owner, drafts.wanted)


def wanted_json(wants: Wants, only: Mapping[str, NDArray[np.bool_]] | None = None) -> pa.StringArray:
    """The words of each row as a JSON object, `{}` where nothing is wanted; never null.

    `only` leaves kinds (and `owner`) to the rows where their mask holds.
    """
    members: list[tuple[str, Fragment]] = []
    for name in ("owner", *LINK_KINDS):
        if only is not None and not only[name].any():
            continue
        found = _owner(wants) if name == "owner" else _kind(wants.links.get(name, ()), len(wants))  # type: ignore[call-overload]  # the other four are kinds
        if found is not None:
            members.append((name, found if only is None else _masked(found, only[name])))
    return json_object(members, len(wants))


def words_from_json(texts: Sequence[str]) -> Wants:
    """The words that `wanted_json` wrote, as columns again: for the few rows that were parked."""
    rows = [orjson.loads(text) for text in texts]
    links: dict[LinkKind, tuple[Wanted, ...]] = {}
    for kind in LINK_KINDS:
        deepest = max((len(row.get(kind, ())) for row in rows), default=0)
        found: list[Wanted] = []
        for level in range(deepest):  # a row's first way before any row's second, whatever the ways are
            found += _ways([row.get(kind, [])[level : level + 1] for row in rows])
        if found:
            links[kind] = tuple(found)
    return Wants(pa.array([row.get("owner") for row in rows], pa.string()), links)


def _owner(wants: Wants) -> Fragment:
    return fragment(Column("text", wants.owner))


def _kind(ways: tuple[Wanted, ...], rows: int) -> Fragment | None:
    """The entries of each row as a JSON list, null where it has none."""
    if not ways:
        return None
    entries = [_entry(wanted) for wanted in ways]
    some = joined(*with_commas(entries, rows), null="")
    return Fragment("[", pc.if_else(pc.equal(some, ""), pa.scalar(None, pa.string()), some), "]")


def _entry(wanted: Wanted) -> Fragment:
    """``{"by":"phone","value":["+1206..."]}`` a row, null where the row wants nothing in this way."""
    start = '{"by":' + orjson.dumps(wanted.by).decode()
    if wanted.table:
        start += ',"table":' + orjson.dumps(wanted.table).decode()
    if wanted.by == "contact":
        return bare(pc.if_else(wanted.values.is_valid(), start + "}", pa.scalar(None, pa.string())))
    before, array, after = list_fragment(wanted.values, quote=True)
    return Fragment(start + ',"value":' + before, array, after + "}")


def _masked(found: Fragment, only: NDArray[np.bool_]) -> Fragment:
    return found._replace(array=pc.if_else(pa.array(only), found.array, pa.scalar(None, pa.string())))


def _ways(entries: Sequence[Sequence[Mapping[str, Any]]]) -> list[Wanted]:
    """One column of words for each way that occurs among the rows' entries."""
    ways = dict.fromkeys((entry["by"], entry.get("table", "")) for one in entries for entry in one)
    return [
        Wanted(by, pa.array([_value(one, by, table) for one in entries], pa.list_(pa.string())), table)
        for by, table in ways
    ]


def _value(one: Sequence[Mapping[str, Any]], by: str, table: str) -> list[str] | None:
    fits = bool(one) and (one[0]["by"], one[0].get("table", "")) == (by, table)
    return list(one[0].get("value", [])) if fits else None
