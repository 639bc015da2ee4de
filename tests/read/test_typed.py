"""Workbooks, Parquet and JSON Lines: typed cells become text in one stable way, with rows that a person can find."""

from __future__ import annotations

import datetime as dt
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import ContentError, InputError
from etl.flow import Chunk
from etl.mapping.model import Source
from etl.read import header, read

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(path: Path, **sheets: list[str]) -> Path:
    """An .xlsx whose sheets are rows of XML cells; styles: 1 date, 2 date and time, 3 hours, 4 time of day."""
    formats = (0, 14, 22, 46, 21)
    names = list(sheets)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("[Content_Types].xml", f'{_XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
                     '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                     '<Default Extension="xml" ContentType="application/xml"/></Types>')  # fmt: skip
        out.writestr("_rels/.rels", f'{_XML}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                     f'<Relationship Id="r1" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>')  # fmt: skip
        listed = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(names, 1))
        out.writestr(
            "xl/workbook.xml", f'{_XML}<workbook {_MAIN} xmlns:r="{_REL}"><sheets>{listed}</sheets></workbook>'
        )
        rels = "".join(
            f'<Relationship Id="r{i}" Type="{_REL}/worksheet" Target="worksheets/s{i}.xml"/>'
            for i in range(1, len(names) + 1)
        )
        rels += f'<Relationship Id="s" Type="{_REL}/styles" Target="styles.xml"/>'
        out.writestr(
            "xl/_rels/workbook.xml.rels",
            f'{_XML}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rels}</Relationships>',
        )
        styles = "".join(f'<xf numFmtId="{each}" applyNumberFormat="1"/>' for each in formats)
        out.writestr(
            "xl/styles.xml",
            f'{_XML}<styleSheet {_MAIN}><cellXfs count="{len(formats)}">{styles}</cellXfs></styleSheet>',
        )
        for place, rows in enumerate(sheets.values(), 1):
            out.writestr(
                f"xl/worksheets/s{place}.xml",
                f"{_XML}<worksheet {_MAIN}><sheetData>{''.join(rows)}</sheetData></worksheet>",
            )
    return path


def row(number: int, *cells: str) -> str:
    """Cells: `s:text`, `n:1.5`, `b:1`, `n2:45730.5` (a number with style 2), or nothing."""
    made = []
    for place, cell in enumerate(cells):
        kind, _, value = cell.partition(":")
        at = f'r="{chr(65 + place)}{number}"'
        if kind == "s":
            made.append(f'<c {at} t="inlineStr"><is><t>{value}</t></is></c>')
        elif kind == "b":
            made.append(f'<c {at} t="b"><v>{value}</v></c>')
        elif kind == "e":
            made.append(f'<c {at} t="e"><v>{value}</v></c>')
        elif kind:
            made.append(f'<c {at} s="{kind[1:] or 0}"><v>{value}</v></c>')
    return f'<row r="{number}">{"".join(made)}</row>'


def chunk_of(path: Path, **source: object) -> Chunk:
    (chunk,) = read(path, Source(**source))
    return chunk


def test_cells_of_a_workbook_are_text_in_one_way(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        Calls=[
            row(1, "s:id", "s:when", "s:day", "s:talk", "s:phone", "s:ok", "s:rate"),
            row(2, "n:7", "n2:45730.395833333336", "n1:45730", "n3:0.002511574074", "s:007", "b:1", "n:0.1"),
            row(4, "n:12345678901", "n2:45730", "n1:45731", "n3:1.5", "n:2065550100", "b:0", "e:#N/A"),
        ],
    )

    chunk = chunk_of(path, format="excel")

    first, second = chunk.frame.to_dict("records")
    assert first == {"id": "7", "when": "2025-03-14T09:30:00", "day": "2025-03-14", "talk": "0:03:37",
                     "phone": "007", "ok": "true", "rate": "0.1"}  # fmt: skip
    assert (second["id"], second["when"], second["talk"]) == ("12345678901", "2025-03-14", "36:00:00")
    assert (second["phone"], second["ok"]) == ("2065550100", "false")
    assert chunk.lines.tolist() == [2, 4]


def test_a_sheet_is_chosen_and_its_header_and_footer_are_found(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        Cover=[row(1, "s:x")],
        Data=[
            row(1, "s:Report of March"), row(3, "s:A", "s:B"), row(4, "s:1", "", "s:beyond"), row(5, "s:2", "s:-"),
            row(7, "s:Total", "s:9"), row(8, "s:3", "s:3"),
        ],
    )  # fmt: skip
    source = {"format": "excel", "sheet": "Data", "skip_rows": 1, "stop_at": {"A": "Total"}, "missing": ("", "-")}

    chunk = chunk_of(path, **source)

    assert header(path, Source(**source)) == ("A", "B")
    assert chunk.frame.isna().to_numpy().tolist() == [[False, True]]
    assert chunk.lines.tolist() == [5]
    assert [(reject.line, reject.problems[0].code, reject.problems[0].value) for reject in chunk.rejects] == [
        (4, "ragged_row", "beyond")
    ]
    with pytest.raises(ContentError, match="no sheet 'Nope'") as caught:
        header(path, Source(format="excel", sheet="Nope"))
    assert "'Cover', 'Data'" in caught.value.hint
    assert chunk_of(
        path, format="excel", sheet="Data", header="none", names=("A", "B", "C"), skip_rows=3
    ).lines.tolist() == [4, 5, 7, 8]


def test_parquet_columns_are_text_in_one_way(tmp_path: Path) -> None:
    moment = dt.datetime(2025, 3, 14, 9, 30)  # noqa: DTZ001 - what the test is about
    table = pa.table({
        "id": pa.array([7, None, 12345678901234567]),
        "seconds": pa.array([1.0, 0.25, float("nan")]),
        "when": pa.array([moment, None, moment], pa.timestamp("ns")),
        "utc": pa.array([moment] * 3, pa.timestamp("us", "UTC")),
        "day": pa.array([dt.date(2025, 3, 14)] * 3),
        "ok": pa.array([True, False, None]),
        "price": pa.array([Decimal("1.50")] * 3, pa.decimal128(9, 2)),
        "tags": pa.array([["a", "b"], [], None]),
        "who": pa.array(["x", "", "x"]).dictionary_encode(),
    })  # fmt: skip
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)

    chunk = chunk_of(path, format="parquet")

    assert chunk.frame.astype(object).where(chunk.frame.notna(), None).to_dict("records")[:2] == [
        {"id": "7", "seconds": "1", "when": "2025-03-14T09:30:00", "utc": "2025-03-14T09:30:00+00:00", "day": "2025-03-14",
         "ok": "true", "price": "1.50", "tags": '["a","b"]', "who": "x"},
        {"id": None, "seconds": "0.25", "when": None, "utc": "2025-03-14T09:30:00+00:00", "day": "2025-03-14",
         "ok": "false", "price": "1.50", "tags": "[]", "who": None},
    ]  # fmt: skip
    assert chunk.frame["seconds"].isna().tolist() == [False, False, True]
    assert chunk.lines.tolist() == [1, 2, 3]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ContentError, match="no Parquet file that can be read"):
        header(path, Source(format="parquet"))


def test_json_lines_are_flat_by_path_and_bad_ones_are_rejects(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '\ufeff{"id": 12345678901234567890, "from": {"phoneNumber": "+1", "x": {}}, "tags": ["a", 1], "ok": true}\n'
        '\n{"id": "b", "secs": 1.0}\nnot json\n[1]\n{"id": null, "from": null}\n',
        encoding="utf-8",
    )

    chunk = chunk_of(path, format="jsonl")

    assert header(path, Source(format="jsonl")) == ("id", "from.phoneNumber", "from.x", "tags", "ok", "secs", "from")
    assert chunk.frame["id"].tolist()[:2] == ["12345678901234567890", "b"]
    assert chunk.frame.loc[0, ["from.phoneNumber", "from.x", "tags", "ok"]].tolist() == ["+1", "{}", '["a",1]', "true"]
    assert chunk.frame["secs"].tolist()[1] == "1"
    assert chunk.lines.tolist() == [1, 3, 6]
    assert [(reject.line, reject.raw) for reject in chunk.rejects] == [(4, "not json"), (5, "[1]")]


def test_a_json_key_that_comes_up_late_is_a_reject_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.read.jsonlines._HEAD_ROWS", 2)
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n{"a": 3, "b": 4}\n{"a": 5, "b": null}\n')

    late = chunk_of(path, format="jsonl")
    named = chunk_of(path, format="jsonl", names=("b",))

    assert late.frame["a"].tolist() == ["1", "2", "5"]
    assert "the key 'b' is in none of the first 2 lines" in late.rejects[0].problems[0].message
    assert named.frame["b"].tolist()[2] == "4"
    path.write_text("\n")
    with pytest.raises(InputError):
        header(path, Source(format="jsonl"))


def test_a_json_line_without_end_is_a_reject(tmp_path: Path) -> None:
    from etl.read import Limits

    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": "' + "x" * 3_000_000 + '"}\n{"a": 3}\n')

    chunks = list(read(path, Source(format="jsonl"), limits=Limits(row_bytes=1 << 20)))

    assert [reject.line for chunk in chunks for reject in chunk.rejects] == [2]
    assert [line for chunk in chunks for line in chunk.lines.tolist()] == [1, 3]
