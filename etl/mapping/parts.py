"""The parts of a mapping about the file: source, columns, skip, group, attachments and its own tests."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

from etl.mapping.condition import condition
from etl.mapping.model import (
    All,
    Attachments,
    ColumnRule,
    Constant,
    Example,
    Group,
    Skip,
    Source,
)
from etl.mapping.shape import (
    Read,
    Wrong,
    entries,
    filled_text,
    found_in,
    items,
    members,
    nearest,
    note,
    one_of,
    places,
    plain,
    regex,
    text,
    texts,
    truth,
    whole,
)
from etl.mapping.steps import country, zone
from etl.mapping.tree import Items, Pairs, Scalar, Tree
from etl.mapping.value import value

SOURCE_FORMATS = ("csv", "excel", "jsonl", "parquet", "mbox", "eml", "ics", "google_voice")
#: Those whose rows are the same texts in whichever of them a table is written.
TABLES = SOURCE_FORMATS[:4]
#: What `expect` of a test may begin with.
EXPECTED = ("outcome", "reason", "code", "column", "key", "engagement", "associations", "attachments", "metadata",
            "properties", "wanted")  # fmt: skip


def source(node: Tree, wrong: Wrong) -> Source:
    """How to read the file."""
    got = members(node, SOURCE_READERS, wrong, what="`source`")
    if "format" in got:
        got["format"], *got["others"] = got["format"]
    if got.get("header") == "none" and not got.get("names") and isinstance(node, Pairs):
        note(wrong, node, "missing_key", "`header: none` needs `names`, the names of the columns")
    if got.get("names") and got.get("header") != "none" and isinstance(node, Pairs):
        at = node.get("names") or node
        note(wrong, at, "bad_value", "`names` is for files without a header", "add `header: none`")
    return Source(place=node.place, **got)


def columns(node: Tree, wrong: Wrong) -> dict[str, ColumnRule]:
    """The contract on the raw columns."""
    return entries(node, _column, wrong, what="`columns`")


def skips(node: Tree, wrong: Wrong) -> tuple[Skip, ...]:
    """The rows left out on purpose."""
    return items(node, _skip, wrong, what="of `{when, reason}`")


def group(node: Tree, wrong: Wrong) -> Group:
    """One engagement of several rows."""
    readers = {"by": value, "keep": one_of(("first", "last", "longest")), "field": value}
    got = members(node, readers, wrong, what="`group`", required=["by"])
    if got.get("keep") == "longest" and "field" not in got:
        note(wrong, node, "missing_key", "`keep: longest` needs `field`, the value to compare")
    return Group(place=node.place, **{"by": Constant(value=None), **got})


def attachments(folders: tuple[Path, ...]) -> Read:
    """The reader of file ids, or of the paths of files to upload first, below a folder that is looked up in `folders`."""

    def read(node: Tree, wrong: Wrong) -> Attachments:
        if not isinstance(node, Pairs) or not set(node.keys) & ATTACHMENT_READERS.keys():
            return Attachments(place=node.place, ids=value(node, wrong))
        got = members(node, ATTACHMENT_READERS, wrong, what="`attachments`", required=["files"])
        base = _base(node.get("base") or node, got.pop("base", ""), folders, wrong)
        return Attachments(place=node.place, base=base, **got)

    return read


def examples(node: Tree, wrong: Wrong) -> tuple[Example, ...]:
    """The mapping's own tests."""
    return items(node, _example, wrong, what="of `{given, expect}`")


def _base(node: Tree, name: str, folders: tuple[Path, ...], wrong: Wrong) -> Path:
    """The folder of that name; without a name that of the mapping, which stays the same for a reject file loaded again."""
    if not name:
        return (folders[0] if folders else Path()).absolute()
    if (found := found_in(folders, name, Path.is_dir)) is None:
        message = f"the folder `{name}` is not in {places(folders)}"
        note(wrong, node, "unknown_name", message, "put it there, or give its whole path")
    return (found or Path()).absolute()


def _formats(node: Tree, wrong: Wrong) -> tuple[str, ...]:
    """One format, or several of tables, of which the ending of a file's name says the one that it has."""
    if isinstance(node, Items):
        return items(node, one_of(TABLES), wrong, what="of formats") or ("csv",)
    return (one_of(SOURCE_FORMATS)(node, wrong),)


def _delimiter(node: Tree, wrong: Wrong) -> str:
    found = node.text if isinstance(node, Scalar) else text(node, wrong)
    found = "\t" if found in ("tab", "\\t") else found
    if len(found) != 1 or found in '"\r\n':
        note(wrong, node, "bad_value", "expected one character that separates the cells", 'such as ";" or tab')
        return ","
    return found


def _encoding(node: Tree, wrong: Wrong) -> str:
    found = filled_text(node, wrong)
    try:
        codecs.lookup(found)
    except (LookupError, ValueError):
        hint = nearest(found, ("utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "shift_jis", "gb18030"))
        note(wrong, node, "bad_value", f"no text encoding is named `{found}`", hint or "such as utf-8 or cp1252")
    return found


def _header(node: Tree, wrong: Wrong) -> int | str:
    if isinstance(node, Scalar) and node.text == "none":
        return "none"
    found: int = whole(1, 1_000_000)(node, wrong)
    return found


def _names(node: Tree, wrong: Wrong) -> tuple[str, ...]:
    found: tuple[str, ...] = items(node, filled_text, wrong, what="of column names")
    for name in dict.fromkeys(name for name in found if found.count(name) > 1):
        note(wrong, node, "bad_value", f"the column `{name}` is named twice")
    return found


#: The largest file that can be allowed, in MB: a file is sent from memory.
MOST_MB = 100
ATTACHMENT_READERS: dict[str, Read] = {"files": value, "base": filled_text, "max_mb": whole(1, MOST_MB)}
SOURCE_READERS: dict[str, Read] = {
    "format": _formats,
    "delimiter": _delimiter,
    "quotes": one_of(("strict", "lenient")),
    "sheet": filled_text,
    "encoding": _encoding,
    "header": _header,
    "names": _names,
    "skip_rows": whole(0, 1_000_000),
    "stop_at": lambda node, wrong: entries(node, text, wrong, what="`stop_at`, a column and its text"),
    "missing": texts,
    "timezone": lambda node, wrong: "given" if isinstance(node, Scalar) and node.text == "given" else zone(node, wrong),
    "region": country,
}


def _column(node: Tree, wrong: Wrong) -> ColumnRule:
    if isinstance(node, Scalar) and node.missing:  # `Column:` and no more: it must be there
        return ColumnRule(place=node.place)
    got = members(node, COLUMN_READERS, wrong, what="a rule of `columns`")
    checks = {name: got[name] for name in got if name not in _FLAGS}
    return ColumnRule(place=node.place, checks=checks, **{name: got[name] for name in got if name in _FLAGS})


def _bound(node: Tree, wrong: Wrong) -> int | float | str:
    found = node.number if isinstance(node, Scalar) else None
    return text(node, wrong) if found is None else found


def _between(node: Tree, wrong: Wrong) -> dict[str, Any]:
    limits = {"min_value": _bound, "max_value": _bound, "include_min": truth, "include_max": truth}
    return members(node, limits, wrong, what="`in_range`", required=["min_value", "max_value"])


def _length(node: Tree, wrong: Wrong) -> dict[str, int]:
    if isinstance(node, Pairs):
        limits = dict.fromkeys(("min_value", "max_value", "exact_value"), whole(0))
        return members(node, limits, wrong, what="`str_length`")
    return {"exact_value": whole(0)(node, wrong)}


#: pandera's built-in checks by the names that its `Check` has, with the readers of their arguments. Cells are text.
_CHECKS: dict[str, Read] = {
    **dict.fromkeys(("equal_to", "eq", "not_equal_to", "ne"), text),
    **dict.fromkeys(("greater_than", "gt", "greater_than_or_equal_to", "ge"), _bound),
    **dict.fromkeys(("less_than", "lt", "less_than_or_equal_to", "le"), _bound),
    **dict.fromkeys(("in_range", "between"), _between),
    **dict.fromkeys(("isin", "notin", "unique_values_eq"), texts),
    **dict.fromkeys(("str_matches", "str_contains"), regex),
    **dict.fromkeys(("str_startswith", "str_endswith"), filled_text),
    "str_length": _length,
}
_FLAGS: dict[str, Read] = dict.fromkeys(("required", "nullable", "unique"), truth)
COLUMN_READERS = {**_FLAGS, **_CHECKS}


def _skip(node: Tree, wrong: Wrong) -> Skip:
    readers = {"when": condition, "reason": filled_text}
    got = members(node, readers, wrong, what="`skip`", required=readers)
    return Skip(place=node.place, **{"when": All(conditions=()), "reason": "", **got})


def _example(node: Tree, wrong: Wrong) -> Example:
    readers = {"given": _given, "expect": _expect}
    got = members(node, readers, wrong, what="a test", required=readers)
    return Example(place=node.place, **{"given": {}, "expect": {}, **got})


def _given(node: Tree, wrong: Wrong) -> dict[str, str]:
    def cell(each: Tree, wrong: Wrong) -> str:
        return "" if isinstance(each, Scalar) and each.missing else text(each, wrong)

    return entries(node, cell, wrong, what="`given`, columns and their cells")


def _expect(node: Tree, wrong: Wrong) -> dict[str, Any]:
    got = entries(node, plain, wrong, what="`expect`, payload fields and their values")
    for key, _ in node.pairs if isinstance(node, Pairs) else ():
        if key.text.split(".")[0] not in EXPECTED:
            hint = nearest(key.text.split(".")[0], EXPECTED) or f"it begins with one of {', '.join(EXPECTED)}"
            note(wrong, key, "unknown_field", f"`{key.text}` is no part of a payload", hint)
    return got
