"""What is read through the objects API: which objects a request means, and how they are answered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from etl.sandbox.answers import Refusal, part_of
from etl.sandbox.fields import NAMES
from etl.sandbox.portal import Call, Portal, ids_of
from etl.sandbox.schema import Held
from etl.sandbox.views import default_names, history_view, links_view, object_view
from etl.sandbox.writing import unique_names

#: HubSpot: objects of one page or batch when the history of properties is asked for.
MOST_WITH_HISTORY: Final = 50


def held_of_path(portal: Portal, call: Call) -> Held:
    """The object that the path names, by id or by the unique property that `idProperty` names; 404 when it is not there."""
    object_type, text = call.object_type(), call.path["id"]
    ids = ids_by(portal, object_type, call.query.get("idProperty", ""), [text])
    found = portal.store.get(object_type, ids.values(), archived=wants_bin(call))
    if not found:
        raise Refusal(404, "resource not found", "OBJECT_NOT_FOUND")
    return next(iter(found.values()))


def wants_bin(call: Call) -> bool:
    """Whether archived objects are asked for, and no others."""
    return call.query.get("archived") == "true"


def fresh_view(portal: Portal, held: Held) -> dict[str, Any]:
    """What a create answers: the properties that were sent, the automatic ones, and the address for people."""
    url = f"https://app.hubspot.com/contacts/{portal.store.portal_id}/record/{NAMES[held.type][1]}/{held.id}"
    return object_view(held, None, ()) | {"url": url}


def views(
    portal: Portal,
    found: Iterable[Held],
    names: Collection[str] | None,
    to_types: Collection[str] = (),
    history: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Objects of one type as the API answers them, with their links to `to_types` and the `history` of properties."""
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
    if history:
        for held, view in zip(listed, shown, strict=True):
            wanted = [name for name in history if name in known]
            view["propertiesWithHistory"] = history_view(portal.store.versions(held, wanted))
    return shown


def names_of(body: Mapping[str, Any], object_type: str) -> Collection[str]:
    """The properties that a body asks for; none asked for: the usual ones."""
    return [str(name) for name in part_of(body, "properties", list)] or default_names(object_type)


def next_page(call: Call, after: str) -> dict[str, Any]:
    """The `paging` of a page that is not the last."""
    asked = [(name, value) for name, value in call.query.multi_items() if name != "after"]
    query = urlencode([*asked, ("after", after)])
    return {"next": {"after": after, "link": f"https://api.hubapi.com{call.url_path}?{query}"}}


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
    where = f"{NAMES[object_type][1]} property {name} in portal ID {portal.store.portal_id}"
    return Refusal(400, f"Unable to perform update/upsert by non-unique {where}", "VALIDATION_ERROR")
