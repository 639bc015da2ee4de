"""How much of an input is believed: caps against bombs and against stray quotes that swallow rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond `columns`, the caps on a row and on what is unpacked the file is refused; a longer field rejects its row."""

    columns: int = 2_000
    field_bytes: int = 1 << 20  #: 1 MiB; an engagement's body is at most 65,536 characters
    field_lines: int = 1_000  #: line breaks within one row
    row_bytes: int = 64 << 20  #: a row that has not ended by then never will,
    row_lines: int = 100_000  #: nor one that has not ended on so many lines
    unpacked_bytes: int = 64 << 30  #: of a compressed file
    unpacked_ratio: int = 200  #: bytes out for each byte in; deflate reaches 1,032, honest logs 5 to 30
    unpacked_free: int = 16 << 20  #: the ratio is judged from this many bytes on


DEFAULT = Limits()
RAW_CHARACTERS = 65_536  # of a rejected row's text
