"""What every target must do, whichever wire: one suite, run over both, against a sandbox process with real sockets."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
import pytest

from etl.compare import Difference, differences
from etl.engagement import DISPOSITIONS, TYPES
from etl.flow import Engagement, Links, key_text
from etl.hubspot import connect
from etl.hubspot.names import ASSOCIATIONS_V1
from etl.hubspot.target import Held, Listing, Target

BEARER = {"Authorization": "Bearer sandbox"}
TIME_MS = 1_763_759_106_000
SEED = {
    "contacts.csv": """id,email,phone,mobilephone,firstname,lastname,company_id
101,ann.abel@example.com,(555) 555-0100,,Ann,Abel,201
102,Bob.Baker@example.com,,+1 555 555 0101,Bob,Baker,202
103,carl@example.org,+44 20 7946 0100,,Carl,Cole,
104,dora@example.org,+1 207 946 0100,,Dora,Dean,201
105,ed@example.org,555-555-0100 ext. 7,,Ed,East,
""",
    "companies.csv": """id,name,domain
201,Alder Freight,alder.example
202,Beech & Sons,beech.example
203,Beech & Sons,beech-north.example
""",
    "deals.csv": "id,dealname\n301,Alder - annual plan\n302,Beech - trial\n",
    "owners.csv": """id,email,firstname,lastname,active
401,ada@example.com,Ada,Abara,true
402,gone@example.com,Guy,Gone,false
""",
}
METADATA: dict[str, dict[str, Any]] = {
    "CALL": {
        "title": "Left a message", "body": "About the <b>offer</b>", "toNumber": "+15555550100",
        "fromNumber": "+15555550199", "status": "COMPLETED", "durationMilliseconds": 38000,
        "recordingUrl": "https://example.com/recording/1", "disposition": DISPOSITIONS["Left voicemail"],
    },
    "EMAIL": {
        "from": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Abara"},
        "to": [{"email": "ann.abel@example.com"}, {"email": "Bob <bob.baker@example.com>"}],
        "cc": [{"email": "carl@example.org"}], "subject": "Offer", "html": "<p>Hello</p>", "text": "Hello",
        "status": "SENT",
    },
    "MEETING": {
        "title": "Kick-off", "body": "Agenda", "startTime": TIME_MS, "endTime": TIME_MS + 3_600_000,
        "meetingOutcome": "COMPLETED", "location": "Room 1", "iCalUid": "uid-1@example.com", "attendeeOwnerIds": [401],
    },
    "NOTE": {"body": "Imported"},
    "TASK": {
        "subject": "Call back", "body": "About the offer", "status": "NOT_STARTED", "forObjectType": "CONTACT",
        "taskType": "CALL", "priority": "HIGH", "reminders": [TIME_MS], "isAllDay": False,
    },
}  # fmt: skip


class Sandbox(NamedTuple):
    url: str
    client: httpx.Client
    settle_s: float
    api: str

    def audit(self) -> dict[str, dict[str, Any]]:
        """Every engagement in the v1 shape, by its id as text."""
        lines = self.client.get("/__audit/engagements").content.splitlines()
        held = [orjson.loads(line) for line in lines]
        return {str(e["engagement"]["id"]): e for e in held}

    def break_(self, *faults: str, seed: int = 0) -> None:
        """Switches these faults on, and all others off."""
        self.client.post("/__faults", json={"faults": faults, "seed": seed}).raise_for_status()


#: How the account is reached, and the switches of the sandbox that stands for it.
WIRES = {"objects": ("objects", []), "objects, plain keys": ("objects", ["--no-unique-properties"]), "v1": ("v1", [])}


@pytest.fixture(scope="module", params=WIRES)
def sandbox(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox process with a portal of its own and a short settle time, and the wire by which it is reached."""
    api, switches = WIRES[request.param]
    folder = tmp_path_factory.mktemp("sandbox")
    seed, ready = folder / "seed", folder / "ready.json"
    seed.mkdir()
    for name, text in SEED.items():
        (seed / name).write_text(text)
    command = [sys.executable, "-m", "etl.sandbox", "--port", "0", "--db", str(folder / "db.sqlite"),
               "--seed-data", str(seed), "--ready-file", str(ready), "--index-lag", "0.2", "--parent-pid", str(os.getpid()), *switches]  # fmt: skip
    with subprocess.Popen(command) as process:
        try:
            url = _url(ready, process)
            with httpx.Client(base_url=url, trust_env=False) as client:
                yield Sandbox(url, client, client.get("/__sandbox").json()["settle_s"], api)
        finally:
            process.terminate()


def _url(ready: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        if ready.exists() and (text := ready.read_text()):
            return str(orjson.loads(text)["url"])
        time.sleep(0.02)
    raise AssertionError("the sandbox did not start")


@pytest.fixture
def ask(sandbox: Sandbox) -> Callable[[Callable[[Target], Awaitable[Any]]], Any]:
    """Runs questions to a prepared target, each with connections of its own."""

    def run(question: Callable[[Target], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            target = connect(sandbox.url, sandbox.api, None)
            try:
                await target.prepare()
                return await question(target)
            finally:
                await target.close()

        return asyncio.run(whole())

    return run


Ask = Callable[[Callable[[Target], Awaitable[Any]]], Any]
LINKS = Links("401", ("101", "102"), ("201",), ("301",))


def engagement(type: str = "CALL", links: Links = LINKS, **metadata: Any) -> Engagement:  # noqa: A002
    body = {
        "engagement": {"active": True, "type": type, "timestamp": TIME_MS},
        "attachments": [],
        "metadata": {**METADATA[type], **metadata},
    }
    return Engagement(key_text(os.urandom(16)), type, TIME_MS, orjson.dumps(body), links)


def test_the_account_is_known(ask: Ask, sandbox: Sandbox):
    portal = ask(lambda target: target.portal())

    assert portal.id.isdigit()
    assert portal.settle_s == sandbox.settle_s > 0


def test_the_outcomes_of_calls_include_those_that_every_account_has(ask: Ask):
    outcomes = ask(lambda target: target.dispositions())

    assert outcomes.items() >= DISPOSITIONS.items()


def test_preparing_twice_changes_nothing(ask: Ask):
    ask(lambda target: target.prepare())


@pytest.mark.parametrize("type_", TYPES)
def test_an_engagement_is_created_with_its_fields_its_owner_and_its_links(ask: Ask, sandbox: Sandbox, type_: str):
    row = engagement(type_)

    ((outcome,), verdict) = ask(lambda target: target.create([row]))

    assert (outcome.key, outcome.state, verdict.next) == (row.key, "created", "done")
    held = sandbox.audit()[outcome.remote_id]
    assert (held["engagement"]["type"], held["engagement"]["timestamp"]) == (type_, TIME_MS)
    assert held["engagement"]["ownerId"] == 401
    assert held["metadata"].items() >= METADATA[type_].items()
    links = held["associations"]
    assert (links["contactIds"], links["companyIds"], links["dealIds"]) == ([101, 102], [201], [301])


def test_a_full_request_creates_each_row_under_its_own_id(ask: Ask, sandbox: Sandbox):
    async def create(target: Target) -> Any:
        rows = [engagement(title=f"Call {n}") for n in range(target.max_batch)]
        return rows, await target.create(rows)

    rows, (outcomes, _) = ask(create)

    held = sandbox.audit()
    assert [o.key for o in outcomes] == [row.key for row in rows]
    assert [held[o.remote_id]["metadata"]["title"] for o in outcomes] == [f"Call {n}" for n in range(len(rows))]


@pytest.mark.parametrize(
    "row",
    [
        engagement(links=Links(contacts=("999999",))),
        engagement(links=Links("999999", ("101",))),
        engagement(status="LOST"),
    ],
    ids=["no such contact", "no such owner", "no such status"],
)
def test_a_row_that_the_account_refuses_is_rejected_with_its_reason(ask: Ask, sandbox: Sandbox, row: Engagement):
    before = len(sandbox.audit())

    ((outcome,), verdict) = ask(lambda target: target.create([row]))

    assert (outcome.key, outcome.state, outcome.remote_id) == (row.key, "rejected", "")
    assert len(outcome.reason) > 10
    assert verdict.next in {"refused", "per_row"}
    assert len(sandbox.audit()) == before


def test_a_refused_row_does_not_hold_up_its_batch(ask: Ask):
    async def create(target: Target) -> Any:
        rows = [engagement(links=Links(contacts=("999999" if n == 3 else "101",))) for n in range(10)]
        return [
            o for n in range(0, 10, target.max_batch) for o in (await target.create(rows[n : n + target.max_batch]))[0]
        ]

    states = [outcome.state for outcome in ask(create)]

    assert states == ["created"] * 3 + ["rejected"] + ["created"] * 6


def test_a_row_sent_twice_is_never_taken_for_created_once_and_found_as_often_as_it_is_there(ask: Ask, sandbox: Sandbox):
    row = engagement()

    async def twice(target: Target) -> Any:
        first, second = await target.create([row]), await target.create([row])
        await asyncio.sleep(sandbox.settle_s)
        is_unique = getattr(target, "finds_by_key", {}).get("CALL", False)
        return first.outcomes[0], second.outcomes[0], await target.find([row]), is_unique

    first, second, found, is_unique = ask(twice)

    assert (first.state, second.state) == ("created", "unknown" if is_unique else "created")
    assert found == {row.key: [first.remote_id, *([] if is_unique else [second.remote_id])]}


def test_what_was_created_is_found_by_its_key_after_the_settle_time_and_nothing_else_is(ask: Ask, sandbox: Sandbox):
    rows = [engagement("CALL"), engagement("NOTE"), engagement("TASK", Links(companies=("203",)))]
    never_sent = [engagement("CALL"), engagement("NOTE", Links(contacts=("105",)))]

    async def create_and_find(target: Target) -> Any:
        sent = {row.key: (await target.create([row])).outcomes[0].remote_id for row in rows}
        await asyncio.sleep(sandbox.settle_s)
        return sent, dict(await target.find(rows + never_sent))

    sent, found = ask(create_and_find)

    assert found == {key: [remote_id] for key, remote_id in sent.items()}


def test_a_row_without_any_link_is_found_too(ask: Ask, sandbox: Sandbox):
    linked_to_nothing = [engagement("NOTE", Links()), engagement("NOTE", Links())]

    async def create_and_find(target: Target) -> Any:
        sent = await target.create(linked_to_nothing[:1])
        await asyncio.sleep(sandbox.settle_s)
        return sent.outcomes[0].remote_id, dict(await target.find(linked_to_nothing))

    remote_id, found = ask(create_and_find)

    assert found == {linked_to_nothing[0].key: [remote_id]}


@pytest.mark.parametrize(
    ("to", "by", "found"),
    [
        ("contacts", "email", {"ann.abel@example.com": ["101"], "BOB.BAKER@example.com": ["102"], "no@example.com": None}),
        ("contacts", "phone", {
            "+15555550100": ["101", "105"], "+15555550101": ["102"], "+442079460100": ["103"], "+12079460100": ["104"],
            "+15555550177": None,
        }),
        ("companies", "domain", {"alder.example": ["201"], "Beech.Example": ["202"], "oak.example": None}),
        ("companies", "name", {"Alder Freight": ["201"], "beech & sons": ["202", "203"], "Oak": None}),
        ("companies", "contact", {"101": ["201"], "102": ["202"], "103": None}),
        ("deals", "name", {"Alder - annual plan": ["301"], "Oak - plan": None}),
        ("deals", "contact", {"101": None}),
        ("owners", "email", {"Ada@example.com": ["401"], "gone@example.com": None, "no@example.com": None}),
    ],
)  # fmt: skip
def test_words_are_looked_up(ask: Ask, to: Any, by: str, found: dict[str, list[str] | None]):
    assert dict(ask(lambda target: target.look_up(to, by, list(found)))) == {k: v for k, v in found.items() if v}


def test_more_words_than_one_request_takes_are_looked_up(ask: Ask):
    emails = [f"nobody{n}@example.com" for n in range(230)] + ["ann.abel@example.com"]
    phones = [f"+1555555{n:04d}" for n in range(230)]

    async def both(target: Target) -> Any:
        return await target.look_up("contacts", "email", emails), await target.look_up("contacts", "phone", phones)

    by_email, by_phone = ask(both)

    assert by_email == {"ann.abel@example.com": ["101"]}
    assert by_phone == {"+15555550100": ["101", "105"], "+15555550101": ["102"]}


@pytest.mark.parametrize(
    ("fault", "state", "next_", "exit_code", "is_there"),
    [
        ("commit_then_reset", "unknown", "unknown", 0, True),
        ("cut_json", "unknown", "unknown", 0, True),
        ("error_after", "unknown", "unknown", 0, True),
        ("error_before", "unknown", "unknown", 0, False),
        ("reset_before", "unknown", "unknown", 0, False),
        ("locked", "unknown", "unknown", 0, False),
        ("rate_limit", "planned", "wait", 0, False),
        ("daily_limit", "planned", "stop", 75, False),
        ("migrating", "planned", "stop", 75, False),
        ("expired_token", "planned", "wait", 77, False),
        ("forbidden", "planned", "stop", 77, False),
    ],
)
def test_a_create_that_went_wrong_is_unknown_unless_it_was_certainly_not_worked_on(
    ask: Ask, sandbox: Sandbox, fault: str, state: str, next_: str, exit_code: int, is_there: bool
):
    row = engagement()
    before = set(sandbox.audit())

    async def create(target: Target) -> Any:
        sandbox.break_(f"{fault}:times=1,match=POST")
        return await target.create([row])

    ((outcome,), verdict) = ask(create)

    assert (outcome.key, outcome.state, verdict.next, verdict.exit_code) == (row.key, state, next_, exit_code)
    assert len(set(sandbox.audit()) - before) == is_there


async def create_in_places(target: Target, rows: list[Engagement]) -> list[tuple[int, Any]]:
    """For each request the rows that its place allowed, and what was sent."""
    sent = []
    while rows:
        while not (place := target.place()).rows:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(place.wait_s)
        now, rows = rows[: place.rows], rows[place.rows :]
        sent.append((place.rows, await target.create(now)))
    return sent


def test_a_run_begins_with_one_row_then_ten_then_full_requests(ask: Ask, sandbox: Sandbox):
    del sandbox

    async def create(target: Target) -> Any:
        return target.max_batch, await create_in_places(target, [engagement() for _ in range(11 + target.max_batch)])

    max_batch, sent = ask(create)

    assert [rows for rows, _ in sent][:3] == [min(rows, max_batch) for rows in (1, 10, 100)]
    assert {outcome.state for _, (outcomes, _) in sent for outcome in outcomes} == {"created"}


def test_a_token_that_is_refused_once_is_tried_again_and_twice_ends_the_run(ask: Ask, sandbox: Sandbox):
    async def create(target: Target) -> Any:
        await target.portal()
        sandbox.break_("unauthorized:nth=1,times=1")
        once = await create_in_places(target, [engagement(), engagement()])
        sandbox.break_("unauthorized")
        twice = await create_in_places(target, [engagement() for _ in range(12)])
        sandbox.break_()
        return once, twice

    once, twice = ask(create)

    assert [verdict.next for _, (_, verdict) in once] == ["wait", "done"]
    assert [verdict.next for _, (_, verdict) in twice][:2] == ["wait", "stop"]
    assert {outcome.state for _, (outcomes, _) in twice for outcome in outcomes} == {"planned"}


def test_what_the_account_allows_is_known_from_the_first_reads(ask: Ask, sandbox: Sandbox):
    del sandbox

    async def look(target: Target) -> Any:
        await target.portal()
        return target.allowance()

    told = ask(look)

    assert (told.limit, told.window_s, told.daily_limit, told.reserve) == (100_000, 10.0, 1_000_000, 200_000)
    assert told.daily_left is not None
    assert told.daily_left < 1_000_000


def test_a_row_that_a_batch_does_not_speak_of_is_unknown_and_found(ask: Ask, sandbox: Sandbox):
    rows = [engagement() for _ in range(10)]

    async def create_and_find(target: Target) -> Any:
        sandbox.break_("missing_from_207:times=1")  # only batches have it
        groups = [rows[n : n + target.max_batch] for n in range(0, len(rows), target.max_batch)]
        outcomes = [o for group in groups for o in (await target.create(group)).outcomes]
        await asyncio.sleep(sandbox.settle_s)
        return outcomes, await target.find(rows)

    outcomes, found = ask(create_and_find)

    assert {o.state for o in outcomes} == ({"created"} if sandbox.api == "v1" else {"created", "unknown"})
    assert all(found[o.key] == [o.remote_id] for o in outcomes if o.state == "created")
    assert all(len(found[o.key]) == 1 for o in outcomes)


@pytest.mark.parametrize("fault", ["error_before:p=0.4", "cut_json:p=0.4", "reset_before:p=0.4"])
def test_look_ups_come_through_a_bad_line(ask: Ask, sandbox: Sandbox, fault: str):
    async def look_up(target: Target) -> Any:
        sandbox.break_(fault, seed=7)
        try:
            return await target.look_up("contacts", "email", ["ann.abel@example.com"])
        finally:
            sandbox.break_()

    assert ask(look_up) == {"ann.abel@example.com": ["101"]}


def stored(ask: Ask, *rows: Engagement) -> list[str]:
    """The ids of these rows, created one by one."""

    async def create(target: Target) -> list[str]:
        ids = []
        for row in rows:
            sent = await target.create([row])
            ids += [outcome.remote_id for outcome in sent.outcomes]
        return ids

    ids = ask(create)
    assert all(ids)
    return list(ids)


async def listed(target: Target, listing: Listing) -> list[Held]:
    """All pages of a listing."""
    held, after = [], ""
    while True:
        page = await target.page(listing, after)
        held += page.held
        if not (after := page.after):
            return held


@pytest.mark.parametrize("type_", TYPES)
def test_what_was_created_is_read_back_without_a_difference(ask: Ask, type_: str):
    row = engagement(type_)
    (remote_id,) = stored(ask, row)

    async def differing(target: Target) -> list[Difference]:
        held = await target.read(type_, [remote_id])
        return differences(row, held[remote_id], {target.wire})

    assert ask(differing) == []


def test_by_either_wire_the_same_engagement_is_held(ask: Ask, sandbox: Sandbox):
    rows = [engagement(type_) for type_ in TYPES]
    ids = stored(ask, *rows)

    async def both(_: Target) -> list[tuple[Held, Held]]:
        pairs = []
        one, other = connect(sandbox.url, "objects", None), connect(sandbox.url, "v1", None)
        try:
            for row, remote_id in zip(rows, ids, strict=True):
                pairs.append(
                    ((await one.read(row.type, [remote_id]))[remote_id], (await other.read("", [remote_id]))[remote_id])
                )
        finally:
            await one.close()
            await other.close()
        return pairs

    for objects, v1 in ask(both):
        assert objects._replace(payload={}, key="") == v1._replace(payload={}, key="")
        assert objects.payload["associations"] == {
            name: v1.payload["associations"][name] for name in ASSOCIATIONS_V1.values()
        }
        shown = {name: value for name, value in objects.payload["metadata"].items() if value is not False}
        assert shown == {name: value for name, value in v1.payload["metadata"].items() if value is not False}


def test_what_is_not_there_is_absent(ask: Ask, sandbox: Sandbox):
    kept, gone = stored(ask, engagement("NOTE"), engagement("NOTE"))
    sandbox.client.delete(f"/engagements/v1/engagements/{gone}", headers=BEARER).raise_for_status()
    assert ask(lambda target: target.read("NOTE", [kept, gone, "999999999999"])).keys() == {kept}


def test_more_ids_than_a_request_takes_are_read(ask: Ask):
    ids = stored(ask, *(engagement("NOTE") for _ in range(3)))
    wanted = [*(str(i) for i in range(1, 120)), *ids]
    assert ask(lambda target: target.read("NOTE", wanted)).keys() == set(ids)


def test_a_list_shows_everything_once_with_its_links(ask: Ask, sandbox: Sandbox):
    stored(ask, *(engagement(type_) for type_ in TYPES))
    held = ask(lambda target: listed(target, Listing()))
    audit = sandbox.audit()
    assert sorted(h.remote_id for h in held) == sorted(i for i, e in audit.items() if not e.get("archived"))
    for one in held:
        assert one.payload["associations"]["contactIds"] == audit[one.remote_id]["associations"]["contactIds"]


def test_a_list_of_one_type_shows_no_other(ask: Ask):
    (remote_id,) = stored(ask, engagement("MEETING"))
    held = ask(lambda target: listed(target, Listing(types=("MEETING",))))
    assert {h.type for h in held} == {"MEETING"}
    assert remote_id in {h.remote_id for h in held}


def test_a_contacts_list_shows_what_is_linked_to_it(ask: Ask):
    mine, other = stored(ask, engagement(links=Links(contacts=("104",))), engagement(links=Links(contacts=("105",))))
    ids = {h.remote_id for h in ask(lambda target: listed(target, Listing(contact="104")))}
    assert mine in ids
    assert other not in ids


def test_a_list_since_a_moment_shows_what_changed_since(ask: Ask, sandbox: Sandbox):
    before, later = stored(ask, engagement("NOTE"), engagement("NOTE"))
    time.sleep(0.05)
    changed = {"metadata": {"body": "changed"}}
    sandbox.client.patch(f"/engagements/v1/engagements/{later}", json=changed, headers=BEARER).raise_for_status()
    since_ms = ask(lambda target: target.read("NOTE", [later]))[later].updated_ms
    time.sleep(0.5)  # the index is late
    ids = [h.remote_id for h in ask(lambda target: listed(target, Listing(since_ms=since_ms)))]
    assert later in ids
    assert before not in ids
    assert len(ids) == len(set(ids))


def test_a_list_of_keys_shows_every_key_that_this_wire_wrote(ask: Ask):
    rows = [engagement(type_) for type_ in TYPES]
    ids = stored(ask, *rows)
    time.sleep(0.5)  # the index is late
    found = {h.remote_id: h.key for h in ask(lambda target: listed(target, Listing(keys_only=True)))}
    assert {i: found[i] for i in ids} == dict(zip(ids, (row.key for row in rows), strict=True))


def test_ids_are_told_in_words(ask: Ask):
    assert ask(lambda target: target.words("contacts", ["101", "102", "999"])) == {
        "101": {"email": "ann.abel@example.com", "phone": "(555) 555-0100"},
        "102": {"email": "bob.baker@example.com", "phone": "+1 555 555 0101"},
    }
    assert ask(lambda target: target.words("companies", ["201"])) == {
        "201": {"domain": "alder.example", "name": "Alder Freight"}
    }
    assert ask(lambda target: target.words("owners", []))["402"] == {"email": "gone@example.com"}


@pytest.mark.parametrize(
    "content", [b"", b"plain\r\n--text\r\n", bytes(range(256)) * 40], ids=["empty", "text", "bytes"]
)
def test_a_file_is_uploaded_privately_once_and_byte_for_byte(ask: Ask, sandbox: Sandbox, content: bytes):
    async def asked(target: Target) -> list[Any]:
        return [await target.upload(name, content) for name in ('a "b" %41.txt', "Ümlaut.txt")]

    first, again = ask(asked)

    assert (first.state, again) == ("created", first)
    shown = sandbox.client.get(f"/files/v3/files/{first.remote_id}", headers=BEARER).json()
    assert (shown["access"], shown["size"], shown["path"].startswith("/imported/")) == ("PRIVATE", len(content), True)


def test_a_file_that_the_account_refuses_is_rejected_with_its_reason(ask: Ask):
    refused = ask(lambda target: target.upload("big.bin", bytes(20 * 1024 * 1024 + 1)))

    assert (refused.state, "20971520 are allowed" in refused.reason) == ("rejected", True)
