"""The account around the objects: its details, its usage, and the people who own things."""

from __future__ import annotations

from typing import Any

from etl.sandbox.answers import Answer, Refusal
from etl.sandbox.fields import iso
from etl.sandbox.portal import Call, Portal, ids_of
from etl.sandbox.properties import SINCE
from etl.sandbox.reading import next_page

#: HubSpot: owners a page.
MOST_OWNERS = 500
#: An owner is a user of the account, who has another number as such: that of the owner and this.
USERS_FROM = 60_000_000


def details(portal: Portal, call: Call) -> Answer:
    """GET /account-info/v3/details."""
    del call
    return Answer(
        200,
        {
            "portalId": portal.store.portal_id, "accountType": "SANDBOX", "timeZone": portal.settings.time_zone,
            "companyCurrency": "USD", "additionalCurrencies": [], "utcOffset": "-05:00",
            "utcOffsetMilliseconds": -18_000_000, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
        },
    )  # fmt: skip


def usage(portal: Portal, call: Call) -> Answer:
    """GET /account-info/v3/api-usage/daily/private-apps."""
    midnight = int(portal.limits.day(call.now_ms / 1000)[1] * 1000)
    told = {
        "name": "private-apps-api-calls-daily", "usageLimit": portal.settings.daily_max,
        "currentUsage": portal.limits.used_today, "collectedAt": iso(call.now_ms), "fetchStatus": "SUCCESS",
        "resetsAt": iso(midnight),
    }  # fmt: skip
    return Answer(200, {"results": [told]})


def owners(portal: Portal, call: Call) -> Answer:
    """GET /crm/v3/owners: active ones, or with `archived=true` the others; `email` in any case."""
    limit, archived = call.whole("limit", 100, MOST_OWNERS, least=1), call.query.get("archived") == "true"
    after = call.whole("after", 0, 2**62)
    found = portal.store.owners(email=call.query.get("email", ""), after=after, archived=archived, limit=limit + 1)
    body: dict[str, Any] = {"results": [_owner(row) for row in found[:limit]]}
    if len(found) > limit:
        body["paging"] = next_page(call, str(found[limit - 1][0]))
    return Answer(200, body)


def owner(portal: Portal, call: Call) -> Answer:
    """GET /crm/v3/owners/{id}: by the owner's id, or with `idProperty=userId` by that of the user; inactive ones too."""
    by = call.query.get("idProperty") or "id"
    if by not in {"id", "userId"}:
        raise Refusal(400, f"Invalid enum constant '{by[:100]}' for class OwnerIdProperty", "VALIDATION_ERROR")
    wanted = next(iter(ids_of([call.path["id"]])), 0) - (USERS_FROM if by == "userId" else 0)
    for archived in (False, True):
        for row in portal.store.owners(email="", after=wanted - 1, archived=archived, limit=1):
            if row[0] == wanted:
                return Answer(200, _owner(row))
    raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")


def _owner(row: tuple[int, str, str, str, bool]) -> dict[str, Any]:
    owner_id, email, first, last, active = row
    view: dict[str, Any] = {"id": str(owner_id), "email": email, "type": "PERSON", "firstName": first, "lastName": last}
    user_id = owner_id + USERS_FROM
    view |= {"userIdIncludingInactive": user_id, "createdAt": SINCE, "updatedAt": SINCE, "archived": not active}
    return view | ({"userId": user_id, "teams": []} if active else {})
