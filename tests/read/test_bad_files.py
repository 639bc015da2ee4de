"""Each way in which a file can be bad: its own error, exit code and place; and each way in which a row can."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from etl.errors import ROW_CODES, ConfigError, ContentError, EtlError, InputError
from etl.flow import Chunk
from etl.mapping.model import Source
from etl.read import Limits, fingerprint, header, read, unchanged

SMALL = Limits(columns=3, field_bytes=20, field_lines=3, row_bytes=200, row_lines=50, unpacked_free=1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "calls.csv"


def chunks(
    path: Path, content: bytes | str, *, limits: Limits = SMALL, size: int = 1 << 20, **source: object
) -> list[Chunk]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read(path, Source(**source), chunk_bytes=size, limits=limits))


def one(path: Path, content: bytes | str, **options: object) -> Chunk:
    (chunk,) = chunks(path, content, **options)
    return chunk


def refused(path: Path, content: bytes | str, **options: object) -> EtlError:
    with pytest.raises(EtlError) as caught:
        chunks(path, content, **options)
    assert str(path) in caught.value.message
    return caught.value


# -- the file -----------------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(file: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        next(read(file, Source()))

    assert (caught.value.exit_code, caught.value.code) == (66, "missing_file")


def test_a_directory_a_pipe_and_a_device_behind_a_link_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")

    for path, kind in (
        (tmp_path, "a directory"),
        (tmp_path / "pipe.csv", "a pipe"),
        (tmp_path / "zero.csv", "a device"),
    ):
        with pytest.raises(InputError, match=kind) as caught:
            next(read(path, Source()))
        assert caught.value.code == "unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(file: Path) -> None:
    file.write_text("a\n1\n")
    file.chmod(0)

    with pytest.raises(InputError, match="cannot be read"):
        next(read(file, Source()))


@pytest.mark.parametrize("content", ["", "\n\r\n\n", "  \n\t\n ", "\ufeff", "a,b\n", "a,b", "a,b\n\n\r\n", "\x1a"])
def test_a_file_without_rows_has_an_exit_code_of_its_own(file: Path, content: str) -> None:
    error = refused(file, content)

    assert (error.exit_code, error.code) == (66, "empty_file")


def test_a_link_to_a_regular_file_is_read(file: Path, tmp_path: Path) -> None:
    file.write_text("a,b\n1,2\n")
    (tmp_path / "link.csv").symlink_to(file)

    (chunk,) = read(tmp_path / "link.csv", Source())

    assert chunk.frame["b"].tolist() == ["2"]


def test_a_fingerprint_tells_when_the_file_was_touched(file: Path) -> None:
    file.write_text("a\n1\n")
    seen = fingerprint(file)

    assert unchanged(seen)
    assert (seen.size, len(seen.sha256)) == (4, 64)
    file.write_text("a\n1\n2\n")
    assert not unchanged(seen)
    file.unlink()
    assert not unchanged(seen)


def test_other_formats_are_told_from_text(file: Path) -> None:
    for head, kind in ((b"PK\x03\x04", "Excel"), (b"PAR1", "Parquet"), (gzip.compress(b"a\n1\n"), "gzip")):
        error = refused(file, head + b"\0" * 20)
        assert (error.exit_code, error.code) == (65, "not_text")
        assert kind in error.message

    with pytest.raises(ContentError, match="no workbook") as caught:
        next(read(file, Source(format="excel")))
    assert (caught.value.exit_code, caught.value.code) == (65, "bad_workbook")


# -- compressed -----------------------------------------------------------------------------------------------------


def test_a_gzip_file_is_read_and_its_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv.gz"
    packed = gzip.compress(b"a,b\n1,2\n")

    assert one(path, packed).frame["a"].tolist() == ["1"]
    for damaged in (packed[:-3], packed[:-12], packed[:12] + b"\xff" + packed[13:], b"a,b\n1,2\n"):
        error = refused(path, damaged)
        assert (error.exit_code, error.code) == (65, "bad_gzip")


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv.gz"

    assert refused(path, gzip.compress(b"a,b\n" + b"1,2\n" * 50_000)).code == "gzip_bomb"
    assert refused(path, gzip.compress(b"a,b\n" + b"1,2\n" * 99), limits=Limits(unpacked_bytes=99)).code == "gzip_bomb"
    assert refused(path, gzip.compress(gzip.compress(b"a\n1\n"))).code == "not_text"


# -- encodings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marks", [1, 2, 3])
def test_byte_order_marks_are_stripped_however_many(file: Path, marks: int) -> None:
    chunk = one(file, b"\xef\xbb\xbf" * marks + b"a,b\n1,2\n")

    assert list(chunk.frame.columns) == ["a", "b"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1", "utf-8-sig"])
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_a_declared_encoding_is_decoded_in_pieces(file: Path, encoding: str, size: int) -> None:
    got = chunks(file, 'a,b\ncaf\u00e9,"1\n2"\nx,\u00ff\n'.encode(encoding), encoding=encoding, size=size)

    cells = [row for chunk in got for row in chunk.frame.to_numpy().tolist()]
    assert cells == [["caf\u00e9", "1\n2"], ["x", "\u00ff"]]
    assert [line for chunk in got for line in chunk.lines] == [2, 4]


@pytest.mark.parametrize(
    ("written", "declared", "right"),
    [
        ("utf-16", "utf-8", "utf-16"),
        ("utf-16-le", "utf-8", "utf-16-le"),
        ("utf-16-be", "cp1252", "utf-16-be"),
        ("utf-32", "utf-8", "utf-32"),
        ("utf-8-sig", "cp1252", "utf-8"),
        ("utf-8", "utf-16", "utf-8"),
    ],
)
def test_a_file_that_says_another_encoding_is_refused_with_the_right_one(
    file: Path, written: str, declared: str, right: str
) -> None:
    error = refused(file, "Call,From\n1,2\n".encode(written), encoding=declared)

    assert (error.exit_code, error.code) == (65, "wrong_encoding")
    assert f"`encoding: {right}`" in error.hint


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_bytes_that_are_not_utf8_are_named_by_line_and_byte(file: Path, size: int) -> None:
    error = refused(file, b'\xef\xbb\xbfa,b\n1,"x\n\n"\n2,caf\xe9 cr\xe8me br\xfbl\xe9e\n', size=size)

    assert (error.exit_code, error.code) == (65, "bad_bytes")
    assert "line 5: the bytes E9" in error.message
    assert "byte 20 of the file" in error.message
    assert "`encoding`" in error.hint


@pytest.mark.parametrize("found", [b"\xc0\xaf", b"\xed\xa0\x80", b"\xff", b"\xc3"])
def test_overlong_forms_surrogates_and_cut_characters_are_not_utf8(file: Path, found: bytes) -> None:
    error = refused(file, b"a,b\n1," + found)

    assert error.code == "bad_bytes"
    assert "line 2" in error.message


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_bytes_that_a_declared_encoding_does_not_have_are_named_too(file: Path, size: int) -> None:
    error = refused(file, b"a,b\n1,2\n3,\x81\n", encoding="cp1252", size=size)

    assert "line 3: the bytes 81 at byte 10" in error.message
    half = "a,b\n1,2\n".encode("utf-16") + b"x"
    assert "line 3" in refused(file, half, encoding="utf-16", size=size).message


def test_the_hint_guesses_the_encoding_but_the_reader_does_not(file: Path) -> None:
    text = "Name,Note\n" + "Zo\u00eb,caf\u00e9 cr\u00e8me \u2013 d\u00e9j\u00e0 vu, \u20ac 5\n" * 20

    assert "It looks like cp1252" in refused(file, text.encode("cp1252")).hint


def test_an_unknown_encoding_is_a_setting_to_correct(file: Path) -> None:
    for encoding in ("utf-9", "base64"):
        with pytest.raises(ConfigError, match=encoding):
            chunks(file, "a\n1\n", encoding=encoding)


# -- quotes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('1,2\n3,"x\n5,6\n', 3),  # never closed
        ('1,2\n3,"x\n5,"y"\n', 3),  # closed by a quote that should open
        ('1,2\n3,"he said ""no""\n4,5\n', 3),
        ('1,2\n3," ""\n4,""z\n', 3),
        ('1,"x\n2,y\n3,"z\n4,5\n', 2),
        ('1, "x\n2,y"\n', 2),  # opened after a blank: a quote of the text, or not?
        ('1,"said "hello" to\nme"\n', 2),
    ],
)
def test_where_quotes_leave_the_rows_uncertain_the_file_is_refused_with_the_line_of_the_quote(
    file: Path, body: str, line: int, size: int
) -> None:
    error = refused(file, "a,b\n" + body, size=size)

    assert (error.exit_code, error.code) == (65, "unclosed_quote")
    assert f"line {line}: " in error.message


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(
    "row", ['5" disk,x', '"5" disk",x', '"x"y,z', 'a "b" c,d', '1, "x"', '1,"said "hi" to me"', '"x" ,y']
)
def test_quotes_in_the_middle_of_a_field_reject_the_row_and_no_other(file: Path, row: str, size: int) -> None:
    got = chunks(file, f'a,b\n"1","x\ny"\n{row}\r\n3,"4"\n', size=size)

    assert [cell for chunk in got for cell in chunk.frame["a"]] == ["1", "3"]
    assert [line for chunk in got for line in chunk.lines] == [2, 5]
    (reject,) = [reject for chunk in got for reject in chunk.rejects]
    assert (reject.line, [p.code for p in reject.problems], reject.raw) == (4, ["bad_quotes"], row)


def test_many_broken_rows_are_each_rejected(file: Path) -> None:
    chunk = one(file, "a,b\n" + '1,"x"\n2,5" disk\n3,"y, z"\n' * 500)

    assert chunk.frame["b"].tolist() == ["x", "y, z"] * 500
    assert [reject.line for reject in chunk.rejects] == list(range(3, 1502, 3))


# -- rows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_row_with_too_many_or_too_few_fields_is_a_reject_never_a_shift(file: Path, size: int) -> None:
    got = chunks(file, 'a,b\n1,2\n3,4,5\n"6\n7",8\n9\n"1,0",11\n', size=size)

    assert [row for chunk in got for row in chunk.frame.to_numpy().tolist()] == [
        ["1", "2"],
        ["6\n7", "8"],
        ["1,0", "11"],
    ]
    assert [line for chunk in got for line in chunk.lines] == [2, 4, 7]
    rejects = [reject for chunk in got for reject in chunk.rejects]
    assert [(r.line, r.raw, r.problems[0].code) for r in rejects] == [
        (3, "3,4,5", "ragged_row"),
        (6, "9", "ragged_row"),
    ]
    assert [r.problems[0].message for r in rejects] == ["expected 2 fields, found 3", "expected 2 fields, found 1"]


def test_a_file_in_which_no_row_fits_the_header_is_refused(file: Path) -> None:
    error = refused(file, "a,b\n1,2,\n3,4,\n")

    assert (error.exit_code, error.code) == (65, "ragged_file")
    assert "the header on line 1 has 2 fields, and each of the 2 rows has 3" in error.message
    assert refused(file, "a,b\n" + "1,2,\n" * 2000 + "1,2\n", size=64).code == "ragged_file"
    assert len(one(file, "a,b\n1,2,3\n").rejects) == 1


def test_nul_and_lone_carriage_returns_reject_their_row(file: Path) -> None:
    chunk = one(file, 'a,b\nx\0y,1\n1\r2,3\n"4\r5",6\n7\r,8,9\n')

    assert [(r.line, [p.code for p in r.problems]) for r in chunk.rejects] == [
        (2, ["nul_byte"]),
        (3, ["lone_cr"]),
        (5, ["lone_cr", "ragged_row"]),
    ]
    assert chunk.frame.to_numpy().tolist() == [["4\r5", "6"]]


def test_lines_may_end_in_several_ways(file: Path) -> None:
    chunk = one(file, b"a,b\r\n1,2\n3,4\r\r\n\r\r\n\r\n5,6\r\n\n7,8\r")

    assert chunk.frame["b"].tolist() == ["2", "4", "6", "8"]
    assert chunk.lines.tolist() == [2, 3, 6, 8]


def test_a_file_whose_lines_end_in_carriage_returns_alone_is_refused(file: Path) -> None:
    error = refused(file, b"a,b\r1,2\r3,4\r")

    assert (error.code, error.exit_code) == ("bad_header", 65)
    assert "carriage return" in error.message


def test_a_final_ctrl_z_is_no_row_and_others_are_text(file: Path) -> None:
    chunk = one(file, b"a,b\n1\x1a,2\n\x1a")

    assert chunk.frame.to_numpy().tolist() == [["1\x1a", "2"]]
    assert not chunk.rejects


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_fields_that_are_too_long_or_go_over_too_many_lines_reject_their_row(file: Path, size: int) -> None:
    got = chunks(
        file,
        f'a,b\n{"x" * 20},{"y" * 20}\n{"x" * 21},1\n1,"{"z" * 30}"\n"1\n2\n3\n4","b"\n"1\n2\n3\n4\n5",b\n',
        size=size,
    )

    assert [line for chunk in got for line in chunk.lines] == [2, 5]
    rejects = [reject for chunk in got for reject in chunk.rejects]
    assert [(r.line, r.problems[0].code) for r in rejects] == [(n, "field_too_long") for n in (3, 4, 9)]
    assert "ends on line 13" in rejects[2].problems[0].message


def test_a_row_that_never_ends_is_refused_before_memory_is_full(file: Path) -> None:
    assert refused(file, 'a,b\n1,"' + "x\n" * 5000, size=16).message.endswith(
        "line 2: the quote that opens here is never closed."
    )
    assert refused(file, "a,b\n1," + "x" * 5000, size=16).code == "endless_row"
    file.write_text('a,b\n1,"' + "\n" * 100 + '"\n')
    with pytest.raises(ContentError, match="line 2: the quote that opens here is never closed"):
        list(read(file, Source(), chunk_bytes=4, limits=Limits(row_lines=50)))


def test_every_code_of_a_rejected_row_is_in_the_table() -> None:
    assert {"ragged_row", "bad_quotes", "nul_byte", "lone_cr", "field_too_long"} <= set(ROW_CODES)


# -- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "first", "second"), [("a,b,a", 1, 3), ("Name,x,name", 1, 3), ("x,Call ID,call  id ", 2, 3)]
)
def test_a_repeated_column_is_refused_with_both_places(file: Path, head: str, first: int, second: int) -> None:
    error = refused(file, f"{head}\n1,2,3\n")

    assert (error.exit_code, error.code) == (65, "duplicate_header")
    assert f"column {second} (" in error.message
    assert f"of column {first} (" in error.message


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_wrong_delimiter_is_recognised(file: Path, delimiter: str) -> None:
    error = refused(file, f"a{delimiter}b\n1{delimiter}2\n")

    assert (error.exit_code, error.code) == (65, "wrong_delimiter")
    assert "delimiter: " in error.hint


def test_too_many_columns_are_refused(file: Path) -> None:
    assert refused(file, "a,b,c,d\n1,2,3,4\n").code == "too_many_columns"


def test_headers_that_are_none_are_refused(file: Path) -> None:
    assert "skip_rows: 1" in refused(file, "sep=;\na;b\n1;2\n", delimiter=";").hint
    assert refused(file, 'a,"b" c\n1,2\n').code == "bad_header"
    assert refused(file, "a,b\0\n1,2\n").code == "bad_header"


def test_a_column_without_a_name_is_called_by_its_place(file: Path) -> None:
    assert list(one(file, "a,, \n1,2,3\n").frame.columns) == ["a", "column 2", "column 3"]


def test_a_delimiter_is_one_plain_character(file: Path) -> None:
    for delimiter in ("", ",,", '"', "\n", "\u00a7"):
        with pytest.raises(ConfigError):
            chunks(file, "a\n1\n", delimiter=delimiter)


def test_a_header_may_go_over_lines_but_not_over_the_top(file: Path) -> None:
    assert list(one(file, 'a,"b\nc"\n1,2\n').frame.columns) == ["a", "b\nc"]
    assert refused(file, f"a,{'b' * 200_000}\n1,2\n", limits=Limits()).code == "bad_header"


def test_content_errors_are_raised_when_reached(file: Path) -> None:
    file.write_text('a,b\n1,2\n3,"4\n')
    parts = read(file, Source(), chunk_bytes=8)

    assert next(parts).frame["a"].tolist() == ["1"]
    with pytest.raises(ContentError):
        next(parts)


def test_the_header_alone_needs_no_more_of_the_file(file: Path) -> None:
    file.write_text("a,b\n" + "1,2\n" * 100_000 + '"')

    assert header(file, Source()) == ("a", "b")
