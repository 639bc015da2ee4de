"""What a night of the importer can be: its input, what befalls it, and how it ends; as hypothesis draws them."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from etl.flow import Key, key_text
from tests.conftest import key_of
from tests.faults import FAULTS, Fault
from tests.remote import PLACES, READS, Script

MAX_TWIST = 6


class Row(NamedTuple):
    """A row of an input: which one, in which wording (2 is refused by the account, 3 waits for a contact), and its type."""

    number: int
    version: int
    type: str

    @property
    def body(self) -> str:
        return f"n{self.number} v{self.version}" + " poison" * (self.version == 2)

    @property
    def key(self) -> Key:
        return key_text(key_of(f"n{self.number}"))


class Ending(NamedTuple):
    """How a run ends, unless it is done before."""

    what: str = "done"  #: done, kill, stop or closing
    point: str = ""
    at: int = 1


def rows_of(first: int, rows: int, twist: int) -> list[Row]:
    """Consecutive rows; the twist changes wordings and types, and the highest one lets the first row come again, once as
    it is and once in another wording."""
    versions = [0, 1, 0, 2, 0, 0, 3] if twist else [0]
    input_ = [
        Row(number, versions[number * twist % len(versions)], "CALL" if (number + twist) % 3 else "NOTE")
        for number in range(first, first + rows)
    ]
    again = input_[:1] if twist == MAX_TWIST else []
    return [*input_, *again, *(row._replace(version=row.version ^ 1) for row in again)]


ROWS = st.builds(rows_of, st.integers(0, 30), st.integers(0, 24), st.integers(0, MAX_TWIST))
_faults = st.builds(Fault, st.sampled_from(FAULTS), st.integers(0, 63), st.integers(0, 3), st.integers(0, 3))
SCRIPTS = st.builds(
    Script,
    st.lists(_faults, max_size=12),
    st.lists(st.sampled_from(PLACES), max_size=4),
    st.lists(st.sampled_from(READS), max_size=4),
)
DEATHS = st.one_of(
    st.builds(Ending, st.just("kill"), st.just("step"), st.integers(1, 50)),
    st.builds(Ending, st.just("kill"), st.sampled_from(["before commit", "after commit"]), st.integers(1, 14)),
    st.builds(Ending, st.just("kill"), st.sampled_from(["before request", "after request"]), st.integers(1, 4)),
)
ENDINGS = st.one_of(
    st.just(Ending()),
    st.builds(Ending, st.sampled_from(["stop", "closing"]), st.just("step"), st.integers(1, 50)),
    DEATHS,
)
INPUTS = st.one_of(st.none(), ROWS)
WIRES = st.sampled_from(["objects", "v1"])
PAUSES = st.sampled_from([0.0, 0.0, 0.5, 5.0, 3600.0])
DISKS = st.sampled_from([0.0, 0.03])
