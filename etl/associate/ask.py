"""From words to ids: one question for the distinct words of a way, the answers spread over the rows again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Rows, as_mask, flat, lost
from etl.columns.numbers import all_digits
from etl.flow import RemoteId, Wanted

#: (contacts, companies, deals, tickets or owners; by; values) -> the ids of each value that has any. It may be asked
#: for the same value again: remembering is its own business.
LookUp: TypeAlias = Callable[[str, str, Collection[str]], Mapping[str, list[RemoteId]]]
Tables: TypeAlias = Mapping[str, Mapping[str, str]]

_ID_DIGITS = 20


class Pairs(NamedTuple):
    """Words of rows: `words[i]` belongs to `rows[i]` (ascending)."""

    rows: Rows
    words: Any

    def where(self, mask: NDArray[np.bool_]) -> Pairs:
        """The pairs where the mask holds."""
        return Pairs(self.rows[mask], self.words.filter(pa.array(mask)))


class Answer(NamedTuple):
    """The ids of each pair: pair i has `ids[starts[i] : starts[i] + counts[i]]`, ascending (owners' order for companies)."""

    ids: Any  #: string array
    starts: Rows
    counts: Rows

    def spread(self, chosen: NDArray[np.bool_], *, first: bool) -> tuple[Rows, Any]:
        """Which pair each id belongs to, and the ids; of the chosen pairs, all or the first."""
        counts = np.where(chosen, np.minimum(self.counts, 1) if first else self.counts, 0)
        pairs = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
        return pairs, self.ids.take(pa.array(self.starts[pairs] + within))


def pairs_of(wanted: Wanted, rows: NDArray[np.bool_]) -> Pairs:
    """The words of the rows where the mask holds."""
    words, owners = flat(wanted.values)
    pairs = Pairs(owners, words)
    return pairs if rows.all() else pairs.where(rows[owners])


def ids_themselves(pairs: Pairs) -> tuple[Answer, NDArray[np.bool_]]:
    """`by: id`: the words are the ids. Also says which are none."""
    ids = digits(pairs.words)
    fit = as_mask(ids.is_valid())
    return Answer(ids, np.arange(len(fit)), fit.astype(np.int64)), ~fit


def ids_in_table(pairs: Pairs, table: Mapping[str, str]) -> tuple[Answer, NDArray[np.bool_]]:
    """`by: table`: the id of each word that the table has. Also says where it has something that is no id."""
    coded = pairs.words.dictionary_encode()
    found = pa.array([table.get(word) for word in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)
    ids = digits(found)
    return Answer(ids, np.arange(len(ids)), as_mask(ids.is_valid()).astype(np.int64)), lost(ids, found)


def digits(texts: Any) -> Any:
    """Ids as JSON takes them, without leading zeros; null for what is no id."""
    none = pa.scalar(None, pa.string())
    if not pc.any(pc.starts_with(texts, "0")).as_py():
        return pc.if_else(all_digits(texts, _ID_DIGITS), texts, none)
    stripped = pc.utf8_ltrim(texts, "0")
    return pc.if_else(pc.and_(pc.ascii_is_decimal(texts), all_digits(stripped, _ID_DIGITS)), stripped, none)


def ids_of_account(pairs: Pairs, kind: str, by: str, look_up: LookUp) -> Answer:
    """What the account answers for the distinct words; words that cannot be such a thing are not asked for."""
    coded = pairs.words.dictionary_encode()
    words = coded.dictionary.to_pylist()
    asked = [word for word in words if _askable(by, word)]
    known = look_up(kind, by, asked) if asked else {}
    found = [known.get(word, []) for word in words]
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.array([len(ids) for ids in found], np.int64)
    starts = np.cumsum(counts) - counts
    ids = pa.array([id_ for ids in found for id_ in _in_order(ids, by)], pa.string())
    return Answer(ids, starts[codes] if len(codes) else codes, counts[codes] if len(codes) else codes)


def _askable(by: str, word: str) -> bool:
    """A phone that has no E.164 form and an e-mail without `@` are in no account; asking costs a request all the same."""
    if by == "phone":
        return word.startswith("+")
    return "@" in word if by == "email" else True


def _in_order(ids: list[RemoteId], by: str) -> list[RemoteId]:
    """Oldest first, which ids tell; but what a contact has comes with the primary one first."""
    return ids if by == "contact" else sorted(dict.fromkeys(ids), key=lambda each: (len(each), each))
