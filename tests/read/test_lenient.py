"""`quotes: lenient`: quotes that do not enclose a field are its text; off unless asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.mapping.model import Source
from etl.read import header, read

ROWS = 'a,b,c\n1,"User 10" <114>,"SIP/1,60"\n2,"x ""y"" z",5" disk\n3,"two\nlines",x\n4,"",\n5,"a"b"",""\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text(ROWS, newline="")
    return path


def test_strict_rejects_them_and_lenient_reads_what_was_written(file: Path) -> None:
    (strict,) = read(file, Source())
    (lenient,) = read(file, Source(quotes="lenient"))

    assert [reject.line for reject in strict.rejects] == [2, 3, 7]
    assert strict.frame["a"].tolist() == ["3", "4"]
    assert lenient.rejects == []
    assert lenient.lines.tolist() == [2, 3, 4, 6, 7]
    assert lenient.frame["b"].tolist()[:3] == ['"User 10" <114>', 'x "y" z', "two\nlines"]
    assert lenient.frame["c"].tolist()[:3] == ["SIP/1,60", '5" disk', "x"]
    assert lenient.frame["b"].tolist()[4] == '"a"b""'


def test_lines_and_rows_stay_right_over_many_stretches(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    one = '{n},"User" <1>,c\n{n},"a\nb","y,z"\n'
    path.write_text("a,b,c\n" + "".join(one.format(n=n) for n in range(3_000)), newline="")

    chunks = list(read(path, Source(quotes="lenient"), chunk_bytes=1_000))

    assert [each for chunk in chunks for each in chunk.frame["a"]] == [str(n) for n in range(3_000) for _ in (0, 1)]
    assert [each for chunk in chunks for each in chunk.lines.tolist()] == [
        line for n in range(3_000) for line in (2 + 3 * n, 3 + 3 * n)
    ]
    assert not any(chunk.rejects for chunk in chunks)


def test_a_file_without_header_may_end_before_the_last_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2,3\n4,5\n6,7,8\n")
    source = Source(header="none", names=("a", "b", "c", "d", "e"))

    assert header(path, source) == ("a", "b", "c")
    (chunk,) = read(path, source)
    assert chunk.frame["c"].tolist() == ["3", "8"]
    assert [reject.line for reject in chunk.rejects] == [2]
