"""Columns: trimming, scattering and the kinds that columns become together."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from etl.columns import arrays
from etl.columns.arrays import Column

TEXTS = pa.list_(pa.string())


#: str.strip takes four separators for white space that Unicode, and arrow, do not.
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x1c\x1d\x1e\x1f"), max_size=5)


@given(st.lists(st.one_of(st.none(), CELLS), max_size=8), st.integers(0, 3))
def test_trimming_is_what_strip_does_and_nothing_is_empty(texts: list[str | None], start: int) -> None:
    found = arrays.trimmed(pa.array(texts, pa.string()).slice(min(start, len(texts))))

    assert found.array.to_pylist() == [(text and text.strip()) or None for text in texts[start:]]


def test_parts_are_put_where_they_belong_as_one_kind() -> None:
    whole = arrays.scatter(
        [
            (np.array([3, 1]), Column("text", pa.array(["d", "b"]))),
            (np.array([0]), Column("texts", pa.array([["x", "y"]], TEXTS))),
        ],
        5,
    )

    assert whole.kind == "texts"
    assert whole.array.to_pylist() == [["x", "y"], ["b"], None, ["d"], None]


def test_a_part_of_nothing_takes_the_kind_of_the_others() -> None:
    whole = arrays.scatter([(np.array([0]), Column("int", pa.array([5]))), (np.array([1]), arrays.nothing(1))], 2)

    assert (whole.kind, whole.array.to_pylist()) == ("int", [5, None])


def test_kinds_that_do_not_go_together_become_text() -> None:
    columns = [Column("int", pa.array([5])), Column("bool", pa.array([True])), Column("text", pa.array(["x"]))]

    assert [each.array.to_pylist() for each in arrays.unify(columns)] == [["5"], ["true"], ["x"]]
    assert [each.kind for each in arrays.unify([Column("int", pa.array([5])), Column("number", pa.array([0.5]))])] == [
        "number"
    ] * 2


def test_lists_are_made_of_owners_and_taken_apart_again() -> None:
    made = arrays.lists(pa.array(["a", "b", "c"]), np.array([0, 2, 2]), 4)

    assert made.to_pylist() == [["a"], None, ["b", "c"], None]
    values, owners = arrays.flat(made)
    assert (values.to_pylist(), owners.tolist()) == (["a", "b", "c"], [0, 2, 2])
    assert arrays.lists(pa.array(["a"]), np.array([1]), 2, bare=True).to_pylist() == [[], ["a"]]


def test_each_distinct_text_is_converted_once() -> None:
    asked: list[str] = []

    found = arrays.per_distinct(
        pa.array(["a", None, "b", "a"]), lambda text: asked.append(text) or text.upper(), pa.string()
    )

    assert (found.to_pylist(), asked) == (["A", None, "B", "A"], ["a", "b"])
