"""Contacts that an import creates: who they are, and what became of each, so that none is created twice.

    planned ──intend──> sent ──record──> created | rejected | planned (certainly not created)
    sent (its answer was lost) ──looked for, after the settle time──> created | planned

A newcomer's name is its e-mail address, else its phone number in E.164: rows that give the same name share the contact.
The rows wait `parked` until it is there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from time import time
from typing import NamedTuple

from etl.checkpoint.store import Checkpoint
from etl.flow import TO_CREATE, Outcome, RemoteId

_WANTED = """SELECT wanted FROM row JOIN input ON input.id = row.input JOIN plan ON plan.id = input.plan
    WHERE row.state = 'parked' AND row.reason = ?1 AND plan.finished AND (?2 IS NULL OR plan.id = ?2) ORDER BY row.id"""


class Newcomer(NamedTuple):
    """A contact that is to be there, and is not yet."""

    name: str  #: e-mail address in lower case, or phone in E.164
    properties: dict[str, str]
    sent_at: float | None  #: seconds since 1970, of the request whose answer has not come; None where none is out

    @property
    def by(self) -> str:
        """How it is looked up."""
        return "email" if "@" in self.name else "phone"


def waiting(checkpoint: Checkpoint, plan: int | None = None) -> int:
    """How many contacts are to be created for rows that wait for them: of all plans, or of one."""
    known = {name for (name,) in checkpoint.rows("SELECT name FROM newcomer WHERE state = 'created'")}
    return len(_wanted(checkpoint, plan).keys() - known)


def begin(checkpoint: Checkpoint, plan: int | None = None) -> None:
    """Takes up the contacts that rows wait for; the first row says what a contact is.

    One that was refused is tried again if a row says something else of it now.
    """
    with checkpoint.transaction() as db:
        db.executemany(
            """INSERT INTO newcomer (name, properties, state) VALUES (?, ?, 'planned') ON CONFLICT (name) DO UPDATE
               SET properties = excluded.properties, state = 'planned', reason = NULL
               WHERE newcomer.state = 'rejected' AND newcomer.properties <> excluded.properties""",
            _wanted(checkpoint, plan).items(),
        )


def due(checkpoint: Checkpoint) -> list[Newcomer]:
    """The contacts that are not there yet, or of which that is not known."""
    found = checkpoint.rows(
        "SELECT name, properties, sent_at FROM newcomer WHERE state IN ('planned', 'sent') ORDER BY rowid"
    )
    return [Newcomer(name, json.loads(properties), sent_at) for name, properties, sent_at in found]


def intend(checkpoint: Checkpoint, name: str) -> None:
    """Writes down, durably, that the request which creates this contact is about to leave."""
    with checkpoint.transaction() as db:
        db.execute("UPDATE newcomer SET state = 'sent', sent_at = ? WHERE name = ?", [time(), name])


def record(checkpoint: Checkpoint, outcomes: Collection[Outcome]) -> None:
    """Stores what became of some contacts (`Outcome.key` is the name); an unknown one stays `sent`."""
    values = [
        (o.state, o.remote_id or None, o.reason or None, o.key, o.state) for o in outcomes if o.state != "unknown"
    ]
    with checkpoint.transaction() as db:
        db.executemany(
            """UPDATE newcomer SET state = ?, remote_id = ?, reason = ?,
               sent_at = CASE WHEN ?5 = 'planned' THEN NULL ELSE sent_at END WHERE name = ?4""", values
        )  # fmt: skip


def ids(checkpoint: Checkpoint, words: Collection[str]) -> Mapping[str, list[RemoteId]]:
    """The contact that was created for each word of a row (`by: create`); one that was not is absent."""
    made = dict(checkpoint.rows("SELECT name, remote_id FROM newcomer WHERE state = 'created'"))
    return {word: [made[name]] for word in words if (name := name_of(word)) in made}


def refused(checkpoint: Checkpoint) -> Mapping[str, str]:
    """The contacts that the account refused: name -> reason."""
    return dict(checkpoint.rows("SELECT name, reason FROM newcomer WHERE state = 'rejected'"))


def name_of(word: str) -> str:
    """The name in what a row says of its contact: JSON of properties, of which `email` or `phone` is there."""
    properties = json.loads(word)
    return str(properties.get("email") or properties["phone"])


def words_in(wanted: str) -> list[str]:
    """What a parked row's words say of contacts to be created."""
    return [word for way in json.loads(wanted).get("contacts", ()) if way["by"] == "create" for word in way["value"]]


def _wanted(checkpoint: Checkpoint, plan: int | None) -> dict[str, str]:
    """Name -> properties as JSON, of the contacts that parked rows wait for."""
    found: dict[str, str] = {}
    for (wanted,) in checkpoint.rows(_WANTED, TO_CREATE, plan):
        for word in words_in(wanted):
            found.setdefault(name_of(word), word)
    return found
