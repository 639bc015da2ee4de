"""Half one over many files: in this process, or as partitions on the cores of this machine or on a cluster.

A partition is a small file as a whole, read by the worker if it sees the file as it is here; or a stretch of a larger
file, which is read and cut into rows here. Rows, rejects and their order are those of one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import time
from typing import Any, NamedTuple, TypeVar

from etl import workers
from etl.associate import LookUp, Tables
from etl.cluster import Ask, Steps, Task, connected, in_order
from etl.errors import ConfigError, UsageError
from etl.flow import Linked
from etl.half_one import (
    Drafted,
    Finished,
    Stages,
    finish_half,
    half_one,
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
_Part = tuple[tuple[str, ...], _Partition]  # with the columns of its file
_Begun = tuple[int, list[Drafted]]
_Made = tuple[int, list[Finished[T]]]  # with the file's place
_Make = Callable[[Sequence[str]], Steps[_Partition, _Begun, _Made[T]]]


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
        _refuse(mapping, limit)
    elif means.workers == 1 or limit is not None or not mapping.key:
        yield from _one_by_one(files, mapping, dispositions, look_up, finish, limit, means)
        return
    tables = read_tables(mapping.tables, mapping.source.region)
    make = partial(
        _steps, mapping, dispositions, tables, int(time() * 1000), finish, look_up is not None, means.chunk_bytes
    )
    parts = _partitions(files, mapping, dispositions, means.chunk_bytes)
    answer = partial(_answer, files, mapping, dispositions, look_up, means.chunk_bytes)
    for place, halves in (_on_cluster if means.engine == "dask" else _on_cores)(make, parts, answer, means):
        for half in halves:
            yield place, half


def _one_by_one(
    files: Sequence[Path],
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    look_up: LookUp | None,
    finish: Callable[[Linked], T],
    limit: int | None,
    means: Means,
) -> Iterator[tuple[int, Finished[T]]]:
    """In this process. Rows without a key of their own are numbered in their file, so that stages serve one file only."""
    made: dict[tuple[str, ...], Stages] = {}
    left = limit
    for place, file in enumerate(files):
        columns = header(file, mapping.source)
        if columns not in made or not mapping.key:
            made[columns] = stages_for(mapping, dispositions, columns, int(time() * 1000))
        for half in half_one(
            file, mapping, dispositions, look_up, limit=left, chunk_bytes=means.chunk_bytes, stages=made[columns]
        ):
            left = None if left is None else left - len(half.linked)
            yield place, finish_half(half, finish)
        if left == 0:
            return


def _on_cores(make: _Make[T], parts: Iterator[_Part], answer: Ask, means: Means) -> Iterator[_Made[T]]:
    """On worker processes of this machine."""
    return workers.in_order(partial(_worker, make), parts, means.workers, answer)


def _worker(make: _Make[T], ask: Ask) -> Callable[[_Part], _Made[T]]:
    """What such a process does with each partition; what is compiled for the columns of one file serves for others."""
    made: dict[tuple[str, ...], Steps[_Partition, _Begun, _Made[T]]] = {}

    def work(part: _Part) -> _Made[T]:
        columns, partition = part
        steps = made.get(columns) or made.setdefault(columns, make(columns))
        return steps.end(steps.begin(partition, ask), ask)

    return work


def _on_cluster(make: _Make[T], parts: Iterator[_Part], answer: Ask, means: Means) -> Iterator[_Made[T]]:
    made: dict[tuple[str, ...], Callable[[], Any]] = {}
    tasks = (Task(made.setdefault(columns, partial(make, columns)), partition) for columns, partition in parts)
    with connected(means.scheduler, means.workers) as client:
        yield from in_order(client, tasks, answer)


def _answer(
    files: Sequence[Path],
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    look_up: LookUp | None,
    chunk_bytes: int,
    what: str,
    *words: Any,
) -> Any:
    """What a worker is told: the rows of a file that it does not see as it is here, or ids."""
    if what == _ROWS:
        file = files[words[0]]
        rules = rules_of_groups(mapping, dispositions, header(file, mapping.source))
        return list(in_whole(file, mapping, rules, chunk_bytes))
    assert look_up is not None
    return look_up(*words)


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


def _partitions(
    files: Sequence[Path], mapping: MappingFile, dispositions: Mapping[str, str], chunk_bytes: int
) -> Iterator[_Part]:
    """The partitions in order, each with the columns of its file."""
    for place, file in enumerate(files):
        columns = header(file, mapping.source)
        most = chunk_bytes if format_of(file, mapping.source) == "csv" else _OTHERS * chunk_bytes
        if text_bytes(file) <= most and (as_here := seen(file)):
            yield columns, _Whole(place, _as_workers_see(file), as_here)
        else:
            rules = rules_of_groups(mapping, dispositions, columns)
            for chunk in to_others(file, mapping, rules, chunk_bytes):
                yield columns, _Stretch(place, chunk)


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
) -> Steps[_Partition, _Begun, _Made[T]]:
    """What a worker does with each partition."""
    stages = stages_for(mapping, dispositions, columns, now_ms, tables)

    def begin(part: _Partition, ask: Ask) -> _Begun:
        if isinstance(part, _Stretch):
            return part.place, [stages.draft(part.chunk())]
        there = seen(part.file) == part.seen
        chunks = in_whole(part.file, mapping, stages.rules, chunk_bytes) if there else ask(_ROWS, part.place)
        return part.place, [stages.draft(chunk) for chunk in chunks]

    def end(begun: _Begun, ask: Ask) -> _Made[T]:
        place, drafted = begun
        look_up = partial(ask, _LINKS) if with_account else None
        return place, [finish_half(stages.link(each, look_up), finish) for each in drafted]

    return Steps(begin, end)
