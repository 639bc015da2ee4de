"""Faults on demand: what the client sees, and what the store has all the same."""

import time

import httpx
import pytest

from etl.errors import UsageError
from etl.sandbox.faults import TABLE, Faults, parse
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


def test_chance_is_seeded_and_the_nth_request_is_met():
    def drawn(*specs, seed=0):
        faults = Faults([parse(s) for s in specs], seed)
        return [bool(faults.draw("batch", f"POST {BATCH}")) for _ in range(200)]

    assert (
        drawn("error_before:p=0.2", seed=3)
        == drawn("error_before:p=0.2", seed=3)
        != drawn("error_before:p=0.2", seed=4)
    )
    assert 15 < sum(drawn("error_before:p=0.2", seed=3)) < 70
    assert [n for n, hit in enumerate(drawn("error_before:nth=3,times=2"), 1) if hit] == [3, 4]
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


def test_every_fault_of_the_table_can_be_switched_on_and_is_told(sandbox):
    sandbox.set_faults(*TABLE)

    assert [f["name"] for f in sandbox.get("/__faults").json()] == list(TABLE)


def test_enforced_limits_answer_429_in_a_rolling_window(start):
    sandbox = start(window_max=3, enforce_limits=True)

    statuses = [sandbox.get("/crm/v3/owners").status_code for _ in range(4)]
    refused = sandbox.get("/crm/v3/owners")
    sandbox.clock.now += 10.1

    assert statuses == [200, 200, 200, 429]
    assert refused.headers["X-HubSpot-RateLimit-Remaining"] == "0"
    assert sandbox.get("/crm/v3/owners").status_code == 200


def test_searches_have_a_bucket_of_their_own(start):
    sandbox = start(enforce_limits=True)

    answers = [sandbox.post("/crm/v3/objects/calls/search", json={}) for _ in range(6)]

    assert [a.status_code for a in answers] == [200] * 5 + [429]
    assert answers[-1].json()["message"] == "You have reached your secondly limit."
    assert sandbox.get("/crm/v3/owners").status_code == 200
