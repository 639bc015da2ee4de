"""The same guess whatever the table is written in: a workbook, JSON lines, Parquet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import ContentError, InputError
from etl.guess import guess
from tests.guess.test_guess import FILES, SAMPLES, made_by
from tests.read.test_typed import row, workbook

SYSTEMS = ("bookings", "didww", "justcall", "notes", "pipedrive", "shoretel")


def in_format(path: Path, folder: Path, ending: str) -> Path:
    """The same table in another format."""
    text = path.read_text(encoding="utf-8-sig")
    names, *rows = [each for each in csv.reader(text.splitlines(), delimiter=max(",;\t|", key=text.count)) if each]
    records = [dict(zip(names, cells, strict=True)) for cells in rows]
    made = folder / f"{path.stem}{ending}"
    if ending == ".xlsx":
        cells = [[f"s:{escape(cell)}" if cell else "" for cell in each] for each in (names, *rows)]
        return workbook(made, Export=[row(number, *each) for number, each in enumerate(cells, 1)])
    if ending == ".jsonl":
        made.write_text("".join(json.dumps(each) + "\n" for each in records))
    else:
        pq.write_table(pa.Table.from_pylist(records), made)
    return made


@pytest.mark.parametrize("ending", [".xlsx", ".jsonl", ".parquet"])
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_table_is_mapped_as_the_same_table_in_csv(tmp_path: Path, name: str, ending: str) -> None:
    path = in_format(FILES / f"{name}.csv", tmp_path, ending)

    mapping, payloads, rejects = made_by(path, guess(path, name=name, timezone="UTC"))

    source = FILES / f"{name}.csv"
    _, wanted, refused = made_by(source, guess(source, name=name, timezone="UTC"))
    assert mapping.source.format == {".xlsx": "excel", ".jsonl": "jsonl", ".parquet": "parquet"}[ending]
    assert [{**each, "line": 0} for each in payloads] == [{**each, "line": 0} for each in wanted]
    assert len(rejects) == len(refused)


@pytest.mark.parametrize("ending", [".xlsx", ".jsonl", ".parquet"])
def test_a_known_export_in_another_format_begins_from_its_preset_with_that_format(tmp_path: Path, ending: str) -> None:
    path = in_format(SAMPLES / "salesforce" / "tasks.csv", tmp_path, ending)
    for table in SAMPLES.parent.joinpath("mappings").glob("crosswalk_*.csv"):
        (tmp_path / table.name).write_bytes(table.read_bytes())

    found = guess(path)

    assert found.preset == "salesforce-tasks"
    assert "which reads the same columns of CSV files" in found.text
    _, payloads, _ = made_by(path, found)
    assert payloads


def test_typed_cells_are_read_as_what_they_are(tmp_path: Path) -> None:
    moments = pa.array([1_758_536_100_000 + 7_000 * n for n in range(8)], pa.timestamp("ms", "UTC"))
    columns = {
        "call_id": pa.array(range(100, 108)), "started": moments, "talk_seconds": pa.array(range(8)),
        "caller": [f"+1206555010{n}" for n in range(8)], "answered": [True, False] * 4,
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "calls.parquet")
    lines = [
        {"id": n, "at": "2025-09-22T10:15:00Z", "note": f"n{n}", "who": {"email": f"c{n}@example.com"}}
        for n in range(8)
    ]
    (tmp_path / "notes.export").write_text(
        "".join(json.dumps(each) + "\n" for each in lines)
    )  # told by its first bytes

    calls, called, _ = made_by(tmp_path / "calls.parquet", guess(tmp_path / "calls.parquet"))
    notes, noted, _ = made_by(tmp_path / "notes.export", guess(tmp_path / "notes.export"))

    assert (calls.source.format, called[0]["engagement"]["timestamp"]) == ("parquet", 1_758_536_100_000)
    assert called[0]["engagement"]["type"] == "CALL"
    assert (notes.source.format, noted[0]["wanted"]["contacts"]) == (
        "jsonl", [{"by": "email", "value": ["c0@example.com"]}],
    )  # fmt: skip


def test_a_workbook_with_a_cover_sheet_a_title_and_a_totals_line(tmp_path: Path) -> None:
    calls = [row(n + 4, f"s:c{n}", f"n2:{45730 + n / 24}", "s:+1206555010" + str(n), f"n:{n}") for n in range(1, 7)]
    path = workbook(
        tmp_path / "calls.xlsx",
        Cover=[row(1, "s:Call report")],
        Calls=[
            row(1, "s:Calls of the week"),
            row(4, "s:Call ID", "s:Start Time", "s:Caller", "s:Seconds"),
            *calls,
            row(11, "s:Total", "", "", "n:21"),
        ],
    )

    mapping, payloads, rejects = made_by(path, guess(path, timezone="UTC"))

    assert (mapping.source.sheet, mapping.source.skip_rows) == ("Calls", 3)
    assert (len(payloads), rejects, payloads[0]["line"]) == (6, [], 5)


def test_files_without_a_table_are_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "b.jsonl").write_text("[1, 2]\n")
    (tmp_path / "c.xlsx").write_bytes(b"PK\x03\x04 and no more")
    workbook(tmp_path / "d.xlsx", Cover=[row(1, "s:Call report")])

    for name, code in (("a.parquet", "bad_parquet"), ("b.jsonl", "not_jsonl"), ("c.xlsx", "bad_workbook")):
        with pytest.raises(ContentError) as refused:
            guess(tmp_path / name)
        assert refused.value.code == code
    with pytest.raises(InputError) as bare:
        guess(tmp_path / "d.xlsx")
    assert bare.value.code == "empty_file"
