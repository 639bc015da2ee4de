"""The lists of v1: how each is paged, and what stands in it."""

import pytest

CREATE = "/engagements/v1/engagements"


def test_paged_goes_up_by_id_and_tells_an_offset_even_at_the_end(sandbox):
    ids = [sandbox.v1()["engagement"]["id"] for _ in range(5)]
    seen, offset, more = [], 0, True

    while more:
        page = sandbox.get(f"{CREATE}/paged", params={"limit": 2, "offset": offset}).json()
        seen += [r["engagement"]["id"] for r in page["results"]]
        offset, more = page["offset"], page["hasMore"]

    assert seen == ids == sorted(ids)
    assert offset == ids[-1]


def test_recent_is_newest_first_and_late_by_the_index_lag(sandbox):
    first = sandbox.v1()["engagement"]["id"]
    sandbox.clock.now += 10
    second = sandbox.v1()["engagement"]["id"]

    early = sandbox.get(f"{CREATE}/recent/modified").json()
    sandbox.clock.now += 2
    late = sandbox.get(f"{CREATE}/recent/modified").json()

    assert [r["engagement"]["id"] for r in early["results"]] == [first]
    assert [r["engagement"]["id"] for r in late["results"]] == [second, first]
    assert (late["total"], late["hasMore"]) == (2, False)


def test_modified_after_pages_by_cursor_in_any_order_within_a_page(start):
    sandbox = start(seed=1)
    ids = []
    for _ in range(30):
        ids.append(sandbox.v1()["engagement"]["id"])
        sandbox.clock.now += 1
    sandbox.clock.now += 2
    seen, pages, after, more = [], [], 0, True

    while more:
        page = sandbox.get(f"{CREATE}/modified/after", params={"after": after, "limit": 10}).json()
        pages.append([r["engagement"]["id"] for r in page["results"]])
        seen += pages[-1]
        after, more = page["after"], page["hasMore"]
    late = sandbox.get(f"{CREATE}/modified/after", params={"after": int((sandbox.clock.now - 3.5) * 1000)}).json()

    assert sorted(seen) == ids != seen
    assert [sorted(p) for p in pages] == [ids[:10], ids[10:20], ids[20:]]
    assert [r["engagement"]["id"] for r in late["results"]] == [ids[-1]]
    assert sandbox.get(f"{CREATE}/modified/after", params={"limit": 1000}).status_code == 200
    assert sandbox.get(f"{CREATE}/modified/after", params={"limit": 1001}).status_code == 400
    assert sandbox.get(f"{CREATE}/modified/after", params={"after": "soon"}).status_code == 400


def test_recent_reaches_back_30_days_or_to_since(sandbox):
    sandbox.v1()
    sandbox.clock.now += 20 * 86_400
    newer = sandbox.v1()["engagement"]["id"]
    sandbox.clock.now += 11 * 86_400

    def ids(**asked):
        page = sandbox.get(f"{CREATE}/recent/modified", params=asked).json()
        return [r["engagement"]["id"] for r in page["results"]]

    assert ids() == [newer]
    assert ids(since=0) == [newer]
    assert ids(since=int(sandbox.clock.now * 1000)) == []


def test_recent_ends_at_ten_thousand(sandbox):
    for _ in range(101):
        sandbox.create("notes", *[{"properties": {"hs_timestamp": "0"}}] * 100)
    sandbox.clock.now += 2

    last = sandbox.get(f"{CREATE}/recent/modified", params={"count": 100, "offset": 9_900}).json()
    end = sandbox.get(f"{CREATE}/recent/modified", params={"count": 100, "offset": 10_000}).json()

    assert (len(last["results"]), last["hasMore"], last["total"], last["offset"]) == (100, False, 10_000, 10_000)
    assert (end["results"], end["hasMore"]) == ([], False)
    assert sandbox.get(f"{CREATE}/recent/modified", params={"offset": 10_001}).status_code == 400


def test_associated_is_paged_over_what_is_still_there(sandbox):
    ids = [sandbox.v1(associations={"contactIds": [101]})["engagement"]["id"] for _ in range(6)]
    for gone in ids[:3]:
        sandbox.delete(f"{CREATE}/{gone}")
    seen, offset, more = [], 0, True

    while more:
        params = {"limit": 2, "offset": offset}
        page = sandbox.get(f"{CREATE}/associated/contact/101/paged", params=params).json()
        seen += [r["engagement"]["id"] for r in page["results"]]
        offset, more = page["offset"], page["hasMore"]

    assert seen == ids[3:]
    assert offset == ids[-1]


def test_links_are_made_listed_and_taken_away(sandbox):
    made = sandbox.v1()["engagement"]["id"]
    other = sandbox.v1(associations={"contactIds": [102]})["engagement"]["id"]
    path = f"{CREATE}/{made}/associations/contact/101"
    listed = f"{CREATE}/associated/CONTACT/101/paged"

    put = sandbox.put(path)
    with_link = sandbox.get(listed).json()
    gone = sandbox.delete(path)

    assert (put.status_code, put.content, gone.status_code) == (204, b"", 204)
    assert [r["engagement"]["id"] for r in with_link["results"]] == [made] != [other]
    assert (with_link["hasMore"], with_link["offset"]) == (False, made)
    assert sandbox.get(listed).json()["results"] == []


def test_an_unknown_object_type_in_the_path_is_named(sandbox):
    answer = sandbox.get(f"{CREATE}/associated/FAKE_TYPE/1/paged")

    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid enum constant 'FAKE_TYPE' for class ObjectType"


@pytest.mark.parametrize("name", ["CONTACT", "contact", "COMPANY", "deal", "TICKET"])
def test_object_types_of_paths_are_singular_in_any_case(sandbox, name):
    assert sandbox.get(f"{CREATE}/associated/{name}/1/paged").json() == {"results": [], "hasMore": False, "offset": 0}
    assert sandbox.get(f"{CREATE}/associated/{name}S/1/paged").status_code == 400
