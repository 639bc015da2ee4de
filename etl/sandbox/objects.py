"""The objects API, one object a request; activities, contacts, companies, deals and tickets alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from etl.sandbox.answers import Answer, Refusal, part_of
from etl.sandbox.fields import ENGAGEMENTS, NAMES, TYPES
from etl.sandbox.links import type_ids
from etl.sandbox.portal import Call, Portal, ids_of
from etl.sandbox.schema import Held, Link
from etl.sandbox.search import finder
from etl.sandbox.views import default_names, links_view, object_view, own_key
from etl.sandbox.writing import changed, drafted, obstacles, unique_names

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
    held = _held(portal, call)
    return Answer(200, views(portal, [held], _names(call), _to_types(call))[0])


def update(portal: Portal, call: Call) -> Answer:
    """PATCH /{type}/{id}."""
    held = changed(portal, call, _held(portal, call), call.json().get("properties") or {})
    if obstacle := obstacles(portal, [(held, [])])[0]:
        raise obstacle
    portal.store.update(held)
    return Answer(200, fresh_view(portal, held))


def archive(portal: Portal, call: Call) -> Answer:
    """DELETE /{type}/{id}: 204, also for what is not there."""
    for held in portal.store.get(call.object_type(), list(ids_of([call.path["id"]]))).values():
        portal.store.update(held._replace(archived=True, updated_ms=call.now_ms))
    return Answer(204)


def list_(portal: Portal, call: Call) -> Answer:
    """GET /{type}: by ascending id; `after` is the last id of the page before."""
    object_type, limit = call.object_type(), call.whole("limit", 10, MOST_LISTED, least=1)
    archived = call.query.get("archived") == "true"
    where = "type = ? AND id > ? AND archived = ?"
    values = (object_type, call.whole("after", 0, 2**62), archived)
    found = list(portal.store.select(object_type, where, values, limit=limit + 1))
    page = found[:limit]
    body: dict[str, Any] = {"results": views(portal, page, _names(call), _to_types(call))}
    if len(found) > limit:
        body["paging"] = next_page(call, str(page[-1].id))
    return Answer(200, body)


def search(portal: Portal, call: Call) -> Answer:
    """POST /{type}/search: what the index knows, which is late for what is new."""
    object_type, body = call.object_type(), call.json()
    limit, after = (
        _bounded(body.get("limit", 10), MOST_FOUND, "limit"),
        _bounded(body.get("after") or 0, 2**31, "after"),
    )
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


def put_link(portal: Portal, call: Call) -> Answer:
    """PUT /{type}/{id}/associations/.../{to type}/{to id}: links two objects."""
    held, to_type, to_id = _ends(portal, call)
    link = Link(held.type, held.id, to_type, to_id)
    if to_id not in portal.store.existing(to_type, [to_id]):
        raise not_found(to_type, [str(to_id)])
    portal.store.link([link])
    if call.body:  # the form with a list of types in its body
        spec = {"fromObjectTypeId": NAMES[held.type][1], "fromObjectId": held.id,
                "toObjectTypeId": NAMES[to_type][1], "toObjectId": to_id, "labels": []}  # fmt: skip
        return Answer(201, spec)
    return Answer(200, views(portal, [held], None, (to_type,))[0])


def drop_link(portal: Portal, call: Call) -> Answer:
    """DELETE /{type}/{id}/associations/{to type}/{to id}: 204."""
    held, to_type, to_id = _ends(portal, call)
    portal.store.unlink(Link(held.type, held.id, to_type, to_id))
    return Answer(204)


def get_links(portal: Portal, call: Call) -> Answer:
    """GET /{type}/{id}/associations/{to type}."""
    held, to_type = _held(portal, call), call.object_type("to_type")
    links = portal.store.links(held.type, [held.id], to_type).get(held.id, [])
    return Answer(200, {"results": [linked_view(link) for link in links]})


def linked_view(link: Link) -> dict[str, Any]:
    """The far end of a link with its types."""
    kinds = [
        {"category": "HUBSPOT_DEFINED", "typeId": i, "label": "Primary" if link.main and at == 0 else None}
        for at, i in enumerate(type_ids(link))
    ]
    return {"toObjectId": link.to_id, "associationTypes": kinds}


def fresh_view(portal: Portal, held: Held) -> dict[str, Any]:
    """What a create answers: the properties that were sent, the automatic ones, and the address for people."""
    url = f"https://app.hubspot.com/contacts/{portal.store.portal_id}/record/{NAMES[held.type][1]}/{held.id}"
    return object_view(held, None, ()) | {"url": url}


def views(
    portal: Portal, found: Iterable[Held], names: Collection[str] | None, to_types: Collection[str]
) -> list[dict[str, Any]]:
    """Objects of one type as the API answers them, with their links to `to_types`."""
    listed = list(found)
    if not listed:
        return []
    known = portal.store.known(listed[0].type)
    shown = [object_view(held, names, known) for held in listed]
    if to_types:
        links = portal.store.links(listed[0].type, [held.id for held in listed])
        for held, view in zip(listed, shown, strict=True):
            if of_types := links_view(links.get(held.id, ()), to_types):
                view["associations"] = of_types
    return shown


def names_of(body: Mapping[str, Any], object_type: str) -> Collection[str]:
    """The properties that a body asks for; none asked for: the usual ones."""
    return [str(name) for name in part_of(body, "properties", list)] or default_names(object_type)


def next_page(call: Call, after: str) -> dict[str, Any]:
    """The `paging` of a page that is not the last."""
    return {"next": {"after": after, "link": f"https://api.hubapi.com{call.url_path}?after={after}"}}


def not_found(object_type: str, ids: list[str]) -> Refusal:
    """The 404, or the part of a 207, about ids that are not there."""
    message = f"Could not get some {NAMES[object_type][0]} objects, they may be deleted or not exist. Check that ids are valid."
    return Refusal(404, message, "OBJECT_NOT_FOUND", context={"ids": ids})


def ids_by(portal: Portal, object_type: str, name: str, values: Collection[str]) -> dict[str, int]:
    """The ids by value, by a unique property (`id` and `hs_object_id` by number); `Refusal` for one that is not unique."""
    if name in {"", "hs_object_id"}:
        return {text: i for i, text in ids_of(values).items()}
    if name not in unique_names(portal, object_type):
        raise non_unique(portal, object_type, name)
    found = portal.store.by_value(object_type, name, values)
    return {value: found[value.lower()][0] for value in values if value.lower() in found}


def non_unique(portal: Portal, object_type: str, name: str) -> Refusal:
    """The refusal of a property that does not tell objects apart."""
    where = f"{NAMES[object_type][1]} property {name} in portal {portal.store.portal_id}"
    return Refusal(400, f"Unable to perform update/upsert by non-unique {where}", "VALIDATION_ERROR")


def _held(portal: Portal, call: Call) -> Held:
    object_type, text = call.object_type(), call.path["id"]
    ids = ids_by(portal, object_type, call.query.get("idProperty", ""), [text])
    found = portal.store.get(object_type, ids.values(), archived=call.query.get("archived") == "true")
    if not found:
        raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")
    return next(iter(found.values()))


def _ends(portal: Portal, call: Call) -> tuple[Held, str, int]:
    to_type = call.object_type("to_type")
    to_id = next(iter(ids_of([call.path["to_id"]])), None)
    if to_id is None:
        raise not_found(to_type, [call.path["to_id"]])
    return _held(portal, call), to_type, to_id


def _names(call: Call) -> Collection[str]:
    asked = [n for n in call.query.get("properties", "").split(",") if n]
    return asked or default_names(call.object_type())


def _to_types(call: Call) -> list[str]:
    asked = [t.strip().lower() for t in call.query.get("associations", "").split(",") if t.strip()]
    if unknown := [t for t in asked if t not in TYPES]:
        raise Refusal(400, f"Unable to infer object type from: {unknown[0]}")
    return [TYPES[t] for t in asked]


def _bounded(value: Any, most: int, name: str) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        raise Refusal(400, f"{name} must be a number from 0 to {most}, but was {text!r}", "VALIDATION_ERROR")
    return int(text)
