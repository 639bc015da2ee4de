"""What the checkpoint says about a plan and a run: the tally, the rejects, the rows in doubt."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from etl.checkpoint import changes
from etl.checkpoint.segments import load, read_cells
from etl.checkpoint.store import Checkpoint
from etl.flow import LINK_KINDS, Problem, Reject, Tally, key_text

#: The fate that a row's state amounts to at the end of a run.
_FATE = {
    "planned": "not_tried",
    "parked": "parked",
    "in_flight": "unresolved",
    "unknown": "unresolved",
    "unresolved": "unresolved",
    "rejected": "rejected",
    "adopted": "already",
    "undone": "already",
}


_TOGETHER = 50_000  # rows


class Open(NamedTuple):
    """A row whose fate is not known, or that waits."""

    path: str
    line: int
    key: str
    type: str
    time_ms: int
    state: str
    reason: str
    looked_for: str = ""  #: of a parked row, the words of its links


def tally(checkpoint: Checkpoint, plan: int, run: int | None) -> Tally:
    """The fates of the plan's rows as of now; `read` is left at 0 for whoever counted.

    `by_type` and `links` are of what the run created; without a run nothing is new, and they are of what is planned.
    """
    t = Tally()
    inputs = "(SELECT id FROM input WHERE plan = ?)"
    t.already = checkpoint.one("SELECT already FROM plan WHERE id = ?", plan)
    t.changed = checkpoint.one("SELECT changed FROM plan WHERE id = ?", plan)
    of_run = [] if run is None else [run]
    columns = ["state", "type", "shape", *("run IS ?" for _ in of_run)]
    rows = (run is None and as_inserted(checkpoint)) or _counted(
        checkpoint, columns, f"input IN {inputs}", *of_run, plan
    )
    for (state, _, _, *mine), n in rows.items():
        fate = ("created" if mine == ["1"] else "already") if state == "created" else _FATE[state]
        setattr(t, fate, getattr(t, fate) + n)
        t.adopted += n * (state == "adopted")
        t.undone += n * (state == "undone")
    _count_changes(checkpoint, plan, run, t)
    sql = f"SELECT reason, sum(rows) FROM skipped WHERE input IN {inputs} GROUP BY 1"
    t.skipped_by = dict(checkpoint.rows(sql, plan))
    t.skipped = sum(t.skipped_by.values())
    t.merged = checkpoint.one("SELECT coalesce(sum(merged), 0) FROM input WHERE plan = ?", plan)
    later = f"""SELECT coalesce(code, 'refused'), count(*) FROM row WHERE state = 'rejected' AND input IN {inputs} GROUP BY 1"""
    refused = Counter(dict(checkpoint.rows(later, plan))) if t.rejected else Counter[str]()
    t.rejected_by = dict(Counter(rejected_by_half_one(checkpoint, plan)) + refused)
    t.rejected = sum(t.rejected_by.values())
    if run is None:
        planned = {(type_, shape): n for (state, type_, shape), n in rows.items() if state == "planned"}
        t.by_type, t.links = _types_and_links(planned)
    else:
        created = _counted(checkpoint, ("type", "shape"), "state = 'created' AND run = ?", run)
        t.by_type, t.links = _types_and_links(created)
        t.carried = _carried(checkpoint, plan, run)
    return t


def as_inserted(checkpoint: Checkpoint) -> Counter[tuple[str, ...]]:
    """Rows by state, type and shape, where this process has just made the checkpoint's first plan, else nothing.

    Counted by what SQLite said it inserted: to read a million rows again takes a second.
    """
    if not checkpoint.rows("SELECT 1 FROM temp.sqlite_master WHERE name = 'inserted'"):
        return Counter()
    found = checkpoint.rows("SELECT state, type, shape, rows FROM temp.inserted")
    return Counter({tuple(what): rows for *what, rows in found})


def _count_changes(checkpoint: Checkpoint, plan: int, run: int | None, t: Tally) -> None:
    """Rows that were created before have the fate `already`; those that this run changed are `updated` instead."""
    if run is not None:
        t.updated = changes.updated(checkpoint, plan, run)
        t.already -= t.updated
    done = changes.counted(checkpoint, plan=plan)
    t.changed -= done.get(("update", "done"), 0)
    t.conflicts = done.get(("update", "conflict"), 0)
    t.vanished = checkpoint.one("SELECT count(*) FROM vanished WHERE plan = ?", plan)


def rejected_by_half_one(checkpoint: Checkpoint, plan: int) -> dict[str, int]:
    """How many rows of the plan's inputs were refused before anything was sent, by the code of their first problem."""
    sql = """SELECT json_extract(problems, '$[0][0]'), count(*) FROM reject
        WHERE input IN (SELECT id FROM input WHERE plan = ?) GROUP BY 1"""
    return dict(checkpoint.rows(sql, plan))


def an_example(checkpoint: Checkpoint, plan: int, code: str) -> tuple[str, int, Problem]:
    """The first row of the plan's inputs whose first problem has this code: its file, its line, and the problem."""
    sql = """SELECT path, line, problems FROM reject JOIN input ON input.id = reject.input
        WHERE input.plan = ? AND json_extract(problems, '$[0][0]') = ? ORDER BY input.id, line LIMIT 1"""
    [(path, line, problems)] = checkpoint.rows(sql, plan, code)
    return path, line, Problem(*orjson.loads(problems)[0])


def rejected_later(checkpoint: Checkpoint, code: str) -> int:
    """How many rows were refused with this code after planning: by the account, or while they waited."""
    return checkpoint.one("SELECT count(*) FROM row WHERE state = 'rejected' AND coalesce(code, 'refused') = ?", code)


def accepted(checkpoint: Checkpoint, run: int, most: int) -> int:
    """How many rows of this run's plan are created by now, `most` at the most."""
    inputs = "(SELECT input.id FROM input JOIN run ON run.plan = input.plan WHERE run.id = ?)"
    created = f"SELECT 1 FROM row WHERE state = 'created' AND input IN {inputs} LIMIT ?"
    return checkpoint.one(f"SELECT count(*) FROM ({created})", run, most)


def rows_read(checkpoint: Checkpoint, plan: int) -> int:
    """How many rows the reader counted in the plan's inputs."""
    return checkpoint.one("SELECT sum(read) FROM input WHERE plan = ?", plan)


def looked_up(checkpoint: Checkpoint) -> dict[tuple[str, str], int]:
    """How many values the newest plan looked up, by kind and way."""
    return {(kind, by): n for kind, by, n in checkpoint.rows("SELECT kind, by, count(*) FROM directory GROUP BY 1, 2")}


def inputs(checkpoint: Checkpoint, plan: int) -> list[tuple[int, str, list[str]]]:
    """The plan's inputs: number, path and header."""
    found = checkpoint.rows("SELECT id, path, header FROM input WHERE plan = ? ORDER BY id", plan)
    return [(number, path, json.loads(header)) for number, path, header in found]


def rejects(checkpoint: Checkpoint, input_: int, held: Container[str] = ("rejected",)) -> Iterator[Reject]:
    """Everything rejected of one input, by half one in the order of the file, then by the account.

    `held` is what `states_held` gives: where no row was rejected after planning, none is looked for.
    """
    yield from _rejected_before(checkpoint, input_)
    if "rejected" in held:
        yield from rejected_since(checkpoint, input_, 0)


def carried_inputs(checkpoint: Checkpoint, plan: int, run: int) -> list[tuple[int, str, list[str]]]:
    """Inputs of other plans of which rows were rejected by this run: number, path and header."""
    found = checkpoint.rows(
        """SELECT DISTINCT i.id, i.path, i.header FROM row JOIN input AS i ON i.id = row.input
           WHERE row.state = 'rejected' AND row.run = ? AND i.plan <> ? ORDER BY i.id""", run, plan
    )  # fmt: skip
    return [(number, path, json.loads(header)) for number, path, header in found]


def rejected_since(checkpoint: Checkpoint, input_: int, run: int) -> Iterator[Reject]:
    """The rows of one input that were refused after planning, by this run or a later one."""
    sql = """SELECT line, key, coalesce(code, 'refused'), reason, segment, pos FROM row
        WHERE input = ? AND state = 'rejected' AND coalesce(run, 0) >= ? ORDER BY segment, pos"""
    blob, loaded = b"", None
    for line, key, code, reason, segment, pos in checkpoint.db.execute(sql, [input_, run]):
        if segment != loaded:
            blob, loaded = load(checkpoint.db, segment, "cells"), segment
        yield Reject(line, (Problem(code, "", "", reason or ""),), read_cells(blob, pos), key=key_text(key))


def open_rows(checkpoint: Checkpoint, states: Sequence[str]) -> Iterator[Open]:
    """The rows in one of these states, of all inputs."""
    marks = ", ".join("?" * len(states))
    sql = f"""SELECT input.path, row.line, row.key, row.type, row.time_ms, row.state, coalesce(row.reason, ''), row.wanted
        FROM row JOIN input ON input.id = row.input WHERE row.state IN ({marks}) ORDER BY row.id"""
    for path, line, key, type_, time_ms, state, reason, wanted in checkpoint.db.execute(sql, states):
        looked_for = _looked_for(wanted) if state == "parked" else ""
        yield Open(path, line, key_text(key), type_, time_ms, state, reason, looked_for)


def _looked_for(wanted: str | None) -> str:
    """By which words the links of a parked row are looked for: ``contacts by phone: +12065550100``."""
    kinds = orjson.loads(wanted or "{}")
    ways = [(kind, way) for kind in LINK_KINDS for way in kinds.get(kind, ()) if way.get("value")]
    return "; ".join(f"{kind} by {way['by']}: {', '.join(way['value'])}" for kind, way in ways)


def states_held(checkpoint: Checkpoint) -> set[str]:
    """The states that any row is in: one look at all rows instead of one for each."""
    if inserted := as_inserted(checkpoint):
        return {state for state, _, _ in inserted}
    return {state for (state,) in checkpoint.rows("SELECT DISTINCT state FROM row")}


def states(checkpoint: Checkpoint) -> dict[str, int]:
    """All rows the checkpoint holds, by state."""
    return _grouped(checkpoint, "SELECT state, count(*) FROM row GROUP BY 1 ORDER BY 1")


def runs(checkpoint: Checkpoint, most: int) -> list[dict[str, Any]]:
    """The newest runs, newest first: name, when it ended (null: not yet), and how many rows are as it made them."""
    created = _grouped(
        checkpoint, "SELECT run, count(*) FROM row WHERE state = 'created' AND run IS NOT NULL GROUP BY 1"
    )
    updated = _grouped(
        checkpoint, "SELECT run, count(*) FROM change WHERE what = 'update' AND state = 'done' GROUP BY 1"
    )
    return [
        {"run": name, "started": started, "ended": ended,
         "created": created.get(str(number), 0), "updated": updated.get(str(number), 0)}
        for number, name, started, ended in checkpoint.rows(
            "SELECT id, name, started_at, ended_at FROM run ORDER BY id DESC LIMIT ?", most
        )
    ]  # fmt: skip


def doubts(checkpoint: Checkpoint) -> dict[str, int]:
    """Why rows are unknown or unresolved: reason -> rows, the most frequent first."""
    sql = """SELECT coalesce(reason, ''), count(*) FROM row WHERE state IN ('in_flight', 'unknown', 'unresolved')
        GROUP BY 1 ORDER BY 2 DESC LIMIT 20"""
    return _grouped(checkpoint, sql)


def _rejected_before(checkpoint: Checkpoint, input_: int) -> Iterator[Reject]:
    sql = "SELECT line, key, problems, cells, raw FROM reject WHERE input = ? ORDER BY line, rowid"
    for line, key, problems, cells, raw in checkpoint.db.execute(sql, [input_]):
        found = tuple(Problem(*p) for p in orjson.loads(problems))
        yield Reject(line, found, tuple(orjson.loads(cells)), raw, key or "")


def _carried(checkpoint: Checkpoint, plan: int, run: int) -> dict[str, int]:
    """Rows of earlier inputs that were open when the run began, and what became of them."""
    carried = {"rows": checkpoint.one("SELECT carried FROM run WHERE id = ?", run)}
    for state, rows in checkpoint.rows(
        """SELECT state, count(*) FROM row WHERE input NOT IN (SELECT id FROM input WHERE plan = ?)
           AND (state IN ('planned', 'parked', 'in_flight', 'unknown', 'unresolved') OR run = ?) GROUP BY 1""", plan, run
    ):  # fmt: skip
        fate = "created" if state == "created" else _FATE[state]
        carried[fate] = carried.get(fate, 0) + rows
    return carried


def _types_and_links(rows: Mapping[Any, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Engagements by type and links by kind, of rows counted by type and shape."""
    types, links = Counter[str](), Counter[str]()
    for (type_, shape), n in rows.items():
        types[type_] += n
        for kind, ids in zip(LINK_KINDS, shape.split(","), strict=True):
            links[kind] += n * int(ids)
    return dict(types), {kind: n for kind, n in links.items() if n}


def _counted(checkpoint: Checkpoint, columns: Sequence[str], where: str, *values: object) -> Counter[tuple[str, ...]]:
    """How many rows have which values in these columns, as text.

    SQLite's own grouping sorts all rows, and a tuple for each of them costs as much: one text of thousands does not.
    """
    found = Counter[str]()
    texts = " || '|' || ".join(f"({column})" for column in columns)
    sql = f"SELECT group_concat({texts}, x'0a') FROM row WHERE {where} AND id > ? AND id <= ?"
    for start in range(0, checkpoint.one("SELECT max(id) FROM row"), _TOGETHER):
        for (text,) in checkpoint.rows(sql, *values, start, start + _TOGETHER):
            found.update(text.split("\n") if text else ())
    return Counter({tuple(text.split("|")): rows for text, rows in found.items()})


def _grouped(checkpoint: Checkpoint, sql: str, *values: object) -> dict[str, int]:
    return {str(name): int(n) for name, n in checkpoint.rows(sql, *values)}
