"""What is no mistake in a mapping, but worth a word: warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etl.engagement import FIELDS
from etl.errors import Mistake
from etl.mapping.model import LIST_COLUMNS, Mapping
from etl.mapping.names import columns_read, in_order, uses
from etl.mapping.shape import shown


def lint(mapping: Mapping, header: Sequence[str] | None = None) -> list[Mistake]:
    """Warnings, in the order of the file: no key, fields that the v1 wire drops, columns of the file that no rule reads."""
    return in_order([*_no_key(mapping), *_group_key(mapping), *_not_on_v1(mapping), *_unused(mapping, header or ())])


def _no_key(mapping: Mapping) -> Iterator[Mistake]:
    if not mapping.key:
        message = "no `key`: rows are told apart by a hash of the columns that the mapping reads"
        yield Mistake(mapping.place, "no_key", message, "name the source's own id, such as `key: $Call ID`")


def _group_key(mapping: Mapping) -> Iterator[Mistake]:
    """The rows of a group that come in a later file are known by the key: it must be the group's, not the row's."""
    group = mapping.group
    read = {name for part in mapping.key for name, _ in uses(part)}
    if group is not None and read != {name for name, _ in uses(group.by)}:
        message = "`key` is not what `group` goes by: rows of a group that come in a later file become an engagement of their own"
        yield Mistake(mapping.key[0].place, "group_key", message, "leave `key` out: it is then `group.by`")


def _not_on_v1(mapping: Mapping) -> Iterator[Mistake]:
    for kind, block in mapping.metadata.items():
        for name, value in block.items():
            if "v1" not in FIELDS[kind][name].wires:
                yield Mistake(
                    value.place,
                    "not_on_v1",
                    f"`{name}` of {kind} is dropped by the v1 wire",
                    "the objects wire carries it",
                )
    if mapping.properties:
        place = next(iter(mapping.properties.values())).place
        yield Mistake(place, "not_on_v1", "`properties` are dropped by the v1 wire", "the objects wire carries them")


def _unused(mapping: Mapping, header: Sequence[str]) -> Iterator[Mistake]:
    if mapping.source.format in LIST_COLUMNS:
        return  # columns that the reader makes, whether anybody needs them or not
    named = {*columns_read(mapping), *mapping.columns, *(mapping.source.stop_at or {})}
    for column in header:
        if column not in named:
            yield Mistake(mapping.place, "unused_column", f"no rule reads the column `{shown(column)}`")
