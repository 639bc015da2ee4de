"""An export that grows, and what must become of each of its rows; known from a row's number alone, without asking the product.

Of fifty rows one names nobody the account knows, one has a field too many (both refused before anything is sent), and
one names a deal that does not exist (refused by the account). An export can begin later than the one before, and tell
other words of rows it had already told.
"""

from __future__ import annotations

import random
from base64 import b32encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

CONTACTS = 40
#: Stands in every text, and must stand in no output.
SECRET_TEXT = "Kaltwasserbad"
MAPPING = """\
version: 1
name: kill
source: {format: csv, timezone: UTC}
key: $id
engagement:
  type: {from: $kind, map: {n: NOTE, c: CALL}}
  timestamp: {from: $at, as: datetime, format: epoch_s}
associations:
  contacts: {by: email, value: $email, not_found: reject}
  deals: {by: id, value: $deal}
metadata:
  NOTE: {body: $text}
  CALL: {body: $text}
"""
HEADER = ("id", "kind", "at", "email", "deal", "text")
_LOST, _RAGGED, _REFUSED = 7, 23, 41


@dataclass(slots=True)
class Export:
    """The export as it stands: rows `first` to `rows`, some in a new wording."""

    path: Path
    rng: random.Random
    rows: int = 0
    first: int = 0
    wordings: dict[int, int] = field(default_factory=dict)  #: how often a row was told anew

    def grow(self, by: int) -> None:
        """More rows, some of the old ones changed, and some of the oldest perhaps left out; written whole."""
        self.rows += by
        self.first = self.rng.choice([0, 0, self.rng.randrange(max(1, self.rows - by))])
        for row in self.rng.sample(range(self.rows), min(self.rows, 5)):
            if is_good(row):
                self.wordings[row] = self.wordings.get(row, 0) + 1
        self.write()

    def all(self) -> None:
        """The whole export, from the first row."""
        self.first = 0
        self.write()

    def write(self) -> None:
        """Writes the file under its name at once."""
        made = self.path.with_suffix(".new")
        made.write_text("\n".join([",".join(HEADER), *self.lines()]) + "\n")
        made.replace(self.path)

    def lines(self) -> Iterator[str]:
        """The rows as they stand in the file."""
        return (self.line(row) for row in range(self.first, self.rows))

    def line(self, row: int) -> str:
        """One row as it stands in the file."""
        email = "nobody@example.net" if row % 50 == _LOST else f"contact{1 + row % CONTACTS}@customer.example"
        deal = "999999" if row % 50 == _REFUSED else ""
        text = f"{SECRET_TEXT} {row} {self.wordings.get(row, 0)}"
        more = ",too many" if row % 50 == _RAGGED else ""
        return f"{row},{'nc'[row % 3 == 0]},{1_700_000_000 + row},{email},{deal},{text}{more}"

    def number_at(self, line: int) -> int:
        """The row that stands on this line of the file, the header being line 1."""
        return self.first + line - 2

    @property
    def good(self) -> set[int]:
        """The rows that must be in the account once."""
        return {row for row in range(self.rows) if is_good(row)}

    @property
    def bad(self) -> set[int]:
        """The rows of the file as it stands that must be in its reject file."""
        return {row for row in range(self.first, self.rows) if not is_good(row)}


def is_good(row: int) -> bool:
    """Whether the row can be created."""
    return row % 50 not in {_LOST, _RAGGED, _REFUSED}


def key_of(row: int) -> str:
    """The key under which the row must be in the account: 16 bytes of SHA-256 over namespace and source key, in base32."""
    return b32encode(sha256(f"kill\0{row}".encode()).digest()[:16])[:26].decode().lower()


def row_of(text: str) -> int:
    """The number of the row from whose text this is the body of an engagement."""
    return int(text.split()[1])


def seeds(folder: Path) -> None:
    """The account's contacts, one company, one deal and one owner, for a sandbox to begin with."""
    folder.mkdir(parents=True)
    people = "".join(f"{i},contact{i}@customer.example,,,Con,Tact,\n" for i in range(1, CONTACTS + 1))
    (folder / "contacts.csv").write_text("id,email,phone,mobilephone,firstname,lastname,company_id\n" + people)
    (folder / "companies.csv").write_text("id,name,domain\n911,Customer,customer.example\n")
    (folder / "deals.csv").write_text("id,dealname\n921,Deal\n")
    (folder / "owners.csv").write_text("id,email,firstname,lastname,active\n931,owner@example.com,Ow,Ner,true\n")
