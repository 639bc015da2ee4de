"""What counts as the same content: the payload, and the links in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from etl.checkpoint.folding import fold
from etl.flow import Linked, Wanted
from tests.conftest import make_linked

_CALL: dict[str, Any] = {"contacts": [("phone", [["+1"], ["+2", "+3"], None])]}


def linked(wanted: dict[str, Any], owner: tuple[str | None, ...] = ("5", None, None)) -> Linked:
    """Three rows that want this: for each kind, ways with their words."""
    ways: Any = {
        kind: tuple(Wanted(by, pa.array(words, pa.list_(pa.string()))) for by, words in some)
        for kind, some in wanted.items()
    }
    made = make_linked(["a", "b", "c"])
    return replace(made, drafts=replace(made.drafts, wanted=ways, owner=pa.array(owner, pa.string())))


def hashes(made: Linked) -> list[bytes]:
    folded = fold(made, pack=True)
    return [folded.hash(row) for row in range(len(folded))]


@pytest.mark.parametrize(
    ("wanted", "same"),
    [
        (_CALL, (True, True, True)),
        ({"contacts": [("phone", [["+1"], ["+2"], None])]}, (True, False, True)),
        ({"contacts": [("phone", [["+1"], ["+2", "+3"], []])]}, (True, True, False)),
        ({"contacts": [("email", [["+1"], ["+2", "+3"], None])]}, (False, False, True)),
        ({"companies": [("phone", [["+1"], ["+2", "+3"], None])]}, (False, False, True)),
        ({"contacts": [*_CALL["contacts"], ("email", [None, None, ["c@"]])]}, (True, True, False)),
    ],
    ids=["as it was", "a word less", "nothing, but asked for", "another way", "another kind", "a way more"],
)
def test_words_are_part_of_the_content_of_the_rows_that_have_them(wanted: Any, same: tuple[bool, ...]) -> None:
    before, now = hashes(linked(_CALL)), hashes(linked(wanted))

    assert tuple(old == new for old, new in zip(before, now, strict=True)) == same


def test_the_owner_is_part_of_the_content() -> None:
    before, now = hashes(linked(_CALL)), hashes(linked(_CALL, owner=("6", None, "5")))

    assert [old == new for old, new in zip(before, now, strict=True)] == [False, True, False]


def test_the_order_of_the_kinds_in_the_mapping_does_not_matter() -> None:
    both = {**_CALL, "deals": [("id", [["7"], None, None])]}

    assert hashes(linked(both)) == hashes(linked(dict(reversed(both.items()))))


def test_a_row_has_one_content_whatever_rows_are_beside_it() -> None:
    whole = linked(_CALL)
    alone = whole.head(1)  # none of its words is null, so that they are joined in another way

    assert hashes(alone) == hashes(whole)[:1]
