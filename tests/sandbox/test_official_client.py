"""HubSpot's own Python client, pointed at the sandbox: its requests, its models, its paging and its retries.

Apart, since nothing in it is ours: what the client cannot read, other people's programs cannot read either. Its models
are checked as they are read (`client_side_validation`, off unless asked for); only the errors of a 207 are not, since
the specification behind the models asks for `links` and `errors`, which recorded answers do not have.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hubspot
import pytest
from hubspot.crm import contacts, properties
from hubspot.crm.associations import v4 as associations
from hubspot.crm.objects import calls
from urllib3.exceptions import MaxRetryError
from urllib3.util.retry import Retry

from tests.conftest import sandbox_process

WHEN = "2026-03-01T09:30:00Z"
CALL_TO_CONTACT = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}
#: type -> properties of one activity, and one of them changed
ACTIVITIES = {
    "calls": ({"hs_call_title": "Support call", "hs_call_duration": "38000"}, {"hs_call_status": "COMPLETED"}),
    "emails": ({"hs_email_subject": "Offer", "hs_email_direction": "EMAIL"}, {"hs_email_status": "SENT"}),
    "meetings": ({"hs_meeting_title": "Kick-off", "hs_meeting_start_time": WHEN}, {"hs_meeting_outcome": "COMPLETED"}),
    "notes": ({"hs_note_body": "Imported"}, {"hs_note_body": "Imported twice"}),
    "tasks": ({"hs_task_subject": "Call back", "hs_task_priority": "HIGH"}, {"hs_task_status": "WAITING"}),
}
V1 = "/engagements/v1/engagements"


def client(url: str, *, validated: bool = True, **settings: Any) -> hubspot.Client:
    """The client with the sandbox as its host; `base_url` is that of its bare requests."""
    return hubspot.Client.create(
        access_token="pat-na1-made-up", host=url, base_url=url, client_side_validation=validated, **settings
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One sandbox for the tests that do not count what is in it; without index lag."""
    with sandbox_process(tmp_path_factory.mktemp("official") / "sandbox", "--index-lag", "0") as address:
        yield address


@pytest.fixture(scope="module")
def api(url: str) -> hubspot.Client:
    return client(url)


def switch_faults(api: hubspot.Client, *faults: str) -> None:
    assert api.api_request({"method": "POST", "path": "/__faults", "body": {"faults": faults}}).status_code == 200


@pytest.mark.parametrize("kind", ACTIVITIES)
def test_an_activity_is_created_read_updated_searched_and_archived(api, kind):
    activities, (sent, change) = getattr(api.crm.objects, kind), ACTIVITIES[kind]

    made = activities.basic_api.create({"properties": {"hs_timestamp": WHEN, **sent}, "associations": []})
    read = activities.basic_api.get_by_id(made.id, properties=[*sent, "hubspot_owner_id"])
    updated = activities.basic_api.update(made.id, {"properties": change})
    name, value = next(iter(change.items()))
    wanted = {"filterGroups": [{"filters": [{"propertyName": name, "operator": "EQ", "value": value}]}]}
    found = activities.search_api.do_search(wanted | {"properties": [name], "limit": 5})
    activities.basic_api.archive(made.id)

    assert made.properties.items() >= sent.items()
    assert {n: read.properties[n] for n in sent} == sent
    assert read.properties["hubspot_owner_id"] is None
    assert read.created_at == made.created_at <= updated.updated_at
    assert updated.properties.items() >= change.items()
    assert [(r.id, r.properties[name]) for r in found.results] == [(made.id, value)]
    with pytest.raises(getattr(hubspot.crm.objects, kind).exceptions.NotFoundException) as gone:
        activities.basic_api.get_by_id(made.id)
    assert json.loads(gone.value.body)["correlationId"] == gone.value.headers["X-HubSpot-Correlation-Id"]


@pytest.mark.parametrize("kind", ACTIVITIES)
def test_activities_are_created_read_updated_and_archived_by_the_batch(api, kind):
    batch, (sent, change) = getattr(api.crm.objects, kind).batch_api, ACTIVITIES[kind]
    inputs = [{"properties": {"hs_timestamp": WHEN, **sent}, "associations": []}] * 3

    made = batch.create({"inputs": inputs})
    ids = [{"id": r.id} for r in made.results]
    updated = batch.update({"inputs": [i | {"properties": change} for i in ids]})
    read = batch.read({"inputs": ids, "properties": list(sent | change), "propertiesWithHistory": []})
    batch.archive({"inputs": ids})
    gone = getattr(client(api.config["host"], validated=False).crm.objects, kind).batch_api.read(
        {"inputs": ids, "properties": []}
    )

    assert (made.status, len(made.results), len(updated.results)) == ("COMPLETE", 3, 3)
    assert all(r.properties.items() >= (sent | change).items() for r in read.results)
    assert gone.results == []
    assert (gone.num_errors, gone.errors[0].category) == (1, "OBJECT_NOT_FOUND")
    assert sorted(gone.errors[0].context["ids"]) == sorted(i["id"] for i in ids)


def test_a_unique_property_is_made_and_calls_are_upserted_by_it(api):
    key = {"name": "import_key", "label": "Import key", "type": "string", "field_type": "text",
           "group_name": "callinformation", "has_unique_value": True}  # fmt: skip
    upsert = partial(calls.SimplePublicObjectBatchInputUpsert, id_property="import_key")

    made = api.crm.properties.core_api.create("calls", properties.PropertyCreate(**key))
    first = api.crm.objects.calls.batch_api.upsert({"inputs": [upsert(id="k1", properties={"hs_timestamp": WHEN})]})
    both = [upsert(id=k, properties={"hs_timestamp": WHEN, "hs_call_title": k}) for k in ("k1", "k2")]
    second = api.crm.objects.calls.batch_api.upsert({"inputs": both})
    by_key = api.crm.objects.calls.basic_api.get_by_id("k1", id_property="import_key", properties=["hs_call_title"])

    assert {n: getattr(made, n) for n in key} == key
    assert [r.new for r in first.results] == [True]
    assert {r.properties["import_key"]: r.new for r in second.results} == {"k1": False, "k2": True}
    assert (by_key.id, by_key.properties["hs_call_title"]) == (first.results[0].id, "k1")


def test_inputs_with_trace_ids_are_answered_each_for_itself(url):
    good = {"properties": {"hs_timestamp": WHEN}, "associations": [], "objectWriteTraceId": "row-1"}
    bad = {"properties": {"hs_timestamp": WHEN, "nope": "1"}, "associations": [], "objectWriteTraceId": "row-2"}

    got = client(url, validated=False).crm.objects.calls.batch_api.create({"inputs": [good, bad]})

    assert isinstance(got, calls.BatchResponseSimplePublicObjectWithErrors)
    assert (len(got.results), got.num_errors) == (1, 1)
    assert got.errors[0].context == {"objectWriteTraceId": ["row-2"]}
    with pytest.raises(calls.ApiException) as refused:
        client(url).crm.objects.calls.batch_api.create({"inputs": [bad | {"objectWriteTraceId": None}]})
    assert (refused.value.status, json.loads(refused.value.body)["category"]) == (400, "VALIDATION_ERROR")


def test_contacts_companies_and_deals_are_created_searched_and_read_by_email(api):
    ann = api.crm.contacts.basic_api.create({"properties": {"email": "Zoe@Example.com", "phone": "(509) 555-0142"}})
    firm = api.crm.companies.basic_api.create({"properties": {"name": "Zoe's", "domain": "zoe.example.com"}})
    deal = api.crm.deals.basic_api.create({"properties": {"dealname": "Zoe's first"}})

    by_email = {
        "idProperty": "email",
        "properties": ["email"],
        "propertiesWithHistory": [],
        "inputs": [{"id": "zoe@example.com"}],
    }
    read = api.crm.contacts.batch_api.read(by_email)
    found = {}
    for kind, name, value in [
        ("contacts", "hs_searchable_calculated_phone_number", "5095550142"),
        ("companies", "domain", "zoe.example.com"),
        ("deals", "dealname", "Zoe's first"),
    ]:
        wanted = contacts.Filter(property_name=name, operator="IN", values=[value.lower()])
        request = contacts.PublicObjectSearchRequest(filter_groups=[contacts.FilterGroup(filters=[wanted])], limit=10)
        found[kind] = [r.id for r in getattr(api.crm, kind).search_api.do_search(request).results]

    assert [(r.id, r.properties["email"]) for r in read.results] == [(ann.id, "zoe@example.com")]
    assert found == {"contacts": [ann.id], "companies": [firm.id], "deals": [deal.id]}
    with pytest.raises(contacts.ApiException) as taken:
        api.crm.contacts.basic_api.create({"properties": {"email": "zoe@example.com"}})
    assert (taken.value.status, f"Existing ID: {ann.id}" in taken.value.body) == (409, True)


def test_its_own_paging_comes_to_the_end(api):
    inputs = [{"properties": {"email": f"page{n}@example.com"}} for n in range(100)]
    ids = {r.id for r in api.crm.contacts.batch_api.create({"inputs": inputs}).results}
    notes = [{"properties": {"hs_timestamp": WHEN, "hs_note_body": "page"}}] * 100
    batches = [api.crm.objects.notes.batch_api.create({"inputs": notes}).results for _ in range(2)]

    everybody = api.crm.contacts.get_all(properties=["email"])
    listed = [r.id for r in api.crm.objects.get_all("notes")]

    assert {r.id for r in everybody} >= ids | {"1", "2"}
    assert len({r.id for r in everybody}) == len(everybody) > 100  # more than one page of the client's
    assert len(set(listed)) == len(listed) >= 200
    assert set(listed) >= {r.id for made in batches for r in made}


def test_links_are_made_read_and_taken_away(api):
    linked = {"to": {"id": "1"}, "types": [CALL_TO_CONTACT]}
    call = api.crm.objects.calls.basic_api.create({"properties": {"hs_timestamp": WHEN}, "associations": [linked]})
    between, of_call = api.crm.associations.v4.batch_api, {"inputs": [{"id": call.id}]}
    to_deal = {"inputs": [{"from": {"id": call.id}, "to": {"id": "21"}}]}

    read = between.get_page("calls", "contacts", of_call)
    shown = api.crm.objects.calls.basic_api.get_by_id(call.id, associations=["contacts"])
    made = between.create_default("calls", "deals", to_deal)
    with_deal = api.crm.associations.v4.basic_api.get_page("calls", call.id, "deals")
    between.archive("calls", "deals", {"inputs": [{"from": {"id": call.id}, "to": [{"id": "21"}]}]})

    assert isinstance(read, associations.BatchResponsePublicAssociationMultiWithLabel)
    (to,) = read.results[0].to
    assert (read.results[0]._from.id, to.to_object_id) == (call.id, "1")
    assert [(t.category, t.type_id, t.label) for t in to.association_types] == [("HUBSPOT_DEFINED", 194, None)]
    assert [(r.id, r.type) for r in shown.associations["contacts"].results] == [("1", "call_to_contact")]
    assert {(r._from.id, r.to.id) for r in made.results} >= {(call.id, "21")}
    assert [r.to_object_id for r in with_deal.results] == ["21"]
    assert api.crm.associations.v4.basic_api.get_page("calls", call.id, "deals").results == []


def test_one_link_is_made_with_and_without_a_type(api):
    basic = api.crm.associations.v4.basic_api

    default = basic.create_default("contacts", "2", "deals", "21")
    labelled = basic.create(
        "contacts", "2", "deals", "21", [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 4}]
    )

    assert {(r._from.id, r.to.id) for r in default.results} >= {("2", "21")}
    assert (labelled.from_object_type_id, labelled.from_object_id, labelled.to_object_id) == ("0-1", "2", "21")


def test_owners_and_properties_are_read(api):
    by_email = api.crm.owners.owners_api.get_page(email="OWNER@example.com")
    outcome = api.crm.properties.core_api.get_by_name("calls", "hs_call_status")
    names = {p.name for p in api.crm.properties.core_api.get_all("emails").results}
    wanted = {"inputs": [{"name": "hs_call_title"}, {"name": "hs_call_body"}], "archived": False}
    two = api.crm.properties.batch_api.read("calls", wanted)

    assert [(o.id, o.type, o.user_id) for o in by_email.results] == [("31", "PERSON", 60_000_031)]
    assert api.crm.owners.owners_api.get_by_id(31).email == "owner@example.com"
    assert (outcome.type, "COMPLETED" in {o.value for o in outcome.options}) == ("enumeration", True)
    assert {"hs_email_subject", "hs_email_headers", "hs_timestamp"} <= names
    assert {p.name for p in two.results} == {"hs_call_title", "hs_call_body"}


def test_a_file_is_uploaded_and_attached_to_a_note(api, tmp_path: Path):
    (tmp_path / "offer.txt").write_text("An offer")

    file = api.files.files_api.upload(
        file=str(tmp_path / "offer.txt"), folder_path="/imported", options=json.dumps({"access": "PRIVATE"})
    )
    note = api.crm.objects.notes.basic_api.create({"properties": {"hs_timestamp": WHEN, "hs_attachment_ids": file.id}})
    v1 = api.api_request({"path": f"{V1}/{note.id}"}).json()

    assert (file.name, file.extension, file.size, file.access) == ("offer", "txt", 8, "PRIVATE")
    assert v1["attachments"] == [{"id": int(file.id)}]


def test_v1_through_its_bare_requests(api):
    body = {"engagement": {"type": "CALL", "timestamp": 1_772_357_400_000, "uid": "row-1"},
            "associations": {"contactIds": [2]}, "metadata": {"body": "hello", "durationMilliseconds": 38_000}}  # fmt: skip

    made = [api.api_request({"method": "POST", "path": V1, "body": body}).json() for _ in range(3)]
    path, listed, more = f"{V1}/associated/CONTACT/2/paged", [], {"offset": 0, "hasMore": True}
    while more["hasMore"]:
        more = api.api_request({"path": path, "qs": {"limit": 2, "offset": more["offset"]}}).json()
        listed += more["results"]
    outcomes = api.api_request({"path": "/calling/v1/dispositions"}).json()

    first = made[0]["engagement"]["id"]
    assert made == listed
    assert api.api_request({"path": f"{V1}/{first}"}).json() == made[0]
    assert (
        api.api_request({"path": f"{V1}/paged", "qs": {"limit": 1, "offset": first - 1}}).json()["results"] == made[:1]
    )
    assert "f240bbac-87c9-4f6e-bf70-924b57d47db7" in {o["id"] for o in outcomes}
    assert (
        api.crm.objects.calls.basic_api.get_by_id(str(first), properties=["hs_unique_id"]).properties["hs_unique_id"]
        == "row-1"
    )


@pytest.mark.parametrize(
    ("fault", "retry"),
    [
        ("rate_limit:nth=1,times=2", Retry(total=5, status_forcelist=(429,))),
        ("error_before:nth=1,times=2", Retry(total=3, backoff_factor=0.01, status_forcelist=(500, 502, 504))),
        (
            "error_before:nth=1,times=2,status=502",
            Retry(total=3, backoff_factor=0.01, status_forcelist=(500, 502, 504)),
        ),
        ("reset_before:nth=1,times=2", Retry(total=3, backoff_factor=0.01)),
    ],
)
def test_its_retry_gets_past_what_passes(sandbox_url, fault, retry):
    patient = client(sandbox_url, retry=retry)
    switch_faults(patient, fault)

    read = patient.crm.contacts.basic_api.get_by_id("1")

    audit = [json.loads(line) for line in patient.api_request({"path": "/__audit/requests"}).text.splitlines()]
    assert read.properties["email"] == "contact1@customer.example"
    assert [line["fault"] for line in audit] == [fault.partition(":")[0]] * 2 + [""]


def test_its_retry_gives_up_what_does_not_pass_and_repeats_no_create(sandbox_url):
    hasty = client(sandbox_url, retry=Retry(total=2, backoff_factor=0.01, status_forcelist=(500,)))
    switch_faults(hasty, "error_before")

    with pytest.raises(MaxRetryError, match="too many 500 error responses"):
        hasty.crm.contacts.basic_api.get_page()
    with pytest.raises(calls.ApiException) as failed:  # a POST is not repeated: `Retry` names the methods it repeats
        hasty.crm.objects.calls.basic_api.create({"properties": {"hs_timestamp": WHEN}})

    assert failed.value.status == 500
    audit = [json.loads(line)["method"] for line in hasty.api_request({"path": "/__audit/requests"}).text.splitlines()]
    assert audit == ["GET"] * 3 + ["POST"]


def test_its_retry_waits_out_an_enforced_limit(tmp_path: Path):
    every = Retry(total=6, backoff_factor=0.5, status_forcelist=(429,), allowed_methods=None)
    with sandbox_process(tmp_path / "limited", "--limit", "190/10s") as url:
        patient = client(url, retry=every)
        started = time.monotonic()
        for _ in range(8):  # searches have a bucket of their own: five a second
            patient.crm.contacts.search_api.do_search({"limit": 1})

        audit = [
            json.loads(line)["status"] for line in patient.api_request({"path": "/__audit/requests"}).text.splitlines()
        ]
    assert audit.count(200) == 8
    assert 429 in audit
    assert time.monotonic() - started > 1
