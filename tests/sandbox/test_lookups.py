"""Finding contacts, companies, deals and owners; searches and lists."""

import pytest

from tests.sandbox.conftest import KEY_PROPERTY, call_input


def search(sandbox, object_type, **filter_):
    body = {"filterGroups": [{"filters": [filter_]}], "limit": 100}
    answer = sandbox.post(f"/crm/v3/objects/{object_type}/search", json=body)
    assert answer.status_code == 200, answer.text
    return sorted(int(r["id"]) for r in answer.json()["results"])


def test_contacts_are_read_by_email_in_any_case(sandbox):
    body = {
        "idProperty": "email",
        "properties": ["email"],
        "inputs": [{"id": "ANN@example.com"}, {"id": "no@example.com"}],
    }

    answer = sandbox.post("/crm/v3/objects/contacts/batch/read", json=body)

    assert answer.status_code == 207
    got = answer.json()
    assert [(r["id"], r["properties"]["email"]) for r in got["results"]] == [("101", "ann@example.com")]
    assert got["numErrors"] == 1
    assert got["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert got["errors"][0]["context"] == {"ids": ["no@example.com"]}
    assert got["errors"][0]["message"].startswith("Could not get some CONTACT objects")


@pytest.mark.parametrize(
    ("object_type", "filter_", "found"),
    [
        ("contacts", {"propertyName": "email", "operator": "IN", "values": ["ann@example.com", "bob@example.org"]}, [101, 102]),
        ("contacts", {"propertyName": "hs_searchable_calculated_phone_number", "operator": "IN", "values": ["5095550101"]}, [101]),
        ("contacts", {"propertyName": "hs_searchable_calculated_phone_number", "operator": "EQ", "value": "2079460000"}, [102]),
        ("contacts", {"propertyName": "hs_searchable_calculated_mobile_number", "operator": "EQ", "value": "5095550102"}, [102]),
        ("contacts", {"propertyName": "hs_searchable_calculated_phone_number", "operator": "EQ", "value": "+15095550101"}, []),
        ("contacts", {"propertyName": "lastname", "operator": "EQ", "value": "ARCHER"}, [101]),
        ("contacts", {"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "exam*"}, [101, 102]),
        ("contacts", {"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "exam"}, []),
        ("contacts", {"propertyName": "mobilephone", "operator": "HAS_PROPERTY"}, [102]),
        ("contacts", {"propertyName": "mobilephone", "operator": "NOT_HAS_PROPERTY"}, [101]),
        ("contacts", {"propertyName": "hs_object_id", "operator": "GT", "value": "101"}, [102]),
        ("contacts", {"propertyName": "email", "operator": "NOT_IN", "values": ["ann@example.com"]}, [102]),
        ("companies", {"propertyName": "domain", "operator": "EQ", "value": "example.org"}, [502]),
        ("companies", {"propertyName": "name", "operator": "IN", "values": ["example corp"]}, [501]),
        ("deals", {"propertyName": "dealname", "operator": "EQ", "value": "Big Deal"}, [901]),
    ],
)  # fmt: skip
def test_searches_find(sandbox, object_type, filter_, found):
    assert search(sandbox, object_type, **filter_) == found


def test_what_is_new_is_found_only_after_the_index_lag_but_read_at_once(sandbox):
    sandbox.post("/crm/v3/properties/calls", json=KEY_PROPERTY)
    made = sandbox.create("calls", call_input(etl_import_key="k1")).json()["results"][0]["id"]
    by_key = {"propertyName": "etl_import_key", "operator": "IN", "values": ["k1"]}

    at_once = search(sandbox, "calls", **by_key)
    read = sandbox.get(f"/crm/v3/objects/calls/{made}")
    sandbox.clock.now += sandbox.get("/__sandbox").json()["settle_s"]

    assert at_once == []
    assert read.status_code == 200
    assert search(sandbox, "calls", **by_key) == [int(made)]


def test_times_and_numbers_compare_as_such(sandbox):
    sandbox.create("calls", call_input(hs_call_duration="9000"), call_input(hs_call_duration="38000"))
    sandbox.clock.now += 5

    longer = search(sandbox, "calls", propertyName="hs_call_duration", operator="GT", value="10000")
    since = search(sandbox, "calls", propertyName="hs_timestamp", operator="GTE", value="2026-03-01T00:00:00Z")
    between = search(sandbox, "calls", propertyName="hs_timestamp", operator="BETWEEN", value="0", highValue="1")

    assert (len(longer), len(since), between) == (1, 2, [])


def test_a_search_is_paged_sorted_and_bounded(sandbox):
    sandbox.create("calls", *(call_input(hs_call_title=f"t{n}") for n in range(5)))
    sandbox.clock.now += 5
    body = {
        "limit": 2,
        "sorts": [{"propertyName": "hs_call_title", "direction": "DESCENDING"}],
        "properties": ["hs_call_title"],
    }
    seen, after = [], "0"

    while after:
        page = sandbox.post("/crm/v3/objects/calls/search", json=body | {"after": after}).json()
        seen += [r["properties"]["hs_call_title"] for r in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")

    assert seen == ["t4", "t3", "t2", "t1", "t0"]
    assert page["total"] == 5
    for wrong in (
        {"limit": 201},
        {"after": "9999"},
        {"filterGroups": [{"filters": []}] * 6},
        {"sorts": [{"propertyName": "x"}]},
    ):
        assert sandbox.post("/crm/v3/objects/calls/search", json=body | wrong).status_code == 400
    assert sandbox.post("/crm/v3/objects/calls/search", json={}).json()["total"] == 5


def test_search_answers_carry_no_window_headers(sandbox):
    headers = sandbox.post("/crm/v3/objects/calls/search", json={}).headers

    assert "X-HubSpot-RateLimit-Daily" in headers
    assert "X-HubSpot-RateLimit-Max" not in headers


def test_lists_are_paged_and_show_links(sandbox):
    first = sandbox.get(
        "/crm/v3/objects/contacts", params={"limit": 1, "associations": "companies", "properties": "email,phone,nope"}
    )
    after = first.json()["paging"]["next"]["after"]
    second = sandbox.get("/crm/v3/objects/contacts", params={"limit": 1, "after": after}).json()

    contact = first.json()["results"][0]
    assert contact["associations"]["companies"]["results"] == [{"id": "501", "type": "contact_to_company"}]
    assert contact["properties"]["phone"] == "(509) 555-0101"
    assert "nope" not in contact["properties"]
    assert [r["id"] for r in second["results"]] == ["102"]
    assert "paging" not in second


def test_the_primary_company_has_both_type_ids(sandbox):
    body = {"inputs": [{"id": "101"}, {"id": "102"}]}

    for path in ("/crm/v4/associations", "/crm/associations/2026-03"):
        answer = sandbox.post(f"{path}/contacts/companies/batch/read", json=body)
        got = answer.json()
        assert answer.status_code == 207
        assert got["results"][0]["from"] == {"id": "101"}
        assert got["results"][0]["to"][0]["toObjectId"] == 501
        assert [t["typeId"] for t in got["results"][0]["to"][0]["associationTypes"]] == [1, 279]
        assert got["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_an_activitys_links_can_be_read_made_and_archived(sandbox):
    made = sandbox.create("calls", call_input(to=101)).json()["results"][0]["id"]
    both = {"inputs": [{"from": {"id": made}, "to": {"id": "901"}, "types": []}]}

    created = sandbox.post("/crm/v4/associations/calls/deals/batch/create", json=both)
    linked = sandbox.get(f"/crm/v3/objects/calls/{made}", params={"associations": "contacts,deals"}).json()
    archived = sandbox.post("/crm/v4/associations/calls/deals/batch/archive", json=both)

    assert (created.status_code, archived.status_code) == (201, 204)
    assert {t: [r["id"] for r in v["results"]] for t, v in linked["associations"].items()} == {
        "contacts": ["101"],
        "deals": ["901"],
    }
    assert sandbox.audited()[0]["associations"]["dealIds"] == []


def test_owners_are_found_by_email_and_the_inactive_when_asked_for(sandbox):
    def ids(**asked):
        return [o["id"] for o in sandbox.get("/crm/owners/2026-03", params=asked).json()["results"]]

    assert ids() == ["11"]
    assert ids(email="RITA@example.com") == ["11"]
    assert ids(email="nobody@example.com") == []
    assert ids(archived="true") == ["12"]
    assert sandbox.get("/crm/v3/owners/12").json()["archived"] is True


def test_the_account_tells_itself_and_its_usage(sandbox):
    details = sandbox.get("/account-info/v3/details").json()
    usage = sandbox.get("/account-info/2026-03/api-usage/daily/private-apps").json()["results"][0]

    assert (details["accountType"], details["portalId"] > 0) == ("SANDBOX", True)
    assert usage["currentUsage"] >= 1


def test_properties_are_listed_read_changed_and_taken_away(sandbox):
    path = "/crm/v3/properties/calls"
    sandbox.post(path, json=KEY_PROPERTY)

    listed = {p["name"]: p for p in sandbox.get(path).json()["results"]}
    changed = sandbox.patch(f"{path}/etl_import_key", json={"label": "Other", "name": "x"}).json()
    gone = sandbox.delete(f"{path}/etl_import_key")

    assert listed["etl_import_key"]["hasUniqueValue"] is True
    assert listed["hs_call_status"]["options"]
    assert (changed["label"], changed["name"]) == ("Other", "etl_import_key")
    assert (gone.status_code, sandbox.get(f"{path}/etl_import_key").status_code) == (204, 404)
    assert sandbox.post(path, json={"name": "x"}).status_code == 400


def test_one_object_can_be_changed_and_archived(sandbox):
    made = sandbox.post("/crm/v3/objects/tasks", json=call_input(hs_task_subject="old")).json()["id"]
    path = f"/crm/v3/objects/tasks/{made}"

    patched = sandbox.patch(path, json={"properties": {"hs_task_subject": "", "hs_task_status": "COMPLETED"}})
    read = sandbox.get(path, params={"properties": "hs_task_subject,hs_task_status"}).json()
    gone = [sandbox.delete(path).status_code, sandbox.delete(path).status_code, sandbox.get(path).status_code]

    assert patched.status_code == 200
    assert (read["properties"]["hs_task_subject"], read["properties"]["hs_task_status"]) == (None, "COMPLETED")
    assert gone == [204, 204, 404]
