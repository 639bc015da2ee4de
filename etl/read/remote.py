"""Inputs in object storage: `s3://bucket/calls.csv` and what else fsspec has a name for, as streams; nothing is kept here.

Apart from `files`, which opens what lies on a disk. The library is part of the extra `dask`, and imported for such an
input alone. A path keeps one slash of two (`s3:/bucket/calls.csv`); the address is made whole again here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from etl.errors import ConfigError, EtlError, InputError

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.ASCII | re.DOTALL)
_OF_THIS_MACHINE = ("file", "local")
#: What stores call the mark that changes when a file does; the first that there is.
_MARKS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


def address_of(path: Path) -> str | None:
    """The address that a path stands for, or None for one of a disk."""
    found = _ADDRESS.fullmatch(path.as_posix())
    if not found or path.exists():
        return None
    store, name = found.groups()
    return f"{store}:{'///' if store in _OF_THIS_MACHINE else '//'}{name}"


@contextmanager
def opened_remote(address: str) -> Iterator[BinaryIO]:
    """The bytes at an address, from the start. Raises as `state`."""
    with _told(address):
        store, name = _store(address)
        stream = store.open(name, "rb")
    with stream:
        try:
            yield stream
        except OSError as error:
            if error.errno is None:  # of what is in the file, such as damaged gzip data
                raise
            raise _unreadable(address, error) from error


def state(address: str) -> tuple[int, int]:
    """Size and a number that changes when the file does, as the store says now.

    Raises `InputError` for what is not there or cannot be read, `ConfigError` where a library is missing.
    """
    with _told(address):
        store, name = _store(address)
        store.invalidate_cache()
        found = store.info(name)
        if found["type"] != "file":
            hint = f"Name its files, such as {address.rstrip('/')}/*.csv"
            raise InputError(f"{address}: it is a folder, and only files are read.", hint=hint, code="unreadable")
    mark = next((found[name] for name in _MARKS if found.get(name) is not None), "")
    return int(found["size"]), crc32(str(mark).encode())


def files_at(address: str) -> list[Path]:
    """The files that an address with `*`, `?` or `[...]` stands for, by name."""
    with _told(address):
        store, pattern = _store(address)
        return sorted(Path(store.unstrip_protocol(name)) for name in store.glob(pattern))


def _store(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(address)  # type: ignore[no-any-return]
    except ImportError as error:
        named = re.search(r"[Ii]nstall (\w+)", str(error))
        what = named.group(1) if named else "'etl-engagements[dask]'"
        raise ConfigError(
            f"{address}: a library for this address is not installed.",
            hint=f"Install it: pip install {what}",
            code="extra_missing",
        ) from error


@contextmanager
def _told(address: str) -> Iterator[None]:
    """What a store raises, as an error of ours."""
    try:
        yield
    except EtlError:
        raise
    except FileNotFoundError:
        hint = "Check the address, and that this account of the store may see it."
        raise InputError(f"{address}: no such file.", hint=hint, code="missing_file") from None
    except Exception as error:  # each store has errors of its own
        raise _unreadable(address, error) from error


def _unreadable(address: str, error: Exception) -> InputError:
    hint = "Check the address, the network and the store's credentials."
    return InputError(f"{address}: cannot be read: {error}.", hint=hint, code="unreadable")
