"""Associations by themselves: read, made and taken away, one at a time under an object or many in a batch.

The same work stands at `/crm/v4/associations` and at dated paths, which differ in what an archive answers, and under the
objects of v3, v4 and the dates, which differ in how they show a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from etl.sandbox.answers import Answer, Refusal, part_of, wrong_json
from etl.sandbox.batches import inputs_of
from etl.sandbox.fields import NAMES, iso
from etl.sandbox.links import TYPE_IDS, label, missing, of_types, refused, type_ids
from etl.sandbox.portal import Call, Portal, ids_of
from etl.sandbox.reading import held_of_path, next_page, not_found, views
from etl.sandbox.schema import Link

#: HubSpot: ids of one batch; links of one page.
MOST_READ, MOST_MADE, MOST_SHOWN = 1000, 2000, 500


def of_object(portal: Portal, call: Call) -> Answer:
    """GET /{type}/{id}/associations/{to type}: 500 links a page; `after` is the last id of the page before."""
    held, to_type = held_of_path(portal, call), call.object_type("to_type")
    limit, after = call.whole("limit", MOST_SHOWN, MOST_SHOWN, least=1), call.whole("after", 0, 2**62)
    links = [a for a in portal.store.links(held.type, [held.id], to_type).get(held.id, []) if a.to_id > after]
    page = links[:limit]
    if call.url_path.startswith("/crm/v3/"):
        body: dict[str, Any] = {"results": [{"id": str(a.to_id), "type": label(a)} for a in page]}
    else:
        body = {"results": [_far_end(a) for a in page]}
    if len(links) > limit:
        body["paging"] = next_page(call, str(page[-1].to_id))
    return Answer(200, body)


def put_default(portal: Portal, call: Call) -> Answer:
    """PUT /{type}/{id}/associations/default/{to type}/{to id}: 200."""
    link = _link(portal, call)
    portal.store.link([link])
    return _done(call, 200, _default_results([link]))


def put(portal: Portal, call: Call) -> Answer:
    """PUT /{type}/{id}/associations/{to type}/{to id} with a list of types: 201."""
    link = _link(portal, call)
    links = _of_pair(link, of_types(link.from_type, link.from_id, link.to_id, _listed(call)))
    portal.store.link(links)
    return Answer(201, _labels(link))


def put_named(portal: Portal, call: Call) -> Answer:
    """PUT /{type}/{id}/associations/{to type}/{to id}/{type id or name}, as v3 has it: 200 with the object."""
    link = _named(_link(portal, call), call)
    portal.store.link([link])
    return Answer(200, views(portal, [held_of_path(portal, call)], None, (link.to_type,))[0])


def drop(portal: Portal, call: Call) -> Answer:
    """DELETE /{type}/{id}/associations/{to type}/{to id}, with or without v3's type id or name: 204."""
    link = _link(portal, call, needed=False)
    portal.store.unlink(_named(link, call) if "kind" in call.path else link)
    return Answer(204)


def batch_read(portal: Portal, call: Call) -> Answer:
    """POST /crm/v4/associations/{from}/{to}/batch/read: 207 when some have no link."""
    from_type, to_type = call.object_type("from_type"), call.object_type("to_type")
    asked = ids_of([wanted.get("id") for wanted in inputs_of(call.json(), MOST_READ)])
    links = portal.store.links(from_type, list(asked), to_type)
    results = [{"from": {"id": str(i)}, "to": [_far_end(a) for a in links[i]]} for i in asked if i in links]
    return _done(call, 200, results, [_no_links(from_type, to_type, i) for i in asked if i not in links])


def batch_create(portal: Portal, call: Call) -> Answer:
    """POST /crm/v4/associations/{from}/{to}/batch/create: 201; all or nothing."""
    pairs = _pairs(call)
    wanted = [(a, types) for a, types in pairs if types]
    links = [made for a, types in wanted for made in _of_pair(a, of_types(a.from_type, a.from_id, a.to_id, types))]
    _make(portal, [*links, *(a for a, types in pairs if not types)])
    return _done(call, 201, [_labels(a) for a, _ in pairs])


def batch_default(portal: Portal, call: Call) -> Answer:
    """POST /crm/v4/associations/{from}/{to}/batch/associate/default: 200; all or nothing."""
    links = [link for link, _ in _pairs(call)]
    _make(portal, links)
    return _done(call, 200, _default_results(links))


def batch_archive(portal: Portal, call: Call) -> Answer:
    """POST /crm/v4/associations/{from}/{to}/batch/archive, and `labels/archive`: 204, at a dated path 200."""
    for link, _ in _pairs(call):
        portal.store.unlink(link)
    return Answer(204) if call.url_path.startswith("/crm/v4/") else _done(call, 200)


def _far_end(link: Link) -> dict[str, Any]:
    kinds = [
        {"category": "HUBSPOT_DEFINED", "typeId": i, "label": "Primary" if link.main and at == 0 else None}
        for at, i in enumerate(type_ids(link))
    ]
    return {"toObjectId": link.to_id, "associationTypes": kinds}


def _labels(link: Link) -> dict[str, Any]:
    return {
        "fromObjectTypeId": NAMES[link.from_type][1], "fromObjectId": link.from_id,
        "toObjectTypeId": NAMES[link.to_type][1], "toObjectId": link.to_id, "labels": [],
    }  # fmt: skip


def _default_results(links: Iterable[Link]) -> list[dict[str, Any]]:
    """What the default form answers: both directions, each with its type id."""
    return [
        {"from": {"id": str(a.from_id)}, "to": {"id": str(a.to_id)}, "associationSpec":
         {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TYPE_IDS.get((a.from_type, a.to_type), 0)}}
        for link in links
        for a in (link, Link(link.to_type, link.to_id, link.from_type, link.from_id))
    ]  # fmt: skip


def _link(portal: Portal, call: Call, *, needed: bool = True) -> Link:
    """The link between the two objects of the path; with `needed` both have to be there."""
    held, to_type = held_of_path(portal, call), call.object_type("to_type")
    to_id = next(iter(ids_of([call.path["to_id"]])), 0)
    if needed and to_id not in portal.store.existing(to_type, [to_id]):
        raise not_found(to_type, [call.path["to_id"][:100]])
    return Link(held.type, held.id, to_type, to_id)


def _named(link: Link, call: Call) -> Link:
    """The link as the type id or name at the end of the path wants it."""
    kind = call.path["kind"]
    if kind == label(link):
        return link
    named = of_types(
        link.from_type, link.from_id, link.to_id, [{"associationTypeId": next(iter(ids_of([kind])), kind)}]
    )
    return next(iter(_of_pair(link, named)), link)


def _of_pair(link: Link, links: Iterable[Link]) -> list[Link]:
    """Those of the links that join the two types; a type id of another pair makes none."""
    return [a for a in links if a.to_type == link.to_type]


def _listed(call: Call) -> list[Any]:
    try:
        types = orjson.loads(call.body or b"null")
    except orjson.JSONDecodeError:
        raise Refusal(400, "Invalid input JSON on line 1, column 1: the body is not a list of types") from None
    if not isinstance(types, list) or not types:
        raise wrong_json("java.util.ArrayList<AssociationSpec>", types)
    return types


def _pairs(call: Call) -> list[tuple[Link, list[Any]]]:
    """The ends that a batch names, with the types it wants between them."""
    from_type, to_type = call.object_type("from_type"), call.object_type("to_type")
    pairs = []
    for wanted in inputs_of(call.json(), MOST_MADE):
        to = wanted.get("to")
        ends = to if isinstance(to, list) else [to]
        types = part_of(wanted, "types", list)
        from_id = _one(part_of(wanted, "from", dict))
        pairs += [(Link(from_type, from_id, to_type, _one(end)), types) for end in ends]
    return pairs


def _one(end: Any) -> int:
    given = end.get("id") if isinstance(end, dict) else None
    if not (ids := ids_of([given])):
        raise Refusal(400, f"Invalid object id {str(given)[:100]!r} in associations", "VALIDATION_ERROR")
    return next(iter(ids))


def _make(portal: Portal, links: Sequence[Link]) -> None:
    if ends := missing(portal.store, [*links, *(Link(a.to_type, a.to_id, a.from_type, a.from_id) for a in links)]):
        raise refused(ends)
    portal.store.link(links)


def _no_links(from_type: str, to_type: str, from_id: int) -> dict[str, Any]:
    text = f"No {to_type} is associated with {from_type} {from_id}."
    context = {"fromObjectId": [str(from_id)], "toObjectType": [to_type]}
    return {
        "status": "error", "category": "OBJECT_NOT_FOUND", "message": text, "context": context,
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
    }  # fmt: skip


_NONE: Final[tuple[dict[str, Any], ...]] = ()


def _done(
    call: Call,
    status: int,
    results: Sequence[dict[str, Any]] | None = None,
    errors: Sequence[dict[str, Any]] = _NONE,
) -> Answer:
    at = iso(call.now_ms)
    body: dict[str, Any] = {"status": "COMPLETE", "startedAt": at, "completedAt": at}
    if results is not None:
        body["results"] = results
    return Answer(207, body | {"numErrors": len(errors), "errors": errors}) if errors else Answer(status, body)
