"""Links by policy: what was found for each row, what becomes of it where nothing or too much was.

Kinds are done in the order contacts, companies, deals, tickets, because the later ones can go `by: contact`. Every
decision is made on arrays; Python sees distinct words and the rows with problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.associate.ask import (
    Answer,
    LookUp,
    Pairs,
    Tables,
    digits,
    ids_in_table,
    ids_of_account,
    ids_themselves,
    pairs_of,
)
from etl.associate.words import Wants
from etl.columns.arrays import Rows, as_mask, lists, lost
from etl.flow import LINK_KINDS, TO_CREATE, LinkKind, Problem, Wanted
from etl.mapping.model import Associations, Link

_Mask = NDArray[np.bool_]
_ONE = {"contacts": "contact", "companies": "company", "deals": "deal", "tickets": "ticket"}


@dataclass(slots=True)
class Ties:
    """What the words of some rows lead to."""

    rows: int
    owner_ids: Any = None  #: string array, null for unassigned
    links: dict[LinkKind, Any] = field(default_factory=dict)  #: list<string> arrays, never null
    waits: dict[str, _Mask] = field(default_factory=dict)  #: why rows are parked -> which; the first reason counts
    problems: dict[int, list[Problem]] = field(default_factory=dict)  #: row -> why it is not sent
    #: kind or `owner` -> the rows whose words only an account can turn to ids
    open: dict[str, _Mask] = field(default_factory=dict)
    shared: dict[int, str] = field(default_factory=dict)  #: row -> the one company of its ambiguous contacts
    misses: int = 0

    @property
    def waiting(self) -> _Mask:
        """Which rows are parked: those that have no problem."""
        waiting = np.zeros(self.rows, np.bool_)
        for rows in self.waits.values():
            waiting |= rows
        waiting[list(self.problems)] = False
        return waiting

    @property
    def parked(self) -> Any:
        """Why each row waits, null for rows that do not."""
        reasons = pa.nulls(self.rows, pa.string())
        for reason, rows in self.waits.items():
            reasons = pc.coalesce(reasons, pc.if_else(pa.array(rows), reason, pa.scalar(None, pa.string())))
        return pc.if_else(pa.array(self.waiting), reasons, pa.scalar(None, pa.string()))

    def refuse(self, rows: Rows, code: str, column: str, values: list[str], message: str) -> None:
        """Notes one problem on each of the rows, each said once."""
        for row, value in zip(rows.tolist(), values, strict=True):
            problem = Problem(code, column, value, message)
            found = self.problems.setdefault(row, [])
            if problem not in found:
                found.append(problem)

    def park(self, rows: Rows, reason: str) -> None:
        """Notes why the rows wait."""
        self.waits.setdefault(reason, np.zeros(self.rows, np.bool_))[rows] = True


def tie(wants: Wants, associations: Associations, look_up: LookUp | None, owner_policy: str, tables: Tables) -> Ties:
    """The ids behind the words, or what the policies make of rows that have none.

    Without `look_up` (no account) only `by: id` and `by: table` are turned to ids, and `require` is judged on what is
    wanted.
    """
    ties = Ties(len(wants))
    _tie_owner(ties, wants, look_up, owner_policy)
    for kind in LINK_KINDS:
        ways, link = wants.links.get(kind, ()), associations.links.get(kind)
        ties.open[kind] = np.zeros(len(wants), np.bool_)
        found = _tie_kind(ties, kind, link, ways, look_up, tables) if link is not None else []
        if kind == "companies":
            found += _shared_companies(ties)
        ties.links[kind] = _as_lists(found, len(wants))
    _require(ties, associations)
    return ties


def _tie_owner(ties: Ties, wants: Wants, look_up: LookUp | None, policy: str) -> None:
    owner = digits(wants.owner)
    words = lost(owner, wants.owner)
    ties.open["owner"] = words if look_up is None else np.zeros(len(wants), np.bool_)
    if look_up is not None and words.any():
        pairs = Pairs(np.flatnonzero(words), wants.owner.filter(pa.array(words)))
        answer = ids_of_account(pairs, "owners", "email", look_up)
        some, ids = answer.spread(answer.counts > 0, first=True)
        mask = np.zeros(len(wants), np.bool_)
        mask[pairs.rows[some]] = True
        owner = pc.replace_with_mask(owner, pa.array(mask), ids)
        if policy == "reject":
            missed = pairs.where(answer.counts == 0)
            message = "the account has no owner with this e-mail"
            ties.refuse(missed.rows, "owner_not_found", "engagement.ownerId", missed.words.to_pylist(), message)
    ties.owner_ids = owner


def _tie_kind(
    ties: Ties, kind: LinkKind, link: Link, ways: tuple[Wanted, ...], look_up: LookUp | None, tables: Tables
) -> list[tuple[Rows, Any]]:
    """The (row, id) pairs of a kind, by the first way that finds anything for a row."""
    left = np.ones(ties.rows, np.bool_)
    left[list(ties.shared)] &= kind != "companies"
    tried: list[tuple[str, Pairs]] = []
    found: list[tuple[Rows, Any]] = []
    for way in ways:
        if look_up is None and way.by not in ("id", "table"):
            ties.open[kind] |= left & (_has_contact(ties) if way.by == "contact" else as_mask(way.values.is_valid()))
            left &= ~ties.open[kind]  # the account is asked first; what would come after it cannot be known
            continue
        pairs = _contacts(ties, left) if way.by == "contact" else pairs_of(way, left)
        answer = _ask(ties, kind, way, pairs, look_up, tables)
        if way.by != "contact":
            tried.append((way.by, pairs))
        hit = answer.counts > 0
        ties.misses += int((~hit & np.isin(pairs.rows, pairs.rows[hit])).sum())
        found += _chosen(ties, kind, link, way, pairs, answer, look_up)
        left[pairs.rows[hit]] = False
    _judge_missing(ties, kind, link, tried, left)
    return _at_most_one(ties, link, found) if kind == "companies" else found


def _has_contact(ties: Ties) -> _Mask:
    """Which rows have a contact, or may get one from an account."""
    return ties.open["contacts"] | as_mask(pc.greater(pc.list_value_length(ties.links["contacts"]), 0))


def _contacts(ties: Ties, left: _Mask) -> Pairs:
    """The first contact of each row that has one and is not on its way out."""
    contacts = ties.links["contacts"]
    some = left & as_mask(pc.greater(pc.list_value_length(contacts), 0))
    some[list(ties.problems)] = False
    rows = np.flatnonzero(some)
    return Pairs(rows, pc.list_element(contacts.filter(pa.array(some)), 0))


def _ask(ties: Ties, kind: LinkKind, way: Wanted, pairs: Pairs, look_up: LookUp | None, tables: Tables) -> Answer:
    if way.by in ("id", "table"):
        by_id = way.by == "id"
        answer, odd = ids_themselves(pairs) if by_id else ids_in_table(pairs, tables.get(way.table, {}))
        wrong = pairs.where(odd)
        message = "expected an id: digits" if by_id else f"table `{way.table}` has no digits for it"
        ties.refuse(wrong.rows, "bad_id", f"associations.{kind}", wrong.words.to_pylist(), message)
        return answer
    assert look_up is not None
    return ids_of_account(pairs, kind, way.by, look_up)


def _chosen(
    ties: Ties, kind: LinkKind, link: Link, way: Wanted, pairs: Pairs, answer: Answer, look_up: LookUp | None
) -> list[tuple[Rows, Any]]:
    """The (row, id) pairs of an answer, after the policy for words that match more than once."""
    primary = kind == "companies" and way.by == "contact"
    several = answer.counts > 1
    if primary or link.ambiguous == "oldest":
        several = np.zeros(len(several), np.bool_)
    keep_all = link.ambiguous == "all" and kind != "companies"
    if several.any() and not keep_all:
        odd = pairs.where(several)
        what = f"several {kind} by {way.by}"
        if link.ambiguous == "park":
            ties.park(odd.rows, what)
        elif link.ambiguous == "company" and kind == "contacts" and look_up is not None:
            _share_company(ties, pairs, answer, several, look_up)
        else:
            ties.refuse(
                odd.rows, "ambiguous", f"associations.{kind}", odd.words.to_pylist(), f"expected one of the {what}"
            )
    chosen = (answer.counts > 0) & (np.ones(len(several), np.bool_) if keep_all else ~several)
    places, ids = answer.spread(chosen, first=primary or link.ambiguous == "oldest")
    return [(pairs.rows[places], ids)]


def _share_company(ties: Ties, pairs: Pairs, answer: Answer, several: _Mask, look_up: LookUp) -> None:
    """Links each row with ambiguous words to the one company that all the contacts behind a word share."""
    places, ids = answer.spread(several, first=False)
    companies = look_up("companies", "contact", ids.unique().to_pylist())
    shared: dict[int, set[str]] = {}
    for place, contact in zip(places.tolist(), ids.to_pylist(), strict=True):
        mine = set(companies.get(contact, ()))
        shared[place] = shared[place] & mine if place in shared else mine
    words = pairs.words
    for place, some in shared.items():
        row = int(pairs.rows[place])
        company = next(iter(some)) if len(some) == 1 else ""
        if not company or ties.shared.setdefault(row, company) != company:
            message = "expected one contact, or contacts that share one company"
            ties.refuse(
                pairs.rows[place : place + 1], "ambiguous", "associations.contacts", [words[place].as_py()], message
            )


def _judge_missing(ties: Ties, kind: LinkKind, link: Link, tried: list[tuple[str, Pairs]], left: _Mask) -> None:
    """The policy for rows that asked for something in words and found nothing."""
    if link.not_found == "unlinked":
        return
    asked = np.zeros(ties.rows, np.int64)  # one bit for each way in which a row asked
    for place, (_, pairs) in enumerate(tried):
        asked[pairs.rows[left[pairs.rows]]] |= 1 << place
    asked[list(ties.problems)] = 0
    for bits in np.unique(asked[asked > 0]).tolist():
        rows = np.flatnonzero(asked == bits)
        ways = dict.fromkeys(by for place, (by, _) in enumerate(tried) if bits >> place & 1)
        reason = f"no {_ONE[kind]} by {' or '.join(way for way in ways if way != 'create')}"
        if "create" in ways:
            ties.park(rows, TO_CREATE)
        elif link.not_found == "park":
            ties.park(rows, reason)
        else:
            ties.refuse(rows, "not_found", f"associations.{kind}", _words_of(rows, tried), reason)


def _words_of(rows: Rows, tried: list[tuple[str, Pairs]]) -> list[str]:
    """All the words of each of the rows, for a message."""
    words: dict[int, list[str]] = {row: [] for row in rows.tolist()}
    for _, pairs in tried:
        some = pairs.where(np.isin(pairs.rows, rows))
        for row, word in zip(some.rows.tolist(), some.words.to_pylist(), strict=True):
            words[row].append(word)
    return ["; ".join(some) for some in words.values()]


def _at_most_one(ties: Ties, link: Link, found: list[tuple[Rows, Any]]) -> list[tuple[Rows, Any]]:
    """An engagement has at most one company: rows with more are ambiguous."""
    lengths = pc.list_value_length(_as_lists(found, ties.rows)).to_numpy(zero_copy_only=False)
    many = np.flatnonzero(lengths > 1)
    if len(many) and link.ambiguous == "park":
        ties.park(many, "several companies")
    elif len(many):
        ties.refuse(many, "ambiguous", "associations.companies", [""] * len(many), "expected at most one company")
    return found


def _shared_companies(ties: Ties) -> list[tuple[Rows, Any]]:
    if not ties.shared:
        return []
    return [(np.array(list(ties.shared), np.int64), pa.array(list(ties.shared.values()), pa.string()))]


def _as_lists(found: list[tuple[Rows, Any]], rows: int) -> Any:
    """The (row, id) pairs as lists, ids once a row, in the order found; rows without any have an empty list."""
    if not found:
        return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.array([], pa.string()))
    owners = np.concatenate([np.zeros(0, np.int64), *(some for some, _ in found)])
    ids = pa.concat_arrays([pa.array([], pa.string()), *(some for _, some in found)])
    if (owners[1:] < owners[:-1]).any():
        order = np.argsort(owners, kind="stable")
        owners, ids = owners[order], ids.take(pa.array(order))
    if len(owners) and (owners[1:] == owners[:-1]).any():
        codes = ids.dictionary_encode().indices.to_numpy(zero_copy_only=False)
        _, firsts = np.unique(owners * len(ids) + codes, return_index=True)
        firsts = np.sort(firsts)
        owners, ids = owners[firsts], ids.take(pa.array(firsts))
    return lists(ids, owners, rows, bare=True)


def _require(ties: Ties, associations: Associations) -> None:
    """Refuses rows that are linked to nothing where the mapping asks for a link."""
    if associations.require == "none":
        return
    kinds = LINK_KINDS if associations.require == "any" else LINK_KINDS[:1]
    tied = np.zeros(ties.rows, np.bool_)
    for kind in kinds:
        tied |= as_mask(pc.greater(pc.list_value_length(ties.links[kind]), 0)) | ties.open[kind]
    tied |= ties.waiting
    tied[[*ties.shared, *ties.problems]] = True
    bare = np.flatnonzero(~tied)
    what = "a contact" if associations.require == "contact" else "a contact, company, deal or ticket"
    ties.refuse(bare, "no_link", "associations", [""] * len(bare), f"expected {what} to link the row to")


def by_row(problems: Mapping[int, list[Problem]]) -> dict[int, tuple[Problem, ...]]:
    """The problems of each row, rows ascending."""
    return {row: tuple(problems[row]) for row in sorted(problems)}
