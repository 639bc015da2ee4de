"""The look-ups of contacts v1 and companies v2, as recorded."""

CONTACT = "/contacts/v1/contact"


def test_a_contact_is_found_by_address_in_any_case(sandbox):
    answer = sandbox.get(f"{CONTACT}/email/ANN@example.com/profile")

    got = answer.json()
    assert (answer.status_code, got["vid"], got["canonical-vid"]) == (200, 101, 101)
    assert got["properties"]["email"] == {"value": "ann@example.com", "versions": []}
    assert got["identity-profiles"][0]["identities"][0]["value"] == "ann@example.com"


def test_an_address_that_nobody_has_is_404_with_its_header(sandbox):
    answer = sandbox.get(f"{CONTACT}/email/no@example.com/profile")

    assert (answer.status_code, answer.headers["X-HubSpot-NotFound"]) == (404, "true")
    assert (answer.json()["message"], answer.json()["category"]) == ("contact does not exist", "OBJECT_NOT_FOUND")
    assert answer.json()["errors"] == [{"message": "The contact e:no@example.com does not exist."}]


def test_many_addresses_are_an_object_by_vid_without_the_unknown_ones(sandbox):
    asked = {"email": ["ann@example.com", "bob@example.org", "no@example.com"]}

    assert set(sandbox.get(f"{CONTACT}/emails/batch", params=asked).json()) == {"101", "102"}
    assert sandbox.get(f"{CONTACT}/emails/batch", params={"email": ["a@example.com"] * 101}).status_code == 400


def test_companies_of_a_domain_are_paged(sandbox):
    sandbox.post("/crm/v3/objects/companies", json={"properties": {"name": "Second", "domain": "Example.com"}})
    path = "/companies/v2/domains/EXAMPLE.com/companies"

    first = sandbox.post(path, json={"limit": 1, "offset": {"isPrimary": True, "companyId": 0}}).json()
    rest = sandbox.post(path, json={"limit": 1, "offset": first["offset"]}).json()

    assert ([c["companyId"] for c in first["results"]], first["hasMore"]) == ([501], True)
    assert rest["results"][0]["properties"]["name"]["value"] == "Second"
    assert rest["hasMore"] is False
    assert sandbox.post(path, json={"limit": "x"}).status_code == 400
