"""What is found where the account or the checkpoint is in an odd state, against an account in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import pytest

from etl.checkpoint import journal
from etl.checkpoint.journal import Answer, Intent
from etl.checkpoint.store import Checkpoint
from etl.errors import EtlError, RemoteDown
from etl.flow import Engagement, Key, Outcome, RemoteId, key_text
from etl.hubspot.target import Held, Listing, Page
from etl.verify import Finding, Verified, verify, ways
from tests.conftest import key_of, make_linked, stage_all

NAMES = ("a", "b", "c")


WHOLE, KEYS = Listing(("NOTE",)), Listing(("NOTE",), keys_only=True)


class Account:
    """Holds notes; a read can be refused, and pages repeat themselves."""

    wire = "objects"

    def __init__(self, held: Sequence[Held], error: EtlError | None = None) -> None:
        self.held, self.error = {one.remote_id: one for one in held}, error

    async def page(self, listing: Listing, after: str = "") -> Page:
        held = [one._replace(payload={}) if listing.keys_only else one for one in self.held.values()]
        return Page(held, "" if after else "again")

    async def own_properties(self, type_: str) -> list[str]:
        return []

    async def read(
        self, type_: str, ids: Sequence[RemoteId], properties: Collection[str] = ()
    ) -> Mapping[RemoteId, Held]:
        if self.error:
            raise self.error
        return {i: self.held[i] for i in ids if i in self.held}

    async def find(self, rows: Sequence[Engagement]) -> Mapping[Key, list[RemoteId]]:
        return {row.key: [one.remote_id for one in self.held.values() if one.key == row.key] for row in rows}


def note(name: str, remote_id: str, **more: object) -> Held:
    """What was loaded as `name`, as the account would hold it."""
    payload = {
        "engagement": {"id": int(remote_id)},
        "associations": {"contactIds": [1], "companyIds": [], "dealIds": [], "ticketIds": []},
        "attachments": [],
        "metadata": {"body": f"body of {name}"},
    }
    return Held(remote_id, "NOTE", key_text(key_of(name)), 1_700_000_000_000, 1, 1, {**payload, **more})


@pytest.fixture
def loaded(checkpoint: Checkpoint) -> Checkpoint:
    """Three rows; a and b were created as 11 and 12, c is unresolved."""
    plan = stage_all(checkpoint, make_linked(NAMES))
    run = journal.begin_run(checkpoint, "r", plan)
    rows = [due.number for due in journal.due(checkpoint, "planned", after=0, rows=10)]
    keys = [key_text(key_of(name)) for name in NAMES]
    (request,) = journal.write(checkpoint, run, [Intent("objects", rows)], [])
    outcomes = [
        Outcome(keys[0], "created", "11"),
        Outcome(keys[1], "created", "12"),
        Outcome(keys[2], "unresolved", "", "?"),
    ]
    journal.write(checkpoint, run, [], [Answer(request, rows, outcomes, "done", "")])
    return checkpoint


@pytest.fixture(params=[WHOLE, KEYS], ids=["whole", "keys"])
def listing(request: pytest.FixtureRequest) -> Listing:
    """The list that is gone through: of whole engagements, or of keys, beside reading by id."""
    return request.param


def found(
    checkpoint: Checkpoint, account: Account, *lists: Listing, **how: object
) -> tuple[list[tuple[str, str, str]], Verified]:
    """(symbol, id, what) of every finding, and the counts."""
    findings: list[Finding] = []
    verified = asyncio.run(verify([checkpoint], [], account, lists=lists, on_findings=findings.extend, **how))
    return sorted((f.symbol, f.remote_id, f.what) for f in findings), verified


def test_what_is_as_it_was_is_equal(loaded: Checkpoint, listing: Listing):
    said, verified = found(loaded, Account([note("a", "11"), note("b", "12")]), listing)
    assert said == [("=", "11", ""), ("=", "12", "")]
    assert verified.is_equal


def test_what_the_checkpoint_does_not_call_created_is_extra_once(loaded: Checkpoint, listing: Listing):
    """Though the page shows it twice."""
    said, verified = found(loaded, Account([note("a", "11"), note("b", "12"), note("c", "13")]), listing)
    assert said[0] == ("+", "13", "is there, but the checkpoint calls its row unresolved")
    assert verified.counts["+"] == 1
    assert not verified.is_equal


def test_a_key_that_nobody_knows_is_extra_and_another_callers_mark_is_not(loaded: Checkpoint, listing: Listing):
    stranger, other = note("x", "14"), note("x", "15")._replace(key="call-17@their-system")
    said, _ = found(loaded, Account([note("a", "11"), note("b", "12"), stranger, other]), listing)
    assert [(symbol, i) for symbol, i, _ in said] == [("+", "14"), ("=", "11"), ("=", "12")]


def test_a_twin_is_a_duplicate_with_and_without_a_sweep(loaded: Checkpoint, listing: Listing):
    account = Account([note("a", "11"), note("b", "12"), note("a", "16")])
    for lists, how in (((listing,), {}), ((), {}), ((), {"sample": 2})):
        said, verified = found(loaded, account, *lists, **how)
        assert said[0] == ("+", "16", "duplicate of 11")
        assert verified.duplicates == 1


def test_a_read_that_is_refused_is_an_error_of_its_rows(loaded: Checkpoint):
    account = Account([note("a", "11")], EtlError("HubSpot refused it: 400", code="read_refused"))
    said, verified = found(loaded, account, KEYS)
    assert [(symbol, i) for symbol, i, _ in said] == [("!", "11"), ("!", "12")]
    assert not verified.is_equal


def test_an_account_that_is_down_ends_it(loaded: Checkpoint):
    with pytest.raises(RemoteDown):
        found(loaded, Account([], RemoteDown("no answer")), KEYS)


def test_a_row_that_is_linked_to_nothing_is_named(loaded: Checkpoint, listing: Listing):
    alone = {name: [] for name in ("contactIds", "companyIds", "dealIds", "ticketIds")}
    said, verified = found(loaded, Account([note("a", "11"), note("b", "12", associations=alone)]), listing)
    assert said[0] == ("*", "12", "associations.contactIds: 1 -> nothing; linked to nothing")
    assert (verified.unlinked, verified.fields["associations.contactIds"]) == (1, 1)


def test_values_are_shown_on_one_line_and_cut(loaded: Checkpoint, listing: Listing):
    long = {"body": "x\n\x1b[31m" * 100}
    said, _ = found(loaded, Account([note("a", "11"), note("b", "12", metadata=long)]), listing)
    (what,) = (what for symbol, _, what in said if symbol == "*")
    assert what.isprintable()
    assert len(what) < 200


def test_the_way_depends_on_the_wire_and_on_what_else_is_there():
    rows = {"CALL": 1500, "NOTE": 10}
    alone = ways("objects", rows, rows)
    assert [(one.types, one.keys_only) for one in alone.lists[:2]] == [(("CALL",), False), (("EMAIL",), False)]
    assert (alone.requests, alone.searches) == (15 + 1, 0)
    among_others = ways("objects", rows, {"CALL": 1_000_000, "NOTE": 10, "EMAIL": 5})
    assert [one.keys_only for one in among_others.lists] == [True, True, False, False, False]
    assert (among_others.requests, among_others.searches) == (15 + 4 * 2 + 1, 8 + 1)
    assert ways("v1", rows, {"CALL": 2000}) == ((Listing(),), 11, 0)
    assert ways("v1", {"NOTE": 10}, {"NOTE": 1_000_000}) == ((), 20, 0)
    assert ways("v1", rows, {}, sample=100) == ((), 202, 0)


def test_a_row_that_was_undone_must_not_be_there(loaded: Checkpoint, listing: Listing):
    with loaded.transaction() as db:
        db.execute("UPDATE row SET state = 'undone' WHERE remote_id = '12'")
    assert found(loaded, Account([note("a", "11")]), listing)[1].is_equal
    said, verified = found(loaded, Account([note("a", "11"), note("b", "12")]), listing)
    assert said[0] == ("+", "12", "is there, but the checkpoint calls its row undone")
    assert verified.duplicates == 0


def test_an_adopted_row_must_be_there_in_whatever_words(loaded: Checkpoint, listing: Listing):
    with loaded.transaction() as db:
        db.execute("UPDATE row SET state = 'adopted' WHERE remote_id = '12'")
    theirs = note("b", "12", metadata={"body": "in their words"})._replace(key="")
    said, verified = found(loaded, Account([note("a", "11"), theirs]), listing)
    assert said == [("=", "11", ""), ("=", "12", "adopted: not compared")]
    assert verified.is_equal
    assert found(loaded, Account([note("a", "11")]), listing)[0][0][:2] == ("-", "12")
