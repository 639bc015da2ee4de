"""Where a mapping is found: a path, or the name of a preset that comes with the program."""

from __future__ import annotations

import hashlib
from pathlib import Path

from etl.errors import InputError, MappingError, Mistake, UsageError
from etl.mapping.model import Mapping
from etl.mapping.parse import parse
from etl.mapping.shape import nearest
from etl.mapping.tree import MAX_BYTES

_SUFFIXES = (".yaml", ".yml")


def load(
    path_or_name: str | Path, beside: Path | None = None, *, timezone: str | None = None, region: str | None = None
) -> Mapping:
    """The mapping in a file, or the preset of that name; `timezone` and `region` take the place of its `source`'s.

    `beside` is a second folder in which the files of `tables` are looked up, after the mapping's own: for a preset,
    whose tables are the user's, the folder of the input. Raises `MappingError` with every mistake, `UsageError` for
    the name of no preset, and `InputError` for a path where no readable file is.
    """
    path, text = written(path_or_name)
    return _settled(parse(text, path, beside), {"timezone": timezone, "region": region})


def written(path_or_name: str | Path) -> tuple[Path, str]:
    """The file of a mapping or preset, and its text. Raises as `load`."""
    path = _found(path_or_name)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"the mapping {path} cannot be read: {error.strerror}", hint="Check the path.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before.rsplit(b"\n", 1)[-1].decode("utf-8", "replace")) + 1
        place = f"{path}:{line}:{column}"
        raise MappingError([Mistake(place, "bad_yaml", "not UTF-8", "save the file as UTF-8")]) from error
    return path, text


def presets() -> dict[str, Path]:
    """The presets that come with the program: name -> file."""
    package = Path(__file__).resolve().parents[1]
    folder = package / "_packaged" / "mappings"  # in a wheel
    if not folder.is_dir():
        folder = package.parent / "mappings"  # in a checkout
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def _settled(mapping: Mapping, given: dict[str, str | None]) -> Mapping:
    """The mapping with what was said where it is used, as if it stood in the file: its digest is another one."""
    said = {name: value for name, value in given.items() if value and value != getattr(mapping.source, name)}
    if not said:
        return mapping
    digest = hashlib.sha256(f"{mapping.digest}\n{sorted(said.items())}".encode()).hexdigest()
    return mapping.model_copy(update={"source": mapping.source.model_copy(update=said), "digest": digest})


def _found(path_or_name: str | Path) -> Path:
    name = str(path_or_name)
    path = Path(path_or_name)
    if isinstance(path_or_name, Path) or path.suffix in _SUFFIXES or len(path.parts) > 1 or path.is_file():
        if not path.is_file():
            raise InputError(f"there is no mapping file {path}", hint=_hint(path.stem) or "Check the path.")
        return path
    known = presets()
    if name not in known:
        raise UsageError(f"there is no mapping named {name!r}; presets: {', '.join(known) or 'none'}", hint=_hint(name))
    return known[name]


def _hint(name: str) -> str:
    close = nearest(name, presets())
    return close[:1].upper() + close[1:]
