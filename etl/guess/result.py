"""What a guess gives back."""

from __future__ import annotations

from typing import NamedTuple

from etl.flow import Json
from etl.mapping.model import Table


class Guess(NamedTuple):
    """A mapping for a file: its text, what it begins from, and what a person should look at."""

    text: str
    preset: str  #: the name of the preset that it begins from, or no text
    types: tuple[str, ...]  #: of engagements
    doubts: tuple[str, ...]  #: the marked guesses, in the order of the mapping
    unused: tuple[str, ...]  #: columns of the file that no rule reads
    tables: tuple[Table, ...] = ()  #: the crosswalk files that the mapping reads; the person brings them

    def as_json(self) -> Json:
        """The guess as `--json` shows it."""
        tables = [{"file": table.path.name, "columns": [table.key, table.value]} for table in self.tables]
        return {**self._asdict(), "tables": tables}
