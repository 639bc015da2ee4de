"""mbox -> chunks: one message at a time, whatever the size of the mailbox.

A message begins with a line `From ...`, usually after an empty one. Programs that write mbox should mark such lines in
bodies (`>From `), and some do not; so the line must look like a separator: with a time, or with one word or none and a
header in the line after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from etl.errors import ContentError
from etl.flow import Chunk, Reject
from etl.mapping.model import Source
from etl.read import message
from etl.read.files import empty, unpacked
from etl.read.gather import Row, chunks, unreadable
from etl.read.limits import Limits

MESSAGE_BYTES = 64 << 20  # larger than any mail system lets pass; what is longer is no message
_PIECE = 1 << 20
_LONGEST_LINE = 1 << 10  # of a separator
_TIMED = re.compile(rb"From .*\b\d{1,2}:\d\d(?::\d\d)?\b.*\b\d{4}\b|From .*\b\d{4}\b.*\b\d{1,2}:\d\d(?::\d\d)?\b")
_BARE = re.compile(rb"From(?: [^\s]+)? *\r?\n")
_HEADER = re.compile(rb"[!-9;-~]+:")
_MUNGED = re.compile(rb"^>(>*From )", re.MULTILINE)
_BOM = b"\xef\xbb\xbf"


def read(path: Path, source: Source, chunk_bytes: int, limits: Limits) -> Iterator[Chunk]:
    """The messages of an mbox file; see `etl.read.read`. A row's line is that of its `From ` line."""
    with unpacked(path, limits) as stream:
        yield from chunks(path, message.NAMES, _rows(path, stream), source.missing, chunk_bytes, limits)


def header(path: Path, source: Source, limits: Limits) -> tuple[str, ...]:
    """The columns of mail, whatever the file."""
    del source
    with unpacked(path, limits) as stream:
        _refuse_no_mbox(path, stream.read(_LONGEST_LINE))
    return message.NAMES


def _rows(path: Path, stream: BinaryIO) -> Iterator[Row | Reject]:
    for line, raw in messages(path, stream):
        if len(raw) > MESSAGE_BYTES:
            yield unreadable(line, f"expected a message of at most {MESSAGE_BYTES >> 20} MiB", raw[:_LONGEST_LINE])
            continue
        cells = message.cells(_MUNGED.sub(rb"\1", raw))
        yield Row(line, cells) if cells else unreadable(line, "expected headers after the `From ` line", raw)


def messages(path: Path, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each message without its `From ` line, with the line of the file that this stands on.

    What is longer than `MESSAGE_BYTES` comes cut off, one byte longer than that: the caller sees that it is too long.
    """
    held, line, searched, lines_lost, last = b"", 1, 0, 0, False
    first = True
    while not last:
        piece = stream.read(_PIECE + _LONGEST_LINE if first else _PIECE)
        last = not piece
        if first:
            piece = piece.removeprefix(_BOM)
            _refuse_no_mbox(path, piece)
            first = False
        held += piece
        while True:
            place = _separator(held, searched, last=last)
            if place is None:
                break
            yield _message(held[:place], line)
            line, held, searched = line + lines_lost + held.count(b"\n", 0, place), held[place:], 5
            lines_lost = 0
        searched = max(searched, len(held) - 2 * _LONGEST_LINE)
        if len(held) > MESSAGE_BYTES + 2 * _PIECE:  # too long: its head is enough to say so
            cut, kept = held[MESSAGE_BYTES + _PIECE : -_PIECE], held[: MESSAGE_BYTES + _PIECE]
            lines_lost, held = lines_lost + cut.count(b"\n"), kept + held[-_PIECE:]
            searched = len(kept)
    if held.strip():
        yield _message(held, line)


def _message(block: bytes, line: int) -> tuple[int, bytes]:
    body = block[block.find(b"\n") + 1 :] if b"\n" in block else b""
    return line, body[: MESSAGE_BYTES + 1]


def _separator(held: bytes, start: int, *, last: bool) -> int | None:
    """The next separator at or after `start`, or None where more must be read to tell."""
    place = start
    while (found := held.find(b"\nFrom ", place)) >= 0 or (found := held.find(b"\nFrom\n", place)) >= 0:
        at = found + 1
        if not last and len(held) - at < 2 * _LONGEST_LINE:
            return None
        if _is_separator(held[at : at + 2 * _LONGEST_LINE], after_empty=_after_empty_line(held, found)):
            return at
        place = at
    return None


def _after_empty_line(held: bytes, feed: int) -> bool:
    """Whether the line that ends with this line feed is empty; a message without a body ends with its headers."""
    return held[max(0, feed - 1) : feed] == b"\n" or held[max(0, feed - 2) : feed] == b"\n\r"


def _is_separator(text: bytes, *, after_empty: bool) -> bool:
    """Some programs write no empty line before it: then a header in the line after it must confirm it."""
    line, _, after = text.partition(b"\n")
    heads = bool(_HEADER.match(after))
    if _TIMED.match(line):
        return after_empty or heads
    return heads and (line.rstrip() == b"From -" or (after_empty and bool(_BARE.match(line + b"\n"))))


def _refuse_no_mbox(path: Path, head: bytes) -> None:
    start = head.removeprefix(_BOM).lstrip(b"\r\n")
    if not start:
        raise empty(path, "it holds only empty lines")
    if not start.startswith(b"From"):
        hint = "A single message is `format: eml`; a mailbox in another format must be exported as mbox."
        raise ContentError(f"{path}: this is no mbox: its first line is no `From ` line.", hint=hint, code="not_mbox")
