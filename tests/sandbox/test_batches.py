"""The objects API by the batch: all or nothing, multi-status, and what identifies an object."""

import pytest

from tests.sandbox.conftest import KEY_PROPERTY, call_input

CALLS = "/crm/v3/objects/calls"


def test_a_batch_is_created_with_strings_links_and_shuffled_results(start):
    sandbox = start(seed=1)
    titles = [f"Call {n}" for n in range(20)]

    answer = sandbox.create("calls", *(call_input(hs_call_title=t, to=101) for t in titles))

    assert answer.status_code == 201
    body = answer.json()
    assert body["status"] == "COMPLETE"
    assert "errors" not in body
    shown = [r["properties"]["hs_call_title"] for r in body["results"]]
    assert sorted(shown) == sorted(titles) != shown
    first = body["results"][0]
    assert first["properties"]["hs_object_id"] == first["id"]
    assert all(r["associations"]["contactIds"] == [101] for r in sandbox.audited())


@pytest.mark.parametrize("path", ["/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"])
def test_v3_and_the_dated_paths_are_one_store(sandbox, path):
    made = sandbox.post(f"{path}/notes", json={"properties": {"hs_timestamp": "1772357400000", "hs_note_body": "hi"}})

    assert made.status_code == 201
    assert made.json()["properties"]["hs_timestamp"] == "2026-03-01T09:30:00Z"
    assert sandbox.get(f"/crm/v3/objects/notes/{made.json()['id']}").status_code == 200
    v1 = sandbox.get(f"/engagements/v1/engagements/{made.json()['id']}").json()
    assert (v1["engagement"]["type"], v1["metadata"]) == ("NOTE", {"body": "hi"})


def test_without_trace_ids_one_bad_input_refuses_all_and_lists_each_problem(sandbox):
    bad = call_input(hs_call_status="GONE", nope="1", hs_call_duration="long")

    answer = sandbox.create("calls", call_input(), bad, call_input(nope="2"))

    assert answer.status_code == 400
    body = answer.json()
    assert body["category"] == "VALIDATION_ERROR"
    codes = [e["code"] for e in body["errors"]]
    assert codes == ["INVALID_OPTION", "PROPERTY_DOESNT_EXIST", "INVALID_LONG", "PROPERTY_DOESNT_EXIST"]
    assert body["errors"][1]["context"] == {"propertyName": ["nope"]}
    assert body["message"].startswith('Property values were not valid: [{"isValid":false,')
    assert sandbox.audited() == []


def test_with_trace_ids_good_inputs_are_kept_and_bad_ones_named(sandbox):
    inputs = [call_input("a"), call_input("b", nope="1"), call_input("c", to=777), call_input("d", nope="2")]

    answer = sandbox.create("calls", *inputs)

    assert answer.status_code == 207
    body = answer.json()
    assert len(body["results"]) == len(sandbox.audited()) == 1
    named = {tuple(e["context"]["objectWriteTraceId"]): e["category"] for e in body["errors"]}
    assert named == {("b", "d"): "VALIDATION_ERROR", ("c",): "VALIDATION_ERROR"}
    assert body["numErrors"] == 2


def test_trace_ids_that_repeat_ask_for_nothing(sandbox):
    assert sandbox.create("calls", call_input("a"), call_input("a", nope="1")).status_code == 400


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"hs_object_id": "1"}, "READ_ONLY_VALUE"),
        ({"hubspot_owner_id": "99"}, "INVALID_OWNER_ID"),
        ({"hs_timestamp": "yesterday"}, "INVALID_LONG"),
        ({"hs_call_disposition": "f240bbac"}, "INVALID_OPTION"),
        ({"hs_call_body": "x" * 65_537}, "PROPERTY_TOO_LONG"),
    ],
)
def test_bad_values_have_their_codes(sandbox, properties, code):
    answer = sandbox.create("calls", call_input(**properties))

    assert [e["code"] for e in answer.json()["errors"]] == [code]


def test_headers_of_mail_must_be_json(sandbox):
    answer = sandbox.create("emails", call_input(hs_email_headers="{oops"))

    assert answer.json()["errors"][0]["code"] == "INVALID_JSON"


@pytest.mark.parametrize("value", [38000, True, None, ["x"]])
def test_values_are_strings_or_the_whole_request_is_refused(sandbox, value):
    wanted = call_input("a")
    wanted["properties"]["hs_call_duration"] = value

    answer = sandbox.create("calls", wanted, call_input("b"))

    assert answer.status_code == (201 if value is None else 400)


def test_a_type_without_a_place_in_time_is_refused_but_a_meeting_has_its_start(sandbox):
    without = sandbox.create("notes", {"properties": {"hs_note_body": "hi"}})
    meeting = sandbox.create("meetings", {"properties": {"hs_meeting_start_time": "2026-03-01T09:30:00Z"}})

    assert without.status_code == 400
    assert "required properties" in without.json()["message"]
    assert meeting.status_code == 201
    assert sandbox.audited()[0]["engagement"]["timestamp"] == 1_772_357_400_000


def test_more_than_100_inputs_are_refused(sandbox):
    assert sandbox.create("calls", *[call_input()] * 101).status_code == 400


def test_a_known_association_type_of_another_pair_makes_no_link_and_an_unknown_one_is_refused(sandbox):
    other, unknown = call_input(to=101), call_input(to=101)
    other["associations"][0]["types"][0]["associationTypeId"] = 202
    unknown["associations"][0]["types"][0]["associationTypeId"] = 99_999

    assert sandbox.create("calls", other).status_code == 201
    assert sandbox.create("calls", unknown).status_code == 400
    assert [r["associations"]["contactIds"] for r in sandbox.audited()] == [[]]


def test_the_generic_type_and_unknown_types_are_refused(sandbox):
    assert "ENGAGEMENT is not supported" in sandbox.create("engagements", call_input()).json()["message"]
    assert (
        sandbox.create("butterflies", call_input()).json()["message"] == "Unable to infer object type from: butterflies"
    )


def test_a_unique_property_finds_refuses_and_upserts(sandbox):
    assert sandbox.post("/crm/properties/2026-03/calls", json=KEY_PROPERTY).status_code == 201
    made = sandbox.create("calls", call_input(etl_import_key="k1")).json()["results"][0]["id"]

    again = sandbox.create("calls", call_input("x", etl_import_key="k1"), call_input("y", etl_import_key="k2"))
    read = sandbox.post(
        f"{CALLS}/batch/read",
        json={"idProperty": "etl_import_key", "inputs": [{"id": "k1"}, {"id": "k9"}], "properties": ["etl_import_key"]},
    )
    upsert = sandbox.post(
        f"{CALLS}/batch/upsert",
        json={"inputs": [{"idProperty": "etl_import_key", "id": k} | call_input() for k in ("k1", "k3")]},
    )

    error = again.json()["errors"][0]
    assert again.status_code == 207
    assert (error["errors"][0]["code"], error["context"]["existingId"]) == ("UNIQUE_VALUE_CONFLICT", [made])
    assert read.status_code == 207
    assert [r["id"] for r in read.json()["results"]] == [made]
    assert read.json()["errors"][0]["context"] == {"ids": ["k9"]}
    assert upsert.status_code == 200
    assert {r["properties"]["etl_import_key"]: r["new"] for r in upsert.json()["results"]} == {"k1": False, "k3": True}
    assert sorted(r["properties"]["etl_import_key"] for r in sandbox.audited()) == ["k1", "k2", "k3"]


def test_a_unique_value_repeated_within_a_batch_is_taken_once(sandbox):
    sandbox.post("/crm/v3/properties/calls", json=KEY_PROPERTY)

    answer = sandbox.create("calls", call_input("a", etl_import_key="k"), call_input("b", etl_import_key="k"))

    assert (answer.status_code, len(answer.json()["results"]), len(sandbox.audited())) == (207, 1, 1)


def test_the_switch_refuses_unique_properties_on_activities(start):
    sandbox = start(unique_properties=False)

    assert sandbox.post("/crm/v3/properties/calls", json=KEY_PROPERTY).status_code == 400
    plain = KEY_PROPERTY | {"hasUniqueValue": False}
    assert sandbox.post("/crm/v3/properties/calls", json=plain).status_code == 201
    assert sandbox.post("/crm/v3/properties/calls", json=plain).status_code == 409


def test_upsert_by_what_is_not_unique_is_refused(sandbox):
    for name in ("hs_object_id", "hs_call_title"):
        wanted = {"idProperty": name, "id": "1"} | call_input()
        answer = sandbox.post(f"{CALLS}/batch/upsert", json={"inputs": [wanted]})
        assert f"by non-unique 0-48 property {name}" in answer.json()["message"]


def test_the_same_id_twice_is_refused(sandbox):
    answer = sandbox.post(f"{CALLS}/batch/read", json={"inputs": [{"id": "1"}, {"id": "1"}]})

    assert answer.status_code == 400
    assert answer.json()["message"] == "Duplicate IDs found in batch input: [1]. IDs must be unique"


def test_update_and_archive_by_the_batch(sandbox):
    ids = [r["id"] for r in sandbox.create("calls", call_input(hs_call_title="old"), call_input()).json()["results"]]
    wanted = [{"id": i, "properties": {"hs_call_title": "new"}} for i in (ids[0], "5")]

    updated = sandbox.post(f"{CALLS}/batch/update", json={"inputs": wanted})
    archived = sandbox.post(f"{CALLS}/batch/archive", json={"inputs": [{"id": ids[1]}]})

    assert updated.status_code == 207
    assert updated.json()["results"][0]["properties"]["hs_call_title"] == "new"
    assert updated.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert archived.status_code == 204
    assert [str(r["engagement"]["id"]) for r in sandbox.audited()] == [ids[0]]


def test_a_contact_that_exists_is_a_conflict(sandbox):
    wanted = {"properties": {"email": "ANN@example.com"}}

    single = sandbox.post("/crm/v3/objects/contacts", json=wanted)
    batch = sandbox.create("contacts", wanted)

    assert (single.status_code, single.json()["message"]) == (409, "Contact already exists. Existing ID: 101")
    assert (batch.status_code, batch.json()["message"]) == (409, "Contact already exists")
