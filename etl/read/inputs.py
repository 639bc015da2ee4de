"""What is given on the command line -> inputs: globs, folders and archives become the files that they stand for.

An input is one path, read from start to end by itself. For formats of one row a file (`eml`, `google_voice`) a folder
or an archive is one input; for the others each file in it is one.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from etl.errors import InputError
from etl.mapping.model import Source
from etl.read.archives import member_of, members
from etl.read.remote import address_of, files_at

#: How the files of a format are named, in folders and archives; what is given by name or glob may be called anything.
SUFFIXES: dict[str, tuple[str, ...]] = {
    "csv": (".csv", ".tsv"),
    "excel": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
    "jsonl": (".jsonl", ".ndjson"),
    "parquet": (".parquet",),
    "mbox": (".mbox",),
    "eml": (".eml",),
    "ics": (".ics",),
    "google_voice": (".html",),
}
#: What else they may be called, where none is called that: beside a .csv, a .txt is a note.
_OTHERWISE = {"csv": (".txt",)}
#: Formats of which one file is one row.
ROW_A_FILE = ("eml", "google_voice")
_GLOB = "*?["


def inputs(given: Sequence[Path], source: Source) -> tuple[Path, ...]:
    """The inputs in the order given; those of a folder, a glob or an archive by name. Each once.

    Raises `InputError` for what stands for nothing, `ContentError` for a damaged archive.
    """
    formats = (source.format, *source.others)
    found = (each for path in given for part in _matches(path) for each in _files(part, formats))
    return tuple(dict.fromkeys(found))


def format_of(path: Path, source: Source) -> str:
    """Which of the formats of the source the ending of the file's name tells; the first where it tells none."""
    named = path.name.lower().removesuffix(".gz")
    return next((each for each in (source.format, *source.others) if named.endswith(SUFFIXES[each])), source.format)


def _matches(path: Path) -> Iterator[Path]:
    """A glob's files, also of object storage: shells that do not know `**`, and quoted ones, leave them to the program."""
    text = str(path)
    if (address := address_of(path)) and set(text) & set(_GLOB):
        if not (found := files_at(address)):
            raise InputError(f"{address}: no file matches.", hint="Check the pattern.", code="missing_file")
        yield from found
        return
    if path.exists() or member_of(path) or not set(text) & set(_GLOB):
        yield path
        return
    matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - a Path has globs below a folder only
    if not matches:
        raise InputError(f"{path}: no file matches.", hint="Check the pattern and the folder.", code="missing_file")
    yield from (Path(each) for each in matches if not Path(each).is_dir() or len(matches) == 1)


def _files(path: Path, formats: Sequence[str]) -> Iterator[Path]:
    if path.is_dir():
        yield from _in_folder(path, formats)
    elif path.suffix.lower() == ".zip" and path.is_file() and formats[0] not in ROW_A_FILE:
        yield from _in_archive(path, formats)
    else:
        yield path


def _in_folder(folder: Path, formats: Sequence[str]) -> Iterator[Path]:
    if formats[0] in ROW_A_FILE:
        yield folder
        return
    files = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    found = _of_format([each.name for each in files], formats, ".zip")
    if not found:
        message = f"{folder}: the folder has no {_named(formats)[:-1]}, also .gz or .zip)."
        raise InputError(message, hint=f"Give the files by name, or as '{folder}/*'.", code="missing_file")
    for each in found:
        yield from _files(folder / each, formats)


def _of_format(names: Sequence[str], formats: Sequence[str], *also: str) -> list[str]:
    """The names that say that they are of a format, packed or not; `also` ends a name that is one in any case."""
    for endings in (SUFFIXES, _OTHERWISE):
        suffixes = [suffix for format_ in formats for suffix in endings.get(format_, ())]
        if found := [name for name in names if name.lower().removesuffix(".gz").endswith((*suffixes, *also))]:
            return found
    return []


def _in_archive(archive: Path, formats: Sequence[str]) -> Iterator[Path]:
    names = members(archive)
    found = _of_format(names, formats)
    if not found:
        message = f"{archive}: the archive has no {_named(formats)}."
        inside = f"It has {', '.join(names[:8])}; name one as {archive}!{names[0]}." if names else "It is empty."
        raise InputError(message, hint=inside, code="missing_file")
    yield from (Path(f"{archive}!{name}") for name in found)


def _named(formats: Sequence[str]) -> str:
    """`csv file (.csv, .tsv)`."""
    return f"{' or '.join(formats)} file ({', '.join(suffix for format_ in formats for suffix in SUFFIXES[format_])})"
