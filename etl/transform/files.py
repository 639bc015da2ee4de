"""Attachments that are files here: each path of a row as an element that names the file by its content.

An account gives a file its id when it is uploaded, which is after the plan; until then its SHA-256 stands in the payload,
so that a row says something else when its file does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from etl.columns.arrays import as_mask, flat, lists, to_texts
from etl.columns.fragments import joined, list_fragment
from etl.mapping.model import Value
from etl.transform.frame import Frame
from etl.transform.values import Names, compile_value, label_of


class Found(NamedTuple):
    """What lies at one path: an element of `attachments` (JSON), or why none can be made of it."""

    element: str | None
    code: str = ""
    message: str = ""


def compile_files(files: Value, base: Path, most_bytes: int, names: Names) -> Callable[[Frame], Any]:
    """A function from a frame to one JSON list a row: ``[{"file":"a/b.pdf","sha256":"...","bytes":12}]``.

    Paths are relative to `base`, below which the files must lie, also when links are followed. A row with a path that
    leads to no such file, or to one of more than `most_bytes` bytes, is refused.
    """
    value = compile_value(files, names, "attachments")
    label = label_of(files, names) or "attachments"
    find = lru_cache(maxsize=50_000)(lambda path: _find(base, most_bytes, path))

    def compute(frame: Frame) -> Any:
        paths, owners = flat(to_texts(value(frame)))
        coded = paths.dictionary_encode()
        found = [find(path) for path in coded.dictionary.to_pylist()]
        made = pa.array([each.element for each in found], pa.string()).take(coded.indices)
        for why in dict.fromkeys(each[1:] for each in found if each.code):
            odd = pa.array([each[1:] == why for each in found], pa.bool_()).take(coded.indices)
            frame.problems.add(frame.rows[owners[as_mask(odd)]], why[0], label, paths.filter(odd), why[1])
        fit = as_mask(made.is_valid())
        kept = made.filter(pa.array(fit))
        return joined(*list_fragment(lists(kept, owners[np.flatnonzero(fit)], len(frame), bare=True), quote=False))

    return compute


def _find(base: Path, most_bytes: int, path: str) -> Found:
    try:
        root, file = base.resolve(), _existing(base, path).resolve()
        if not file.is_relative_to(root):
            return Found(None, "file_outside", f"expected a file below {base}")
        if not file.is_file():
            return Found(None, "file_missing", f"expected a file below {base}")
        if (size := file.stat().st_size) > most_bytes:
            return Found(None, "file_too_large", f"it has {size:,} bytes; at most {most_bytes:,} are uploaded")
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        name = str(file.relative_to(root))
        return Found(orjson.dumps({"file": name, "sha256": digest, "bytes": size}).decode())
    except (
        OSError,
        ValueError,
        RuntimeError,
        TypeError,
    ) as error:  # not to be read, a NUL in it, a ring of links, no UTF-8
        return Found(None, "file_missing", f"it cannot be read: {getattr(error, 'strerror', None) or error}")


def _existing(base: Path, path: str) -> Path:
    """The path below `base`; an export from Windows separates folders by backslashes."""
    file = base / path
    return base / path.replace("\\", "/") if "\\" in path and not file.exists() else file
