"""Half one: a file's chunks to linked rows, on one process or on several, with the same result in the same order.

Every stage is a plain function from values to values; what a stage refuses leaves as rejects. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import time
from typing import Generic, NamedTuple, TypeVar

from etl.associate import LookUp, associate, in_words
from etl.flow import Chunk, Linked, Reject
from etl.group import end_of_group, whole_groups
from etl.mapping.model import Mapping as MappingFile
from etl.read import Unread, at_hand, header, read, text_bytes, unread
from etl.transform import Rules, compile_rules, fallen, group_names, owner_policy, skip, transform, without
from etl.validate import compile_contract, validate
from etl.workers import CHUNK_BYTES, ONE_CORE, Means, in_order

T = TypeVar("T")


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


def finished(
    file: Path,
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    look_up: LookUp | None,
    finish: Callable[[Linked], T],
    *,
    limit: int | None = None,
    means: Means = ONE_CORE,
) -> Iterator[Finished[T]]:
    """Half one of a file, and `finish` of what it linked; the same in the same order by whatever means.

    Rows without a key of their own are numbered as they come, and a limit ends in the midst of a chunk: both take one.
    """
    if means.workers > 1 and limit is None and mapping.key:
        columns = header(file, mapping.source)
        make = partial(_worker, mapping, dispositions, columns, int(time() * 1000), finish, look_up is not None)
        rules = _rules(mapping, dispositions, columns, 0) if mapping.group else None
        chunks = _unread(file, mapping, rules, means.chunk_bytes)
        yield from in_order(make, chunks, means.workers, look_up)
    else:
        for half in half_one(file, mapping, dispositions, look_up, limit=limit, chunk_bytes=means.chunk_bytes):
            yield _finished(half, finish)


def half_one(
    file: Path,
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    look_up: LookUp | None,
    *,
    limit: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[Half]:
    """A file's chunks, read, validated, mapped and linked; without `look_up` the links stay in words."""
    rules, stages = _stages(mapping, dispositions, header(file, mapping.source), int(time() * 1000), look_up)
    left = limit
    for chunk in _chunks(file, mapping, rules, chunk_bytes):
        half = stages(chunk)
        if left is not None and len(half.linked) >= left:
            yield (
                _cut(half, chunk, left, lambda part: skip(part, rules)[1])
                if rules.group is None
                else stages(_whole_part(half, chunk, left, rules))
            )
            return
        left = None if left is None else left - len(half.linked)
        yield half


def in_whole(file: Path, mapping: MappingFile, rules: Rules) -> Iterator[Chunk]:
    """The file's chunks as the stages get them: as read, or in whole groups."""
    return _chunks(file, mapping, rules, CHUNK_BYTES)


def of_chunk(chunk: Chunk, mapping: MappingFile, dispositions: Mapping[str, str], columns: Sequence[str]) -> Half:
    """Half one of some rows by themselves, for looking at; links stay in words."""
    return _stages(mapping, dispositions, columns, int(time() * 1000), None)[1](chunk)


def _chunks(file: Path, mapping: MappingFile, rules: Rules | None, chunk_bytes: int) -> Iterator[Chunk]:
    """The file's chunks as read, or chunks of whole groups where the mapping groups rows."""
    chunks = read(file, mapping.source, chunk_bytes=chunk_bytes)
    if rules is None or rules.group is None:
        return chunks
    return whole_groups(chunks, partial(group_names, grouping=rules.group), -(-text_bytes(file) // chunk_bytes))


def _unread(file: Path, mapping: MappingFile, rules: Rules | None, chunk_bytes: int) -> Iterator[Unread]:
    """The same chunks for others to read; whole groups are read here."""
    if rules is None:
        return unread(file, mapping.source, chunk_bytes=chunk_bytes)
    return map(at_hand, _chunks(file, mapping, rules, chunk_bytes))


def _rules(mapping: MappingFile, dispositions: Mapping[str, str], columns: Sequence[str], now_ms: int) -> Rules:
    return compile_rules(mapping, dispositions=dispositions, header=columns, now_ms=now_ms)


def _stages(
    mapping: MappingFile, dispositions: Mapping[str, str], columns: Sequence[str], now_ms: int, look_up: LookUp | None
) -> tuple[Rules, Callable[[Chunk], Half]]:
    """Half one for a chunk: what is compiled once, and the function from a chunk to what becomes of it."""
    contract = compile_contract(mapping)
    rules = _rules(mapping, dispositions, columns, now_ms)
    policy = owner_policy(mapping)

    def stages(chunk: Chunk) -> Half:
        kept, skipped, unjudged = skip(chunk, rules)
        good, broken = validate(kept, contract)
        if rules.group and (unjudged or broken):
            there = set(kept.lines.tolist())
            broken += [fell for fell in fallen(chunk, [*unjudged, *broken], rules.group) if fell.line in there]
            good = without(kept, broken)
        drafts, unmapped = transform(good, rules)
        linked, unlinked = (
            associate(drafts, mapping.associations, look_up, policy, rules.tables)
            if look_up
            else in_words(drafts, mapping.associations, rules.tables)
        )
        merged = len(good.lines) - len(drafts) - len(unmapped)
        if rules.group and unlinked:
            fell = fallen(without(good, unmapped), unlinked, rules.group)
            unlinked, merged = [*unlinked, *fell], merged - len(fell)
        rejects = [*chunk.rejects, *unjudged, *broken, *unmapped, *unlinked]
        return Half(linked, rejects, skipped, len(chunk.rows) + len(chunk.rejects), merged)

    return rules, stages


def _worker(
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    columns: Sequence[str],
    now_ms: int,
    finish: Callable[[Linked], T],
    with_account: bool,
    ask: LookUp,
) -> Callable[[Unread], Finished[T]]:
    """What a worker process does with each chunk."""
    _, stages = _stages(mapping, dispositions, columns, now_ms, ask if with_account else None)
    return lambda chunk: _finished(stages(chunk()), finish)


def _finished(half: Half, finish: Callable[[Linked], T]) -> Finished[T]:
    return Finished(finish(half.linked), len(half.linked), half.rejects, half.skipped, half.read, half.merged)


def _cut(half: Half, chunk: Chunk, rows: int, skipped: Callable[[Chunk], dict[str, int]]) -> Half:
    """The part of a half up to its `rows`-th good row."""
    linked = half.linked.head(rows)
    last = int(linked.drafts.lines[-1]) if rows else 0
    inside = int((chunk.lines <= last).sum())
    part = type(chunk)(chunk.source, chunk.rows.iloc[:inside], chunk.lines[:inside])
    ragged = sum(reject.line <= last for reject in chunk.rejects)
    return Half(linked, [r for r in half.rejects if r.line <= last], skipped(part), inside + ragged)


def _whole_part(half: Half, chunk: Chunk, rows: int, rules: Rules) -> Chunk:
    """The part of a chunk of whole groups up to the group of its `rows`-th good row, with what could not be read."""
    assert rules.group is not None
    line = int(half.linked.drafts.lines[rows - 1])
    end = end_of_group(chunk, partial(group_names, grouping=rules.group), line)
    return Chunk(chunk.source, chunk.rows.iloc[:end], chunk.lines[:end], chunk.rejects)
