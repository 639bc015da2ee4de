"""Import keys as text, by columns: base32 is five bits a character, which numpy has for a whole chunk at once."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from etl.flow import Keys

_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)
_LENGTH = 26


def key_texts(keys: Collection[bytes] | Keys) -> pa.StringArray:
    """What `flow.key_text` writes for each key."""
    whole = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), 16)
    bits = np.unpackbits(np.pad(whole, ((0, 0), (0, 1))), axis=1)[:, : _LENGTH * 5].reshape(-1, _LENGTH, 5)
    text = _ALPHABET[bits @ np.array([16, 8, 4, 2, 1], np.uint8)]
    offsets = np.arange(0, len(keys) * _LENGTH + 1, _LENGTH, dtype=np.int32)
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))
