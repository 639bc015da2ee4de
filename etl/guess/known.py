"""Which of the presets reads a file: the one whose columns the file has, and that can map most of its rows.

No list of systems: whatever preset lies in the folder is compared, so a new one is known by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from etl.errors import EtlError, MappingError
from etl.guess.head import Head
from etl.mapping import Mapping, columns_read, parse, presets

_ROWS = 50
#: Names of files that are no tables -> the format that reads them.
_FORMATS = {".mbox": "mbox", ".mbx": "mbox", ".eml": "eml", ".ics": "ics"}


class Preset(NamedTuple):
    """A preset that fits a file."""

    name: str
    text: str
    mapping: Mapping
    zoned: bool  #: it knows its zone; else `text` has UTC for one
    as_it_is: bool = True  #: it reads the file's format; else `text` has that for its own


def preset_for(path: Path, head: Head) -> Preset | None:
    """The preset that reads most of the file's columns of those whose columns are all there; None where none does."""
    likely = _naming(head.names) if head.headed else lambda text: "header: none" in text
    fitting = [
        each
        for each in _loaded(path.parent, likely, head.format)
        if not missing(each.mapping, head) and _maps(path, each.mapping)
    ]
    exact = len(head.names)
    return max(
        fitting, key=lambda each: (len(each.mapping.source.names) == exact, len(needed(each.mapping))), default=None
    )


def preset_of_format(path: Path) -> Preset | None:
    """The preset for a mailbox or a calendar, told by the file's name; None for all other files."""
    format_ = _FORMATS.get(path.suffix.lower())
    if not format_:
        return None
    found = _loaded(path.parent, lambda text: f"format: {format_}" in text)
    return next((each for each in found if each.mapping.source.format == format_), None)


def nearest_presets(names: Sequence[str], beside: Path) -> list[str]:
    """The presets whose columns a header has, all of them or at least four of five, the best first."""
    shares = []
    for each in _loaded(beside, _naming(names)):
        wanted = needed(each.mapping)
        share = len(wanted & set(names)) / max(len(wanted), 1)
        if share >= 0.8 and each.mapping.source.format == "csv" and each.mapping.source.header != "none":
            shares.append((-share, -len(wanted), each.name))
    return [name for *_, name in sorted(shares)]


def missing(mapping: Mapping, head: Head) -> set[str]:
    """The columns that the mapping needs and the file does not have; all of them where the file is written otherwise."""
    source, wanted = mapping.source, needed(mapping)
    if head.format not in (source.format, *source.others):
        return wanted or {"*"}
    if head.format == "csv" and (source.delimiter, source.encoding) != (head.delimiter, head.encoding):
        return wanted or {"*"}
    if source.header == "none":
        width = len(head.names)  # a row may end before the last of the names
        fits = not head.headed and width <= len(source.names)
        return wanted - set(source.names[:width]) if fits else wanted or {"*"}
    return wanted - set(head.names) if head.headed and source.skip_rows == head.skip_rows else wanted or {"*"}


def needed(mapping: Mapping) -> set[str]:
    """The columns without which the mapping cannot run."""
    optional = {name for name, rule in mapping.columns.items() if not rule.required}
    return {*columns_read(mapping), *mapping.columns, *(mapping.source.stop_at or {})} - optional


def with_source(text: str, key: str, value: str) -> str:
    """The text of a mapping with `key` of `source` set to `value`; as it is where there is nothing to set."""
    start = re.search(r"(?m)^source:", text)
    if not value or start is None:
        return text
    end = re.search(r"(?m)^\w", text[start.end() :])
    stop = start.end() + end.start() if end else len(text)
    part = text[start.start() : stop]
    if re.search(rf"(?m)^(?!\s*#).*\b{key}:", part):
        part = re.sub(rf"\b{key}:\s*(\[[^\]]*\]|[^,}}\s]+)", f"{key}: {value}", part, count=1)
    elif "{" in part.split("\n", 1)[0]:
        part = part.replace("{", f"{{{key}: {value}, ", 1)
    else:
        part = part.replace("source:\n", f"source:\n  {key}: {value}\n", 1)
    return text[: start.start()] + part + text[stop:]


def _naming(names: Sequence[str]) -> Callable[[str], bool]:
    """Whether the text of a preset names some of these columns: the others need not be parsed."""
    return lambda text: sum(name in text for name in names) >= min(3, len(names))


def _loaded(beside: Path, likely: Callable[[str], bool], table: str = "csv") -> list[Preset]:
    """The presets whose text is likely and that can be read; one without a zone of its own is tried with UTC.

    For a `table` of another format, such as a workbook, those of CSV files read that format instead.
    """
    found = []
    for name, file in presets().items():
        text = file.read_text(encoding="utf-8")
        if not likely(text):
            continue
        for zoned, tried in ((True, text), (False, with_source(text, "timezone", "UTC"))):
            try:
                used, mapping = _for_table(tried, file, beside, table)
            except MappingError:  # its tables are not here
                continue
            if mapping.source.timezone != "given":
                found.append(Preset(name, used, mapping, zoned, used == tried))
                break
    return found


def _for_table(text: str, file: Path, beside: Path, table: str) -> tuple[str, Mapping]:
    """A preset as it is, or, where it reads CSV files only, as one that reads this format; its text with it."""
    mapping = parse(text, file, beside)
    if mapping.source.format != "csv" or table in ("csv", *mapping.source.others):
        return text, mapping
    text = with_source(text, "format", table)
    return text, parse(text, file, beside)


def _maps(path: Path, mapping: Mapping) -> bool:
    """Whether at least half of the first rows become payloads, or are left out on purpose."""
    from etl.engagement import DISPOSITIONS
    from etl.half_one import half_one

    try:
        halves = list(islice(half_one(path, mapping, DISPOSITIONS, None, limit=_ROWS), 1))
    except EtlError:
        return False
    rejected = sum(len(half.rejects) for half in halves)
    return rejected * 2 <= sum(half.read for half in halves)
