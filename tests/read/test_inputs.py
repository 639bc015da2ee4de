"""Folders, globs and archives: what stands for which inputs, and members read as if they were files."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from etl.errors import ContentError, InputError
from etl.mapping.model import Source
from etl.read import Limits, fingerprint, header, inputs, read, unchanged

CSV = Source()


def archive(path: Path, **members: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in members.items():
            out.writestr(name.replace("calls__", "calls/").replace("_csv", ".csv").replace("_gz", ".gz"), text)
    return path


def test_a_folder_stands_for_its_files_of_the_format_by_name(tmp_path: Path) -> None:
    for name in ("b.csv", "a.CSV", "notes.md", ".hidden.csv", "c.csv.gz"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "inner").mkdir()

    assert [each.name for each in inputs([tmp_path], CSV)] == ["a.CSV", "b.csv", "c.csv.gz"]
    with pytest.raises(InputError, match=r"no jsonl file \(\.jsonl") as caught:
        inputs([tmp_path], Source(format="jsonl"))
    assert caught.value.exit_code == 66


def test_text_files_count_only_where_there_are_no_others(tmp_path: Path) -> None:
    (tmp_path / "smdr.txt").write_text("a\n1\n")
    assert [each.name for each in inputs([tmp_path], CSV)] == ["smdr.txt"]
    (tmp_path / "calls.csv").write_text("a\n1\n")
    assert [each.name for each in inputs([tmp_path], CSV)] == ["calls.csv"]


def test_a_glob_stands_for_what_it_matches_and_nothing_is_read_twice(tmp_path: Path) -> None:
    for name in ("2025-01.log", "2025-02.log", "odd[1].log"):
        (tmp_path / name).write_text("a\n1\n")

    found = inputs([tmp_path / "2025-02.log", tmp_path / "2025-*.log", tmp_path / "odd[1].log"], CSV)

    assert [each.name for each in found] == ["2025-02.log", "2025-01.log", "odd[1].log"]
    with pytest.raises(InputError, match="no file matches"):
        inputs([tmp_path / "2026-*.log"], CSV)


def test_each_file_of_an_archive_is_an_input_with_its_own_lines(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.zip", z_csv="a,b\n1,2\n", calls__monday_csv='a,b\n"x\ny",2\n3\n4,5\n', readme="no",
        **{"__MACOSX/z.csv": "rubbish"}, packed_csv_gz=gzip.compress(b"a,b\n7,8\n"),
    )  # fmt: skip

    found = inputs([path], CSV)

    assert [str(each).removeprefix(f"{path}!") for each in found] == ["calls/monday.csv", "packed.csv.gz", "z.csv"]
    (chunk,) = read(found[0], CSV)
    assert chunk.source == f"{path}!calls/monday.csv"
    assert chunk.lines.tolist() == [2, 5]
    assert [reject.line for reject in chunk.rejects] == [4]
    assert header(found[1], CSV) == ("a", "b")
    (packed,) = read(found[1], CSV)
    assert packed.frame["a"].tolist() == ["7"]


def test_members_are_known_by_their_own_bytes_and_by_the_archive_they_are_in(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", x_csv="a\n1\n", y_csv="a\n2\n")
    first, second = (fingerprint(each) for each in inputs([path], CSV))

    assert first.sha256 != second.sha256
    assert unchanged(first)
    archive(path, x_csv="a\n1\n", y_csv="a\n2\n", w_csv="a\n3\n")
    assert not unchanged(first)
    assert fingerprint(inputs([path], CSV)[1]).sha256 == first.sha256


def test_damaged_locked_and_empty_archives_are_named_for_what_they_are(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.zip", x_csv="a,b\n" + "1,2\n" * 5_000).read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[:-30])
    with pytest.raises(ContentError, match="damaged or cut off") as caught:
        inputs([cut], CSV)
    assert caught.value.code == "bad_zip"

    spoiled = tmp_path / "spoiled.zip"
    spoiled.write_bytes(whole[:60] + bytes(each ^ 0xFF for each in whole[60:70]) + whole[70:])
    with pytest.raises(ContentError, match=r"spoiled.zip!x.csv: the ZIP archive is damaged"):
        list(read(inputs([spoiled], CSV)[0], CSV))

    locked = tmp_path / "locked.zip"
    locked.write_bytes(
        whole[:6] + b"\x01" + whole[7:].replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    )
    with pytest.raises(ContentError, match="encrypted"):
        header(inputs([locked], CSV)[0], CSV)

    with pytest.raises(InputError, match="has no csv file") as missing:
        inputs([archive(tmp_path / "b.zip", readme="x")], CSV)
    assert "b.zip!readme" in missing.value.hint
    with pytest.raises(InputError, match="has no such file"):
        header(Path(f"{tmp_path / 'a.zip'}!nothing.csv"), CSV)


def test_an_archive_that_unpacks_out_of_proportion_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "bomb.zip", x_csv="a\n" + "1\n" * 4_000_000)

    with pytest.raises(ContentError, match="out of proportion") as caught:
        header(inputs([path], CSV)[0], CSV, limits=Limits(unpacked_free=1 << 20))
    assert caught.value.code == "zip_bomb"


def test_a_folder_of_mails_is_one_input_that_knows_when_one_of_them_changed(tmp_path: Path) -> None:
    eml = Source(format="eml")
    (tmp_path / "sub").mkdir()
    for name in ("b.eml", "sub/a.eml"):
        (tmp_path / name).write_text(f"From: ann@example.com\nSubject: {name}\n\nx\n")
    assert inputs([tmp_path], eml) == (tmp_path,)
    seen = fingerprint(tmp_path)

    (chunk,) = read(tmp_path, eml)

    assert chunk.frame["file"].tolist() == ["b.eml", "sub/a.eml"]
    assert chunk.lines.tolist() == [1, 2]
    assert unchanged(seen)
    (tmp_path / "sub" / "a.eml").write_text("From: bob@example.org\n\nlonger than before\n")
    assert not unchanged(seen)


def test_an_archive_of_mails_is_read_like_the_folder(tmp_path: Path) -> None:
    eml = Source(format="eml")
    with zipfile.ZipFile(tmp_path / "mail.zip", "w") as out:
        out.writestr("in/1.eml", "From: ann@example.com\nSubject: one\n\nx\n")
        out.writestr("in/2.eml", "no header here\n")
    (path,) = inputs([tmp_path / "mail.zip"], eml)

    (chunk,) = read(path, eml)

    assert chunk.frame["subject"].tolist() == ["one"]
    assert [(reject.line, reject.problems[0].code) for reject in chunk.rejects] == [(2, "unreadable_row")]
