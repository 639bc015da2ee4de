"""Half two's side of the checkpoint: the state of every row while it is sent, and what is due next.

    planned ──intend──> in_flight ──record──> created | rejected | planned (proved not processed) | unknown
    in_flight ──recover (a new start)──> unknown ──settle──> created | planned (absent in two reads) | unresolved

There is no way from in_flight to planned but by proof. Every function is one durable transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from time import time
from typing import Any, Literal, NamedTuple, TypeVar

import orjson

from etl.checkpoint import changes, integrity, looked, segments, uploads
from etl.checkpoint.beside import Mark
from etl.checkpoint.changes import Fate
from etl.checkpoint.seals import SOUND_CONTENT, sealed
from etl.checkpoint.store import Checkpoint, now, storage_errors
from etl.columns.keys import key_texts
from etl.flow import Engagement, Links, Outcome, key_bytes

#: What `engagements` reads rows from; a WHERE comes behind it.
SELECT = """SELECT row.id, key, type, time_ms, segment, pos, links, attempt, doubts, coalesce(wire, '')
    FROM row LEFT JOIN request ON request.id = row.request"""
_Tuple = TypeVar("_Tuple", bound=tuple[Any, ...])
_LOST = "the answer was lost when the program stopped"


class Due(NamedTuple):
    """An engagement that waits to be sent or settled."""

    number: int  #: its row; ascending in the order of the input
    engagement: Engagement
    doubts: int  #: times that its fate became unknown
    wire: str  #: the wire of its last request, by which it can be found again; empty before the first


class Intent(NamedTuple):
    """A request about to leave."""

    wire: str
    rows: Sequence[int]  #: row numbers
    changes: Sequence[int] = ()  #: numbers of changes, in place of rows


class Answer(NamedTuple):
    """What came of a request."""

    request: int
    rows: Sequence[int]  #: row numbers, in the order of the outcomes
    outcomes: Sequence[Outcome]
    verdict: str
    reason: str
    fates: Sequence[Fate] = ()  #: what became of changes, in place of rows


def begin_run(
    checkpoint: Checkpoint, name: str, plan: int | None, *, wire: str = "objects", reconcile: bool = False
) -> int:
    """A new run's number. Whatever an earlier process left in flight is unknown from here on.

    Raises `DamagedCheckpoint` where the checkpoint is damaged, `TryLater` where it has fallen back, and `StorageError`
    where no ballast can be laid by. With `reconcile` it is not believed instead, from now on: see `integrity`. What a
    lost commit may have sent is looked for through the wire that the mark beside the checkpoint names, else `wire`.
    """
    if not reconcile:
        goes_on = bool(checkpoint.rows("SELECT 1 FROM run WHERE plan = ?", plan))
        integrity.verify(checkpoint, index=not goes_on)  # a plan reads it, and this one was judged by the run before
    with storage_errors(checkpoint.path):
        beside = checkpoint.high_water.read() or Mark()
        checkpoint.ballast.lay_by()
    with checkpoint.transaction() as db:
        db.execute("DROP TABLE IF EXISTS temp.inserted")  # rows are no longer as they were inserted
        lost = sealed(state="'unknown'")  # the account gave no doubtful answer: no doubt is counted
        db.execute(f"UPDATE row SET {lost}, reason = ? WHERE state = 'in_flight'", [_LOST])
        changes.doubt(db, _LOST)
        looked.drop(db, but=plan)
        values = [name, plan, now()]
        run = db.execute("INSERT INTO run (name, plan, started_at) VALUES (?, ?, ?)", values).lastrowid
        assert run is not None
        if reconcile:
            integrity.repair(db, run)
            integrity.disbelieve(db, run, beside.wire or wire, beside)
        doubted = integrity.doubt(db, run)
        if reconcile:
            _log(db, "reconcile", doubted)
        db.execute(
            """UPDATE run SET carried = (SELECT count(*) FROM row WHERE state IN ('planned', 'parked', 'unknown', 'unresolved')
               AND input NOT IN (SELECT id FROM input WHERE plan IS ?)) WHERE id = ?""", [plan, run]
        )  # fmt: skip
        mark = integrity.begin_epoch(db, beside)
    with storage_errors(checkpoint.path):
        checkpoint.high_water.write(mark, durable=True)
    return run


def end_run(checkpoint: Checkpoint, run: int, *, complete: bool) -> None:
    """Marks the end of a run; `complete` says that nothing was left to try, so that half one is due again next time."""
    checkpoint.ballast.drop()
    with checkpoint.transaction() as db:
        db.execute("UPDATE run SET ended_at = ? WHERE id = ?", [now(), run])
        if complete:
            db.execute("UPDATE plan SET sent = 1 WHERE id = (SELECT plan FROM run WHERE id = ?)", [run])


def due(
    checkpoint: Checkpoint, state: Literal["planned", "unknown"], *, after: int, rows: int, plan: int | None = None
) -> list[Due]:
    """The next rows in `state` beyond row number `after`, in the order of the input; of this plan only, if one is given.

    Rows of unfinished plans are left out.
    """
    found = checkpoint.rows(
        f"""{SELECT} WHERE state = '{state}' AND row.id > ?1
            AND input NOT IN (SELECT i.id FROM input AS i JOIN plan ON plan.id = i.plan WHERE NOT plan.finished)
            AND (?2 IS NULL OR input IN (SELECT id FROM input WHERE plan = ?2))
            ORDER BY row.id LIMIT ?3""",
        after, plan, rows,
    )  # fmt: skip
    return engagements(checkpoint, found)


def last_created(checkpoint: Checkpoint, type_: str, wire: str) -> Due | None:
    """The row of this type that was created last through this wire: a read that is to prove absence must show it."""
    found = checkpoint.rows(
        f"{SELECT} WHERE state = 'created' AND type = ? AND wire = ? ORDER BY row.request DESC LIMIT 1", type_, wire
    )
    return next(iter(engagements(checkpoint, found)), None)


def sample(checkpoint: Checkpoint, rows: int) -> list[Due]:
    """Up to `rows` planned rows, spread over all; none where the checkpoint holds a created row."""
    if checkpoint.one("SELECT EXISTS (SELECT 1 FROM row WHERE state = 'created')"):
        return []
    step = max(1, checkpoint.one("SELECT count(*) FROM row WHERE state = 'planned'") // rows)
    found = checkpoint.rows(f"{SELECT} WHERE state = 'planned' AND row.id % ? = 0 LIMIT ?", step, rows)
    return engagements(checkpoint, found)


def doubt_planned(checkpoint: Checkpoint, wire: str) -> None:
    """Lets every planned row be looked for in the account, through `wire`, before it is sent: the checkpoint was lost.

    So are rows to come that no request has held since.
    """
    with checkpoint.transaction() as db:
        run = db.execute("SELECT max(id) FROM run").fetchone()[0]
        integrity.disbelieve(db, run, wire, Mark())
        _log(db, "doubt", integrity.doubt(db, run))


def retry_unresolved(checkpoint: Checkpoint) -> int:
    """Makes unresolved rows unknown again, at a person's order, which is logged; gives their number.

    Not those that are damaged: nothing can be sent from them.
    """
    with checkpoint.transaction() as db:
        retried = sealed(state="'unknown'", doubts="0")
        rows = db.execute(f"UPDATE row SET {retried} WHERE state = 'unresolved' AND {SOUND_CONTENT}").rowcount
        _log(db, "retry unresolved", rows)
    return rows


def retry_rejected(checkpoint: Checkpoint, code: str) -> int:
    """Lets rows that were refused after planning be tried again, at a person's order, which is logged; their number.

    Those that wait for a link are parked from now on, the others planned.
    """
    with checkpoint.transaction() as db:
        again = sealed(state="iif(wanted IS NULL, 'planned', 'parked')", doubts="0")
        rows = db.execute(
            f"""UPDATE row SET {again}, code = NULL, reason = iif(wanted IS NULL, NULL, reason), parked_ms = ?2
                WHERE state = 'rejected' AND coalesce(code, 'refused') = ?1 AND {SOUND_CONTENT}""",
            [code, int(time() * 1000)],
        ).rowcount
        _log(db, f"retry rejected {code}", rows)
    return rows


def write(checkpoint: Checkpoint, run: int, intents: Sequence[Intent], answers: Sequence[Answer]) -> list[int]:
    """Stores answers that came and intents of requests about to leave, in one commit; gives the intents' numbers.

    A request may leave only after this returned; until its answer is stored its rows are in flight.
    """
    with checkpoint.transaction() as db:
        for answer in answers:
            _record(db, run, answer)
        requests = [_intend(db, run, intent) for intent in intents]
    if requests:
        with storage_errors(checkpoint.path):
            checkpoint.high_water.advance(requests[-1], intents[-1].wire)
    return requests


def settle_rows(checkpoint: Checkpoint, run: int, outcomes: Sequence[Outcome]) -> None:
    """Stores what reading back showed for unknown rows."""
    with checkpoint.transaction() as db:
        rows = [db.execute("SELECT id FROM row WHERE key = ?", [key_bytes(o.key)]).fetchone()[0] for o in outcomes]
        _store(db, run, rows, outcomes, "unknown")


_INTEND = f"""UPDATE row SET {sealed(state="'in_flight'", attempt="attempt + 1", request="?1")}
    WHERE id IN (SELECT value FROM json_each(?2)) AND state = 'planned'"""
#: What most outcomes are. One statement for all rows of a request: SQLite takes it in one step, without the interpreter.
_CREATE = f"""UPDATE row SET {sealed(state="'created'", remote_id="value")}, reason = NULL, run = ?1
    FROM (SELECT CAST(key AS INTEGER) AS number, value FROM json_each(?2)) WHERE id = number AND state = ?3"""
_OUTCOME = f"""UPDATE row SET {sealed(state="?2", remote_id="nullif(?3, '')", doubts="doubts + (?2 = 'unknown' OR ?7)")},
    reason = nullif(?4, ''), run = ?5 WHERE id = ?1 AND state = ?6"""


def _intend(db: sqlite3.Connection, run: int, intent: Intent) -> int:
    values = [run, intent.wire, len(intent.rows), len(intent.changes), now()]
    sql = "INSERT INTO request (run, wire, rows, changes, sent_at) VALUES (?, ?, ?, ?, ?)"
    request = db.execute(sql, values).lastrowid
    assert request is not None
    if intent.changes:
        changes.intend(db, request, intent.changes)
    changed = db.execute(_INTEND, [request, _json(list(intent.rows))]).rowcount
    assert changed == len(intent.rows), "a row that was not planned was about to be sent"
    return request


def _record(db: sqlite3.Connection, run: int, answer: Answer) -> None:
    """Stores an answer; rows of a batch that is to be split count as doubted: see `load`."""
    _store(db, run, answer.rows, answer.outcomes, "in_flight", split=answer.verdict == "split")
    changes.record(db, run, answer.fates)
    values = [now(), answer.verdict, answer.reason, answer.request]
    db.execute("UPDATE request SET answered_at = ?, verdict = ?, reason = ? WHERE id = ?", values)


def _store(
    db: sqlite3.Connection,
    run: int,
    rows: Sequence[int],
    outcomes: Sequence[Outcome],
    state: str,
    *,
    split: bool = False,
) -> None:
    """Moves rows from `state` to their outcomes."""
    created: dict[str, str] = {}
    others: list[tuple[int, str, str, str, int, str, bool]] = []
    for row, (_, fate, remote_id, reason) in zip(rows, outcomes, strict=True):
        if fate == "created" and not reason:
            created[str(row)] = remote_id
        else:
            others.append((row, fate, remote_id, reason, run, state, split))
    changed = db.execute(_CREATE, [run, _json(created), state]).rowcount if created else 0
    changed += db.executemany(_OUTCOME, others).rowcount if others else 0
    assert changed == len(outcomes), f"an outcome came for a row that was not {state}"


def _log(db: sqlite3.Connection, what: str, rows: int) -> None:
    db.execute("INSERT INTO operation VALUES (?, ?, ?)", [now(), what, rows])


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def engagements(checkpoint: Checkpoint, found: list[tuple]) -> list[Due]:  # type: ignore[type-arg]
    """The rows that `SELECT` found, with their payloads. By columns: it is one of the costs of every row sent."""
    if not found:
        return []
    numbers, keys, types, times, held_by, places, links, attempts, doubts, wires = zip(*found, strict=True)
    payloads = uploads.with_ids(checkpoint, _payloads(checkpoint, held_by, places))
    texts = key_texts(keys).to_pylist()
    rows = _tuples(Engagement, texts, types, times, payloads, _links(links), attempts, numbers)
    return list(_tuples(Due, numbers, rows, doubts, wires))


def _tuples(kind: type[_Tuple], *columns: Iterable[object]) -> Iterator[_Tuple]:
    """A named tuple for each row of the columns, without a call of Python's for each."""
    return map(partial(tuple.__new__, kind), zip(*columns, strict=True))


def _payloads(checkpoint: Checkpoint, held_by: Sequence[int], places: Sequence[int]) -> list[bytes]:
    """The payloads at these places of these segments; of a segment only what is asked for is kept."""
    payloads: list[bytes] = []
    for segment, group in groupby(zip(held_by, places, strict=True), itemgetter(0)):
        with checkpoint.reading() as db:
            whole = segments.read_payloads(segments.load(db, segment, "payloads"))
        payloads += [whole[place] for _, place in group]
    return payloads


def _links(texts: Sequence[str]) -> Iterator[Links]:
    owners, *kinds = zip(*(text.split("|") for text in texts), strict=True)
    return _tuples(Links, owners, *map(_ids, kinds))


def _ids(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """The ids of each row; most have one at the most, which needs no splitting."""
    return [(tuple(ids.split(",")) if "," in ids else (ids,)) if ids else () for ids in texts]
