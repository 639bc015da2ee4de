"""Import keys: what makes a row the same row in the next run, whatever line it stands on and however it is mapped.

A key is 16 bytes of SHA-256 over the mapping's namespace and the row's source key. Where the mapping names no key, the
columns that it reads are the source key, with the ordinal among equal rows, so that two equal rows stay two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.arrays import as_mask, replaced, rows_with, to_text
from etl.flow import Keys
from etl.transform.frame import Compiled, Frame

#: Between the parts of a source key; no export uses it inside a value.
_SEPARATOR = "\x1f"


def compile_named_key(parts: Sequence[tuple[str, Compiled]], namespace: str) -> Callable[[Frame], Keys]:
    """Keys from the values that the mapping names; a row in which one of them is empty is refused."""

    def compute(frame: Frame) -> Keys:
        texts = []
        for label, value in parts:
            mark = frame.problems.mark()
            column = value(frame)
            empty = column.empty & ~frame.failed(mark)
            frame.refuse(empty, "required", label, None, "expected a key: the row cannot be told from others without")
            texts.append(to_text(column))
        return _keys(texts, namespace)

    return compute


def compile_row_key(columns: Sequence[str], namespace: str) -> Callable[[Frame], Keys]:
    """Keys from all the columns that the mapping reads and the ordinal among equal rows.

    Rows must come in the order of the input, each once: the function counts. It holds 16 bytes and a number for each
    distinct row of the input.
    """
    seen: dict[bytes, int] = {}

    def compute(frame: Frame) -> Keys:
        sources = []
        for digest in _keys([to_text(frame.raw(name)) for name in columns], namespace):
            ordinal = seen[digest] = seen.get(digest, -1) + 1
            sources.append(digest + ordinal.to_bytes(8, "big"))
        return Keys(pa.array(sources, pa.binary()))

    return compute


def _keys(texts: Sequence[Any], namespace: str) -> Keys:
    start = pa.scalar(namespace.encode() + b"\x00", pa.binary())
    parts = [pc.cast(_composed(pc.fill_null(part, "")), pa.binary()) for part in texts]
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, _SEPARATOR.encode())
    return Keys(pc.binary_join_element_wise(start, joined, b""))


def _composed(array: Any) -> Any:
    """The texts in NFC, so that the same name spelled with other code points is the same key."""
    odd = rows_with(array, lambda data: data >= np.uint8(0x80)) & as_mask(array.is_valid())
    if not odd.any():
        return array
    made = [unicodedata.normalize("NFC", value) for value in array.filter(pa.array(odd)).to_pylist()]
    return replaced(array, odd, pa.array(made, pa.string()))
