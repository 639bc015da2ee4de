"""Associations by themselves: both versions' shapes, single and by the batch."""

import pytest

from tests.sandbox.conftest import call_input

OBJECTS = ["/crm/v3/objects", "/crm/v4/objects", "/crm/objects/2026-03"]


@pytest.fixture
def call(sandbox):
    return sandbox.create("calls", call_input()).json()["results"][0]["id"]


def linked(sandbox):
    return sandbox.audited()[0]["associations"]["contactIds"]


@pytest.mark.parametrize("at", OBJECTS)
def test_one_link_is_made_by_default_by_type_by_name_and_taken_away(sandbox, call, at):
    path = f"{at}/calls/{call}/associations"
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]
    makes = [
        (f"{path}/default/contacts/101", None, 200), (f"{path}/contacts/101", types, 201),
        (f"{path}/contact/101/194", None, 200), (f"{path}/contacts/101/call_to_contact", None, 200),
    ]  # fmt: skip

    for where, body, status in makes:
        answer = sandbox.put(where, json=body) if body else sandbox.put(where)
        assert (answer.status_code, linked(sandbox)) == (status, [101]), where
        gone = sandbox.delete(f"{path}/contacts/101")
        assert (gone.status_code, gone.content, linked(sandbox)) == (204, b"", [])


@pytest.mark.parametrize(
    ("where", "body", "status"),
    [
        ("contacts/7", [{"associationTypeId": 194}], 404),
        ("contacts/abc", [{"associationTypeId": 194}], 404),
        ("butterflies/101", [{"associationTypeId": 194}], 400),
        ("contacts/101", [{"associationTypeId": 99_999}], 400),
        ("contacts/101", [], 400),
        ("contacts/101", {"associationTypeId": 194}, 400),
        ("contacts/101/99999", None, 400),
        ("contacts/101/call_to_moon", None, 400),
    ],
)
def test_a_link_that_cannot_be_is_refused(sandbox, call, where, body, status):
    answer = sandbox.put(f"/crm/objects/2026-03/calls/{call}/associations/{where}", json=body)

    assert answer.status_code == status
    assert linked(sandbox) == []


def test_a_type_of_another_pair_makes_no_link_and_no_error(sandbox, call):
    answer = sandbox.put(f"/crm/v4/objects/calls/{call}/associations/contacts/101", json=[{"associationTypeId": 202}])

    assert (answer.status_code, linked(sandbox)) == (201, [])


def test_links_of_an_object_are_listed_in_the_shape_of_the_version_and_paged(sandbox):
    ids = [c["id"] for c in sandbox.create("calls", *[call_input(to=101)] * 3).json()["results"]]
    ids.sort(key=int)

    v3 = sandbox.get("/crm/v3/objects/contacts/101/associations/calls", params={"limit": 2}).json()
    rest = sandbox.get(
        "/crm/v3/objects/contacts/101/associations/calls", params={"after": v3["paging"]["next"]["after"]}
    )
    v4 = sandbox.get("/crm/v4/objects/contacts/101/associations/calls").json()

    assert v3["results"] == [{"id": i, "type": "contact_to_call"} for i in ids[:2]]
    assert [r["id"] for r in rest.json()["results"]] == ids[2:]
    assert [r["toObjectId"] for r in v4["results"]] == [int(i) for i in ids]
    assert v4["results"][0]["associationTypes"] == [{"category": "HUBSPOT_DEFINED", "typeId": 193, "label": None}]
    assert sandbox.get("/crm/v3/objects/contacts/7/associations/calls").status_code == 404


@pytest.mark.parametrize(("at", "archived"), [("/crm/v4/associations", 204), ("/crm/associations/2026-03", 200)])
def test_batches_of_links_answer_as_their_version_does(sandbox, call, at, archived):
    path = f"{at}/calls/contacts/batch"
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]
    ends = {"from": {"id": call}, "to": {"id": "101"}}

    created = sandbox.post(f"{path}/create", json={"inputs": [ends | {"types": types}]})
    read = sandbox.post(f"{path}/read", json={"inputs": [{"id": call}]})
    gone = sandbox.post(f"{path}/archive", json={"inputs": [ends | {"to": [{"id": "101"}]}]})
    default = sandbox.post(f"{path}/associate/default", json={"inputs": [ends]})
    labels = sandbox.post(f"{path}/labels/archive", json={"inputs": [ends | {"types": types}]})

    assert [a.status_code for a in (created, read, gone, default, labels)] == [201, 200, archived, 200, archived]
    assert created.json()["results"][0]["toObjectTypeId"] == "0-1"
    assert read.json()["results"][0]["to"][0]["toObjectId"] == 101
    specs = [r["associationSpec"]["associationTypeId"] for r in default.json()["results"]]
    assert specs == [194, 193]
    assert linked(sandbox) == []


def test_a_batch_of_links_is_all_or_nothing(sandbox, call):
    inputs = [{"from": {"id": call}, "to": {"id": i}, "types": []} for i in ("101", "7")]

    answer = sandbox.post("/crm/v4/associations/calls/contacts/batch/create", json={"inputs": inputs})

    assert (answer.status_code, linked(sandbox)) == (400, [])
    assert "CONTACT=7" in answer.json()["message"]
    bad = [{"from": {"id": call}, "to": {"id": "x"}, "types": []}]
    assert sandbox.post("/crm/v4/associations/calls/contacts/batch/create", json={"inputs": bad}).status_code == 400


def test_no_more_than_1000_ids_are_read_at_once(sandbox):
    body = {"inputs": [{"id": str(i)} for i in range(1001)]}

    assert sandbox.post("/crm/v4/associations/calls/contacts/batch/read", json=body).status_code == 400
