"""The part `tables`: crosswalk files, which must be there and have the columns that the mapping names."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, get_args

from etl.mapping.model import Table
from etl.mapping.shape import Read, Wrong, entries, filled_text, found_in, members, nearest, note, one_of, places
from etl.mapping.tree import Pairs, Tree

#: Names that `lookup` understands without a table.
DIRECTORIES = ("owner", "disposition")
KEYS_AS = get_args(Table.model_fields["key_as"].annotation)


def tables(folders: tuple[Path, ...]) -> Read:
    """The reader of the crosswalk files, each looked up in these folders, the first that has it."""

    def read(node: Tree, wrong: Wrong) -> dict[str, Table]:
        if isinstance(node, Pairs):
            for key, _ in node.pairs:
                if key.text in DIRECTORIES:
                    note(wrong, key, "name_clash", f"`{key.text}` is a directory of the account", "rename it")
        return entries(node, lambda each, wrong: _table(each, folders, wrong), wrong, what="`tables`")

    return read


def _table(node: Tree, folders: tuple[Path, ...], wrong: Wrong) -> Table:
    readers = {"file": filled_text, "key": filled_text, "value": filled_text, "key_as": one_of(KEYS_AS)}
    got = members(node, readers, wrong, what="a table", required=["file", "key", "value"])
    if not isinstance(node, Pairs) or len(got.keys() & {"file", "key", "value"}) < 3:
        return Table(place=node.place, path=Path(), key="", value="")
    file = node.get("file") or node
    name = got.pop("file")
    path = found_in(folders, name, Path.is_file)
    if path is None:
        note(wrong, file, "unknown_name", f"the table's file `{name}` is not in {places(folders)}", "put it there")
    else:
        _table_header(node, path, got, wrong)
    return Table(place=node.place, path=(path or folders[0] / name).absolute(), **got)


def _table_header(node: Pairs, path: Path, got: dict[str, Any], wrong: Wrong) -> None:
    """The columns that a table names must be in its file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), [])
    except (OSError, UnicodeError, csv.Error) as error:
        note(
            wrong, node, "bad_value", f"the table's file `{path.name}` cannot be read: {error}", "it must be UTF-8 CSV"
        )
        return
    for name in ("key", "value"):
        if got[name] not in header:
            at = node.get(name) or node
            hint = nearest(got[name], header) or f"it has {', '.join(header[:10])}"
            note(wrong, at, "unknown_name", f"`{path.name}` has no column `{got[name]}`", hint)
