"""Legacy Engagements v1: one engagement a request, ids as numbers, 200 for a create, lists by offset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from etl.sandbox.answers import Answer, Refusal, invalid, wrong_json
from etl.sandbox.fields import ENGAGEMENTS, TYPES
from etl.sandbox.links import V1_LISTS, missing
from etl.sandbox.portal import DISPOSITIONS, Call, Portal
from etl.sandbox.schema import Held, Link
from etl.sandbox.views import HEADERS, V1_TYPES, own_key, v1_properties, v1_view

#: HubSpot: `recent/modified` reaches back so far.
RECENT_DAYS, RECENT_MOST = 30, 10_000
_DAY_MS: Final = 86_400_000


def create(portal: Portal, call: Call) -> Answer:
    """POST /engagements/v1/engagements: 200 with the whole engagement. A repeated `uid` makes a second engagement."""
    body = call.json()
    engagement = _object(body, "engagement")
    object_type = _type(engagement)
    time_ms = _time(engagement, call.now_ms)
    given = {"hs_timestamp": str(time_ms), **v1_properties(object_type, engagement, body)}
    if object_type == "emails":
        given.setdefault("hs_email_direction", "EMAIL")
    active = engagement.get("active") is not False
    held_id = portal.store.new_id()
    own = _checked(portal, object_type, given)
    held = Held(object_type, held_id, call.now_ms, call.now_ms, time_ms, active, False, own, call.number)
    links = _links(portal, object_type, held_id, _object(body, "associations", needed=False))
    portal.store.insert([held], links)
    return Answer(200, v1_view(held, links, portal.store.portal_id), created=((held_id, own_key(held)),))


def get(portal: Portal, call: Call) -> Answer:
    """GET /engagements/v1/engagements/:id."""
    held = portal.store.engagement(_id(call))
    return _missing(portal) if held is None else Answer(200, _views(portal, [held])[0])


def update(portal: Portal, call: Call) -> Answer:
    """PATCH or PUT /engagements/v1/engagements/:id: what is sent changes, all else stays; links are not changed here."""
    body = call.json()
    held = portal.store.engagement(_id(call))
    if held is None:
        return _missing(portal)
    engagement = _object(body, "engagement", needed=False)
    given = v1_properties(held.type, engagement, body)
    if held.type == "emails" and "hs_email_headers" in given:
        given["hs_email_headers"] = _with_headers(held, body["metadata"])
    time_ms = _time(engagement, held.time_ms)
    if time_ms != held.time_ms:
        given["hs_timestamp"] = str(time_ms)
    own = held.properties | _checked(portal, held.type, given)
    active = bool(engagement.get("active", held.active))
    after = held._replace(properties=own, updated_ms=call.now_ms, time_ms=time_ms, active=active)
    portal.store.update(after)
    return Answer(200, _views(portal, [after])[0])


def delete(portal: Portal, call: Call) -> Answer:
    """DELETE /engagements/v1/engagements/:id: 204, empty."""
    held = portal.store.engagement(_id(call))
    if held is not None:
        portal.store.update(held._replace(archived=True, updated_ms=call.now_ms))
    return Answer(204)


def paged(portal: Portal, call: Call) -> Answer:
    """GET .../paged: all engagements by ascending id; `offset` is the last id, even at the end."""
    limit, offset = call.whole("limit", 100, 250, least=1), call.whole("offset", 0, 2**62)
    found = list(portal.store.select("calls", "id > ? AND archived = 0", (offset,), limit=limit + 1))
    return _page(portal, found, limit, offset)


def associated(portal: Portal, call: Call) -> Answer:
    """GET .../associated/:type/:id/paged: the engagements of a contact, company or deal, by ascending id."""
    to_type = _linked_type(call)
    limit, offset = call.whole("limit", 20, 100, least=1), call.whole("offset", 0, 2**62)
    of = {
        a.to_id
        for links in portal.store.links(to_type, [_id(call)]).values()
        for a in links
        if a.to_type in ENGAGEMENTS
    }
    ids = sorted(i for i in of if i > offset)[: limit + 1]
    marks = ",".join(map(str, ids))  # whole numbers from the store
    found = list(portal.store.select("calls", f"id IN ({marks}) AND archived = 0", ()))
    return _page(portal, found, limit, offset)


def recent(portal: Portal, call: Call) -> Answer:
    """GET .../recent/modified: newest first, 30 days or 10,000 back, late by the index lag."""
    count, offset = call.whole("count", 20, 100, least=1), call.whole("offset", 0, RECENT_MOST)
    since = max(call.whole("since", 0, 2**62), call.now_ms - RECENT_DAYS * _DAY_MS)
    bounds = (since, portal.indexed_until_ms(call.now_ms))
    where = "updated_ms >= ? AND updated_ms <= ? AND archived = 0"
    total = portal.store.count("calls", where, bounds, most=RECENT_MOST)
    order = "updated_ms DESC, id DESC"
    limit = min(count, RECENT_MOST - offset)
    found = list(portal.store.select("calls", where, bounds, order=order, limit=limit, offset=offset))
    reached = offset + len(found)
    return Answer(
        200, {"results": _views(portal, found), "hasMore": reached < total, "offset": reached, "total": total}
    )


def modified_after(portal: Portal, call: Call) -> Answer:
    """GET .../modified/after: what changed since a moment (ms) or cursor, oldest first, late by the index lag."""
    limit = call.whole("limit", 100, 1000, least=1)
    moment, _, last_id = call.query.get("after", call.query.get("timestamp", "0")).partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (moment, last_id or "0")):
        raise Refusal(400, "after must be a timestamp or a cursor", "VALIDATION_ERROR")
    until = portal.indexed_until_ms(call.now_ms)
    where = "(updated_ms, id) > (?, ?) AND updated_ms <= ? AND archived = 0"
    values = (int(moment), int(last_id or 0), until)
    found = list(portal.store.select("calls", where, values, order="updated_ms, id", limit=limit + 1))
    page = found[:limit]
    cursor = f"{page[-1].updated_ms}-{page[-1].id}" if page else moment
    return Answer(200, {"results": _views(portal, page), "hasMore": len(found) > limit, "offset": cursor})


def link(portal: Portal, call: Call) -> Answer:
    """PUT .../:id/associations/:type/:objectId: 204, empty."""
    wanted = _link(portal, call)
    if missing(portal.store, [wanted]):
        raise Refusal(400, "one or more associations were invalid", "VALIDATION_ERROR")
    portal.store.link([wanted])
    return Answer(204)


def unlink(portal: Portal, call: Call) -> Answer:
    """DELETE .../:id/associations/:type/:objectId: 204, empty."""
    portal.store.unlink(_link(portal, call))
    return Answer(204)


def dispositions(portal: Portal, call: Call) -> Answer:
    """GET /calling/v1/dispositions: the account's call outcomes, a bare array."""
    del portal, call
    return Answer(200, [{"id": i, "label": name, "deleted": False} for i, name in DISPOSITIONS.items()])


def _type(engagement: dict[str, Any]) -> str:
    v1 = engagement.get("type")
    if v1 is None:
        raise Refusal(400, "Engagement type cannot be null")
    if not isinstance(v1, str) or v1 not in V1_TYPES:
        raise Refusal(400, f"Invalid enum constant '{v1}' for class EngagementType")
    return V1_TYPES[v1]


def _time(engagement: dict[str, Any], otherwise_ms: int) -> int:
    time_ms = engagement.get("timestamp")
    if time_ms is None:
        return otherwise_ms
    if not isinstance(time_ms, int) or isinstance(time_ms, bool):
        raise wrong_json("java.lang.Long", time_ms)
    return time_ms


def _object(body: dict[str, Any], name: str, *, needed: bool = True) -> dict[str, Any]:
    part = body.get(name)
    if part is None and needed:
        raise Refusal(400, f"{name.capitalize()} cannot be null")
    if not isinstance(part or {}, dict):
        raise wrong_json("java.util.LinkedHashMap", part)
    return part or {}


def _checked(portal: Portal, object_type: str, given: dict[str, str]) -> dict[str, str]:
    good, problems = portal.check(object_type, given)
    if problems:
        raise invalid(problems)
    return good


def _links(portal: Portal, object_type: str, held_id: int, associations: dict[str, Any]) -> list[Link]:
    links = []
    for name, to_type in V1_LISTS.items():
        ids = associations.get(name) or []
        if not isinstance(ids, list) or not all(i is None or isinstance(i, int) for i in ids):
            raise wrong_json("java.util.ArrayList<java.lang.Long>", ids)
        links += [Link(object_type, held_id, to_type, i) for i in dict.fromkeys(ids) if i is not None]
    if missing(portal.store, links):
        raise Refusal(400, "one or more associations were invalid", "VALIDATION_ERROR")
    return links


def _with_headers(held: Held, metadata: dict[str, Any]) -> str:
    before = orjson.loads(held.properties.get("hs_email_headers") or "{}")
    return orjson.dumps(before | {h: metadata[h] for h in HEADERS if h in metadata}).decode()


def _views(portal: Portal, found: Iterable[Held]) -> list[dict[str, Any]]:
    listed = list(found)
    links: dict[int, list[Link]] = {}
    for object_type in {h.type for h in listed}:
        links |= portal.store.links(object_type, [h.id for h in listed if h.type == object_type])
    return [v1_view(h, links.get(h.id, ()), portal.store.portal_id) for h in listed]


def _page(portal: Portal, found: list[Held], limit: int, offset: int) -> Answer:
    page = found[:limit]
    last = page[-1].id if page else offset
    return Answer(200, {"results": _views(portal, page), "hasMore": len(found) > limit, "offset": last})


def _missing(portal: Portal) -> Answer:
    if portal.settings.missing_engagement == "empty200":
        return Answer(200)
    raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")


def _id(call: Call, name: str = "id") -> int:
    text = call.path[name]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refusal(400, f"Invalid id: {text[:100]!r} is no number", "VALIDATION_ERROR")
    return int(text)


def _linked_type(call: Call) -> str:
    text = call.path["type"]
    to_type = TYPES.get(text.lower(), "")
    if to_type not in V1_LISTS.values():
        raise Refusal(400, f"Invalid enum constant '{text}' for class ObjectType")
    return to_type


def _link(portal: Portal, call: Call) -> Link:
    to_type = _linked_type(call)
    held = portal.store.engagement(_id(call))
    if held is None:
        raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")
    return Link(held.type, held.id, to_type, _id(call, "object_id"))
