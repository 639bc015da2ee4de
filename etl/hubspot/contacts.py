"""One contact created, through the objects API on either wire."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from etl.flow import Outcome
from etl.hubspot.door import Door
from etl.hubspot.names import OBJECTS
from etl.hubspot.verdicts import stopped

#: HubSpot: the status for an e-mail address that a contact has already.
_TAKEN = 409


async def add(door: Door, properties: Mapping[str, str]) -> Outcome:
    """One attempt; without a key. A contact that is there already is unknown here: who looks for it finds it.

    Raises what `verdicts.stopped` gives, where the account asks for an end.
    """
    answer, verdict, fate = await door.create(f"{OBJECTS}/contacts", orjson.dumps({"properties": properties}), 1)
    if verdict.next == "stop":
        raise stopped(verdict)
    if answer.status == _TAKEN:
        return Outcome("", "unknown", "", verdict.reason)
    if verdict.next not in ("done", "per_row"):
        return Outcome("", fate, "", verdict.reason)
    remote_id = answer.json.get("id") if isinstance(answer.json, dict) else None
    return (
        Outcome("", "created", str(remote_id))
        if remote_id
        else Outcome("", "unknown", "", "the answer names no contact")
    )
