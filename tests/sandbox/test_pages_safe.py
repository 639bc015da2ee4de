"""The pages whatever is in the store or in the query: text stays text, nothing runs, anybody can use them."""

import re
from itertools import pairwise

import pytest

from tests.sandbox.reader import HOSTILE, Page, page


def test_hostile_text_is_text_wherever_it_stands(sandbox):
    near = {"associations": {"contactIds": [101]}}
    sandbox.patch("/crm/v3/objects/contacts/101", json={"properties": {"firstname": HOSTILE, "jobtitle": HOSTILE}})
    sandbox.v1("CALL", metadata={"title": HOSTILE, "body": HOSTILE, "fromNumber": HOSTILE}, **near)
    sandbox.v1("EMAIL", metadata={"subject": HOSTILE, "html": HOSTILE, "from": {"email": HOSTILE}}, **near)
    made = sandbox.v1("TASK", metadata={"subject": HOSTILE, "body": HOSTILE}, **near)["engagement"]["id"]
    sandbox.get(f"/crm/v3/objects/contacts/{'<img src=x>'}", params={"q": HOSTILE})
    plain = {tag for tag, _ in page(sandbox, "/requests").tags} | {tag for tag, _ in page(sandbox, "/").tags}

    for path in ("/", "/timeline", "/view/contacts/101", f"/view/engagement/{made}", "/requests", "/search?q=Archer"):
        answer = sandbox.get(path)
        shown = Page(answer)
        assert "<img src=x" not in answer.text
        assert [own.get("src") for own in shown.all("img")] == ["/look.svg"]
        assert not {"script", "textarea", "iframe", "object"} & {tag for tag, _ in shown.tags}
        assert not [name for _, own in shown.tags for name in own if name.startswith("on") or name == "style"]
        if "view" in path:
            assert '<img src=x onerror="alert(1)">' in shown.text
            assert "<script>alert(2)</script>" in shown.text
    assert "script" not in plain
    answer = sandbox.get("/search", params={"q": HOSTILE})
    assert "<img src=x" not in answer.text
    assert HOSTILE in Page(answer).text


def test_nothing_may_run_and_nothing_comes_from_elsewhere(sandbox):
    sandbox.v1("NOTE", associations={"contactIds": [101]})
    paths = ("/", "/timeline", "/requests", "/search?q=ann", "/view/contacts/101", "/view/contacts/1")
    for path in paths:
        answer = sandbox.get(path)
        rules = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
        assert rules["default-src"] == "'none'"
        assert rules["style-src"] == rules["img-src"] == "'self'"
        assert "script-src" not in rules
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        shown = Page(answer)
        leads = [own[name] for _, own in shown.tags for name in ("href", "src", "action") if name in own]
        assert all(re.match(r"/(?!/)|#", str(target)) for target in leads), leads
    for path, media in (("/look.css", "text/css"), ("/look.svg", "image/svg+xml")):
        answer = sandbox.get(path)
        assert answer.headers["content-type"].startswith(media)
        assert "http:" not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_every_page_can_be_used_by_keyboard_and_read_aloud(sandbox):
    sandbox.v1("CALL", engagement={"ownerId": 11}, metadata={"title": "t"}, associations={"contactIds": [101]})
    for path in ("/", "/timeline", "/requests", "/search?q=ann", "/view/contacts/101"):
        shown = page(sandbox, path)
        ids = [own["id"] for _, own in shown.tags if "id" in own]
        assert len(ids) == len(set(ids)), path
        told = [i for _, own in shown.tags for n in ("aria-labelledby", "for") if n in own for i in str(own[n]).split()]
        assert set(told) <= set(ids)
        assert shown.links[0] == "#main"
        assert len(shown.all("h1")) == len(shown.all("main")) == 1
        assert shown.all("html") == [{"lang": "en"}]
        levels = [int(tag[1]) for tag, _ in shown.tags if re.fullmatch(r"h[1-6]", tag)]
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)


@pytest.mark.parametrize(
    "path",
    ["/view/contacts/1", "/view/contacts/x", "/view/contacts/" + "9" * 30, "/view/owners/11", "/view/engagement/101",
     "/view/calls/101", "/view/engagement/-1"],
)  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(sandbox, path):
    shown = page(sandbox, path)
    assert shown.status == 404
    assert "There is nothing here" in shown.text


@pytest.mark.parametrize(
    "query", ["before=x", "before=1", "before=.", "before=99999999999999999999.1", "type=", "before=-5.-7"]
)
def test_a_query_that_nobody_wrote_is_answered(sandbox, query):
    sandbox.v1("NOTE")
    for path in ("/timeline", "/requests", "/view/contacts/101", "/search", "/"):
        assert sandbox.get(f"{path}?{query}&in={query}&after={query}").status_code == 200


def test_looking_changes_nothing_and_counts_as_no_request(sandbox):
    sandbox.v1("NOTE", associations={"contactIds": [101]})
    before = sandbox.audited("requests"), sandbox.audited()
    for path in ("/", "/timeline", "/requests", "/search?q=ann", "/view/contacts/101", "/look.css"):
        assert sandbox.get(path).status_code == 200
    assert (sandbox.audited("requests"), sandbox.audited()) == before
