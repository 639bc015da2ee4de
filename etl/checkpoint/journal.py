"""Half two's side of the checkpoint: the state of every row while it is sent, and what is due next.

    planned ──intend──> in_flight ──record──> created | rejected | planned (proved not processed) | unknown
    in_flight ──recover (a new start)──> unknown ──settle──> created | planned (absent in two reads) | unresolved

There is no way from in_flight to planned but by proof. Every function is one durable transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from etl.checkpoint.segments import read_payloads
from etl.checkpoint.store import Checkpoint, now
from etl.flow import Engagement, Key, Links, Outcome, key_bytes, key_text

_SELECT = """SELECT row.id, key, type, time_ms, segment, pos, links, attempt, doubts, coalesce(wire, '')
    FROM row LEFT JOIN request ON request.id = row.request"""


class Due(NamedTuple):
    """An engagement that waits to be sent or settled."""

    number: int  #: its row; ascending in the order of the input
    engagement: Engagement
    doubts: int  #: times that its fate became unknown
    wire: str  #: the wire of its last request, by which it can be found again; empty before the first


class Intent(NamedTuple):
    """A request about to leave."""

    wire: str
    keys: tuple[Key, ...]


class Answer(NamedTuple):
    """What came of a request."""

    request: int
    outcomes: Sequence[Outcome]
    verdict: str
    reason: str


def begin_run(checkpoint: Checkpoint, name: str, plan: int | None) -> int:
    """A new run's number. Whatever an earlier process left in flight is unknown from here on."""
    with checkpoint.transaction() as db:
        db.execute("UPDATE row SET state = 'unknown', doubts = doubts + 1, reason = ? WHERE state = 'in_flight'",
                   ["the answer was lost when the program stopped"])  # fmt: skip
        carried = db.execute(
            """SELECT count(*) FROM row WHERE state IN ('planned', 'parked', 'unknown', 'unresolved')
               AND input NOT IN (SELECT id FROM input WHERE plan IS ?)""", [plan]).fetchone()[0]  # fmt: skip
        values = [name, plan, now(), carried]
        run = db.execute("INSERT INTO run (name, plan, started_at, carried) VALUES (?, ?, ?, ?)", values).lastrowid
    assert run is not None
    return run


def end_run(checkpoint: Checkpoint, run: int, *, complete: bool) -> None:
    """Marks the end of a run; `complete` says that nothing was left to try, so that half one is due again next time."""
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
        f"""{_SELECT} WHERE state = '{state}' AND row.id > ?1
            AND input NOT IN (SELECT i.id FROM input AS i JOIN plan ON plan.id = i.plan WHERE NOT plan.finished)
            AND (?2 IS NULL OR input IN (SELECT id FROM input WHERE plan = ?2))
            ORDER BY row.id LIMIT ?3""",
        after, plan, rows,
    )  # fmt: skip
    return list(_engagements(checkpoint, found))


def last_created(checkpoint: Checkpoint, type_: str, wire: str) -> Due | None:
    """The row of this type that was created last through this wire: a read that is to prove absence must show it."""
    found = checkpoint.rows(
        f"{_SELECT} WHERE state = 'created' AND type = ? AND wire = ? ORDER BY row.request DESC LIMIT 1", type_, wire
    )
    return next(_engagements(checkpoint, found), None)


def write(checkpoint: Checkpoint, run: int, intents: Sequence[Intent], answers: Sequence[Answer]) -> list[int]:
    """Stores answers that came and intents of requests about to leave, in one commit; gives the intents' numbers.

    A request may leave only after this returned; until its answer is stored its rows are in flight.
    """
    with checkpoint.transaction() as db:
        for answer in answers:
            _store_outcomes(db, run, answer.outcomes, "in_flight", split=answer.verdict == "split")
            values = [now(), answer.verdict, answer.reason, answer.request]
            db.execute("UPDATE request SET answered_at = ?, verdict = ?, reason = ? WHERE id = ?", values)
        return [_intend(db, run, intent) for intent in intents]


def settle_rows(checkpoint: Checkpoint, run: int, outcomes: Sequence[Outcome]) -> None:
    """Stores what reading back showed for unknown rows."""
    with checkpoint.transaction() as db:
        _store_outcomes(db, run, outcomes, "unknown")


def _intend(db: sqlite3.Connection, run: int, intent: Intent) -> int:
    values = [run, intent.wire, len(intent.keys), now()]
    request = db.execute("INSERT INTO request (run, wire, rows, sent_at) VALUES (?, ?, ?, ?)", values).lastrowid
    assert request is not None
    changed = db.executemany(
        "UPDATE row SET state = 'in_flight', attempt = attempt + 1, request = ? WHERE key = ? AND state = 'planned'",
        [(request, key_bytes(key)) for key in intent.keys],
    ).rowcount
    assert changed == len(intent.keys), "a row that was not planned was about to be sent"
    return request


def _store_outcomes(
    db: sqlite3.Connection, run: int, outcomes: Sequence[Outcome], state: str, *, split: bool = False
) -> None:
    """Moves rows from `state` to their outcomes; rows of a batch that is to be split count as doubted: see `load`."""
    changed = db.executemany(
        """UPDATE row SET state = ?2, remote_id = nullif(?3, ''), reason = nullif(?4, ''), run = ?5,
               doubts = doubts + (?2 = 'unknown' OR ?7) WHERE key = ?1 AND state = ?6""",
        [(key_bytes(o.key), o.state, o.remote_id, o.reason, run, state, split) for o in outcomes],
    ).rowcount
    assert changed == len(outcomes), f"an outcome came for a row that was not {state}"


def _engagements(checkpoint: Checkpoint, found: list[tuple]) -> Iterator[Due]:  # type: ignore[type-arg]
    payloads = lru_cache(4)(lambda segment: _payloads(checkpoint, segment))
    for number, key, type_, time_ms, segment, pos, links, attempt, doubts, wire in found:
        payload = payloads(segment)[pos]
        yield Due(number, Engagement(key_text(key), type_, time_ms, payload, _links(links), attempt), doubts, wire)


def _payloads(checkpoint: Checkpoint, segment: int) -> list[bytes]:
    return read_payloads(checkpoint.rows("SELECT payloads FROM segment WHERE id = ?", segment)[0][0])


def _links(text: str) -> Links:
    owner, *kinds = text.split("|")
    return Links(owner, *(tuple(ids.split(",")) if ids else () for ids in kinds))
