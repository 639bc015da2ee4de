"""Any table that Python's csv module writes is read back as csv.reader reads it, line numbers included."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.errors import EtlError
from etl.mapping.model import Source
from etl.read import read

ALPHABET = 'ab1,;\t"\n\r \u00e9\u6771\U0001f642\ufeff\x85\u2028'
CELL = st.text(st.sampled_from(ALPHABET), max_size=8)
SIZES = st.sampled_from([1, 2, 3, 7, 16, 64, 1 << 20])
SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[list[str]]]:
    width = draw(st.integers(1, 5))
    return width, draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=12))


def written(rows: list[list[str]], delimiter: str, ends: list[str], quoting: int, blanks: list[int]) -> str:
    """The rows as CSV, each with a line end of its own and so many empty lines before it."""
    text = ""
    for i, row in enumerate(rows):
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="\r\n", quoting=quoting).writerow(row)
        end = ends[i % len(ends)]
        text += end * blanks[i % len(blanks)] + out.getvalue().removesuffix("\r\n") + end
    return text


def expected(text: str, delimiter: str, *, strict: bool = True) -> tuple[list[list[str]], list[int]]:
    """Rows and lines as csv.reader sees them; a line ends with a line feed."""
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=strict)
    rows, lines, before = [], [], 0
    for row in reader:
        if row:
            rows.append(row)
            lines.append(before + 1)
        before = reader.line_num
    return rows, lines


def cells(path: Path, source: Source, size: int) -> tuple[list[list[str]], list[int], list[int]]:
    rows: list[list[str]] = []
    lines: list[int] = []
    rejected: list[int] = []
    for chunk in read(path, source, chunk_bytes=size):
        assert len(chunk.rows) == len(chunk.lines)
        assert list(chunk.frame.index) == list(range(len(chunk.rows)))
        rows += chunk.frame.astype(object).where(chunk.frame.notna(), "").to_numpy().tolist()
        lines += chunk.lines.tolist()
        rejected += [reject.line for reject in chunk.rejects]
    return rows, lines, rejected


@SETTINGS
@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    ends=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=3),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    blanks=st.lists(st.integers(0, 2), min_size=1, max_size=3),
    size=SIZES,
    cut_end=st.booleans(),
)
def test_a_table_written_by_the_csv_module_is_read_back_with_its_lines(
    tmp_path: Path,
    table: tuple[int, list[list[str]]],
    delimiter: str,
    ends: list[str],
    quoting: int,
    blanks: list[int],
    size: int,
    cut_end: bool,
) -> None:
    width, rows = table
    names = [f"c{i}" for i in range(width)]
    text = written([names, *rows], delimiter, ends, quoting, blanks)
    text = text.removesuffix("\n") if cut_end else text
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    want_rows, want_lines = expected(text, delimiter)

    got_rows, got_lines, rejected = cells(path, Source(delimiter=delimiter), size)

    assert not rejected
    assert (got_rows, got_lines) == (want_rows[1:], want_lines[1:])


def outcome(path: Path, size: int) -> object:
    """What became of a file: rows and rejects by line, or the error."""
    try:
        chunks = list(read(path, Source(), chunk_bytes=size))
    except EtlError as error:
        return error.code, error.message
    rows = [
        (line, row)
        for chunk in chunks
        for line, row in zip(chunk.lines.tolist(), chunk.frame.fillna("").to_numpy().tolist(), strict=True)
    ]
    return rows, [(reject.line, reject.problems, reject.raw) for chunk in chunks for reject in chunk.rejects]


@SETTINGS
@given(body=st.text(st.sampled_from('a,,""\n\n '), max_size=40), size=SIZES)
def test_any_text_gives_the_same_in_pieces_of_any_size_and_never_a_row_that_is_not_there(
    tmp_path: Path, body: str, size: int
) -> None:
    path = tmp_path / "any.csv"
    text = "x,y\n" + body
    path.write_bytes(text.encode())

    whole = outcome(path, 1 << 20)

    assert outcome(path, size) == whole
    if isinstance(whole[0], list):
        rows, lines = expected(text, ",", strict=False)
        there = dict(zip(lines, rows, strict=True))
        assert sorted(there)[1:] == sorted([line for line, *_ in whole[0] + whole[1]])
        for line, cells_read in whole[0]:
            assert there[line] == cells_read
