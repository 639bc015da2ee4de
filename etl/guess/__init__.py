"""Guess: a file -> a commented mapping that passes `etl check`, every guess that is not sure marked as such.

    head ─▶ columns ─▶ roles ─▶ draft        or, where a preset reads the file: its text

Apart from `read` and `transform`, which believe a mapping: this is the one room that looks at a file without one.
"""

from __future__ import annotations

import re
from pathlib import Path

from etl.errors import ContentError
from etl.guess.columns import facts_of
from etl.guess.draft import Choices, draft
from etl.guess.head import Head, read_head
from etl.guess.known import nearest_presets, preset_for, preset_of_format
from etl.guess.presets import from_preset
from etl.guess.result import Guess
from etl.guess.roles import roles_of
from etl.guess.tables import read_table, table_format
from etl.guess.written import comment, quoted
from etl.mapping import check_header, columns_read, parse

__all__ = ["Guess", "guess", "nearest_presets"]


def guess(path: Path, *, name: str = "", timezone: str = "", region: str = "") -> Guess:
    """A mapping for the file, from its head alone.

    `timezone` (IANA) and `region` (ISO) say what a file seldom does; `name` is the mapping's. Raises `InputError` and
    `ContentError` for a file that is no table with rows.
    """
    if preset := preset_of_format(path):
        return from_preset(preset, (), timezone, region)
    head = read_table(path, table) if (table := table_format(path)) else read_head(path)
    if preset := preset_for(path, head):
        return from_preset(preset, head.names, timezone, region)
    if not head.rows:
        hint = "Give a file with at least a few rows: names alone do not say how times are written."
        raise ContentError(f"{path}: a header and no row to look at.", hint=hint, code="no_rows")
    columns = facts_of(head)
    roles = roles_of(columns, path.name.split(".")[0])
    text = draft(head, columns, roles, Choices(name or _name(path), timezone, region))
    mapping = parse(text, Path(f"{path.name}.yaml"), path.parent)
    unused = tuple(each for each in head.names if each not in columns_read(mapping) and not each.startswith("_etl_"))
    assert not check_header(mapping, [each for each in head.names if not each.startswith("_etl_")])
    notes = _notes(path, head, unused, {each.name: list(each.counts)[:2] for each in columns})
    doubts = _doubts(text)
    return Guess(f"{_preamble(path, doubts)}{text}{notes}", "", roles.types, doubts, unused)


def _name(path: Path) -> str:
    """The file's name as the name of a mapping."""
    name = re.sub(r"[^a-z0-9_-]+", "-", path.name.split(".")[0].lower()).strip("-_")[:64].strip("-_")
    return name or "guessed"


def _doubts(text: str) -> tuple[str, ...]:
    """What is marked, each with the key that it stands behind."""
    found = []
    for line in text.splitlines():
        before, mark, after = line.partition("# check: ")
        if mark:
            key = before.strip().lstrip("- {").split(":")[0].strip() if before.strip() else "key"
            found.append(f"{key}: {after}")
    return tuple(found)


def _preamble(path: Path, doubts: tuple[str, ...]) -> str:
    many = f"{len(doubts)} places are marked" if len(doubts) != 1 else "one place is marked"
    return f"# Guessed from {comment(path.name)}. {many} `# check:`: look there first.\n"


def _notes(path: Path, head: Head, unused: tuple[str, ...], samples: dict[str, list[str]]) -> str:
    """The columns that no rule reads, and what they hold, as a comment at the end."""
    del path
    if not unused:
        return ""
    lines = ["# Columns that nothing reads yet:"]
    for name in unused[:60]:
        shown = ", ".join(text[:30] for text in samples.get(name, ())) or "(empty)"
        lines.append(comment(f"# {quoted(name)}: {shown}").replace("# ", "#   ", 1))
    more = len(unused) - 60
    return "\n".join([*lines, *([f"#   and {more} more"] if more > 0 else [])]) + "\n" if head.names else ""
