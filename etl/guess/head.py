"""The head of a file as rows, with how it is written: encoding, delimiter, preamble, header, footer.

Apart from `read`, which believes what a mapping says and refuses the rest: here everything is looked at and nothing
is believed yet. Bytes are only decoded and cut, never run.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from etl.errors import ContentError
from etl.guess.shapes import is_data
from etl.read.files import empty, unpacked
from etl.read.limits import DEFAULT

HEAD_BYTES = 2 << 20
_TAIL_BYTES = 64 << 10
ROWS = 5_000
DELIMITERS = (",", ";", "\t", "|")
#: Encodings that exports really have, the most usual first.
_LIKELY = ["cp1252", "cp1250", "cp1251", "mac_roman", "cp437", "shift_jis", "gb18030", "big5", "euc_kr"]
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SQL_TYPE = re.compile(r"(?i)(varchar|char|integer|int|smallint|bigint|date|datetime|timestamp|uniqueidentifier|"
                       r"boolean|bit|text|numeric|decimal|float|double)(\(\d+(,\d+)?\))?")  # fmt: skip
_FOOTER = re.compile(r"(?i)\W*((grand |sub)?totals?|sum|summe|suma|gesamt|summary|end of|generated|report|records?|"
                     r"count|number of|rows|exported)\b.*")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """What was seen of a file. `rows` are those as wide as the header, `lines` where each begins."""

    encoding: str
    delimiter: str
    skip_rows: int  #: lines before the header, or before the first row where there is none
    headed: bool
    names: tuple[str, ...]
    rows: list[tuple[str, ...]]
    lines: list[int]
    footer: tuple[str, str] | None = None  #: the column and the text by which the last rows are told
    types_line: str = ""  #: the first cell of a line of column types below the header
    format: str = "csv"
    sheet: str = ""  #: of a workbook, where it is not the first
    doubts: dict[str, str] = field(default_factory=dict)  #: `encoding`, `header`, `footer` -> why it is not sure


def read_head(path: Path) -> Head:
    """The first rows of a delimited file, and its last where they are a footer.

    Raises `InputError` for a file that is missing, unreadable, a directory or empty, and `ContentError` for one that
    is no delimited text: binary, of one column, or of more columns than are read.
    """
    head, tail = _bytes(path)
    encoding, doubt = _encoding(path, head)
    text = _decoded(head, encoding)
    delimiter = _delimiter(path, text)
    lines, rows = _rows(text, delimiter, cut=len(head) >= HEAD_BYTES)
    if not rows:
        raise empty(path, "it holds only white space")
    doubts = {"encoding": doubt} if doubt else {}
    last = _rows(_decoded(tail, encoding), delimiter, cut=False)[1][1:] if tail else []
    return judged(path, Head(encoding, delimiter, 0, True, (), rows, lines, doubts=doubts), last)


def judged(path: Path, head: Head, last: Sequence[tuple[str, ...]]) -> Head:
    """Bare rows with their header, without what stands around them; `last` are the file's last rows, if those are not all.

    Raises `ContentError` for more columns than are read.
    """
    return _footed(_typed(_headed(path, head)), [tuple(row) for row in last])


def _bytes(path: Path) -> tuple[bytes, bytes]:
    """The head of the file, and its tail where the head is not all of it."""
    with unpacked(path, DEFAULT) as stream:
        head = stream.read(HEAD_BYTES)
        while len(head) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(head))):
            head += more
        if len(head) < HEAD_BYTES or path.suffix.lower() == ".gz":
            return head, b""
        stream.seek(max(path.stat().st_size - _TAIL_BYTES, HEAD_BYTES), os.SEEK_SET)
        return head, stream.read(_TAIL_BYTES) or b""


def _encoding(path: Path, head: bytes) -> tuple[str, str]:
    """The encoding, and why it is not sure (no text where it is)."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, ""
    even, odd = head[:4096:2].count(0), head[1:4096:2].count(0)
    if max(even, odd) > 0.3 * len(head[:4096]) / 2 and min(even, odd) < 0.05 * len(head[:4096]) / 2:
        return ("utf-16-le" if odd > even else "utf-16-be"), "no byte order mark; told by its zero bytes"
    odd_bytes = sum(head[:65536].count(byte) for byte in range(32) if byte not in b"\t\n\r\f\x1a\x1b")
    if odd_bytes > 0.005 * len(head[:65536]):
        message = f"{path}: this is no text file: it holds {odd_bytes:,} control bytes in its first 64 KiB."
        raise ContentError(message, hint="Give the export as CSV (UTF-8).", code="not_text")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError as error:
        return _legacy(head, error.start)
    return "utf-8", ""


def _legacy(head: bytes, at: int) -> tuple[str, str]:
    """The likeliest of the old encodings, by the text around the first byte that is not UTF-8."""
    from charset_normalizer import from_bytes

    block = head[max(0, at - 8_192) : at + 32_768]
    matches = from_bytes(block, cp_isolation=_LIKELY, threshold=0.6)
    least = min((match.chaos for match in matches), default=0.0)
    close = {name for match in matches if match.chaos <= least + 0.1 for name in match.could_be_from_charset}
    name = next((name for name in _LIKELY if name in close), "cp1252")
    return name, f"it is not UTF-8; {name} is the likeliest: look at names with accents in `etl preview`"


def _decoded(block: bytes, encoding: str) -> str:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(block)
    return text.lstrip("\ufeff").removesuffix("\x1a")


def _delimiter(path: Path, text: str) -> str:
    """The delimiter by which most lines have the same number of cells."""
    first = text[:200].split("\n", 1)[0].strip()
    if told := re.fullmatch(r'"?sep=(.)"?', first):
        return told[1] if told[1] in DELIMITERS else ","
    scores: dict[str, float] = {}
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in _rows(text[:200_000], delimiter, cut=True, most=300)[1])
        width, rows = max(widths.items(), key=lambda pair: (pair[1] * (pair[0] > 1), pair[0]), default=(1, 0))
        scores[delimiter] = (rows / max(widths.total(), 1)) * min(width, 12) ** 0.5 if width > 1 else 0.0
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    if not scores[best]:
        if not text.strip():
            raise empty(path, "it holds only white space")
        message = f"{path}: every line is one cell: no comma, semicolon, tab or bar separates columns."
        hint = "Give a CSV with a column for each thing; a mailbox or a calendar has a preset of its own."
        raise ContentError(message, hint=hint, code="one_column")
    return best


def _rows(text: str, delimiter: str, *, cut: bool, most: int = ROWS) -> tuple[list[int], list[tuple[str, ...]]]:
    """The rows that are not blank, and the line on which each begins. `cut`: the last may be half a row."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    lines, rows, begun = [], [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                lines.append(begun)
                rows.append(tuple(cell.replace("\0", "") for cell in row))
            begun = reader.line_num + 1
            if len(rows) > most:
                break
    except csv.Error:  # a cell beyond all measure: what came before it is enough
        return lines, rows
    return (lines[:-1], rows[:-1]) if cut and len(rows) > 1 else (lines, rows)


def _headed(path: Path, head: Head) -> Head:
    """The same with names, and only the rows below them that are as wide as most."""
    widths = Counter(len(row) for row in head.rows)
    width = max(widths.items(), key=lambda pair: (pair[1] * (pair[0] > 1), pair[0]))[0]
    if width > DEFAULT.columns:
        message = f"{path}: {width:,} columns, where at most {DEFAULT.columns:,} are read."
        raise ContentError(message, hint="Export only the columns that matter.", code="too_many_columns")
    start = next((i for i, row in enumerate(head.rows[:30]) if _begins(row, width)), 0)
    first, below = head.rows[start], head.rows[start + 1 :]
    kept = [(line, row) for line, row in zip(head.lines[start:], head.rows[start:], strict=True) if len(row) == width]
    headed = _is_header(first, below)
    skip = head.lines[start] - 1 if start else 0
    doubts = dict(head.doubts)
    if not headed:
        doubts["header"] = "the first line looks like data, so the columns are named by their place"
        names: tuple[str, ...] = tuple(f"column {place}" for place in range(1, width + 1))
        return replace(head, skip_rows=skip, headed=False, names=names, rows=[row for _, row in kept],
                       lines=[line for line, _ in kept], doubts=doubts)  # fmt: skip
    names = tuple(cell if cell.strip() else f"column {place}" for place, cell in enumerate(first, 1))
    data = [(line, row) for line, row in kept if line != head.lines[start]]
    plain = names
    names = _distinct((*names, *(f"column {place}" for place in range(len(names) + 1, width + 1)))[:width])
    if names != plain:  # `read` refuses such a header: its names are given in the mapping instead
        skip = head.lines[start]
        doubts["header"] = "the header repeats names or is not as wide as the rows, so the names stand here instead"
    return replace(head, skip_rows=skip, headed=names == plain, names=names, rows=[row for _, row in data],
                   lines=[line for line, _ in data], doubts=doubts)  # fmt: skip


def _begins(row: Sequence[str], width: int) -> bool:
    """Whether a table of that width can begin with this row: lines before it are a preamble."""
    filled = sum(bool(cell.strip()) for cell in row)
    return abs(len(row) - width) <= max(2, width // 8) and filled >= max(2, width / 2)


def _is_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    cells = [cell.strip() for cell in first if cell.strip()]
    if any(is_data(cell) for cell in cells):
        return False
    filled = [row for row in below[:50] if len(row) == len(first)]
    same = sum(tuple(row) == tuple(first) for row in filled)
    return len(set(cells)) > len(cells) / 2 and not same


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The names, those that stood before (but for case and white space) with a number."""
    seen: Counter[str] = Counter()
    made = []
    for name in names:
        folded = "".join(name.split()).casefold()
        seen[folded] += 1
        made.append(name if seen[folded] == 1 else f"{name} ({seen[folded]})")
    return tuple(made)


def _typed(head: Head) -> Head:
    """The same without a line of column types below the header."""
    if not head.rows:
        return head
    cells = [cell.strip() for cell in head.rows[0] if cell.strip()]
    if len(cells) < 2 or not head.rows[0][0].strip() or not all(_SQL_TYPE.fullmatch(cell) for cell in cells):
        return head
    return replace(head, rows=head.rows[1:], lines=head.lines[1:], types_line=head.rows[0][0])


def _footed(head: Head, tail: list[tuple[str, ...]]) -> Head:
    """The same without a totals line, which is told by its first cell."""
    last = [row for row in tail if len(row) == len(head.names)] or head.rows
    place = next((i for i, row in enumerate(last[-3:], max(len(last) - 3, 0)) if _is_footer(row)), None)
    if place is None or not last[place][0].strip():
        return head
    text = last[place][0]
    rows = head.rows if tail else head.rows[:place]
    return replace(head, rows=rows, lines=head.lines[: len(rows)], footer=(head.names[0], text))


def _is_footer(row: Sequence[str]) -> bool:
    others = [cell for cell in row[1:] if cell.strip()]
    return bool(_FOOTER.fullmatch(row[0])) and len(others) <= max(1, len(row) * 0.7)
