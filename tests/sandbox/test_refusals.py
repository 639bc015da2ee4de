"""What any request can be refused by before it is looked at: credentials, scopes, limits, locks; shapes and headers."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import sandbox_process
from tests.sandbox.shapes import ISO, UUID, assert_body, differences, error

EXPIRED = {"expire time": [ISO]}
SCOPES = {"errors?": [{"message": str, "context": {str: [str]}}], "links?": {"scopes": str}, "context?": dict}
#: A fault that is switched on -> the status, shape and headers of what is answered
FAULTS = [
    ("unauthorized", 401, error("Authentication credentials not found. .*", "INVALID_AUTHENTICATION"), {"X-HubSpot-Auth-Failure": "401 Unauthorized"}),
    ("expired_token", 401, error(r"The OAuth token used to make this call expired \d+ second\(s\) ago.", "EXPIRED_AUTHENTICATION", **{"context?": EXPIRED}), {}),
    ("forbidden", 403, error("This app hasn't been granted all required scopes .*", "MISSING_SCOPES", **SCOPES), {}),
    ("locked", 423, error(".*"), {}),
    ("rate_limit", 429, {"status": "error", "message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT",
                         "correlationId": UUID, "policyName": "TEN_SECONDLY_ROLLING"}, {"Retry-After": None}),
    ("daily_limit", 429, {"status": "error", "message": "You have reached your daily limit.", "errorType": "RATE_LIMIT",
                          "correlationId": UUID, "policyName": "DAILY", "requestId?": UUID}, {"Retry-After": None}),
    ("migrating:retry_after=5", 477, error(".*"), {"Retry-After": "5"}),
    ("error_before", 500, error(".*"), {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One sandbox for all of them."""
    with (
        sandbox_process(tmp_path_factory.mktemp("refusals") / "sandbox", "--index-lag", "0") as url,
        httpx.Client(base_url=url, headers={"Authorization": "Bearer pat-na1-made-up"}) as client,
    ):
        yield client


@pytest.mark.parametrize(("fault", "status", "shape", "headers"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_refusal_has_its_status_its_shape_and_its_headers(api, fault, status, shape, headers):
    api.post("/__faults", json={"faults": [fault]}).raise_for_status()
    try:
        answer = api.get("/crm/v3/owners")
    finally:
        api.post("/__faults", json={"faults": []}).raise_for_status()

    assert answer.status_code == status
    assert_body(answer, shape)
    assert list(differences({name: answer.headers.get(name) for name in headers}, headers)) == []


def test_the_third_429_is_of_searches_and_tells_nothing_of_the_window(tmp_path):
    with (
        sandbox_process(tmp_path / "limited", "--limit", "100/10s") as url,
        httpx.Client(base_url=url, headers={"Authorization": "Bearer x"}) as api,
    ):
        answers = [api.post("/crm/v3/objects/contacts/search", json={}) for _ in range(7)]

    last = next(answer for answer in answers if answer.status_code == 429)
    words = {"status": "error", "message": "You have reached your secondly limit.", "category": "RATE_LIMITS"}
    assert_body(last, words | {"correlationId": UUID})
    assert not {"Retry-After", "X-HubSpot-RateLimit-Max", "X-HubSpot-RateLimit-Remaining"} & set(last.headers)


def test_what_comes_before_the_routes(api):
    without, of_text = httpx.get(f"{api.base_url}/crm/v3/owners"), {"Content-Type": "text/plain"}
    plain, nowhere = api.post("/engagements/v1/engagements", content="a=b", headers=of_text), api.get("/crm/v9/nothing")

    assert without.status_code == 401
    assert_body(without, error("Authentication credentials not found. .*", "INVALID_AUTHENTICATION"))
    assert plain.status_code == 415
    assert_body(plain, error(".*"))
    assert (nowhere.status_code, nowhere.headers["Content-Type"]) == (404, "text/html;charset=utf-8")
