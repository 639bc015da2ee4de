"""`quotes: lenient`: rows with quotes out of place, written anew so that they mean what they say.

Some programs put a field in the file as it is where it begins with a quote: ``"Ann" <114>,x``. In such a row a quote
encloses a field only where it stands at both its ends; every other quote is text. Apart from `quotes`, which finds
the rows: only those whose end is certain are touched.
"""

from __future__ import annotations

import re
from functools import lru_cache

from etl.read.cut import Rows


def mended(block: bytes, rows: Rows, delimiter: int) -> bytes | None:
    """The block with each row of broken quotes as proper CSV, line for line; None where there is none."""
    broken = [row for row, found in sorted(rows.faults.items()) if any(each.code == "bad_quotes" for each in found)]
    if not broken:
        return None
    parts, done = list[bytes](), 0
    for row in broken:
        start, end = int(rows.starts[row]), int(rows.ends[row])
        text = block[start:end].rstrip(b"\r\n")
        parts += [block[done:start], _rewritten(text, delimiter)]
        done = start + len(text)
    return b"".join([*parts, block[done:]])


def _rewritten(row: bytes, delimiter: int) -> bytes:
    return bytes([delimiter]).join(map(_quoted, _fields(delimiter).findall(row)))


def _quoted(field: bytes) -> bytes:
    if (
        len(field) > 1
        and field.startswith(b'"')
        and field.endswith(b'"')
        and b'"' not in field[1:-1].replace(b'""', b"")
    ):
        return field
    return b'"' + field.replace(b'"', b'""') + b'"' if b'"' in field else field


@lru_cache(maxsize=4)
def _fields(delimiter: int) -> re.Pattern[bytes]:
    """A field by the lenient reading: a quote at its start goes to the next one, and the delimiters between are text."""
    d = re.escape(bytes([delimiter]))
    return re.compile(rb"(?:(?<=" + d + rb')|\A)((?:"(?:[^"]|"")*+")?+[^' + d + rb"]*+)", re.DOTALL)
