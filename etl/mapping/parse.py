"""One mapping file -> a `Mapping`, or every mistake in it at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping as ReadOnly
from pathlib import Path
from typing import Any

from etl.errors import MappingError, Mistake
from etl.mapping import fields, links, parts, tables
from etl.mapping.checks import check
from etl.mapping.model import Associations, Constant, EngagementPart, Mapping, Source, Table, Value
from etl.mapping.names import in_order
from etl.mapping.shape import Read, Wrong, entries, expected, filled_text, members, note, one_of
from etl.mapping.tree import Pairs, Scalar, Tree, read_tree
from etl.mapping.value import value, values

ON_CHANGE = ("leave", "update")
REQUIRED = ("version", "name", "engagement", "associations")


def parse(text: str, file: Path, beside: Path | None = None) -> Mapping:
    """The mapping that `text` says; `file` begins every place, and its folder is where tables are looked up.

    A table that is not there is looked up in the folder `beside` too (for a preset: where the input lies). Raises
    `MappingError` with every mistake, in the order of the file.
    """
    mapping, wrong = examine(text, file, beside)
    if wrong or mapping is None:
        raise MappingError(wrong)
    return mapping


def examine(text: str, file: Path, beside: Path | None = None) -> tuple[Mapping | None, list[Mistake]]:
    """What `text` says with stand-ins for what is wrong, and every mistake; None where it is no map at all.

    For whoever has more to find wrong with the same mapping: a stand-in has no place.
    """
    wrong: Wrong = []
    node = read_tree(text, str(file), wrong)
    folders = tuple(dict.fromkeys(folder for folder in (file.parent, beside) if folder is not None))
    mapping = _mapping(node, folders, wrong)
    if mapping is not None:
        wrong.extend(check(mapping))
    if wrong or mapping is None:
        placed = [each for each in dict.fromkeys(wrong) if each.place]  # one without a place is about a stand-in
        return mapping, in_order(placed)
    return mapping.model_copy(update={"file": file, "digest": _digest(text, mapping.tables)}), []


def _mapping(node: Tree, folders: tuple[Path, ...], wrong: Wrong) -> Mapping | None:
    """The mapping with stand-ins for what is wrong; None where the file is no map at all."""
    got = members(node, readers(folders), wrong, what="a mapping", required=REQUIRED)
    if not isinstance(node, Pairs):
        return None
    nothing = Constant(value=None)
    part = got.pop("engagement", EngagementPart(type=nothing, timestamp=nothing))
    metadata = fields.metadata(
        node.get("metadata"), part.type, attached="attachments" in got, at=node.at("engagement"), wrong=wrong
    )
    stand_ins = {"version": 1, "source": Source(), "name": "", "associations": Associations()}
    name = got.get("name", "")
    if "group" in got:
        got.setdefault("key", (got["group"].by,))
    return Mapping(**{
        **stand_ins, "namespace": name, **got, "engagement": part, "metadata": metadata, "place": node.place
    })  # fmt: skip


def readers(folders: tuple[Path, ...]) -> dict[str, Read]:
    """What reads each part of a mapping; tables are looked up in `folders`."""
    return {
        "version": _version,
        "name": _identifier,
        "namespace": _identifier,
        "description": filled_text,
        "source": parts.source,
        "columns": parts.columns,
        "skip": parts.skips,
        "group": parts.group,
        "define": _definitions,
        "tables": tables.tables(folders),
        "key": values,
        "engagement": fields.engagement,
        "associations": links.associations,
        "metadata": _later,
        "properties": fields.properties,
        "attachments": parts.attachments(folders),
        "on_change": one_of(ON_CHANGE),
        "tests": parts.examples,
    }


def _version(node: Tree, wrong: Wrong) -> int:
    if not isinstance(node, Scalar):
        expected(node, "the version, `1`", wrong)
    elif node.text != "1":
        note(wrong, node, "bad_value", f"this program reads version 1, found `{node.text}`", "write `version: 1`")
    return 1


def _identifier(node: Tree, wrong: Wrong) -> str:
    found = filled_text(node, wrong)
    if found.strip() and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", found):
        hint = re.sub(r"[^a-z0-9_-]+", "-", found.lower()).strip("-_")[:64]
        message = f"expected lower-case letters, digits, `-` and `_` (at most 64), found `{found[:80]}`"
        note(wrong, node, "bad_value", message, f"such as `{hint or 'phone-nightly'}`")
    return found


def _definitions(node: Tree, wrong: Wrong) -> ReadOnly[str, Value]:
    for key, _ in node.pairs if isinstance(node, Pairs) else ():
        if key.text.startswith("$") or key.text == "item":
            hint = f"write `{key.text.lstrip('$')}:`" if key.text != "item" else "`$item` is the element of an `each`"
            note(wrong, key, "bad_value", f"`{key.text}` cannot be the name of a definition", hint)
    return entries(node, value, wrong, what="`define`")


def _later(node: Tree, wrong: Wrong) -> Any:
    """`metadata` is read after `engagement`, whose type decides its shape."""


def _digest(text: str, tables: ReadOnly[str, Table]) -> str:
    """SHA-256 (hex) over the mapping and its tables, each table by name and content."""
    whole = hashlib.sha256(text.encode())
    for name in sorted(tables):
        with tables[name].path.open("rb") as content:
            whole.update(b"\0" + name.encode() + b"\0" + hashlib.file_digest(content, "sha256").digest())
    return whole.hexdigest()
