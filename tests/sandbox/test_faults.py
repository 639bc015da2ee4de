"""Faults on demand: what the client sees, and what the store has all the same."""

import contextlib
import functools
import json
import re
import time
from dataclasses import fields
from pathlib import Path

import httpx
import pytest
import uvicorn

from etl.errors import UsageError
from etl.sandbox.faults import TABLE, Fault, Faults, parse
from tests.sandbox.conftest import call_input

BATCH = "/crm/objects/2026-03/calls/batch/create"


def held(sandbox):
    return len(sandbox.audited())


def test_commit_then_reset_writes_and_gives_no_answer(sandbox):
    sandbox.set_faults("commit_then_reset:nth=1,times=1")

    with pytest.raises(httpx.ReadError):
        sandbox.create("calls", call_input())

    assert held(sandbox) == 1
    last = [r for r in sandbox.audited("requests") if r["fault"]][-1]
    assert (last["fault"], last["status"], len(last["created"])) == ("commit_then_reset", None, 1)
    assert sandbox.create("calls", call_input()).status_code == 201


def test_commit_then_hang_writes_and_keeps_the_client_waiting(sandbox):
    sandbox.set_faults("commit_then_hang")

    with pytest.raises(httpx.ReadTimeout):
        sandbox.post(BATCH, json={"inputs": [call_input()]}, timeout=0.3)

    assert held(sandbox) == 1


def test_late_commit_writes_after_the_client_was_cut_off(sandbox):
    sandbox.set_faults("late_commit:seconds=0.4,times=1")
    settle_s = sandbox.get("/__sandbox").json()["settle_s"]

    with pytest.raises(httpx.ReadError):
        sandbox.create("calls", call_input())

    assert held(sandbox) == 0
    deadline = time.monotonic() + 5
    while not held(sandbox) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held(sandbox) == 1
    assert settle_s == pytest.approx(1.5 + 0.4 + 0.5)


@pytest.mark.parametrize(
    ("spec", "status", "writes"),
    [
        ("error_before", 500, 0),
        ("error_before:status=503", 503, 0),
        ("error_after", 502, 1),
        ("error_after:status=500", 500, 1),
        ("rate_limit", 429, 0),
        ("daily_limit", 429, 0),
        ("unauthorized", 401, 0),
        ("expired_token", 401, 0),
        ("forbidden", 403, 0),
        ("locked", 423, 0),
        ("migrating:seconds=7", 477, 0),
        ("latency:seconds=0.05", 201, 1),
        ("slow_answer:seconds=0.05", 201, 1),
        ("slow_headers:seconds=0.05", 201, 1),
        ("slow_body:seconds=50ms", 201, 1),
        ("html_error", 503, 0),
        ("html_error:status=200", 200, 0),
        ("redirect", 307, 0),
        ("broken_json", 201, 1),
    ],
)
def test_a_fault_has_its_status_and_its_write(sandbox, spec, status, writes):
    sandbox.set_faults(f"{spec}{',' if ':' in spec else ':'}match=batch/create")

    answer = sandbox.create("calls", call_input())

    assert answer.status_code == status
    assert held(sandbox) == writes
    assert [r["status"] for r in sandbox.audited("requests")] == [status]


def test_the_bodies_of_429_are_those_that_official_clients_know(sandbox):
    sandbox.set_faults("rate_limit:times=1", "daily_limit:times=1")

    first, second = (sandbox.get("/crm/v3/owners") for _ in range(2))

    assert first.json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert first.json()["message"] == "You have reached your ten_secondly_rolling limit."
    assert second.json()["policyName"] == "DAILY"
    assert "Retry-After" not in first.headers


def test_cut_json_ends_in_the_middle_of_the_body(sandbox):
    sandbox.set_faults("cut_json:match=batch/create")

    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        sandbox.create("calls", call_input())

    assert held(sandbox) == 1
    assert [(r["status"], r["client_got"]) for r in sandbox.audited("requests")] == [(201, "part")]


def test_broken_json_is_a_whole_answer_with_half_a_body(sandbox):
    sandbox.set_faults("broken_json:match=batch/create")

    answer = sandbox.create("calls", call_input())

    assert answer.status_code == 201
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert held(sandbox) == 1


def test_an_input_can_be_missing_from_both_lists_written_or_not(sandbox):
    sandbox.set_faults("missing_from_207", seed=5)
    writes = set()

    for _ in range(12):
        before = held(sandbox)
        answer = sandbox.create("calls", call_input("a"), call_input("b"), call_input("c"))
        assert answer.status_code in {201, 207}
        assert len(answer.json()["results"]) == 2
        writes.add(held(sandbox) - before)

    assert writes == {2, 3}


def drawn(*specs, seed=0, each_s=0.0):
    """Which of 200 requests, one every `each_s`, a fault strikes."""
    faults = Faults([parse(s) for s in specs], seed)
    return [bool(faults.draw("batch", f"POST {BATCH}", 1000 + n * each_s)) for n in range(200)]


def struck(hits):
    return [n for n, hit in enumerate(hits, 1) if hit]


def test_chance_is_seeded_and_the_nth_request_is_met():
    assert (
        drawn("error_before:p=0.2", seed=3)
        == drawn("error_before:p=0.2", seed=3)
        != drawn("error_before:p=0.2", seed=4)
    )
    assert 15 < sum(drawn("error_before:p=0.2", seed=3)) < 70
    assert struck(drawn("error_before:nth=3,times=2")) == [3, 4]
    assert not any(drawn("error_before:match=/notes/"))


def test_faults_that_concern_writing_leave_reads_alone(sandbox):
    sandbox.set_faults("commit_then_reset")

    assert sandbox.get("/crm/v3/owners").status_code == 200


@pytest.mark.parametrize("spec", ["no_such", "latency:speed=3", "latency:seconds=soon", {"p": 1}])
def test_a_fault_that_does_not_exist_is_refused_with_what_does(sandbox, spec):
    with pytest.raises(UsageError) as raised:
        parse(spec)
    answer = sandbox.post("/__faults", json=[spec])

    assert raised.value.hint
    assert (answer.status_code, answer.json()["hint"]) == (400, raised.value.hint)


def test_what_is_no_list_of_faults_is_refused(sandbox):
    assert sandbox.post("/__faults", content=b"{").status_code == 400
    assert sandbox.post("/__faults", json={"faults": 3}).status_code == 400


@pytest.mark.parametrize("http", [("httptools", "uvloop"), ("h11", "asyncio")], ids=" and ".join)
def test_no_fault_on_any_kind_of_request_upsets_the_server(start, monkeypatch, capfd, http):
    for library in http:
        pytest.importorskip(library)
    asked = {"http": http[0], "loop": http[1]}
    monkeypatch.setattr("uvicorn.Config", functools.partial(uvicorn.Config, **asked))
    sandbox = start()
    key = sandbox.v1()["engagement"]["id"]
    notes = "/crm/v3/objects/notes"
    requests = [
        ("POST", BATCH, {"inputs": [call_input()]}), ("POST", notes, {"properties": {"hs_timestamp": "1"}}),
        ("PATCH", f"{notes}/{key}", {"properties": {"hs_note_body": "b"}}), ("GET", f"{notes}?limit=1", None),
        ("POST", f"{notes}/search", {}), ("GET", "/engagements/v1/engagements/paged", None), ("POST", BATCH, {"inputs": 3}),
        ("GET", "/engagements/v1/engagements/modified/after?timestamp=0", None), ("DELETE", f"{notes}/{key}", None),
    ]  # fmt: skip

    for fault in TABLE:
        sandbox.set_faults(f"{fault}:seconds=0.02")
        for method, path, body in requests:
            with contextlib.suppress(httpx.TransportError):
                assert sandbox.request(method, path, json=body).status_code != 500 or fault == "error_before"
    sandbox.set_faults()

    assert sandbox.create("calls", call_input()).status_code == 201
    assert capfd.readouterr().err == ""


def test_every_fault_of_the_table_can_be_switched_on_and_is_told(sandbox):
    sandbox.set_faults(*TABLE)

    assert [f["name"] for f in sandbox.get("/__faults").json()] == list(TABLE)


@pytest.mark.parametrize(("fault", "writes"), [("commit_then_hang", 1), ("hang_before", 0), ("reset_before", 0)])
def test_a_client_that_got_nothing_is_on_record_as_one_that_got_nothing(sandbox, fault, writes):
    sandbox.set_faults(f"{fault}:times=1")

    with pytest.raises(httpx.TransportError):
        sandbox.post(BATCH, json={"inputs": [call_input()]}, timeout=0.3)

    line = sandbox.audited("requests")[0]
    assert (line["status"], line["client_got"], len(line["created"])) == (None, "nothing", writes)


def test_a_client_that_gave_up_before_the_answer_is_on_record_and_its_write_counts(sandbox):
    sandbox.set_faults("slow_answer:seconds=0.6,match=batch/create")

    with pytest.raises(httpx.ReadTimeout):
        sandbox.post(BATCH, json={"inputs": [call_input()]}, timeout=0.2)
    deadline = time.monotonic() + 5
    while sandbox.audited("requests")[0]["status"] is not None and time.monotonic() < deadline:
        time.sleep(0.05)

    line = sandbox.audited("requests")[0]
    assert (line["status"], line["client_got"], len(line["created"])) == (None, "nothing", 1)
    assert held(sandbox) == 1


@pytest.mark.parametrize("fault", ["slow_headers", "slow_body"])
def test_a_slow_answer_never_pauses_for_long_and_takes_long_all_the_same(sandbox, fault):
    sandbox.set_faults(f"{fault}:seconds=0.8,times=1")
    began = time.monotonic()

    answer = sandbox.post(BATCH, json={"inputs": [call_input()]}, timeout=0.3)

    assert time.monotonic() - began >= 0.7
    assert (answer.status_code, len(answer.json()["results"])) == (201, 1)
    assert answer.headers["X-HubSpot-Correlation-Id"]
    assert sandbox.create("calls", call_input()).status_code == 201


@pytest.mark.parametrize("status", [502, 503, 504, 521])
def test_an_html_error_is_a_page_for_people(sandbox, status):
    sandbox.set_faults(f"html_error:status={status}")

    answer = sandbox.get("/crm/v3/owners")

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html;charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_that_is_followed_is_on_record_with_what_was_sent_along(sandbox, status):
    sandbox.set_faults(f"redirect:status={status},match=batch/create")

    stayed = sandbox.create("calls", call_input())
    followed = sandbox.post(f"{BATCH}?x=1", json={"inputs": [call_input()]}, follow_redirects=True)

    assert (stayed.status_code, stayed.headers["Location"]) == (status, f"/__elsewhere{BATCH}")
    assert followed.status_code == 200
    assert held(sandbox) == 0
    lines = sandbox.audited("requests")
    assert [line["fault"] for line in lines] == ["redirect", "redirect", "followed_with_token"]
    assert lines[2]["method"] == ("POST" if status in {307, 308} else "GET")


def test_a_redirect_can_lead_to_another_host(sandbox):
    sandbox.set_faults("redirect:to=http://localhost:9,match=owners")

    assert sandbox.get("/crm/v3/owners").headers["Location"] == "http://localhost:9/__elsewhere/crm/v3/owners"


@pytest.mark.parametrize("said", ["0", "3", "-5", "86400", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_429_can_say_anything_about_how_long_to_wait(sandbox, said):
    sandbox.set_faults({"name": "rate_limit", "retry_after": said})

    assert sandbox.get("/crm/v3/owners").headers["Retry-After"] == said


@pytest.mark.parametrize("setting", ["seconds=7", "retry_after=7"])
def test_an_account_that_moves_says_how_long_at_once(sandbox, setting):
    sandbox.set_faults(f"migrating:{setting}")
    began = time.monotonic()

    assert sandbox.get("/crm/v3/owners").headers["Retry-After"] == "7"
    assert time.monotonic() - began < 5


def test_a_storm_meets_so_many_requests_in_a_row():
    assert struck(drawn("error_before:nth=3,times=1,burst=20")) == list(range(3, 23))
    assert struck(drawn("error_before:nth=3,times=2,burst=3")) == [3, 4, 5, 6, 7, 8]
    hits = struck(drawn("error_before:p=0.02,burst=10", seed=4))
    runs = [n for n in hits if n - 1 not in hits]
    assert runs
    assert set(hits) == {n for first in runs for n in range(first, first + 10) if n <= 200}


def test_a_storm_can_last_for_a_stretch_of_time():
    assert struck(drawn("rate_limit:nth=3,times=1,lasting=2s", each_s=0.5)) == [3, 4, 5, 6]


def test_a_429_storm_meets_all_requests_and_then_is_over(sandbox):
    sandbox.set_faults("rate_limit:nth=2,times=1,burst=3")

    assert [sandbox.get("/crm/v3/owners").status_code for _ in range(6)] == [200, 429, 429, 429, 200, 200]


def pages_of(sandbox, path, limit):
    """The ids on each page of a v1 list."""
    offset, pages, more = 0, [], True
    while more and len(pages) < 20:
        body = sandbox.get(path, params={"limit": limit, "offset": offset}).json()
        pages.append([r["engagement"]["id"] for r in body["results"]])
        offset, more = body["offset"], body["hasMore"]
    return pages


def test_a_page_can_come_twice(sandbox):
    ids = [sandbox.v1()["engagement"]["id"] for _ in range(6)]
    sandbox.set_faults("repeated_page:nth=2,times=1")

    pages = pages_of(sandbox, "/engagements/v1/engagements/paged", 2)

    assert pages == [ids[:2], ids[2:4], ids[2:4], ids[4:]]


@pytest.mark.parametrize("how", ["list", "search"])
def test_a_page_of_the_objects_api_can_come_twice(sandbox, how):
    ids = [str(sandbox.v1()["engagement"]["id"]) for _ in range(6)]
    sandbox.clock.now += 10
    sandbox.set_faults("repeated_page:nth=2,times=1")
    pages, after = [], "0"

    while after is not None:
        path, asked = "/crm/v3/objects/notes", {"limit": 2, "after": after}
        answer = sandbox.get(path, params=asked) if how == "list" else sandbox.post(f"{path}/search", json=asked)
        pages.append([r["id"] for r in answer.json()["results"]])
        after = answer.json().get("paging", {}).get("next", {}).get("after")

    assert pages == [ids[:2], ids[2:4], ids[2:4], ids[4:]]


def test_a_page_can_hold_some_of_its_results_twice(sandbox):
    ids = [sandbox.v1()["engagement"]["id"] for _ in range(4)]
    sandbox.set_faults("repeated_results")

    assert pages_of(sandbox, "/engagements/v1/engagements/paged", 4) == [[*ids, *ids[:2]]]


def test_a_missing_scope_makes_the_change_list_empty_and_nothing_else(sandbox):
    sandbox.v1()
    sandbox.clock.now += 10
    sandbox.set_faults("missing_scope")

    changed = sandbox.get("/engagements/v1/engagements/modified/after", params={"timestamp": 0})

    assert changed.status_code == 200
    assert (changed.json()["results"], changed.json()["hasMore"]) == ([], False)
    assert pages_of(sandbox, "/engagements/v1/engagements/paged", 4) != [[]]


def test_without_the_scope_for_mail_its_content_is_redacted_and_nothing_else(sandbox):
    told = {"subject": "Secret", "html": "<p>secret</p>", "to": [{"email": "ann@example.com"}]}
    mail = sandbox.v1("EMAIL", engagement={"ownerId": 11}, metadata=told)["engagement"]["id"]
    note = sandbox.v1("NOTE", engagement={"ownerId": 11})
    sandbox.set_faults("redacted_mail")

    seen = sandbox.get(f"/engagements/v1/engagements/{mail}")
    listed = sandbox.get("/engagements/v1/engagements/paged").json()["results"]

    assert seen.status_code == 200
    assert "secret" not in seen.text.lower()
    assert "ownerId" not in seen.json()["engagement"]
    redacted = seen.json()["metadata"]
    assert (redacted["to"], redacted["cc"], redacted["bcc"], redacted["validationSkipped"]) == ([], [], [], [])
    assert "redacted" in redacted["html"]
    assert listed == [seen.json(), note]


def test_only_a_program_on_this_machine_can_change_faults_not_a_page_in_its_browser(sandbox):
    other = {"Origin": "http://example.com"}

    answers = [sandbox.post(path, json=["reset_before"], headers=other) for path in ("/__faults", "/__shutdown")]

    assert [a.status_code for a in answers] == [403, 403]
    assert sandbox.get("/__faults").json() == []


def test_the_page_on_faults_names_every_one_and_every_setting():
    page = (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")
    settings = {f.name for f in fields(Fault)} - {"name", "seen", "struck", "storms", "left", "until_s"}

    assert set(re.findall(r"^\| `([a-z0-9_]+)` \|", page, re.MULTILINE)) == set(TABLE) | settings
