"""The pages in a real browser: opened, searched, followed; hostile text stays text; they fit a phone and a keyboard."""

from collections.abc import Iterator

import pytest

from tests.sandbox.browser import ENTER, Browser, browsing, lacking
from tests.sandbox.conftest import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(lacking()), reason=lacking() or "there is a browser")]

HOSTILE = "<img src=x onerror=\"document.title='run'; alert(1)\"><script>document.title='run'</script>"
NEAR = {"associations": {"contactIds": [101], "companyIds": [501]}}
#: Elements that reach over the right edge, outside of what can be scrolled by itself.
TOO_WIDE = """
const edge = document.documentElement.clientWidth + 1;
return [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') && !e.closest('.unseen')
  && e.getBoundingClientRect().right > edge).map(e => e.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="module", params=[(1280, 900), (360, 740)], ids=["desk", "phone"])
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    with browsing(*request.param) as opened:
        yield opened


def test_a_person_searches_a_contact_and_reads_its_timeline_where_hostile_text_is_text(browser, sandbox: Sandbox):
    told = {"title": "First talk", "body": f"Wants a demo {HOSTILE}", "durationMilliseconds": 125_000}
    sandbox.v1("CALL", engagement={"ownerId": 11}, metadata=told, **NEAR)
    sandbox.v1("EMAIL", metadata={"subject": HOSTILE, "html": f"<p>Hello</p>{HOSTILE}"}, **NEAR)
    browser.complaints()

    browser.open(str(sandbox.base_url))
    assert "2 engagements" in browser.text("main").replace("\n", " ")
    browser.type("#q", f"ann arch{ENTER}")
    assert "Results for “ann arch”" in browser.text("h1")
    browser.click("a[href='/view/contacts/101']")

    assert browser.text("h1") == "Ann Archer"
    timeline = browser.text(".timeline")
    for words in ("First talk", "2 min 5 s", "Rita Rep", "Wants a demo", "Example Corp", HOSTILE):
        assert words in timeline
    assert browser.text(".emails h4") == HOSTILE
    browser.click(".emails h4 a")
    assert HOSTILE in browser.text(".body")
    assert browser.dialog() is None
    assert browser.run("return document.title") == f"{HOSTILE} · Sandbox"
    assert browser.run("return document.querySelectorAll('main img, script').length") == 0
    assert browser.complaints() == []  # nothing was even tried: no blocked script, no missing image


def test_no_page_is_wider_than_its_screen(browser, sandbox: Sandbox):
    word = "Donaudampfschifffahrtsgesellschaft" * 5
    people = {"from": {"email": f"{word}@example.com"}, "to": [{"email": f"{word}@example.org"}]}
    sandbox.v1("EMAIL", metadata=people | {"subject": word, "text": word}, **NEAR)
    made = sandbox.v1("MEETING", metadata={"title": word, "body": word, "location": word}, **NEAR)["engagement"]["id"]
    sandbox.patch("/crm/v3/objects/contacts/101", json={"properties": {"firstname": word, "jobtitle": word}})
    paths = ("/", "/timeline", "/requests", f"/search?q={word}", "/view/contacts/101", "/view/companies/501")
    for path in (*paths, f"/view/engagement/{made}", "/view/contacts/1"):
        browser.open(str(sandbox.base_url).rstrip("/") + path)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.run(TOO_WIDE) == [], path
        width = browser.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert width[0] == width[1], path


def test_a_keyboard_reaches_the_content_first_and_shows_where_it_is(browser, sandbox: Sandbox):
    sandbox.v1("NOTE", **NEAR)
    browser.open(str(sandbox.base_url))
    browser.type("body", "\ue004")  # the tab key
    assert browser.run("return document.activeElement.className") == "skip"
    assert browser.run("return document.activeElement.getBoundingClientRect().top") >= 0
    browser.type(".skip", ENTER)
    assert browser.run("return document.activeElement.id") == "main"
    browser.type("#main", "\ue004")
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
