"""What the mapping's `source` says about a file, and values that other readers change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from etl.errors import ConfigError, ContentError, InputError
from etl.flow import Chunk
from etl.mapping.model import Source
from etl.read import header, read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "calls.csv"


def chunk_of(path: Path, text: str, **source: object) -> Chunk:
    path.write_text(text, encoding="utf-8", newline="")
    (chunk,) = read(path, Source(**source))
    return chunk


def test_text_stays_the_text_that_it_was(file: Path) -> None:
    values = [
        "NA",
        "null",
        "None",
        "nan",
        "007",
        "+442075550123",
        "12345678901234567890",
        "1e5",
        "true",
        " x ",
        "2025-01-02",
    ]

    chunk = chunk_of(file, "a,b\n" + "".join(f"{value},x\n" for value in values))

    assert chunk.frame["a"].tolist() == values
    assert chunk.frame["a"].dtype == pd.ArrowDtype(pa.string())
    assert chunk.lines.dtype == np.int64
    assert chunk.source == str(file)


def test_missing_texts_are_null_quoted_or_not(file: Path) -> None:
    text = 'a,b\n-,"-"\n,""\nN/A,x\nn/a,--\n'

    assert chunk_of(file, text, missing=("", "-", "N/A")).frame.isna().to_numpy().tolist() == [
        [True, True],
        [True, True],
        [True, False],
        [False, False],
    ]
    assert chunk_of(file, text, missing=("-",)).frame["b"].fillna("null").tolist() == ["null", "", "x", "--"]


def test_in_a_file_of_one_column_an_empty_cell_is_quoted_and_an_empty_line_is_no_row(file: Path) -> None:
    chunk = chunk_of(file, 'a\n1\n\n""\r\n\r\n2\n')

    assert chunk.frame["a"].fillna("empty").tolist() == ["1", "empty", "2"]
    assert chunk.lines.tolist() == [2, 4, 6]


def test_the_header_may_stand_further_down(file: Path) -> None:
    text = 'Report "Calls\nof May\na,b\n1,2\n'

    for where in ({"skip_rows": 2}, {"header": 3}, {"skip_rows": 1, "header": 2}):
        chunk = chunk_of(file, text, **where)
        assert (chunk.frame.to_dict("list"), chunk.lines.tolist()) == ({"a": ["1"], "b": ["2"]}, [4])
    with pytest.raises(ConfigError, match="counts from 1"):
        chunk_of(file, text, header=0)
    with pytest.raises(InputError, match="the 9 lines to be skipped are all that it has"):
        chunk_of(file, text, skip_rows=9)


def test_a_file_without_header_takes_the_names_of_the_mapping(file: Path) -> None:
    chunk = chunk_of(file, "\n1,2\n3,4,5\n", header="none", names=("x", "y"))

    assert (chunk.frame.to_dict("list"), chunk.lines.tolist()) == ({"x": ["1"], "y": ["2"]}, [2])
    assert [reject.line for reject in chunk.rejects] == [3]
    assert header(file, Source(header="none", names=("x", "y"))) == ("x", "y")
    with pytest.raises(ConfigError, match="names"):
        chunk_of(file, "1,2\n", header="none")


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ":"])
def test_other_delimiters(file: Path, delimiter: str) -> None:
    chunk = chunk_of(file, f'a{delimiter}b\n1,0{delimiter}"x{delimiter}y"\n', delimiter=delimiter)

    assert chunk.frame.to_numpy().tolist() == [["1,0", f"x{delimiter}y"]]


@pytest.mark.parametrize("footer", ["Totals,3", "Totals", '"Totals",1,2'])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_footer_ends_the_rows_whole_or_ragged(file: Path, footer: str, size: int) -> None:
    file.write_text(f'When,n\nx,1\nz Totals\ny,2\n"a\nTotals",5\n{footer}\nprinted by,"\n')

    chunks = list(read(file, Source(stop_at={"When": "Totals"}), chunk_bytes=size))

    assert [cell for chunk in chunks for cell in chunk.frame["n"]] == ["1", "2", "5"]
    assert [reject.line for chunk in chunks for reject in chunk.rejects] == [3]


def test_a_footer_may_be_told_by_several_cells_or_an_empty_one_and_may_not_be_all(file: Path) -> None:
    text = 'a,b\nTotals,1\n,2\n"To""tals",3\nTotals,3\n4,5\n'

    assert len(chunk_of(file, text, stop_at={"a": "Totals", "b": "3"}).rows) == 3
    assert len(chunk_of(file, text, stop_at={"a": ""}).rows) == 1
    assert len(chunk_of(file, text, stop_at={"a": 'To"tals'}).rows) == 2
    with pytest.raises(InputError, match="no rows"):
        chunk_of(file, text, stop_at={"a": "Totals"})


def test_a_footer_needs_its_column(file: Path) -> None:
    with pytest.raises(ContentError, match="no column 'Nope'"):
        chunk_of(file, "a\n1\n", stop_at={"Nope": "x"})


def test_the_columns_that_a_reject_file_adds_are_ignored(file: Path) -> None:
    chunk = chunk_of(file, 'a,_etl_line,b,_etl_raw\n1,17,2,"x ""y"" z"\n')

    assert chunk.frame.to_dict("list") == {"a": ["1"], "b": ["2"]}
    assert header(file, Source()) == ("a", "b")


def test_a_cell_may_begin_with_a_byte_order_mark(file: Path) -> None:
    assert chunk_of(file, "a,b\n\ufeffx,1\n").frame["a"].tolist() == ["\ufeffx"]


def test_every_row_is_in_exactly_one_place_and_chunks_are_large(file: Path) -> None:
    rows = ["1,2" if i % 7 else "1,2,3" for i in range(10_000)]
    file.write_text("a,b\n" + "\n".join(rows))

    chunks = list(read(file, Source(), chunk_bytes=10_000))

    assert sum(len(chunk.rows) + len(chunk.rejects) for chunk in chunks) == 10_000
    assert all(len(chunk.rows) + len(chunk.rejects) > 1_500 for chunk in chunks[:-1])
    lines = sorted([line for chunk in chunks for line in chunk.lines] + [r.line for c in chunks for r in c.rejects])
    assert lines == list(range(2, 10_002))
