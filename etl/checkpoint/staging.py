"""Half one's side of the checkpoint: rows staged chunk by chunk, repeats judged, and the plan made sendable at once.

Rows that the checkpoint does not know are inserted as they come; what becomes of those it knows is kept aside in `seen`
and applied by `finish_plan` in one transaction with the flag that lets the plan be sent. A plan that was not finished
has changed nothing, and the next one throws it away.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from etl.checkpoint.schema import DROP_INDEX, INDEX, PLAN_SCHEMA
from etl.checkpoint.store import Checkpoint, now
from etl.flow import LINK_KINDS, Linked, LinkKind, Problem, Reject, key_text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SEGMENT_ROWS = 2_000
RESUMABLE_DAYS = 1.0
#: States in which a row that comes again takes the new payload: it was never sent, or refused and has changed since.
_REPLACEABLE = ("planned", "parked")


class Draft(NamedTuple):
    """One row on its way into the tables `row` or `seen`."""

    key: bytes
    hash: bytes
    input: int
    line: int
    segment: int
    pos: int
    type: str
    time_ms: int
    state: str
    links: str
    shape: str
    wanted: str | None
    reason: str | None


def begin_plan(checkpoint: Checkpoint, fingerprint: str, mapping: str) -> int:
    """A new plan's number; what an unfinished one left behind is thrown away, and look-ups will be asked again.

    `fingerprint` stands for inputs, mapping and options, `mapping` for the mapping alone (both hex digests). An
    unfinished plan with the same fingerprint leaves its look-ups: they are as fresh as its own would be.
    """
    checkpoint.db.executescript(PLAN_SCHEMA)
    with checkpoint.transaction() as db:
        same = db.execute("SELECT 1 FROM plan WHERE NOT finished AND fingerprint = ?", [fingerprint]).fetchone()
        _discard_unfinished(db)
        if not same:
            db.execute("DELETE FROM directory")
        db.execute(DROP_INDEX)
        values = [fingerprint, mapping, now()]
        plan = db.execute("INSERT INTO plan (fingerprint, mapping, started_at) VALUES (?, ?, ?)", values).lastrowid
    assert plan is not None
    return plan


def resumable_plan(checkpoint: Checkpoint, fingerprint: str) -> int | None:
    """The newest plan, if it is finished, has this fingerprint, no run has come to its end with it, and it is of today.

    An older one is made again: contacts may have moved since its look-ups.
    """
    found = checkpoint.rows(
        """SELECT id FROM plan WHERE id = (SELECT max(id) FROM plan) AND fingerprint = ? AND finished AND NOT sent
           AND julianday('now') - julianday(started_at) BETWEEN 0 AND ?""", fingerprint, RESUMABLE_DAYS
    )  # fmt: skip
    return int(found[0][0]) if found else None


def add_input(checkpoint: Checkpoint, plan: int, path: str, header: Sequence[str]) -> int:
    """The number of a new input of the plan."""
    with checkpoint.transaction() as db:
        values = [plan, path, json.dumps(list(header), ensure_ascii=False)]
        number = db.execute("INSERT INTO input (plan, path, header) VALUES (?, ?, ?)", values).lastrowid
    assert number is not None
    return number


def stage(
    checkpoint: Checkpoint,
    input_: int,
    linked: Linked | None,
    *,
    read: int,
    rejects: Iterable[Reject],
    skipped: dict[str, int],
    unique: Sequence[str] = (),
) -> None:
    """Stores one chunk: its linked drafts, its rejects, and the counts of rows read and skipped, in one transaction.

    A row whose key stands there already: the same content is `already`, other content in the same plan is rejected
    naming the earlier line, other content of an earlier plan is `changed` where it was created and taken where it
    was not. `unique` names columns whose values may stand only once in a plan.
    """
    with checkpoint.transaction() as db:
        db.execute("UPDATE input SET read = read + ? WHERE id = ?", [read, input_])
        for reason, rows in skipped.items():
            db.execute(
                "INSERT INTO skipped VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
                [input_, reason, rows],
            )
        repeats = _stage_rows(db, input_, linked, unique) if linked is not None and len(linked.drafts) else []
        _insert_rejects(db, input_, [*rejects, *repeats])


def finish_plan(checkpoint: Checkpoint, plan: int) -> None:
    """Makes the plan sendable: applies what `seen` holds and sets the flag, in one durable transaction."""
    with checkpoint.transaction() as db:
        db.execute("""
            UPDATE row SET hash = s.hash, input = s.input, line = s.line, segment = s.segment, pos = s.pos,
                type = s.type, time_ms = s.time_ms, state = s.state, links = s.links, shape = s.shape, wanted = s.wanted,
                reason = s.reason, doubts = 0
            FROM seen AS s WHERE s.row = row.id AND s.fate = 'take'""")
        db.execute(
            "UPDATE row SET input = s.input, line = s.line FROM seen AS s WHERE s.row = row.id AND s.fate = 'move'"
        )
        db.execute("UPDATE plan SET finished = 1 WHERE id = ?", [plan])
        db.execute(DROP_INDEX)
        db.execute(INDEX)


def parked(checkpoint: Checkpoint, plan: int, rows: int) -> Iterator[list[tuple[int, str]]]:
    """The parked rows of other plans than this one, `rows` at a time: row number and wanted links as JSON."""
    last = 0
    while batch := checkpoint.rows(
        """SELECT id, wanted FROM row WHERE state = 'parked' AND id > ?
           AND input NOT IN (SELECT id FROM input WHERE plan = ?) ORDER BY id LIMIT ?""", last, plan, rows
    ):  # fmt: skip
        yield batch
        last = batch[-1][0]


def unpark(checkpoint: Checkpoint, run: int, rows: Iterable[tuple[int, str, str, str, str | None]]) -> None:
    """Stores what looking again gave for parked rows: (row number, new state, links, shape, reason) each."""
    with checkpoint.transaction() as db:
        db.executemany(
            """UPDATE row SET state = ?2, links = ?3, shape = ?4, reason = ?5, run = ?6, wanted = iif(?2 = 'parked', wanted, NULL)
               WHERE id = ?1""", ((*row, run) for row in rows)
        )  # fmt: skip


def links_text(owner_ids: pa.StringArray, links: Mapping[LinkKind, pa.ListArray]) -> tuple[list[str], list[str]]:
    """Each row's ids as the columns `links` and `shape` keep them: ``7|2,3|5||`` and ``2,1,0,0``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    none = pa.scalar("")
    ids = [pc.fill_null(pc.binary_join(links[kind], ","), none) if kind in links else none for kind in LINK_KINDS]
    counts = [pc.fill_null(pc.cast(pc.list_value_length(links[kind]), pa.string()), "0") if kind in links else "0"
              for kind in LINK_KINDS]  # fmt: skip
    texts = pc.binary_join_element_wise(pc.fill_null(owner_ids, none), *ids, "|")
    shapes = pc.binary_join_element_wise(*counts, ",")
    return texts.to_pylist(), shapes.to_pylist() if links else ["0,0,0,0"] * len(owner_ids)


def cells_of(blob: bytes) -> pa.Table:
    """A segment's rows as read, all columns text."""
    import pyarrow as pa

    with pa.ipc.open_stream(blob) as stream:
        return stream.read_all()


def _discard_unfinished(db: sqlite3.Connection) -> None:
    if not db.execute("SELECT 1 FROM plan WHERE NOT finished").fetchone():
        return
    inputs = "(SELECT id FROM input WHERE plan IN (SELECT id FROM plan WHERE NOT finished))"
    for table in ("row", "segment", "reject", "skipped"):
        db.execute(f"DELETE FROM {table} WHERE input IN {inputs}")
    db.execute("DELETE FROM input WHERE plan IN (SELECT id FROM plan WHERE NOT finished)")
    db.execute("DELETE FROM plan WHERE NOT finished")


def _stage_rows(db: sqlite3.Connection, input_: int, linked: Linked, unique: Sequence[str]) -> list[Reject]:
    """Stages the drafts and gives back those that repeat an earlier row with other content."""
    drafts = _drafts(db, input_, linked)
    taken = _taken_values(db, drafts, linked.drafts.cells, unique) if unique else {}
    fresh = [d for i, d in enumerate(drafts) if i not in taken]
    before = db.total_changes
    db.executemany(
        "INSERT OR IGNORE INTO row (key, hash, input, line, segment, pos, type, time_ms, state, links, shape, wanted,"
        " reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        fresh,
    )
    refused = {i: ("not_unique", column, line) for i, (column, line) in taken.items()}
    if db.total_changes - before < len(fresh):
        refused |= _judge_known(db, drafts, taken.keys())
    return [_repeat(linked, i, *refused[i]) for i in sorted(refused)]


def _drafts(db: sqlite3.Connection, input_: int, linked: Linked) -> list[Draft]:
    """The drafts as rows for the tables, their payloads and cells stored in segments."""
    payloads, (links, shapes) = _payloads(linked), links_text(linked.owner_ids, linked.links)
    wanted, why = linked.wanted.to_pylist(), linked.parked.to_pylist()
    hashes = [
        blake2b(f"{payload}\0{words}".encode(), digest_size=16).digest()
        for payload, words in zip(payloads, wanted, strict=True)
    ]
    places: list[tuple[int, int]] = []
    for start in range(0, len(payloads), SEGMENT_ROWS):
        part = payloads[start : start + SEGMENT_ROWS]
        cells = _cells_blob(linked.drafts.cells.iloc[start : start + SEGMENT_ROWS])
        values = [input_, "\n".join(part).encode(), cells]
        segment = db.execute("INSERT INTO segment (input, payloads, cells) VALUES (?, ?, ?)", values).lastrowid
        assert segment is not None
        places += [(segment, pos) for pos in range(len(part))]
    d = linked.drafts
    columns = zip(
        d.keys,
        hashes,
        d.lines.tolist(),
        places,
        d.types.to_pylist(),
        d.times_ms.tolist(),
        links,
        shapes,
        wanted,
        why,
        strict=True,
    )
    return [
        Draft(k, h, input_, line, segment, pos, t, ms, "parked" if p else "planned", ids, shape, w if p else None, p)
        for k, h, line, (segment, pos), t, ms, ids, shape, w, p in columns
    ]


def _payloads(linked: Linked) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    d = linked.drafts
    extra = pc.binary_join_element_wise(',"properties":', d.properties, "")
    joined = pc.binary_join_element_wise(
        '{"engagement":{', d.engagement, '},"attachments":', d.attachments, ',"metadata":', d.metadata,
        pc.fill_null(extra, pa.scalar("")), "}", "",
    )  # fmt: skip
    return joined.to_pylist()  # type: ignore[no-any-return]


def _cells_blob(cells: pd.DataFrame) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pandas(cells, preserve_index=False).replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _taken_values(
    db: sqlite3.Connection, drafts: list[Draft], cells: pd.DataFrame, unique: Sequence[str]
) -> dict[int, tuple[str, int]]:
    """Drafts whose value of a unique column stood in another row: position -> (column, that row's line).

    A row that comes again whole (same key and content) is not among them: it is `already`.
    """
    taken: dict[int, tuple[str, int]] = {}
    here: set[tuple[bytes, bytes]] = set()
    for column in unique:
        here.clear()
        for i, (draft, value) in enumerate(zip(drafts, cells[column].tolist(), strict=True)):
            if not isinstance(value, str):
                continue
            digest = blake2b(value.encode(), digest_size=16).digest()
            db.execute("INSERT OR IGNORE INTO uniq VALUES (?, ?, ?)", [column, digest, draft.line])
            line = db.execute("SELECT line FROM uniq WHERE name = ? AND hash = ?", [column, digest]).fetchone()[0]
            same = db.execute("SELECT 1 FROM row WHERE key = ? AND hash = ?", [draft.key, draft.hash]).fetchone()
            if line != draft.line and not same and (draft.key, draft.hash) not in here:
                taken[i] = (column, line)
            here.add((draft.key, draft.hash))
    return taken


def _judge_known(
    db: sqlite3.Connection, drafts: list[Draft], left_out: Iterable[int]
) -> dict[int, tuple[str, str, int]]:
    """What to do with drafts whose key stood there before they came; gives those to reject.

    A draft is known by the place that the stored row names: its own, or another's.
    """
    refused: dict[int, tuple[str, str, int]] = {}
    skip = set(left_out)
    already = changed = 0
    plan = db.execute("SELECT plan FROM input WHERE id = ?", [drafts[0].input]).fetchone()[0]
    for i, draft, row in _stored(db, drafts):
        number, hash_, line, segment, pos, state, plan_of_row, hash_seen, line_seen = row
        if i in skip or (segment, pos) == (draft.segment, draft.pos):
            continue
        here = plan_of_row == plan or line_seen is not None  # an earlier row of this plan has the key
        if here and (hash_seen or hash_) != draft.hash:
            refused[i] = ("repeated_key", "", line_seen or line)
        elif here or state == "created":
            already += 1
            changed += hash_ != draft.hash and not here
        if not here:
            fate = _fate(state, same=hash_ == draft.hash)
            values = [number, fate, *draft[1:]]
            db.execute("INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    db.execute("UPDATE plan SET already = already + ?, changed = changed + ? WHERE id = ?", [already, changed, plan])
    return refused


def _stored(db: sqlite3.Connection, drafts: list[Draft]) -> Iterator[tuple[int, Draft, tuple]]:  # type: ignore[type-arg]
    """Each draft with the row that the checkpoint holds under its key."""
    find = """SELECT row.id, row.hash, row.line, row.segment, row.pos, row.state, input.plan, seen.hash, seen.line
        FROM row JOIN input ON input.id = row.input LEFT JOIN seen ON seen.row = row.id WHERE row.key = ?"""
    for i, draft in enumerate(drafts):
        if found := db.execute(find, [draft.key]).fetchone():
            yield i, draft, found


def _fate(state: str, *, same: bool) -> str:
    """What becomes of a row of an earlier plan that comes again: one that was not sent takes what came."""
    if state == "created":
        return "leave"
    takes = state in _REPLACEABLE or (state == "rejected" and not same)
    return "take" if takes else "move"


def _repeat(linked: Linked, i: int, code: str, column: str, line: int) -> Reject:
    d = linked.drafts
    cells = tuple(v if isinstance(v, str) else None for v in d.cells.iloc[i].tolist())
    what = "the same key and other content" if code == "repeated_key" else f"the same value in {column!r}"
    problem = Problem(code, column, "", f"line {line} has {what}; it stays, this row does not")
    return Reject(int(d.lines[i]), (problem,), cells, key=key_text(d.keys[i]))


def _insert_rejects(db: sqlite3.Connection, input_: int, rejects: Iterable[Reject]) -> None:
    values = (
        (
            input_,
            r.line,
            r.key or None,
            json.dumps(r.problems, ensure_ascii=False),
            json.dumps(r.cells, ensure_ascii=False),
            r.raw,
        )
        for r in rejects
    )
    while batch := list(islice(values, 10_000)):
        db.executemany("INSERT INTO reject VALUES (?, ?, ?, ?, ?, ?)", batch)
