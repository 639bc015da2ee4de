"""The objects API, one object a request; activities, contacts, companies, deals and tickets alike."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from etl.sandbox.answers import Answer, Refusal
from etl.sandbox.fields import ENGAGEMENTS, TYPES
from etl.sandbox.portal import Call, Portal
from etl.sandbox.reading import (
    MOST_WITH_HISTORY,
    fresh_view,
    held_of_path,
    ids_by,
    names_of,
    next_page,
    views,
    wants_bin,
)
from etl.sandbox.search import finder
from etl.sandbox.views import default_names, own_key
from etl.sandbox.writing import changed, drafted, obstacles

#: HubSpot: results a page of a list; of a search; and how deep a search can be paged.
MOST_LISTED, MOST_FOUND, DEEPEST = 100, 200, 10_000


def create(portal: Portal, call: Call) -> Answer:
    """POST /{type}: 201."""
    held, links = drafted(portal, call, call.object_type(), call.json())
    if obstacle := obstacles(portal, [(held, links)])[0]:
        raise obstacle
    portal.store.insert([held], links)
    created = ((held.id, own_key(held)),) if held.type in ENGAGEMENTS else ()
    return Answer(201, fresh_view(portal, held), created=created)


def get(portal: Portal, call: Call) -> Answer:
    """GET /{type}/{id}: by id, or by the value of a unique property with `idProperty`."""
    return Answer(200, views(portal, [held_of_path(portal, call)], _names(call), _to_types(call), _history(call))[0])


def update(portal: Portal, call: Call) -> Answer:
    """PATCH /{type}/{id}."""
    held = changed(portal, call, held_of_path(portal, call), call.json().get("properties") or {})
    if obstacle := obstacles(portal, [(held, [])])[0]:
        raise obstacle
    portal.store.update(held)
    return Answer(200, fresh_view(portal, held))


def archive(portal: Portal, call: Call) -> Answer:
    """DELETE /{type}/{id}: 204, also for what is not there."""
    object_type = call.object_type()
    ids = ids_by(portal, object_type, call.query.get("idProperty", ""), [call.path["id"]])
    for held in portal.store.get(object_type, ids.values()).values():
        portal.store.update(held._replace(archived=True, updated_ms=call.now_ms))
    return Answer(204)


def list_(portal: Portal, call: Call) -> Answer:
    """GET /{type}: by ascending id; `after` is the last id of the page before."""
    object_type, history = call.object_type(), _history(call)
    limit = call.whole("limit", 10, MOST_WITH_HISTORY if history else MOST_LISTED, least=1)
    where = "type = ? AND id > ? AND archived = ?"
    values = (object_type, call.whole("after", 0, 2**62), wants_bin(call))
    found = list(portal.store.select(object_type, where, values, limit=limit + 1))
    page = found[:limit]
    body: dict[str, Any] = {"results": views(portal, page, _names(call), _to_types(call), history)}
    if len(found) > limit:
        body["paging"] = next_page(call, str(page[-1].id))
    return Answer(200, body)


def search(portal: Portal, call: Call) -> Answer:
    """POST /{type}/search: what the index knows, which is late for what is new."""
    object_type, body = call.object_type(), call.json()
    limit = _bounded(10 if body.get("limit") is None else body["limit"], MOST_FOUND, "limit")
    after = _bounded(body.get("after") or 0, 2**31, "after")
    if after + limit > DEEPEST:
        raise Refusal(400, f"The search can only be paged to {DEEPEST} results", "VALIDATION_ERROR")
    found = finder(object_type, body, portal.store.known(object_type), portal.indexed_until_ms(call.now_ms))
    total = portal.store.count(object_type, found.where, found.values)
    page = list(portal.store.select(object_type, *found[:2], order=found.order, limit=limit, offset=after))
    names = names_of(body, object_type)
    answer: dict[str, Any] = {"total": total, "results": views(portal, page, names, ())}
    if after + len(page) < min(total, DEEPEST) and page:
        answer["paging"] = next_page(call, str(after + len(page)))
    return Answer(200, answer)


def _names(call: Call) -> Collection[str]:
    return call.listed("properties") or default_names(call.object_type())


def _to_types(call: Call) -> list[str]:
    asked = [t.lower() for t in call.listed("associations")]
    if unknown := [t for t in asked if t not in TYPES]:
        raise Refusal(400, f"Unable to infer object type from: {unknown[0]}")
    return [TYPES[t] for t in asked]


def _history(call: Call) -> list[str]:
    return call.listed("propertiesWithHistory")


def _bounded(value: Any, most: int, name: str) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise Refusal(400, f"{name} must be a number from 0 to {most}, but was {text[:100]!r}", "VALIDATION_ERROR")
    return int(text)
