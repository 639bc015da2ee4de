"""Half one: a file's chunks to linked rows.

Every stage is a plain function from values to values; what a stage refuses leaves as rejects. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import time
from typing import Generic, NamedTuple, TypeVar

from etl.associate import LookUp, Tables, associate, in_words
from etl.flow import Chunk, Drafts, Linked, Reject
from etl.group import end_of_group, whole_groups
from etl.mapping.model import Mapping as MappingFile
from etl.read import Unread, at_hand, header, read, text_bytes, unread
from etl.transform import Rules, compile_rules, fallen, group_names, owner_policy, skip, transform, without
from etl.workers import CHUNK_BYTES

T = TypeVar("T")


class Drafted(NamedTuple):
    """What half one made of one chunk, the links still in words."""

    drafts: Drafts
    rejects: list[Reject]
    skipped: dict[str, int]
    read: int
    merged: int  #: rows that went into another row of their group
    grouped: Chunk | None  #: where rows are grouped, those that drafts were made of


class Half(NamedTuple):
    """What half one made of one chunk."""

    linked: Linked
    rejects: list[Reject]
    skipped: dict[str, int]
    read: int
    merged: int = 0  #: rows that went into another row of their group


class Finished(NamedTuple, Generic[T]):
    """The same, with what was made of the linked rows."""

    made: T
    rows: int
    rejects: list[Reject]
    skipped: dict[str, int]
    read: int
    merged: int = 0


class Stages(NamedTuple):
    """Half one for chunks with one header: what is compiled once, and the two steps that a chunk goes through."""

    rules: Rules
    draft: Callable[[Chunk], Drafted]
    link: Callable[[Drafted, LookUp | None], Half]  #: without an account the links stay in words

    def both(self, chunk: Chunk, look_up: LookUp | None) -> Half:
        """From a chunk to what becomes of it."""
        return self.link(self.draft(chunk), look_up)


def half_one(
    file: Path,
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    look_up: LookUp | None,
    *,
    limit: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    stages: Stages | None = None,
) -> Iterator[Half]:
    """A file's chunks, read, validated, mapped and linked; without `look_up` the links stay in words.

    `stages` are those for the file's columns, where they are compiled already.
    """
    stages = stages or stages_for(mapping, dispositions, header(file, mapping.source), int(time() * 1000))
    rules, left = stages.rules, limit
    for chunk in in_whole(file, mapping, rules, chunk_bytes):
        half = stages.both(chunk, look_up)
        if left is not None and len(half.linked) >= left:
            yield (
                _cut(half, chunk, left, lambda part: skip(part, rules)[1])
                if rules.group is None
                else stages.both(_whole_part(half, chunk, left, rules), look_up)
            )
            return
        left = None if left is None else left - len(half.linked)
        yield half


def in_whole(file: Path, mapping: MappingFile, rules: Rules | None, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """The file's chunks as the stages get them: as read, or chunks of whole groups where the mapping groups rows."""
    chunks = read(file, mapping.source, chunk_bytes=chunk_bytes)
    if rules is None or rules.group is None:
        return chunks
    return whole_groups(chunks, partial(group_names, grouping=rules.group), -(-text_bytes(file) // chunk_bytes))


def of_chunk(chunk: Chunk, mapping: MappingFile, dispositions: Mapping[str, str], columns: Sequence[str]) -> Half:
    """Half one of some rows by themselves, for looking at; links stay in words."""
    return stages_for(mapping, dispositions, columns, int(time() * 1000)).both(chunk, None)


def rules_of_groups(mapping: MappingFile, dispositions: Mapping[str, str], columns: Sequence[str]) -> Rules | None:
    """The rules where they say which rows are read together."""
    return compile_rules(mapping, dispositions=dispositions, header=columns, now_ms=0) if mapping.group else None


def to_others(file: Path, mapping: MappingFile, rules: Rules | None, chunk_bytes: int) -> Iterator[Unread]:
    """The same chunks for others to read; whole groups are read here, and `rules` are wanted for them alone."""
    if rules is None or rules.group is None:
        return unread(file, mapping.source, chunk_bytes=chunk_bytes)
    return map(at_hand, in_whole(file, mapping, rules, chunk_bytes))


def stages_for(
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    columns: Sequence[str],
    now_ms: int,
    tables: Tables | None = None,
) -> Stages:
    """Compiles half one for files with those columns, at that time (ms, UTC); `tables` are the crosswalks if read."""
    from etl.validate import compile_contract, validate  # pandera: nothing for a process that lets others map

    contract = compile_contract(mapping)
    rules = compile_rules(mapping, dispositions=dispositions, header=columns, now_ms=now_ms, tables=tables)
    policy = owner_policy(mapping)

    def draft(chunk: Chunk) -> Drafted:
        kept, skipped, unjudged = skip(chunk, rules)
        good, broken = validate(kept, contract)
        if rules.group and (unjudged or broken):
            there = set(kept.lines.tolist())
            broken += [fell for fell in fallen(chunk, [*unjudged, *broken], rules.group) if fell.line in there]
            good = without(kept, broken)
        drafts, unmapped = transform(good, rules)
        merged = len(good.lines) - len(drafts) - len(unmapped)
        rejects = [*chunk.rejects, *unjudged, *broken, *unmapped]
        read = len(chunk.lines) + len(chunk.rejects)
        return Drafted(drafts, rejects, skipped, read, merged, without(good, unmapped) if rules.group else None)

    def link(drafted: Drafted, look_up: LookUp | None) -> Half:
        linked, unlinked = (
            associate(drafted.drafts, mapping.associations, look_up, policy, rules.tables)
            if look_up
            else in_words(drafted.drafts, mapping.associations, rules.tables)
        )
        fell = fallen(drafted.grouped, unlinked, rules.group) if drafted.grouped and rules.group and unlinked else []
        rejects = [*drafted.rejects, *unlinked, *fell]
        return Half(linked, rejects, drafted.skipped, drafted.read, drafted.merged - len(fell))

    return Stages(rules, draft, link)


def finish_half(half: Half, finish: Callable[[Linked], T]) -> Finished[T]:
    """What is passed on of a half."""
    return Finished(finish(half.linked), len(half.linked), half.rejects, half.skipped, half.read, half.merged)


def _cut(half: Half, chunk: Chunk, rows: int, skipped: Callable[[Chunk], dict[str, int]]) -> Half:
    """The part of a half up to its `rows`-th good row."""
    linked = half.linked.head(rows)
    last = int(linked.drafts.lines[-1]) if rows else 0
    inside = int((chunk.lines <= last).sum())
    part = type(chunk)(chunk.source, chunk.rows[:inside], chunk.lines[:inside])
    ragged = sum(reject.line <= last for reject in chunk.rejects)
    return Half(linked, [r for r in half.rejects if r.line <= last], skipped(part), inside + ragged)


def _whole_part(half: Half, chunk: Chunk, rows: int, rules: Rules) -> Chunk:
    """The part of a chunk of whole groups up to the group of its `rows`-th good row, with what could not be read."""
    assert rules.group is not None
    line = int(half.linked.drafts.lines[rows - 1])
    end = end_of_group(chunk, partial(group_names, grouping=rules.group), line)
    return Chunk(chunk.source, chunk.rows[:end], chunk.lines[:end], chunk.rejects)
