"""Legacy Engagements v1, one engagement a request: ids as numbers, 200 for a create. Its lists are in `v1_lists`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

import orjson

from etl.sandbox.answers import Answer, Refusal, invalid, part_of, wrong_json
from etl.sandbox.fields import TYPES
from etl.sandbox.links import V1_LISTS, missing
from etl.sandbox.portal import DISPOSITIONS, Call, Portal
from etl.sandbox.schema import Held, Link
from etl.sandbox.views import HEADERS, MAIL_TYPES, V1_TYPES, own_key, v1_properties, v1_type, v1_view

#: Types that are in the account of a CRM, but that HubSpot's own parts make: reading knows them, writing refuses them.
READ_ONLY: Final = (
    *MAIL_TYPES,
    "CONVERSATION_SESSION",
    "SMS",
    "WHATS_APP",
    "LINKEDIN_MESSAGE",
    "POSTAL_MAIL",
    "PUBLISHING_TASK",
)

#: Fields of a call's `metadata` that v1 takes without effect: `externalId`, `externalAccountId`.
_NOT_WRITTEN: Final = frozenset({"hs_call_external_id", "hs_call_external_account_id"})


def create(portal: Portal, call: Call) -> Answer:
    """POST /engagements/v1/engagements: 200 with the whole engagement. What a repeated `uid` does is a setting."""
    body = call.json()
    engagement = _object(body, "engagement")
    object_type = _type(engagement)
    time_ms = _time(engagement, call.now_ms)
    given = {"hs_timestamp": str(time_ms), **_written(object_type, engagement, body)}
    if object_type == "emails":
        given.setdefault("hs_email_direction", "EMAIL")
    own = _checked(portal, object_type, given)
    _object(body, "metadata")
    if (same := _with_uid(portal, object_type, own.get("hs_unique_id", ""))) is not None:
        return Answer(200, shown(portal, [same])[0])
    held_id, active = portal.store.new_id(), _active(engagement, otherwise=True)
    held = Held(object_type, held_id, call.now_ms, call.now_ms, time_ms, active, False, own, call.number)
    links = _links(portal, object_type, held_id, _object(body, "associations", needed=False))
    portal.store.insert([held], links)
    return Answer(200, v1_view(held, links, portal.store.portal_id), created=((held_id, own_key(held)),))


def get(portal: Portal, call: Call) -> Answer:
    """GET /engagements/v1/engagements/:id: for an id that is not there, what the settings say."""
    held = portal.store.engagement(id_of(call))
    if held is None and portal.settings.missing_engagement == "empty200":
        return Answer(200)
    return Answer(200, shown(portal, [held or _raise_not_found()])[0])


def update(portal: Portal, call: Call) -> Answer:
    """PATCH or PUT /engagements/v1/engagements/:id: what is sent changes, all else stays; links are not changed here."""
    body = call.json()
    held = portal.store.engagement(id_of(call)) or _raise_not_found()
    if v1_type(held) not in V1_TYPES:
        raise _unsupported(v1_type(held))
    engagement = _object(body, "engagement", needed=False)
    given = _written(held.type, engagement, body)
    if "hs_email_headers" in given:
        given["hs_email_headers"] = _with_headers(held, body["metadata"])
    time_ms = _time(engagement, held.time_ms)
    if time_ms != held.time_ms:
        given["hs_timestamp"] = str(time_ms)
    good = _checked(portal, held.type, given)
    own = {name: value for name, value in (held.properties | good).items() if value}
    active = _active(engagement, otherwise=held.active)
    after = held._replace(properties=own, updated_ms=call.now_ms, time_ms=time_ms, active=active)
    portal.store.update(after)
    return Answer(200, shown(portal, [after])[0])


def delete(portal: Portal, call: Call) -> Answer:
    """DELETE /engagements/v1/engagements/:id: 204, empty; also for what is not there."""
    held = portal.store.engagement(id_of(call))
    if held is not None:
        portal.store.update(held._replace(archived=True, updated_ms=call.now_ms))
    return Answer(204)


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


def shown(portal: Portal, found: Iterable[Held]) -> list[dict[str, Any]]:
    """Engagements of any types as v1 answers them, with their links."""
    listed = list(found)
    links: dict[int, list[Link]] = {}
    for object_type in {h.type for h in listed}:
        links |= portal.store.links(object_type, [h.id for h in listed if h.type == object_type])
    return [v1_view(h, links.get(h.id, ()), portal.store.portal_id) for h in listed]


def id_of(call: Call, name: str = "id") -> int:
    """An id of the path, which must be a number."""
    text = call.path[name]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refusal(400, f"Invalid id: {text[:100]!r} is no number", "VALIDATION_ERROR")
    return int(text)


def linked_type(call: Call) -> str:
    """The object type of the path, as a plural: v1 writes CONTACT, COMPANY, DEAL or TICKET, in any case."""
    text = call.path["type"]
    to_type = TYPES.get(text.lower(), "")
    if to_type not in V1_LISTS.values() or text.lower() == to_type:
        raise Refusal(400, f"Invalid enum constant '{text}' for class ObjectType")
    return to_type


def _written(object_type: str, engagement: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, str]:
    """What a body writes; some fields are taken without effect, as only the account's own calling sets them."""
    given = v1_properties(object_type, engagement, body)
    return {name: value for name, value in given.items() if name not in _NOT_WRITTEN}


def _type(engagement: dict[str, Any]) -> str:
    v1 = engagement.get("type")
    if v1 is None:
        raise Refusal(400, "Engagement type cannot be null")
    if v1 in READ_ONLY:
        raise _unsupported(v1)
    if not isinstance(v1, str) or v1 not in V1_TYPES:
        raise Refusal(400, f"Invalid enum constant '{v1}' for class EngagementType")
    return V1_TYPES[v1]


def _unsupported(v1: str) -> Refusal:
    return Refusal(400, f"Engagements of type {v1} cannot be created or edited", "VALIDATION_ERROR")


def _raise_not_found() -> NoReturn:
    raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")


def _time(engagement: dict[str, Any], otherwise_ms: int) -> int:
    time_ms = engagement.get("timestamp")
    if time_ms is None:
        return otherwise_ms
    if not isinstance(time_ms, int) or isinstance(time_ms, bool):
        raise wrong_json("java.lang.Long", time_ms)
    return time_ms


def _active(engagement: dict[str, Any], *, otherwise: bool) -> bool:
    active = engagement.get("active")
    if not isinstance(active, bool | None):
        raise wrong_json("java.lang.Boolean", active)
    return otherwise if active is None else active


def _object(body: dict[str, Any], name: str, *, needed: bool = True) -> dict[str, Any]:
    part: dict[str, Any] = part_of(body, name, dict)
    if body.get(name) is None and needed:
        raise Refusal(400, f"{name.capitalize()} cannot be null")
    return part


def _checked(portal: Portal, object_type: str, given: dict[str, str]) -> dict[str, str]:
    good, problems = portal.check(object_type, given)
    if problems:
        raise invalid(problems)
    return good


def _with_uid(portal: Portal, object_type: str, uid: str) -> Held | None:
    """The engagement to answer in place of a new one: that of this type with this `uid`, where the settings want it."""
    wanted = portal.settings.repeated_uid
    if not uid or wanted == "accept":
        return None
    ids = portal.store.by_value(object_type, "hs_unique_id", [uid]).get(uid.lower(), [])
    found = portal.store.get(object_type, ids).values()
    same = next((held for held in found if held.properties["hs_unique_id"] == uid), None)
    if same is not None and wanted == "conflict":
        text = f"Engagement with uid {uid} already exists. Existing ID: {same.id}"
        raise Refusal(409, text, "CONFLICT")
    return same


def _links(portal: Portal, object_type: str, held_id: int, associations: dict[str, Any]) -> list[Link]:
    links = []
    for name, to_type in V1_LISTS.items():
        ids = associations.get(name) or []
        if not isinstance(ids, list) or not all(i is None or type(i) is int for i in ids):
            raise wrong_json("java.util.ArrayList<java.lang.Long>", ids)
        links += [Link(object_type, held_id, to_type, i) for i in dict.fromkeys(ids) if i is not None]
    if missing(portal.store, links):
        raise Refusal(400, "one or more associations were invalid", "VALIDATION_ERROR")
    return links


def _with_headers(held: Held, metadata: dict[str, Any]) -> str:
    before = orjson.loads(held.properties.get("hs_email_headers") or "{}")
    return orjson.dumps(before | {h: metadata[h] for h in HEADERS if metadata.get(h) is not None}).decode()


def _link(portal: Portal, call: Call) -> Link:
    to_type = linked_type(call)
    held = portal.store.engagement(id_of(call)) or _raise_not_found()
    return Link(held.type, held.id, to_type, id_of(call, "object_id"))
