"""The account around the objects: its details and usage, owners, properties, and associations by the batch."""

from __future__ import annotations

from typing import Any

from etl.sandbox.answers import Answer, Refusal, part_of
from etl.sandbox.batches import inputs_of
from etl.sandbox.fields import ENGAGEMENTS, NAMES, PROPERTY_NAME, STANDARD, iso
from etl.sandbox.links import missing, refused
from etl.sandbox.objects import linked_view
from etl.sandbox.portal import Call, Portal, ids_of
from etl.sandbox.schema import Link

#: HubSpot: ids of one batch read of associations; owners a page.
MOST_LINKED, MOST_OWNERS = 1000, 500
#: When the standard properties and owners of this account were made: long ago.
SINCE = "2024-01-02T00:00:00.000Z"
_TYPES = {"string", "number", "date", "datetime", "enumeration", "bool"}


def details(portal: Portal, call: Call) -> Answer:
    """GET /account-info/v3/details."""
    del call
    return Answer(
        200,
        {
            "portalId": portal.store.portal_id, "accountType": "SANDBOX", "timeZone": "US/Eastern",
            "companyCurrency": "USD", "additionalCurrencies": [], "utcOffset": "-05:00",
            "utcOffsetMilliseconds": -18_000_000, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
        },
    )  # fmt: skip


def usage(portal: Portal, call: Call) -> Answer:
    """GET /account-info/v3/api-usage/daily/private-apps."""
    midnight = (call.now_ms // 86_400_000 + 1) * 86_400_000
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
        last = str(found[limit - 1][0])
        body["paging"] = {"next": {"after": last, "link": f"https://api.hubapi.com{call.url_path}?after={last}"}}
    return Answer(200, body)


def owner(portal: Portal, call: Call) -> Answer:
    """GET /crm/v3/owners/{id}."""
    wanted = next(iter(ids_of([call.path["id"]])), 0)
    for archived in (False, True):
        for row in portal.store.owners(email="", after=wanted - 1, archived=archived, limit=1):
            if row[0] == wanted:
                return Answer(200, _owner(row))
    raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")


def list_properties(portal: Portal, call: Call) -> Answer:
    """GET /crm/v3/properties/{type}: standard and added ones."""
    return Answer(200, {"results": list(_definitions(portal, call.object_type()).values())})


def get_property(portal: Portal, call: Call) -> Answer:
    """GET /crm/v3/properties/{type}/{name}."""
    return Answer(200, _definition(portal, call))


def create_property(portal: Portal, call: Call) -> Answer:
    """POST /crm/v3/properties/{type}: 201; unique ones on activities only where the settings allow them."""
    object_type, body = call.object_type(), call.json()
    if lacking := sorted({"name", "label", "type", "fieldType", "groupName"} - {k for k, v in body.items() if v}):
        text = f"Invalid input JSON on line 1, column 1. Some required fields were not set: [{', '.join(lacking)}]"
        raise Refusal(400, text, "VALIDATION_ERROR")
    name = str(body["name"])
    options = part_of(body, "options", list)
    whole = all(isinstance(o, dict) and isinstance(o.get("value"), str) for o in options)
    if not PROPERTY_NAME.fullmatch(name) or str(body["type"]) not in _TYPES or not whole:
        text = f"The property {name[:100]!r} of type {str(body['type'])[:100]!r} has no valid name, type or options"
        raise Refusal(400, text, "VALIDATION_ERROR")
    if name in _definitions(portal, object_type):
        raise Refusal(409, f'A property named "{name}" already exists.', "OBJECT_ALREADY_EXISTS")
    if body.get("hasUniqueValue") and object_type in ENGAGEMENTS and not portal.settings.unique_properties:
        raise Refusal(400, f"Object type {NAMES[object_type][1]} cannot have unique properties", "VALIDATION_ERROR")
    stamps = {"createdAt": iso(call.now_ms), "updatedAt": iso(call.now_ms)}
    portal.store.put_property(object_type, _empty(name) | body | stamps)
    return Answer(201, _definitions(portal, object_type)[name])


def update_property(portal: Portal, call: Call) -> Answer:
    """PATCH /crm/v3/properties/{type}/{name}; its name, type, options and uniqueness stay."""
    before = _definition(portal, call)
    fixed = {k: before[k] for k in ("name", "type", "options", "hasUniqueValue", "createdAt")}
    portal.store.put_property(call.object_type(), before | call.json() | fixed | {"updatedAt": iso(call.now_ms)})
    return Answer(200, _definition(portal, call))


def delete_property(portal: Portal, call: Call) -> Answer:
    """DELETE /crm/v3/properties/{type}/{name}: 204."""
    portal.store.drop_property(call.object_type(), call.path["name"])
    return Answer(204)


def read_links(portal: Portal, call: Call) -> Answer:
    """POST /crm/v4/associations/{from}/{to}/batch/read: 207 when some have no link."""
    from_type, to_type = call.object_type("from_type"), call.object_type("to_type")
    asked = ids_of([wanted.get("id") for wanted in inputs_of(call.json(), MOST_LINKED)])
    links = portal.store.links(from_type, list(asked), to_type)
    results = [{"from": {"id": str(i)}, "to": [linked_view(a) for a in links[i]]} for i in asked if i in links]
    errors = [_no_links(from_type, to_type, i) for i in asked if i not in links]
    at = iso(call.now_ms)
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    return Answer(207, body | {"numErrors": len(errors), "errors": errors}) if errors else Answer(200, body)


def make_links(portal: Portal, call: Call) -> Answer:
    """POST /crm/v4/associations/{from}/{to}/batch/create and .../associate/default: 201."""
    links = _asked_links(call)
    if ends := missing(portal.store, [*links, *(Link(a.to_type, a.to_id, a.from_type, a.from_id) for a in links)]):
        raise refused(ends)
    portal.store.link(links)
    at = iso(call.now_ms)
    results = [
        {"fromObjectTypeId": NAMES[a.from_type][1], "fromObjectId": a.from_id,
         "toObjectTypeId": NAMES[a.to_type][1], "toObjectId": a.to_id, "labels": []}
        for a in links
    ]  # fmt: skip
    return Answer(201, {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at})


def drop_links(portal: Portal, call: Call) -> Answer:
    """POST /crm/v4/associations/{from}/{to}/batch/archive: 204."""
    for link in _asked_links(call):
        portal.store.unlink(link)
    return Answer(204)


def _asked_links(call: Call) -> list[Link]:
    from_type, to_type = call.object_type("from_type"), call.object_type("to_type")
    links = []
    for wanted in inputs_of(call.json(), MOST_LINKED):
        to = wanted.get("to")
        ends = to if isinstance(to, list) else [to]
        from_ids = ids_of([part_of(wanted, "from", dict).get("id")])
        to_ids = ids_of([end.get("id") for end in ends if isinstance(end, dict)])
        types = [t.get("associationTypeId") for t in part_of(wanted, "types", list) if isinstance(t, dict)]
        links += [Link(from_type, a, to_type, b, 1 in types or 2 in types) for a in from_ids for b in to_ids]
    return links


def _no_links(from_type: str, to_type: str, from_id: int) -> dict[str, Any]:
    text = f"No {to_type} is associated with {from_type} {from_id}."
    context = {"fromObjectId": [str(from_id)], "toObjectType": [to_type]}
    return {
        "status": "error", "category": "OBJECT_NOT_FOUND", "message": text, "context": context,
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
    }  # fmt: skip


def _owner(row: tuple[int, str, str, str, bool]) -> dict[str, Any]:
    owner_id, email, first, last, active = row
    view: dict[str, Any] = {"id": str(owner_id), "email": email, "type": "PERSON", "firstName": first, "lastName": last}
    view |= {"userIdIncludingInactive": owner_id, "createdAt": SINCE, "updatedAt": SINCE, "archived": not active}
    return view | ({"userId": owner_id} if active else {})


def _definition(portal: Portal, call: Call) -> dict[str, Any]:
    name = call.path["name"]
    found = _definitions(portal, call.object_type()).get(name)
    if found is None:
        raise Refusal(404, f'Property "{name[:100]}" does not exist', "OBJECT_NOT_FOUND")
    return found


def _definitions(portal: Portal, object_type: str) -> dict[str, dict[str, Any]]:
    standard = {
        name: _empty(name)
        | {"type": "string" if what.kind in {"json", "owner"} else what.kind, "hubspotDefined": True}
        | {"options": [{"label": o, "value": o} for o in what.options], "calculated": what.read_only}
        | {"groupName": f"{object_type.rstrip('s')}information"}
        for name, what in STANDARD[object_type].items()
    }
    return standard | {d["name"]: d for d in portal.store.added(object_type)}


def _empty(name: str) -> dict[str, Any]:
    return {
        "name": name, "label": name, "type": "string", "fieldType": "text", "description": "", "groupName": "",
        "options": [], "displayOrder": -1, "calculated": False, "externalOptions": False, "hasUniqueValue": False,
        "hidden": False, "formField": False, "archived": False, "createdAt": SINCE, "updatedAt": SINCE,
    }  # fmt: skip
