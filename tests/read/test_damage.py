"""Damaged files of every format: chunks, rejects or an error that says what to do, and never anything else."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import EtlError
from etl.mapping.model import Source
from etl.read import header, inputs, read

SAMPLES = Path(__file__).parents[2] / "sample_data"
SEEDS = {
    "mbox": SAMPLES / "thunderbird" / "Inbox.mbox",
    "ics": SAMPLES / "icalendar" / "meetings.ics",
    "eml": SAMPLES / "eml" / "06.eml",
    "csv": SAMPLES / "freepbx" / "cdr.csv",
}
PIECES = [b"=?utf-8?B?", b"\0", b"\xff\xfe", b"\r", b'"', b"\nFrom ", b"--b", b"TZID=", b"charset=utf-7", b'charset="\x80', b"boundary=",
          b"; filename*=utf-8''%ff", b"BEGIN:VEVENT\n", b"\xed\xa0\x80", b"Date: Fri, 31 Feb 99999 25:61:61 +9999\n", b"PK\x03\x04"]  # fmt: skip


def made(folder: Path, format_: str) -> Path:
    """A good file of the format."""
    if format_ == "parquet":
        pq.write_table(pa.table({"a": [*range(50)], "b": ["x"] * 50}), folder / "a.parquet")
        return folder / "a.parquet"
    if format_ == "jsonl":
        (folder / "a.jsonl").write_text("".join(f'{{"a": {n}, "b": {{"c": [1, "x"]}}}}\n' for n in range(30)))
        return folder / "a.jsonl"
    if format_ == "zip":
        with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("a.csv", "a,b\n" + "1,2\n" * 200)
        return folder / "a.zip"
    if format_ == "google_voice":
        return min((SAMPLES / "google-voice").glob("*Text*"))
    return SEEDS[format_]


def spoiled(content: bytes, r: random.Random) -> bytes:
    data = bytearray(content[: r.choice([len(content), r.randrange(len(content))])])
    for _ in range(r.choice([1, 3, 10])):
        at, what = r.randrange(len(data) + 1), r.random()
        if what < 0.3 and at < len(data):
            data[at] = r.randrange(256)
        elif what < 0.6:
            del data[at : at + r.randrange(1, 30)]
        else:
            data[at:at] = r.choice(PIECES)
    return bytes(data)


@pytest.mark.parametrize("format_", [*SEEDS, "parquet", "jsonl", "zip", "google_voice"])
def test_damage_is_named_or_rejected_and_every_chunk_is_whole(tmp_path: Path, format_: str) -> None:
    good, r = made(tmp_path, format_), random.Random(format_)
    path = tmp_path / f"spoiled{good.suffix}"
    source = Source(format="csv" if format_ == "zip" else format_, quotes="lenient")
    whole, hints = 0, list[str]()
    for _ in range(120):
        path.write_bytes(spoiled(good.read_bytes(), r))
        try:
            for each in inputs([path], source):
                names = header(each, source)
                for chunk in read(each, source):
                    assert tuple(chunk.frame.columns) == names
                    assert len(chunk.rows) == len(chunk.lines)
                    chunk.frame.to_csv().encode()
                    assert all(reject.problems and reject.raw.encode() is not None for reject in chunk.rejects)
            whole += 1
        except EtlError as error:
            hints.append(error.hint)
    assert all(hints)
    assert whole + len(hints) == 120
