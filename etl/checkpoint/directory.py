"""Look-ups that are asked once a run: what the account answered is remembered, also across a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping

from etl.checkpoint import newcomers
from etl.checkpoint.store import Checkpoint
from etl.flow import RemoteId

Ask = Callable[[str, str, Collection[str]], Mapping[str, list[RemoteId]]]


def remembered(checkpoint: Checkpoint, ask: Ask) -> Ask:
    """`ask(kind, by, values)`, but only for values that this plan has not asked yet; not found is remembered too.

    Contacts by `create` are those that were created for such words: the account is not asked for them.
    """
    known: dict[tuple[str, str], dict[str, list[RemoteId]]] = {}
    for kind, by, value, ids in checkpoint.rows("SELECT kind, by, value, ids FROM directory"):
        known.setdefault((kind, by), {})[value] = json.loads(ids)

    def look_up(kind: str, by: str, values: Collection[str]) -> Mapping[str, list[RemoteId]]:
        if by == "create":
            return newcomers.ids(checkpoint, values)
        cached = known.setdefault((kind, by), {})
        new = sorted(set(values) - cached.keys())
        if new:
            found = ask(kind, by, new)
            answers = {value: list(found.get(value, ())) for value in new}
            with checkpoint.transaction() as db:
                db.executemany(
                    "INSERT OR REPLACE INTO directory VALUES (?, ?, ?, ?)",
                    [(kind, by, value, json.dumps(ids)) for value, ids in answers.items()],
                )
            cached.update(answers)
        return {value: ids for value in values if (ids := cached[value])}

    return look_up
