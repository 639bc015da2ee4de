"""Attachments that are files here: each path of a row as an element that names the file by its content.

The account gives a file its id when it is uploaded, which is after the plan: until then its SHA-256 stands in the payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from etl.columns.arrays import as_mask, flat, lists, per_distinct, to_texts
from etl.columns.fragments import joined, list_fragment
from etl.mapping.model import Value
from etl.transform.frame import Frame
from etl.transform.values import Names, compile_value


def compile_files(files: Value, base: Path, names: Names) -> Callable[[Frame], Any]:
    """A function from a frame to one JSON list a row: the files at the row's paths, which must lie below `base`."""
    value = compile_value(files, names, "attachments")
    element = lru_cache(maxsize=50_000)(lambda path: _element(base, path))

    def compute(frame: Frame) -> Any:
        paths, owners = flat(to_texts(value(frame)))
        made = per_distinct(paths, element, pa.string())
        fit = as_mask(made.is_valid())
        odd = pa.array(~fit)
        message = f"expected a file below {base}"
        frame.problems.add(frame.rows[owners[~fit]], "bad_file", "attachments", paths.filter(odd), message)
        kept = made.filter(pa.array(fit))
        return joined(*list_fragment(lists(kept, owners[np.flatnonzero(fit)], len(frame), bare=True), quote=False))

    return compute


def _element(base: Path, path: str) -> str | None:
    """``{"id":"sha256-...","file":...}`` of the file; None where there is none below `base`, also by way of links."""
    try:
        root, file = base.resolve(), (base / path).resolve()
        if not (file.is_relative_to(root) and file.is_file()):
            return None
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except (OSError, ValueError):  # no such name, not to be read, a NUL in it
        return None
    return orjson.dumps({"id": f"sha256-{digest}", "file": str(file.relative_to(root))}).decode()
