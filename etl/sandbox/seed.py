"""A folder of four CSV files -> the contacts, companies, deals and owners that an empty store begins with.

The folder may also have `engagements.jsonl`, for what is in a CRM before an import: see `seed_engagements`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from etl.errors import ContentError, InputError
from etl.sandbox.links import missing
from etl.sandbox.schema import Held, Link
from etl.sandbox.seed_engagements import FILE, fill
from etl.sandbox.store import Store
from etl.sandbox.writing import completed

#: file -> its columns; the first is the id. More columns may stand in it and are not read.
FILES: Final = {
    "companies.csv": ("id", "name", "domain"),
    "contacts.csv": ("id", "email", "phone", "mobilephone", "firstname", "lastname", "company_id"),
    "deals.csv": ("id", "dealname"),
    "owners.csv": ("id", "email", "firstname", "lastname", "active"),
}
_HINT: Final = "Seed data is a folder of companies.csv, contacts.csv, deals.csv and owners.csv, with a header each."
#: Seeds count as made so long before they are read in, so that the search index has them at once.
_AGE_MS: Final = 30 * 86_400_000
_BATCH: Final = 1000


class Row(NamedTuple):
    """One row of a seed file: its values by column, and its place."""

    values: dict[str, str]
    place: str  #: ``file:line``
    id: int


def seed(store: Store, folder: Path, now_ms: int) -> dict[str, int]:
    """Fills the store, all or nothing; how many of each type. A store that holds anything is left as it is.

    `InputError` when the folder or a file is missing, `ContentError` with ``file:line`` when a file is not as it should be.
    """
    if not store.is_empty():
        return {}
    if not folder.is_dir():
        raise InputError(f"The seed data {folder} is no folder.", hint=_HINT)
    store.begin()
    try:
        counts = {name.removesuffix(".csv"): _fill(store, folder / name, now_ms - _AGE_MS) for name in FILES}
        if (folder / FILE).exists():
            counts["engagements"] = fill(store, folder / FILE, now_ms - _AGE_MS)
    except BaseException:
        store.rollback()
        store.keep()
        raise
    store.commit()
    store.settle()
    store.count_on_from_highest()
    return counts


def _fill(store: Store, path: Path, at_ms: int) -> int:
    kind, count, batch = path.stem, 0, list[Row]()
    for row in _rows(path):
        batch.append(row)
        count += 1
        if len(batch) == _BATCH:
            _add(store, kind, batch, at_ms)
            batch = []
    _add(store, kind, batch, at_ms)
    return count


def _add(store: Store, kind: str, rows: list[Row], at_ms: int) -> None:
    if kind == "owners":
        store.add_owners([_owner(row) for row in rows])
        return
    held, links = [], []
    for row in rows:
        own = {n: v for n, v in row.values.items() if v and n not in {"id", "company_id"}}
        held.append(Held(kind, row.id, at_ms, at_ms, at_ms, True, False, completed(kind, own), 0))
        if company := row.values.get("company_id"):
            links.append((row, Link(kind, row.id, "companies", _number(company, row.place), main=True)))
    if gone := missing(store, (link for _, link in links)):
        row, link = next((r, a) for r, a in links if ("companies", a.to_id) in gone)
        raise ContentError(f"{row.place}: company_id {link.to_id} is not in companies.csv.", hint=_HINT)
    store.insert(held, (link for _, link in links))


def _owner(row: Row) -> tuple[int, str, str, str, bool]:
    own = row.values
    return row.id, own["email"], own["firstname"], own["lastname"], _active(row)


def _rows(path: Path) -> Iterator[Row]:
    columns, seen = FILES[path.name], dict[int, str]()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if absent := [c for c in columns if c not in header]:
                raise ContentError(
                    f"{path}:1: the column {absent[0]} is missing; found {', '.join(header)}.", hint=_HINT
                )
            for fields in reader:
                place = f"{path}:{reader.line_num}"
                if not fields:
                    continue
                if len(fields) != len(header):
                    raise ContentError(f"{place}: {len(fields)} fields, but the header has {len(header)}.", hint=_HINT)
                given = dict(zip(header, (f.strip() for f in fields), strict=True))
                row = Row({c: given[c] for c in columns}, place, _number(given["id"], place))
                if row.id in seen:
                    raise ContentError(f"{place}: the id {row.id} stands already in {seen[row.id]}.", hint=_HINT)
                seen[row.id] = place
                yield row
    except FileNotFoundError:
        raise InputError(f"The seed file {path} is missing.", hint=_HINT) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"The seed file {path} cannot be read: {problem}.", hint=_HINT) from problem
    except csv.Error as problem:
        raise ContentError(f"{path}:{reader.line_num}: this is no CSV: {problem}.", hint=_HINT) from problem


def _number(text: str, place: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**53):
        raise ContentError(f"{place}: {text[:50]!r} is no id: digits only, above 0.", hint=_HINT)
    return int(text)


def _active(row: Row) -> bool:
    text = row.values["active"].lower()
    if text not in {"true", "false", "1", "0", "yes", "no", ""}:
        raise ContentError(f"{row.place}: active is {text[:50]!r}, not true or false.", hint=_HINT)
    return text in {"true", "1", "yes", ""}
