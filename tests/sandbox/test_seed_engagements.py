"""What was in the account before: seeded engagements, also of types that nobody can create."""

import subprocess
import sys

import orjson
import pytest

from etl.errors import ContentError
from etl.sandbox.seed import seed
from etl.sandbox.store import open_store

V1 = "/engagements/v1/engagements"
SINCE = 1_788_000_000_000
SEEDS = [
    {"engagement": {"id": 1001, "type": "CALL", "timestamp": SINCE, "ownerId": 11, "uid": "old-1", "source": "CRM_UI"},
     "associations": {"contactIds": [101, None]},
     "metadata": {"body": "hello", "status": "COMPLETED", "mediaProcessingStatus": "DONE"}},
    {"engagement": {"id": 1002, "type": "INCOMING_EMAIL", "timestamp": SINCE + 1, "createdBy": 7},
     "associations": {"contactIds": [101]},
     "metadata": {"from": {"email": "ann@example.com"}, "to": [{"email": "rita@example.com"}], "subject": "Re: Offer",
                  "text": "Thanks", "threadId": "t-1", "sentVia": "GMAIL", "attachedVideoOpened": False}},
    {"engagement": {"id": 1003, "type": "FORWARDED_EMAIL"}, "metadata": {"subject": "Fwd: Offer"}},
    {"engagement": {"id": 1004, "type": "CONVERSATION_SESSION", "active": False},
     "associations": {"contactIds": [101], "dealIds": [901]}, "attachments": [{"id": 5}],
     "metadata": {"threadId": 77, "conversationTopic": {"name": "Chat"}, "empty": None}},
    {"engagement": {"id": 1005, "type": "NOTE"}, "metadata": {"body": "a note"}},
]  # fmt: skip


@pytest.fixture
def seeds(seeds):
    (seeds / "engagements.jsonl").write_bytes(b"\n".join(orjson.dumps(line) for line in SEEDS) + b"\n\n")
    return seeds


def test_seeded_engagements_of_any_type_are_shown_by_every_v1_read(sandbox):
    ids = [line["engagement"]["id"] for line in SEEDS]

    paged = sandbox.get(f"{V1}/paged").json()["results"]
    recent = sandbox.get(f"{V1}/recent/modified").json()["results"]
    after = sandbox.get(f"{V1}/modified/after").json()["results"]
    associated = sandbox.get(f"{V1}/associated/contact/101/paged").json()["results"]
    single = [sandbox.get(f"{V1}/{i}").json() for i in ids]

    assert [r["engagement"]["type"] for r in paged] == [line["engagement"]["type"] for line in SEEDS]
    assert [r["engagement"]["id"] for r in associated] == [1001, 1002, 1004]
    assert sorted(r["engagement"]["id"] for r in after) == ids
    assert {r["engagement"]["id"] for r in recent} == set(ids)
    assert paged == single


def test_their_metadata_is_what_was_seeded(sandbox):
    call, mail, _, session, _ = sandbox.get(f"{V1}/paged").json()["results"]

    assert call["metadata"] == SEEDS[0]["metadata"]
    assert (call["engagement"]["source"], call["engagement"]["uid"]) == ("CRM_UI", "old-1")
    assert mail["metadata"] == SEEDS[1]["metadata"] | {"cc": [], "bcc": []}
    assert mail["engagement"]["createdBy"] == 7
    assert session["metadata"] == {"threadId": 77, "conversationTopic": {"name": "Chat"}}
    assert (session["attachments"], session["engagement"]["active"]) == ([{"id": 5}], False)
    assert session["associations"]["dealIds"] == [901]


def test_mail_of_other_directions_is_mail_to_the_objects_api_and_sessions_are_nothing_to_it(sandbox):
    names = "hs_email_direction,hs_email_subject,hs_email_from_email,hs_email_thread_id,hs_created_by"
    mails = sandbox.get("/crm/v3/objects/emails", params={"properties": names}).json()["results"]
    calls = sandbox.get("/crm/v3/objects/calls", params={"properties": "hs_engagement_source"}).json()["results"]

    assert [r["properties"]["hs_email_direction"] for r in mails] == ["INCOMING_EMAIL", "FORWARDED_EMAIL"]
    assert mails[0]["properties"]["hs_email_from_email"] == "ann@example.com"
    assert (mails[0]["properties"]["hs_email_thread_id"], mails[0]["properties"]["hs_created_by"]) == ("t-1", "7")
    assert [(r["id"], r["properties"]["hs_engagement_source"]) for r in calls] == [("1001", "CRM_UI")]
    for object_type in ("calls", "emails", "meetings", "notes", "tasks"):
        assert sandbox.get(f"/crm/v3/objects/{object_type}/1004").status_code == 404


@pytest.mark.parametrize("engagement_id", [1002, 1003, 1004])
def test_what_cannot_be_created_cannot_be_edited_but_linked_and_deleted(sandbox, engagement_id):
    path = f"{V1}/{engagement_id}"

    edits = [sandbox.request(m, path, json={"metadata": {"text": "x"}}).status_code for m in ("PATCH", "PUT")]
    linked = sandbox.put(f"{path}/associations/company/501").status_code
    after = sandbox.get(path).json()
    deleted = sandbox.delete(path).status_code

    assert edits == [400, 400]
    assert linked == deleted == 204
    assert after["associations"]["companyIds"] == [501]
    assert sandbox.get(path).content == b""


def test_an_edit_keeps_what_v1_only_reads(sandbox):
    got = sandbox.patch(f"{V1}/1001", json={"metadata": {"body": "new"}}).json()

    assert got["metadata"] == SEEDS[0]["metadata"] | {"body": "new"}
    patched = sandbox.patch("/crm/v3/objects/calls/1001", json={"properties": {"hs_call_title": "x"}}).json()
    assert not [name for name in patched["properties"] if "." in name]


def test_the_audit_and_the_page_show_seeds_too(sandbox):
    assert [(r["engagement"]["id"], r["request"]) for r in sandbox.audited()] == [(i, 0) for i in range(1001, 1006)]
    assert sandbox.get("/").status_code == 200
    assert sandbox.get("/view/contacts/101", follow_redirects=True).status_code in {200, 404}


def test_times_are_those_of_the_seed_or_long_ago(sandbox):
    call = sandbox.get(f"{V1}/1001").json()["engagement"]
    note = sandbox.get(f"{V1}/1005").json()["engagement"]

    assert call["timestamp"] == SINCE
    assert (
        note["timestamp"] == note["createdAt"] == note["lastUpdated"] == int(sandbox.clock() * 1000) - 30 * 86_400_000
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "engagements.jsonl:1: this is no JSON"),
        ("[]", "engagements.jsonl:1: this is no JSON object"),
        ('{"engagement":{"id":1}}', "needs a type"),
        ('{"engagement":{"type":"NOTE"}}', "an id above 0"),
        ('{"engagement":{"id":1,"type":"note"}}', "needs a type, in capitals"),
        ('{"engagement":{"id":1,"type":"NOTE","timestamp":"soon"}}', "timestamp is 'soon'"),
        ('{"engagement":{"id":1,"type":"NOTE","timestamp":9007199254740991}}', "no time in milliseconds"),
        ('{"engagement":{"id":1,"type":"NOTE","ownerId":99}}', "Owner with id 99 does not exist"),
        ('{"engagement":{"id":1,"type":"NOTE","createdBy":"me"}}', "'me' is no whole number"),
        ('{"engagement":{"id":1,"type":"CALL"},"metadata":{"status":"GONE"}}', "hs_call_status: GONE was not one of"),
        ('{"engagement":{"id":1,"type":"CALL"},"metadata":[]}', "Cannot deserialize"),
        ('{"engagement":{"id":1,"type":"NOTE"},"associations":{"dealIds":[7]}}', "it is linked to deals 7"),
        ('{"engagement":{"id":1,"type":"NOTE"}}\n\n{"engagement":{"id":1,"type":"CALL"}}', ":3: the id 1 stands already in"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_leaves_the_store_empty(tmp_path, seeds, line, why):
    (seeds / "engagements.jsonl").write_text(line)
    store = open_store(tmp_path / "s.sqlite")

    with pytest.raises(ContentError) as problem:
        seed(store, seeds, 1_790_000_000_000)

    assert why in problem.value.message
    assert store.is_empty()
    store.close()


def test_new_ids_begin_above_those_of_seeds(tmp_path, seeds):
    (seeds / "engagements.jsonl").write_text('{"engagement":{"id":90000000000,"type":"NOTE"}}')
    store = open_store(tmp_path / "s.sqlite")

    assert seed(store, seeds, 1_790_000_000_000)["engagements"] == 1
    assert store.new_id() == 90_000_000_001
    store.close()


@pytest.mark.parametrize("api", ["objects", "v1"])
def test_an_import_goes_past_what_it_cannot_create(tmp_path, seeds, api):
    mapping = (
        "version: 1\nname: notes\nsource: {format: csv, timezone: UTC}\nkey: $id\n"
        "engagement: {type: NOTE, timestamp: {from: $at, as: datetime, format: epoch_s}}\n"
        "associations: {contacts: {by: email, value: $email, not_found: reject}}\nmetadata: {body: $text}\n"
    )
    (tmp_path / "notes.yaml").write_text(mapping)
    (tmp_path / "in.csv").write_text("id,at,email,text\n1,1700000000,ann@example.com,hello\n")
    words = ["run", "in.csv", "-m", "notes.yaml", "--api", api, "--seed-data", str(seeds), "--json"]

    ran = subprocess.run(
        [sys.executable, "-m", "etl", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert ran.returncode == 0, ran.stderr
    assert orjson.loads(ran.stdout)["created"] == 1
