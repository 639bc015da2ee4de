"""Half one over many files: one after the other on this machine, or all of them as partitions on a cluster.

A partition is a small file as a whole, read by the worker if it sees the file as it is here; or a stretch of a larger
file, which is read and cut into rows here. Rows, rejects and their order are those of one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import time
from typing import Any, NamedTuple, TypeVar

from etl.associate import LookUp, Tables
from etl.cluster import Ask, Steps, Task, connected, in_order
from etl.errors import ConfigError, UsageError
from etl.flow import Linked
from etl.half_one import (
    Drafted,
    Finished,
    finish_half,
    finished,
    in_whole,
    rules_of_groups,
    stages_for,
    to_others,
)
from etl.mapping.model import Mapping as MappingFile
from etl.read import Unread, format_of, header, is_remote, seen, text_bytes
from etl.transform.tables import read_tables
from etl.workers import ONE_CORE, Means

T = TypeVar("T")
_ROWS, _LINKS = "rows", "links"  # what a worker asks
_OTHERS = 8  # chunks: files in which rows are hard to read go to workers up to this size; a CSV is cut here in no time


class _Whole(NamedTuple):
    """A partition that is a file."""

    place: int  #: among the files
    file: Path
    seen: tuple[int, int]  #: as it is here


class _Stretch(NamedTuple):
    """A partition that is part of a file."""

    place: int
    chunk: Unread


_Partition = _Whole | _Stretch
_Begun = tuple[int, list[Drafted]]


def of_files(
    files: Sequence[Path],
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    look_up: LookUp | None,
    finish: Callable[[Linked], T],
    *,
    limit: int | None = None,
    means: Means = ONE_CORE,
) -> Iterator[tuple[int, Finished[T]]]:
    """Half one of each file, and `finish` of what it linked, with the file's place among them; in order.

    The same by whatever means. `limit` stops after so many good rows of all. Raises `UsageError` or `ConfigError` for
    what a cluster cannot do: a limit, and rows without a key.
    """
    if means.engine == "dask":
        yield from _on_cluster(files, mapping, dispositions, look_up, finish, limit, means)
        return
    left = limit
    for place, file in enumerate(files):
        for part in finished(file, mapping, dispositions, look_up, finish, limit=left, means=means):
            left = None if left is None else left - part.rows
            yield place, part
        if left == 0:
            return


def _on_cluster(
    files: Sequence[Path],
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    look_up: LookUp | None,
    finish: Callable[[Linked], T],
    limit: int | None,
    means: Means,
) -> Iterator[tuple[int, Finished[T]]]:
    _refuse(mapping, limit)

    def answer(what: str, *words: Any) -> Any:
        if what == _ROWS:
            file = files[words[0]]
            rules = rules_of_groups(mapping, dispositions, header(file, mapping.source))
            return list(in_whole(file, mapping, rules, means.chunk_bytes))
        assert look_up is not None
        return look_up(*words)

    tables = read_tables(mapping.tables, mapping.source.region)
    make = partial(_steps, mapping, dispositions, tables, int(time() * 1000), finish, look_up is not None)
    with connected(means.scheduler, means.workers) as client:
        tasks = _tasks(files, mapping, dispositions, partial(make, means.chunk_bytes), means.chunk_bytes)
        for place, parts in in_order(client, tasks, answer):
            for part in parts:
                yield place, part


def _refuse(mapping: MappingFile, limit: int | None) -> None:
    """Refuses what needs all rows before it, or files that only this machine is sure to have."""
    if limit is not None:
        hint = "Leave out `--engine dask`: a few rows are read at once."
        raise UsageError("--limit takes the first rows of a file, which a cluster does not know.", hint=hint)
    if not mapping.key:
        raise ConfigError(
            f"The mapping {mapping.name} has no `key`: its rows are numbered as they come, which a cluster cannot do.",
            hint="Name the source's own id, such as `key: $Call ID`, or leave out `--engine dask`.",
            code="not_on_cluster",
        )
    if mapping.attachments and mapping.attachments.files:
        raise ConfigError(
            f"The mapping {mapping.name} attaches files of this machine, which a cluster is not sure to have.",
            hint="Leave out `--engine dask`.",
            code="not_on_cluster",
        )


def _tasks(
    files: Sequence[Path],
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    make: Callable[..., Steps[_Partition, _Begun, tuple[int, list[Finished[T]]]]],
    chunk_bytes: int,
) -> Iterator[Task[_Partition, _Begun, tuple[int, list[Finished[T]]]]]:
    """The partitions in order, each with its steps: those of its columns."""
    made: dict[tuple[str, ...], Callable[[], Any]] = {}
    for place, file in enumerate(files):
        columns = header(file, mapping.source)
        steps = made.setdefault(columns, partial(make, columns))
        most = chunk_bytes if format_of(file, mapping.source) == "csv" else _OTHERS * chunk_bytes
        if text_bytes(file) <= most and (as_here := seen(file)):
            yield Task(steps, _Whole(place, _as_workers_see(file), as_here))
        else:
            rules = rules_of_groups(mapping, dispositions, columns)
            for chunk in to_others(file, mapping, rules, chunk_bytes):
                yield Task(steps, _Stretch(place, chunk))


def _as_workers_see(file: Path) -> Path:
    """Workers have working directories of their own."""
    return file if is_remote(file) else file.absolute()


def _steps(
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    tables: Tables,
    now_ms: int,
    finish: Callable[[Linked], T],
    with_account: bool,
    chunk_bytes: int,
    columns: Sequence[str],
) -> Steps[_Partition, _Begun, tuple[int, list[Finished[T]]]]:
    """What a worker of the cluster does with each partition."""
    stages = stages_for(mapping, dispositions, columns, now_ms, tables)

    def begin(part: _Partition, ask: Ask) -> _Begun:
        if isinstance(part, _Stretch):
            return part.place, [stages.draft(part.chunk())]
        there = seen(part.file) == part.seen
        chunks = in_whole(part.file, mapping, stages.rules, chunk_bytes) if there else ask(_ROWS, part.place)
        return part.place, [stages.draft(chunk) for chunk in chunks]

    def end(begun: _Begun, ask: Ask) -> tuple[int, list[Finished[T]]]:
        place, drafted = begun
        look_up = partial(ask, _LINKS) if with_account else None
        return place, [finish_half(stages.link(each, look_up), finish) for each in drafted]

    return Steps(begin, end)
