"""Definitions of properties: read and made one by one and by the batch, and what of them stays."""

import pytest

from tests.sandbox.conftest import KEY_PROPERTY, call_input

PATH = "/crm/properties/2026-03/calls"
COLOUR = KEY_PROPERTY | {
    "name": "colour", "label": "Colour", "type": "enumeration", "fieldType": "select", "hasUniqueValue": False,
    "options": [{"label": "Red", "value": "red"}],
}  # fmt: skip


def test_batches_create_read_and_archive_each_for_itself(sandbox):
    wanted = {"inputs": [KEY_PROPERTY, COLOUR, {"name": "half"}]}

    created = sandbox.post(f"{PATH}/batch/create", json=wanted)
    read = sandbox.post(
        f"{PATH}/batch/read", json={"inputs": [{"name": n} for n in ("colour", "hs_call_body", "nope")]}
    )
    archived = sandbox.post(f"{PATH}/batch/archive", json={"inputs": [{"name": "colour"}]})

    assert [a.status_code for a in (created, read, archived)] == [207, 207, 204]
    assert [r["name"] for r in created.json()["results"]] == ["etl_import_key", "colour"]
    assert created.json()["errors"][0]["context"] == {"name": ["half"]}
    assert [r["name"] for r in read.json()["results"]] == ["colour", "hs_call_body"]
    assert read.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert sandbox.get(f"{PATH}/colour").status_code == 404
    clean = sandbox.post(f"{PATH}/batch/create", json={"inputs": [COLOUR]})
    assert (clean.status_code, "errors" in clean.json()) == (201, False)


def test_the_accounts_own_properties_cannot_be_changed_or_archived(sandbox):
    changed = sandbox.patch(f"{PATH}/hs_object_id", json={"label": "Mine"})
    gone = sandbox.delete(f"{PATH}/hs_call_status")
    batch = sandbox.post(f"{PATH}/batch/archive", json={"inputs": [{"name": "hs_call_status"}]})

    assert [a.status_code for a in (changed, gone, batch)] == [400, 400, 400]
    assert sandbox.get(f"{PATH}/hs_call_status").json()["hubspotDefined"] is True
    assert sandbox.create("calls", call_input(hs_object_id="1")).status_code == 400


def test_options_can_be_added_and_bind_what_is_written(sandbox):
    sandbox.post(PATH, json=COLOUR)
    before = sandbox.create("calls", call_input(colour="blue"))

    more = [*COLOUR["options"], {"label": "Blue", "value": "blue"}]
    sandbox.patch(f"{PATH}/colour", json={"options": more, "type": "string"})

    assert before.json()["errors"][0]["code"] == "INVALID_OPTION"
    assert sandbox.create("calls", call_input(colour="blue")).status_code == 201
    assert sandbox.create("calls", call_input(colour="green")).status_code == 400
    twice = sandbox.patch(f"{PATH}/colour", json={"options": [more[0], more[0]]})
    assert twice.status_code == 400


def test_an_object_type_has_at_most_ten_unique_properties(sandbox):
    answers = [sandbox.post(PATH, json=KEY_PROPERTY | {"name": f"key_{n}"}).status_code for n in range(11)]

    assert answers == [201] * 10 + [400]


@pytest.mark.parametrize(
    ("object_type", "group"),
    [("companies", "companyinformation"), ("calls", "callinformation"), ("emails", "emailinformation")],
)
def test_definitions_tell_their_group_and_hide_what_is_not_hubspots(sandbox, object_type, group):
    listed = sandbox.get(f"/crm/v3/properties/{object_type}").json()["results"]

    assert {p["groupName"] for p in listed} == {group}
    assert all("." not in p["name"] for p in listed)
    assert {"hs_object_id", "hubspot_owner_id"} <= {p["name"] for p in listed}
    assert sandbox.get(f"/crm/v3/properties/{object_type}", params={"archived": "true"}).json()["results"] == []


def test_values_of_a_number_are_found_and_sorted_as_numbers(sandbox):
    number = KEY_PROPERTY | {"name": "score", "type": "number", "fieldType": "number", "hasUniqueValue": False}
    sandbox.post(PATH, json=number)
    sandbox.create("calls", *(call_input(score=s) for s in ("9", "10", "5.5")))
    sandbox.clock.now += 5
    body = {"properties": ["score"], "sorts": [{"propertyName": "score", "direction": "ASCENDING"}]}

    def scores(**filter_):
        filters = [{"filters": [{"propertyName": "score", **filter_}]}] if filter_ else []
        found = sandbox.post("/crm/v3/objects/calls/search", json=body | {"filterGroups": filters}).json()
        return [r["properties"]["score"] for r in found["results"]]

    assert scores() == ["5.5", "9", "10"]
    assert scores(operator="EQ", value="9.0") == ["9"]
    assert scores(operator="IN", values=["10", "5.5"]) == ["5.5", "10"]
    assert scores(operator="NOT_IN", values=["10"]) == ["5.5", "9"]


def test_a_property_made_again_with_another_type_breaks_no_search_over_old_values(sandbox):
    sandbox.post(PATH, json=COLOUR | {"type": "string", "fieldType": "text", "options": []})
    sandbox.create("calls", call_input(colour="red"))
    sandbox.delete(f"{PATH}/colour")
    sandbox.post(PATH, json=COLOUR | {"type": "number", "fieldType": "number", "options": []})
    sandbox.clock.now += 5
    filters = [{"filters": [{"propertyName": "colour", "operator": "GT", "value": "1"}]}]

    assert sandbox.post("/crm/v3/objects/calls/search", json={"filterGroups": filters}).json()["total"] == 0
