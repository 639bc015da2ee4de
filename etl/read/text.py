"""Bytes in any encoding -> UTF-8 bytes in pieces, never by guess.

Apart from the CSV reader, which works on UTF-8 alone; an error here names the encoding, the line and the byte.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from etl.errors import ConfigError, ContentError

_HEAD = 4096  # bytes looked at to tell what the file says about itself
BOM = codecs.BOM_UTF8
#: Marks at the start of a file and the encodings that go with each; the longer first, since one begins with another.
_MARKS: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (codecs.BOM_UTF32_LE, "UTF-32", ("utf-32", "utf-32-le")),
    (codecs.BOM_UTF32_BE, "UTF-32", ("utf-32", "utf-32-be")),
    (codecs.BOM_UTF16_LE, "UTF-16", ("utf-16", "utf-16-le")),
    (codecs.BOM_UTF16_BE, "UTF-16", ("utf-16", "utf-16-be")),
    (codecs.BOM_UTF8, "UTF-8", ("utf-8", "utf-8-sig")),
)
#: What the hint may name: encodings that exports really have, the most usual first.
_LIKELY = ["cp1252", "cp1250", "cp1251", "mac_roman", "cp437", "shift_jis", "gb18030", "big5", "euc_kr"]


def pieces(path: Path, stream: BinaryIO, encoding: str, size: int) -> Iterator[bytes]:
    """The stream as UTF-8 in pieces of about `size` bytes, byte order mark included.

    A file that is declared UTF-8 comes as it is: `check` proves it. Raises `ConfigError` for an unknown encoding,
    `ContentError` where the file says that it has another encoding, or where bytes cannot be decoded.
    """
    codec = _codec(encoding)
    head = stream.read(_HEAD)
    stream.seek(0)
    _refuse_contradiction(path, head, codec.name)
    raw = iter(partial(stream.read, size), b"")
    return raw if codec.name == "utf-8" else _transcoded(path, raw, codec)


def check(path: Path, block: memoryview, *, first_line: int, offset: int) -> None:
    """Raises `ContentError` for the first byte of `block` that is not UTF-8.

    `block` begins `offset` bytes into the file, at line `first_line`, and ends with a line.
    """
    bounds = pa.py_buffer(len(block).to_bytes(8, "little").rjust(16, b"\0"))
    try:  # Arrow's validation runs at memory speed; Python's decoder says where
        pa.LargeStringArray.from_buffers(1, bounds, pa.py_buffer(block)).validate(full=True)
    except pa.ArrowInvalid:
        try:
            bytes(block).decode()
        except UnicodeDecodeError as error:
            line = first_line + error.object.count(b"\n", 0, error.start)
            raise _undecodable(path, error, line=line, offset=offset + error.start) from None


def _codec(encoding: str) -> codecs.CodecInfo:
    try:
        "".encode(encoding)  # refuses codecs that are none of text, such as base64
        codec = codecs.lookup(encoding)
    except LookupError:
        hint = "Usual ones are utf-8, utf-16, cp1252, latin-1."
        raise ConfigError(f"`source.encoding`: there is no encoding {encoding!r}.", hint=hint) from None
    return codecs.lookup("utf-8") if codec.name == "utf-8-sig" else codec


def _refuse_contradiction(path: Path, head: bytes, declared: str) -> None:
    """Refuses a file whose first bytes say another encoding than the mapping does."""
    for mark, name, fitting in _MARKS:
        if head.startswith(mark):
            if declared not in fitting:
                raise _other_encoding(path, f"begins with the byte order mark of {name}", declared, name.lower())
            return
    wide = declared.startswith(("utf-16", "utf-32"))
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if not wide and max(even, odd) > 0.3 * len(head):
        guess = "utf-16-le" if odd > even else "utf-16-be"
        raise _other_encoding(path, "has a zero in every other byte, as UTF-16 has", declared, guess)
    if wide and even + odd == 0:
        raise _other_encoding(path, "has no zero byte at its start, as delimiters in UTF-16 have", declared, "utf-8")


def _other_encoding(path: Path, found: str, declared: str, right: str) -> ContentError:
    message = f"{path}: the file {found}, but the mapping says `encoding: {declared}`."
    return ContentError(message, hint=f"Set `encoding: {right}` under `source:`.", code="wrong_encoding")


def _transcoded(path: Path, raw: Iterator[bytes], codec: codecs.CodecInfo) -> Iterator[bytes]:
    """Each piece decoded and encoded again; an encoding's state is kept between pieces."""
    assert codec.incrementaldecoder is not None
    decoder = codec.incrementaldecoder("strict")
    read, line = 0, 1
    for piece in _with_end(raw):
        read += len(piece)
        try:
            text = decoder.decode(piece, final=not piece)
            block = text.encode()
        except UnicodeDecodeError as error:  # its object is this piece, led by what the decoder had kept back
            line += error.object[: error.start].decode(error.encoding, "replace").count("\n")
            raise _undecodable(path, error, line=line, offset=read - len(error.object) + error.start) from None
        except UnicodeEncodeError as error:
            line += text.count("\n", 0, error.start)
            message = f"{path}, line {line}: half of a surrogate pair, which is no character."
            raise ContentError(message, hint="Export the file again as UTF-8.", code="bad_bytes") from None
        line += text.count("\n")
        if block:
            yield block


def _with_end(raw: Iterator[bytes]) -> Iterator[bytes]:
    yield from raw
    yield b""


def _undecodable(path: Path, error: UnicodeDecodeError, *, line: int, offset: int) -> ContentError:
    found = error.object[error.start : max(error.end, error.start + 1)][:4].hex(" ").upper()
    message = f"{path}, line {line}: the bytes {found} at byte {offset} of the file are not {error.encoding.upper()}."
    guess = _guess(error.object, error.start) if error.encoding == "utf-8" else ""
    likely = f" It looks like {guess}, but only you can know." if guess else ""
    hint = f"Export the file as UTF-8, or say what it is by `encoding` under `source:`.{likely}"
    return ContentError(message, hint=hint, code="bad_bytes")


def _guess(block: bytes, at: int) -> str:
    """The likeliest encoding of the text around a place, for the hint alone; of several the most usual."""
    from charset_normalizer import from_bytes

    matches = from_bytes(block[max(0, at - 8_192) : at + 8_192], cp_isolation=_LIKELY, threshold=0.6)
    least = min((match.chaos for match in matches), default=0.0)
    close = {name for match in matches if match.chaos <= least + 0.1 for name in match.could_be_from_charset}
    return next((name for name in _LIKELY if name in close), "")
