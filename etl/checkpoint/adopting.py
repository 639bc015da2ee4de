"""The checkpoint's side of adopting: which planned rows belong to which contact, and what was found of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from etl.checkpoint import journal
from etl.checkpoint.seals import sealed
from etl.checkpoint.store import Checkpoint
from etl.flow import Engagement, RemoteId


class Waiting(NamedTuple):
    """A row that is planned and was never sent."""

    number: int
    type: str
    time_ms: int


class Fate(NamedTuple):
    """What was found of a row: an id in the account, or, without one, why it is in doubt."""

    number: int
    remote_id: RemoteId
    reason: str


def waiting(checkpoint: Checkpoint, plan: int) -> tuple[dict[RemoteId, list[Waiting]], int]:
    """The rows of the plan by their first contact, and how many have none."""
    found: dict[RemoteId, list[Waiting]] = defaultdict(list)
    unlinked = 0
    sql = """SELECT id, type, time_ms, links FROM row WHERE state = 'planned' AND request IS NULL
        AND input IN (SELECT id FROM input WHERE plan = ?) ORDER BY id"""
    with checkpoint.reading() as db:
        for number, type_, time_ms, links in db.execute(sql, [plan]):
            contact = links.split("|")[1].split(",")[0]
            if contact:
                found[contact].append(Waiting(number, type_, time_ms))
            else:
                unlinked += 1
    return dict(found), unlinked


def engagements(checkpoint: Checkpoint, rows: Sequence[int]) -> list[Engagement]:
    """These rows with their payloads, in the order of the input."""
    sql = f"{journal.SELECT} WHERE row.id IN (SELECT value FROM json_each(?)) ORDER BY row.id"
    return [due.engagement for due in journal.engagements(checkpoint, checkpoint.rows(sql, json.dumps(list(rows))))]


def store(checkpoint: Checkpoint, run: int, fates: Sequence[Fate]) -> None:
    """Keeps what was found: the row is `adopted`, or rejected with the code `adopt_doubt`."""
    if not fates:
        return
    state = sealed(state="iif(?2 = '', 'rejected', 'adopted')", remote_id="nullif(?2, '')")
    with checkpoint.transaction() as db:
        db.executemany(
            f"""UPDATE row SET {state}, reason = ?3, run = ?4, code = iif(?2 = '', 'adopt_doubt', NULL)
                WHERE id = ?1 AND state = 'planned'""", [(*fate, run) for fate in fates]
        )  # fmt: skip
