"""JSON by columns: whatever is written is read back as what was meant."""

import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from etl.columns.arrays import Column
from etl.columns.fragments import fragment, joined, json_object, json_text, list_fragment
from etl.columns.keys import key_texts
from etl.flow import key_text

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
MAYBE = st.one_of(st.none(), TEXT)


@given(st.lists(MAYBE, max_size=8))
def test_texts_are_quoted_so_that_they_come_back(texts: list[str | None]) -> None:
    made = json_text(Column("text", pa.array(texts, pa.string()))).to_pylist()

    assert [None if each is None else orjson.loads(each) for each in made] == texts


@given(st.lists(st.one_of(st.none(), st.lists(MAYBE, max_size=3)), max_size=6))
def test_lists_are_written_without_their_empty_elements(lists: list[list[str | None] | None]) -> None:
    made = joined(*list_fragment(pa.array(lists, pa.list_(pa.string())), quote=True)).to_pylist()

    expected = [None if each is None else [text for text in each if text is not None] for each in lists]
    assert [None if each is None else orjson.loads(each) for each in made] == expected


@given(
    st.lists(
        st.tuples(MAYBE, st.one_of(st.none(), st.integers(-5, 5)), MAYBE, st.one_of(st.none(), st.booleans())),
        max_size=6,
    )
)
def test_objects_hold_the_members_that_are_there_in_their_order(rows: list[tuple[object, ...]]) -> None:
    kinds = (("text", pa.string()), ("int", pa.int64()), ("text", pa.string()), ("bool", pa.bool_()))
    columns = [Column(kind, pa.array([row[place] for row in rows], type_)) for place, (kind, type_) in enumerate(kinds)]

    made = json_object([(f'"{place}', fragment(column)) for place, column in enumerate(columns)], len(rows)).to_pylist()

    for text, row in zip(made, rows, strict=True):
        assert list(orjson.loads(text).items()) == [
            (f'"{place}', each) for place, each in enumerate(row) if each is not None
        ]


def test_slices_of_columns_are_written_as_what_they_show() -> None:
    array = pa.array(['a"', "b", None, 'c\n"', "d"]).slice(1, 3)

    assert json_text(Column("text", array)).to_pylist() == ['"b"', None, '"c\\n\\""']


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=5))
def test_keys_are_written_as_one_by_one(keys: list[bytes]) -> None:
    assert key_texts(keys).to_pylist() == [key_text(key) for key in keys]
