"""Seals: two numbers in every row, by which damage is noticed instead of believed.

`content_seal` is over what the row is and is written by half one: a CRC-32 and a weighted sum. `fate_seal` is a weighted
sum over what became of it; an update adds the difference that it makes, so that damage done before stays visible,
whatever is written over it. Both are computed inside SQLite, where the columns are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple, get_args
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from etl.flow import State

#: Weights are primes; both sums stay far below 2**63, beyond which SQLite would go on in floating point.
_TIME, _SEGMENT, _POS = 4099, 8589934609, 65537
_CONTENT = (
    "crc32(CAST(coalesce(key || hash || type || {links} || coalesce({wanted}, ''), '') AS BLOB))"
    f" + {_TIME} * time_ms + {_SEGMENT} * segment + {_POS} * pos"
)
_STATES = ",".join(get_args(State))
#: Each column that says what became of a row, as a number, and its weight.
_FATE = {
    "state": f"34359738421 * (instr('{_STATES}', {{0}}) + 128 * length({{0}}))",
    "attempt": "(536870923 * {0} + length({0}))",
    "doubts": "(8388617 * {0} + length({0}))",  # an empty blob is 0 too, but has no length
    "request": "1000003 * coalesce({0}, 0)",
    "remote_id": "65537 * (CAST(coalesce({0}, 0) AS INTEGER) % 2147483647)",
}
#: Keys and row numbers in one number, whatever their order: once from the table, once from the index of keys.
_KEYS = "coalesce(sum((crc32(CAST(coalesce(key, '') AS BLOB)) + 40503 * id) % 4294967291), 0)"


class Seen(NamedTuple):
    """What one look at all rows showed."""

    rows: int
    broken: int  #: rows that do not fit their seals
    is_index_sound: bool  #: the index of keys says the same as the rows


def register(db: sqlite3.Connection) -> None:
    """Lets SQL call `crc32(blob)`: zlib's own, without a Python frame."""
    db.create_function("crc32", 1, crc32, deterministic=True)


def content_base(crcs: Sequence[int], times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """The `content_seal` of new rows but for their places; each CRC is over key, hash, type, links and wanted."""
    base: NDArray[np.int64] = np.array(crcs, np.int64) + _TIME * times_ms
    return base


def placed(base: str, segment: str, pos: str) -> str:
    """The `content_seal` of a new row as SQL, from its base and its place as SQL."""
    return f"{base} + {_SEGMENT} * ({segment}) + {_POS} * ({pos})"


def content_seal(links: str = "links", wanted: str = "wanted") -> str:
    """The `content_seal` of a row as SQL; also with other values, as SQL, for its links."""
    return _CONTENT.format(links=links, wanted=wanted)


def fate_seal(**fate: str) -> str:
    """The `fate_seal` of a row as SQL; `fate` gives values, as SQL, for columns that are not to be taken from the row."""
    return " + ".join(term.format(fate.get(column, column)) for column, term in _FATE.items())


def new_fate_seal(state: State) -> int:
    """The `fate_seal` of a row that was never sent."""
    never = fate_seal(state=f"'{state}'", attempt="0", doubts="0", request="NULL", remote_id="NULL")
    with closing(sqlite3.connect(":memory:")) as db:
        return int(db.execute(f"SELECT {never}").fetchone()[0])


def sealed(**fate: str) -> str:
    """What stands behind `SET` to change what became of a row: columns with values as SQL, and the seal's difference."""
    change = "".join(
        f" + {_FATE[column].format(f'({value})')} - {_FATE[column].format(column)}" for column, value in fate.items()
    )
    return ", ".join([*(f"{column} = {value}" for column, value in fate.items()), f"fate_seal = fate_seal{change}"])


SOUND_CONTENT = f"content_seal IS {content_seal()}"
#: Whether what the row is was damaged. Such a row, once found, is unresolved for good: nothing is sent from it.
BROKEN_CONTENT = f"(NOT {SOUND_CONTENT} AND state <> 'unresolved')"
#: Whether what became of the row was damaged.
BROKEN_FATE = f"(fate_seal IS NOT {fate_seal()})"


def look(db: sqlite3.Connection, *, index: bool = True) -> Seen:
    """Holds every row against its seals (2.5 s for a million), and with `index` the index of keys against the rows (1 s)."""
    broken = f"coalesce(sum({BROKEN_CONTENT} OR {BROKEN_FATE}), 0)"
    [aside] = db.execute(f"SELECT {broken} FROM before_look").fetchone()  # they will be rows again
    if not index:
        rows, found = db.execute(f"SELECT count(*), {broken} FROM row NOT INDEXED").fetchone()
        return Seen(rows, found + aside, is_index_sound=True)
    rows, found, keys = db.execute(f"SELECT count(*), {broken}, {_KEYS} FROM row NOT INDEXED").fetchone()
    indexed = rows, keys
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'row_key'").fetchone():
        indexed = db.execute(f"SELECT count(*), {_KEYS} FROM row INDEXED BY row_key").fetchone()
    return Seen(rows, found + aside, indexed == (rows, keys))


def broken_lines(db: sqlite3.Connection, most: int) -> list[str]:
    """Where the first rows that do not fit their seals came from: ``path:line``."""
    found = db.execute(
        f"""SELECT coalesce(path, '?') || ':' || line
            FROM (SELECT * FROM row UNION ALL SELECT * FROM before_look) AS row LEFT JOIN input ON input.id = row.input
            WHERE {BROKEN_CONTENT} OR {BROKEN_FATE} LIMIT ?""", [most]
    )  # fmt: skip
    return [str(place) for (place,) in found]
