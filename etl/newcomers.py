"""Contacts that the mapping creates: each once, before the engagements that need it.

A contact is looked for in the account right before it is created, and again, after the settle time, where the answer to
its creation was lost. E-mail addresses are unique in HubSpot, so the account itself refuses a second one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from time import time

from etl.checkpoint import newcomers
from etl.checkpoint.newcomers import Newcomer
from etl.checkpoint.store import Checkpoint
from etl.flow import Outcome
from etl.hubspot.target import Target

#: How often a contact whose creation has no answer is looked for and tried again in one run.
_ROUNDS = 4


async def create_newcomers(checkpoint: Checkpoint, target: Target, settle_s: float, plan: int | None = None) -> None:
    """Creates the contacts that parked rows wait for (of one plan, if given); what became of each is in the checkpoint.

    Raises `TokenError`, `TryLater`, `RemoteDown`, `StorageError`, with everything recorded. A contact of which nothing is
    known in the end stays `sent`, and the next run looks for it first.
    """
    newcomers.begin(checkpoint, plan)
    for _ in range(_ROUNDS):
        due = newcomers.due(checkpoint)
        if not due:
            return
        await _settled(due, settle_s)
        newcomers.record(checkpoint, await _look(due, target))
        for newcomer in newcomers.due(checkpoint):
            await _create(checkpoint, newcomer, target)


async def _settled(due: list[Newcomer], settle_s: float) -> None:
    """Waits until every creation that was begun would be seen."""
    last = max((newcomer.sent_at for newcomer in due if newcomer.sent_at), default=None)
    if last is not None:
        await asyncio.sleep(min(max(last + settle_s - time(), 0.0), settle_s))


async def _look(due: list[Newcomer], target: Target) -> list[Outcome]:
    """What the account says of each: there, there several times, or not there."""
    by: dict[str, list[str]] = defaultdict(list)
    for newcomer in due:
        by[newcomer.by].append(newcomer.name)
    outcomes = []
    for way, names in by.items():
        found = await target.look_up("contacts", way, names)
        outcomes += [_seen(name, list(found.get(name, ())), way) for name in names]
    return outcomes


def _seen(name: str, found: list[str], way: str) -> Outcome:
    if len(found) > 1:
        return Outcome(name, "rejected", "", f"several contacts by {way} are there by now")
    return Outcome(name, "created", found[0]) if found else Outcome(name, "planned")


async def _create(checkpoint: Checkpoint, newcomer: Newcomer, target: Target) -> None:
    while not (place := target.place()).rows:  # noqa: ASYNC110 - a place comes with time, nobody tells of it
        await asyncio.sleep(place.wait_s)
    newcomers.intend(checkpoint, newcomer.name)
    outcome = await target.add_contact(newcomer.properties)
    newcomers.record(checkpoint, [outcome._replace(key=newcomer.name)])
