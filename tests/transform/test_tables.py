"""Crosswalk tables: read once, keys compared as `key_as` says."""

from pathlib import Path

import pytest

from etl.errors import ContentError, InputError
from etl.mapping.model import Table
from etl.transform.tables import read_tables, salesforce_id


def table(folder: Path, text: str, key_as: str = "text") -> dict[str, str]:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return read_tables({"t": Table(path=path, key="k", value="v", key_as=key_as)}, "US")["t"]


def test_a_table_is_its_keys_and_values_as_text(tmp_path: Path) -> None:
    assert table(tmp_path, "k,x,v\n007,q,1\nNA,q,2\n,q,3\nz,q,\n") == {"007": "1", "NA": "2"}


@pytest.mark.parametrize(
    ("key_as", "text", "expected"),
    [
        ("salesforce_id", "001D000000IqhSL", "001D000000IqhSLIAZ"), ("salesforce_id", "001D000000IqhSLIAZ", "001D000000IqhSLIAZ"),
        ("email", "Ann <Ann@Example.com>", "ann@example.com"), ("phone", "(206) 555-0100", "+12065550100"), ("id", "0012", "12"),
        ("text", " a ", "a"),
    ],
)  # fmt: skip
def test_keys_are_written_as_they_are_compared(tmp_path: Path, key_as: str, text: str, expected: str) -> None:
    assert table(tmp_path, f'k,v\n"{text}",1\n', key_as) == {expected: "1"}


def test_a_key_for_two_values_is_refused_and_a_line_twice_is_not(tmp_path: Path) -> None:
    assert table(tmp_path, "k,v\na,1\na,1\n") == {"a": "1"}
    with pytest.raises(ContentError, match="`a` stands for two values"):
        table(tmp_path, "k,v\na,1\na,2\n")


def test_a_table_that_is_not_there_or_lacks_a_column_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_tables({"t": Table(path=tmp_path / "none.csv", key="k", value="v")}, None)
    with pytest.raises(ContentError, match="no column `v`"):
        table(tmp_path, "k,w\na,1\n")


def test_ids_that_are_not_salesforce_ids_stay_as_they_are() -> None:
    assert [salesforce_id(text) for text in ("", "short", "x" * 18, "00-D000000IqhSL")] == [
        "",
        "short",
        "x" * 18,
        "00-D000000IqhSL",
    ]
