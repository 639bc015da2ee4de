"""One object of the objects API: read with what it is asked for, found by what is unique, archived."""

import pytest

from tests.sandbox.conftest import KEY_PROPERTY, call_input

CALLS = "/crm/objects/2026-03/calls"


def made(sandbox, object_type="calls", **properties):
    answer = sandbox.post(f"/crm/v3/objects/{object_type}", json=call_input(**properties))
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_read_shows_what_is_asked_for_null_for_no_value_and_nothing_for_unknown_names(sandbox):
    call = made(sandbox, hs_call_title="Support")

    got = sandbox.get(f"{CALLS}/{call['id']}", params={"properties": "hs_call_title,hs_call_body,nope"}).json()
    bare = sandbox.get(f"{CALLS}/{call['id']}").json()

    dates = {"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}
    assert set(got["properties"]) == {"hs_call_title", "hs_call_body"} | dates
    assert (got["properties"]["hs_call_title"], got["properties"]["hs_call_body"]) == ("Support", None)
    assert set(bare["properties"]) == dates
    assert (bare["archived"], "archivedAt" in bare) == (False, False)


def test_the_history_of_a_property_goes_back_to_its_first_value(sandbox):
    call = made(sandbox, hs_call_title="first")
    path, since = f"{CALLS}/{call['id']}", sandbox.clock.now
    for title in ("second", "second", ""):
        sandbox.clock.now += 60
        sandbox.patch(path, json={"properties": {"hs_call_title": title}})

    asked = {"propertiesWithHistory": "hs_call_title,hs_call_body,nope"}
    got = sandbox.get(path, params=asked).json()["propertiesWithHistory"]

    assert list(got) == ["hs_call_title"]
    assert [v["value"] for v in got["hs_call_title"]] == ["", "second", "first"]
    read = sandbox.post(
        f"{CALLS}/batch/read", json={"inputs": [{"id": call["id"]}], "propertiesWithHistory": ["hs_call_title"]}
    )
    assert read.json()["results"][0]["propertiesWithHistory"] == got
    assert got["hs_call_title"][2]["timestamp"] == call["createdAt"]
    assert len({v["timestamp"] for v in got["hs_call_title"]}) == 3
    assert since < sandbox.clock.now


def test_with_history_a_page_and_a_batch_have_at_most_50(sandbox):
    body = {"inputs": [{"id": str(i)} for i in range(51)], "propertiesWithHistory": ["hs_call_title"]}

    page = sandbox.get(CALLS, params={"limit": 51, "propertiesWithHistory": "hs_call_title"})
    batch = sandbox.post(f"{CALLS}/batch/read", json=body)

    assert (page.status_code, batch.status_code) == (400, 400)
    text = "The maximum number of inputs supported in a batch request for property histories is 50."
    assert batch.json()["message"].startswith(text)
    assert sandbox.get(CALLS, params={"limit": 51}).status_code == 200
    assert sandbox.post(f"{CALLS}/batch/read", json=body | {"propertiesWithHistory": []}).status_code == 207


def test_what_is_archived_is_in_the_bin_without_its_links(sandbox):
    call = made(sandbox, to=101, hs_call_title="x")["id"]
    sandbox.delete(f"{CALLS}/{call}")

    asked = {"archived": "true", "associations": "contacts", "properties": "hs_call_title"}
    read = sandbox.get(f"{CALLS}/{call}", params=asked).json()
    listed = sandbox.get(CALLS, params=asked).json()["results"]
    batch = sandbox.post(f"{CALLS}/batch/read", params={"archived": "true"}, json={"inputs": [{"id": call}]})
    contact = sandbox.get("/crm/v3/objects/contacts/101", params={"associations": "calls"}).json()

    assert sandbox.get(f"{CALLS}/{call}").status_code == 404
    assert (read["archived"], "archivedAt" in read, read["properties"]["hs_call_title"]) == (True, True, "x")
    assert [r["id"] for r in listed] == [r["id"] for r in batch.json()["results"]] == [call]
    assert "associations" not in read
    assert "associations" not in contact
    assert sandbox.get(CALLS).json()["results"] == []


def test_mail_that_is_archived_is_gone_for_good(sandbox):
    mail = made(sandbox, "emails", hs_email_subject="x")["id"]
    sandbox.delete(f"/crm/v3/objects/emails/{mail}")

    assert sandbox.get(f"/crm/v3/objects/emails/{mail}", params={"archived": "true"}).status_code == 404
    assert sandbox.get("/crm/v3/objects/emails", params={"archived": "true"}).json()["results"] == []


def test_a_unique_property_names_one_object_for_reading_changing_and_archiving(sandbox):
    sandbox.post("/crm/v3/properties/calls", json=KEY_PROPERTY)
    call = made(sandbox, etl_import_key="row-1")["id"]
    by = {"idProperty": "etl_import_key", "properties": "hs_call_title"}

    assert sandbox.patch(f"{CALLS}/row-1", params=by, json={"properties": {"hs_call_title": "new"}}).status_code == 200
    assert sandbox.get(f"{CALLS}/row-1", params=by).json()["properties"]["hs_call_title"] == "new"
    assert sandbox.get(f"{CALLS}/x", params={"idProperty": "hs_call_title"}).status_code == 400
    assert sandbox.delete(f"{CALLS}/row-1", params=by).status_code == 204
    assert sandbox.get(f"{CALLS}/{call}").status_code == 404


def test_contacts_companies_and_deals_are_created_listed_and_read_by_email(sandbox):
    contact = sandbox.post(
        "/crm/v3/objects/contacts", json={"properties": {"email": "New@Example.com", "phone": "+1 509 555 0199"}}
    )
    company = sandbox.post(
        "/crm/v3/objects/companies", json={"properties": {"name": "New Corp", "domain": "new.example.com"}}
    )
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
    to = [{"to": {"id": contact.json()["id"]}, "types": types}]
    deal = sandbox.post("/crm/v3/objects/deals", json={"properties": {"dealname": "New Deal"}, "associations": to})
    by_email = sandbox.get(
        "/crm/v3/objects/contacts/NEW@example.com", params={"idProperty": "email", "associations": "deals"}
    )

    assert [a.status_code for a in (contact, company, deal)] == [201, 201, 201]
    assert contact.json()["properties"]["email"] == "new@example.com"
    assert contact.json()["properties"]["hs_searchable_calculated_phone_number"] == "5095550199"
    assert by_email.json()["id"] == contact.json()["id"]
    assert by_email.json()["associations"]["deals"]["results"] == [{"id": deal.json()["id"], "type": "contact_to_deal"}]
    names = [r["properties"]["name"] for r in sandbox.get("/crm/v3/objects/companies").json()["results"]]
    assert names == ["Example Corp", "Example Org", "New Corp"]


def test_a_contact_needs_an_address_that_is_one(sandbox):
    answer = sandbox.post("/crm/v3/objects/contacts", json={"properties": {"email": "ann at example"}})

    assert [e["code"] for e in answer.json()["errors"]] == ["INVALID_EMAIL"]
    assert '"error":"INVALID_EMAIL"' in answer.json()["message"]


def test_the_link_to_the_next_page_keeps_what_was_asked(sandbox):
    asked = {"limit": 1, "properties": "email", "associations": "companies"}

    link = sandbox.get("/crm/v3/objects/contacts", params=asked).json()["paging"]["next"]["link"]
    page = sandbox.get(link.removeprefix("https://api.hubapi.com")).json()

    assert (
        link
        == "https://api.hubapi.com/crm/v3/objects/contacts?limit=1&properties=email&associations=companies&after=101"
    )
    assert [r["id"] for r in page["results"]] == ["102"]


@pytest.mark.parametrize("number", ["inf", "nan", "1e400", "1_000", "٣"])
def test_what_only_looks_like_a_number_is_refused_and_nothing_breaks_when_read(sandbox, number):
    answer = sandbox.create("calls", call_input(hs_call_duration=number))

    assert [e["code"] for e in answer.json()["errors"]] == ["INVALID_LONG"]


@pytest.mark.parametrize(
    "headers", ['{"from":"x","to":5}', '{"to":["a",null]}', '{"from":{"email":7},"to":[{"email":null}]}', "{}"]
)
def test_headers_of_any_shape_are_read_back_in_both_views(sandbox, headers):
    mail = made(sandbox, "emails", hs_email_headers=headers, hs_email_subject="x")["id"]

    asked = {"properties": "hs_email_subject,hs_email_from_email,hs_email_to_email"}
    assert sandbox.get(f"/crm/v3/objects/emails/{mail}", params=asked).status_code == 200
    assert sandbox.get(f"/engagements/v1/engagements/{mail}").status_code == 200


def test_addresses_are_filled_in_from_the_headers(sandbox):
    headers = '{"from":{"email":"rita@example.com","firstName":"Rita"},"to":[{"email":"a@example.com"},{"email":"b@example.com"}]}'
    mail = made(sandbox, "emails", hs_email_headers=headers)["id"]

    names = ["hs_email_from_email", "hs_email_from_firstname", "hs_email_to_email", "hs_email_to_lastname"]
    got = sandbox.get(f"/crm/v3/objects/emails/{mail}", params={"properties": ",".join(names)}).json()["properties"]

    assert [got[n] for n in names] == ["rita@example.com", "Rita", "a@example.com;b@example.com", None]


@pytest.mark.parametrize("types", [7, ["x"], [{"associationTypeId": [1]}], [{"associationTypeId": True}]])
def test_associations_of_a_wrong_kind_are_400(sandbox, types):
    wanted = call_input() | {"associations": [{"to": {"id": "101"}, "types": types}]}

    assert sandbox.create("calls", wanted).status_code == 400
