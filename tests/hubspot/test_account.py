"""The account behind the token, and the door's front: `connect`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from etl.errors import ConfigError, TokenError
from etl.hubspot import HUBSPOT, connect
from etl.hubspot.target import Portal
from etl.hubspot.v1 import V1Target
from tests.hubspot.conftest import Handler

Make = Callable[[Handler], V1Target]
DETAILS = {"portalId": 4711, "accountType": "STANDARD", "timeZone": "Europe/Berlin"}


def routes(**told: httpx.Response) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        name = "details" if path.endswith("/details") else "usage" if "api-usage" in path else path.strip("/_")
        return told.get(name, httpx.Response(404))

    return handler


def test_an_account_tells_its_id_its_zone_and_what_is_left_of_the_day(v1: Make):
    usage = {"results": [{"name": "private-apps-api-calls-daily", "usageLimit": 625_000, "currentUsage": 25_000}]}

    portal = asyncio.run(
        v1(routes(details=httpx.Response(200, json=DETAILS), usage=httpx.Response(200, json=usage))).portal()
    )

    assert portal == Portal("4711", "STANDARD", "Europe/Berlin", None, 625_000, 600_000)


def test_a_sandbox_tells_its_settle_time_and_usage_can_be_missing(v1: Make):
    told = {
        "details": httpx.Response(200, json=DETAILS),
        "sandbox": httpx.Response(200, json={"settle_s": 0.5}),
        "usage": httpx.Response(403),
    }

    portal = asyncio.run(v1(routes(**told)).portal())

    assert (portal.settle_s, portal.daily_limit, portal.daily_left) == (0.5, None, None)


def test_a_token_that_does_not_work_is_known_from_the_first_call(v1: Make):
    with pytest.raises(TokenError):
        asyncio.run(v1(routes(details=httpx.Response(401))).portal())


def test_the_outcomes_of_calls_are_the_accounts_own(v1: Make):
    outcomes = [{"id": "9d9162e7", "label": "Busy"}, {"id": "1", "label": "Asked for a call back"}]
    target = v1(lambda request: httpx.Response(200, json=outcomes))

    assert asyncio.run(target.dispositions()) == {"Busy": "9d9162e7", "Asked for a call back": "1"}


def test_the_two_wires_are_had_by_name():
    for api, max_batch in [("objects", 100), ("v1", 1)]:
        target = connect("http://127.0.0.1:9", api, None)
        assert (target.wire, target.max_batch) == (api, max_batch)
        asyncio.run(target.close())


def test_the_real_account_needs_a_token():
    with pytest.raises(TokenError):
        connect(HUBSPOT, "objects", None)


def test_an_unknown_wire_is_refused():
    with pytest.raises(ConfigError, match="v2"):
        connect(HUBSPOT, "v2", "token")
