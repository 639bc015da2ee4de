"""A mapping and a header to rules: everything that does not depend on rows, done once a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.errors import MappingError
from etl.flow import Keys, LinkKind, Wanted
from etl.mapping import Mapping as Rulebook
from etl.mapping import check_header, columns_read
from etl.mapping.model import LIST_COLUMNS, Constant, From, Ref
from etl.mapping.names import children
from etl.transform.conditions import Holds, compile_when
from etl.transform.files import compile_files
from etl.transform.frame import Compiled, Frame
from etl.transform.groups import Grouping, compile_group
from etl.transform.keys import compile_named_key, compile_row_key
from etl.transform.links import compile_wanted
from etl.transform.payload import compile_file_ids, compile_metadata, compile_properties
from etl.transform.steps import Directory
from etl.transform.tables import normaliser, read_tables
from etl.transform.values import Names, compile_value, label_of, refer


@dataclass(frozen=True, slots=True)
class Rules:
    """A mapping, compiled for one header: what `skip` and `transform` do to a chunk.

    The one thing that it remembers from chunk to chunk, caches apart, is how often each row without a key came.
    """

    skips: tuple[tuple[Holds, str], ...]
    group: Grouping | None
    key: Callable[[Frame], Keys]
    type: Compiled
    timestamp: Compiled
    timestamp_label: str
    active: Compiled
    owner: Compiled
    owner_in_words: bool  #: the owner may be an e-mail; else it must be an id
    metadata: Mapping[str, Callable[[Frame], Any]]  #: by engagement type
    properties: Callable[[Frame], Any]
    attachments: Callable[[Frame], Any]
    wanted: Callable[[Frame], Mapping[LinkKind, tuple[Wanted, ...]]]
    tables: Mapping[str, Mapping[str, str]]  #: crosswalks as read, for `by: table`
    now_ms: int
    names: Names  #: what values refer to, for whoever looks at single values: `explain`


def compile_rules(
    mapping: Rulebook,
    *,
    dispositions: Mapping[str, str],
    header: Sequence[str],
    now_ms: int,
    tables: Mapping[str, Mapping[str, str]] | None = None,
) -> Rules:
    """The mapping for files with that header, at that time (ms, UTC), with the account's call outcomes (label -> GUID).

    Reads the crosswalk tables, unless they are given as `read_tables` gives them. Raises `MappingError` for what cannot work with this header, `InputError` and
    `ContentError` for tables.
    """
    if wrong := check_header(mapping, header):
        raise MappingError(wrong)
    tables = read_tables(mapping.tables, mapping.source.region) if tables is None else tables
    names = _names(mapping, tables, dispositions, header, now_ms)
    part = mapping.engagement
    owner = part.ownerId or Constant(value=None)
    attachments = _attachments(mapping, names)
    return Rules(
        skips=tuple((compile_when(each.when, refer(names, each)), each.reason) for each in mapping.skip),
        group=compile_group(mapping.group, names),
        key=_key(mapping, names, header),
        type=compile_value(part.type, names, "engagement.type"),
        timestamp=compile_value(part.timestamp, names, "engagement.timestamp"),
        timestamp_label=label_of(part.timestamp, names) or "engagement.timestamp",
        active=compile_value(part.active or Constant(value=True), names, "engagement.active"),
        owner=compile_value(owner, names, "engagement.ownerId"),
        owner_in_words=any(value.lookup == "owner" for value in _froms(owner, mapping)),
        metadata={
            type_: compile_metadata(type_, block, names, attachments) for type_, block in mapping.metadata.items()
        },
        properties=compile_properties(mapping.properties, names),
        attachments=attachments,
        wanted=compile_wanted(mapping.associations, mapping.tables, names),
        tables=tables,
        now_ms=now_ms,
        names=names,
    )


def owner_policy(mapping: Rulebook) -> str:
    """What becomes of a row whose owner is not found: `reject`, `unassigned` or `empty`; the strictest of several."""
    owner = mapping.engagement.ownerId or Constant(value=None)
    found = {value.not_found for value in _froms(owner, mapping) if value.lookup == "owner"}
    return next((policy for policy in ("reject", "unassigned", "empty") if policy in found), "unassigned")


def _names(
    mapping: Rulebook,
    tables: Mapping[str, Mapping[str, str]],
    dispositions: Mapping[str, str],
    header: Sequence[str],
    now_ms: int,
) -> Names:
    region = mapping.source.region
    directories = {
        name: Directory(tables[name], normaliser(table, region), f"table `{name}`")
        for name, table in mapping.tables.items()
    }
    labels = {label.casefold(): guid for label, guid in dispositions.items()}
    guids = {guid.casefold(): guid for guid in dispositions.values()}
    directories["disposition"] = Directory({**guids, **labels}, str.casefold, "the account's call outcomes")
    absent = frozenset(name for name, rule in mapping.columns.items() if not rule.required) - set(header)
    lists = LIST_COLUMNS.get(mapping.source.format, frozenset())
    return Names(frozenset(header), absent, mapping.define, directories, mapping.source.timezone, region, now_ms, lists)


def _key(mapping: Rulebook, names: Names, header: Sequence[str]) -> Callable[[Frame], Keys]:
    if mapping.key:
        parts = [(label_of(value, names) or "key", compile_value(value, names, "key")) for value in mapping.key]
        return compile_named_key(parts, mapping.namespace)
    return compile_row_key([name for name in columns_read(mapping) if name in header], mapping.namespace)


def _attachments(mapping: Rulebook, names: Names) -> Callable[[Frame], Any]:
    """File ids, or files by their paths."""
    part = mapping.attachments
    if part is None or part.files is None:
        return compile_file_ids(part.ids if part else None, names)
    return compile_files(part.files, part.base, part.max_mb * 1_000_000, names)


def _froms(part: Any, mapping: Rulebook) -> Iterator[From]:
    """Every `from` in a value, the ones in the definitions that it reads included."""
    if isinstance(part, From):
        yield part
    if isinstance(part, Ref) and part.name in mapping.define:
        yield from _froms(mapping.define[part.name], mapping)
    for child in children(part):
        yield from _froms(child, mapping)
