"""The definitions of properties: the account's own, which nobody can change, and those that were added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from etl.sandbox.answers import Answer, Refusal, part_of
from etl.sandbox.batches import inputs_of
from etl.sandbox.fields import ENGAGEMENTS, NAMES, PROPERTY_NAME, SINGULAR, STANDARD, iso
from etl.sandbox.portal import Call, Portal

#: When the standard properties and owners of this account were made: long ago.
SINCE: Final = "2024-01-02T00:00:00.000Z"
#: HubSpot: unique properties of an object type; inputs of a batch.
MOST_UNIQUE, MOST_INPUTS = 10, 100
_TYPES: Final = frozenset({"string", "number", "date", "datetime", "enumeration", "bool"})
_FIXED_METADATA: Final = {"archivable": False, "readOnlyDefinition": True}
_NEEDED: Final = frozenset({"name", "label", "type", "fieldType", "groupName"})
#: What a change of a definition leaves as it is.
_FIXED: Final = ("name", "type", "hasUniqueValue", "createdAt", "archived", "calculated")


def list_(portal: Portal, call: Call) -> Answer:
    """GET /crm/v3/properties/{type}: standard and added ones; archived ones are gone for good here."""
    gone = call.query.get("archived") == "true"
    return Answer(200, {"results": [] if gone else list(definitions(portal, call.object_type()).values())})


def get(portal: Portal, call: Call) -> Answer:
    """GET /crm/v3/properties/{type}/{name}."""
    return Answer(200, _named(portal, call))


def create(portal: Portal, call: Call) -> Answer:
    """POST /crm/v3/properties/{type}: 201; unique ones on activities only where the settings allow them."""
    return Answer(201, _created(portal, call, call.json()))


def update(portal: Portal, call: Call) -> Answer:
    """PATCH /crm/v3/properties/{type}/{name}: added ones; name, type and uniqueness stay."""
    before, body = _named(portal, call), call.json()
    _only_added(portal, call)
    _check_options(str(before["type"]), body)
    fixed = {k: before[k] for k in _FIXED}
    portal.store.put_property(call.object_type(), before | body | fixed | {"updatedAt": iso(call.now_ms)})
    return Answer(200, _named(portal, call))


def archive(portal: Portal, call: Call) -> Answer:
    """DELETE /crm/v3/properties/{type}/{name}: 204, also for what is not there."""
    _only_added(portal, call)
    portal.store.drop_property(call.object_type(), call.path["name"])
    return Answer(204)


def batch_read(portal: Portal, call: Call) -> Answer:
    """POST /crm/v3/properties/{type}/batch/read: 200, or 207 when some are not there."""
    known, asked = definitions(portal, call.object_type()), _asked(call)
    errors = [_not_found(name).as_part({"name": [name]}) for name in asked if name not in known]
    return _done(call, 200, [known[name] for name in asked if name in known], errors)


def batch_create(portal: Portal, call: Call) -> Answer:
    """POST /crm/v3/properties/{type}/batch/create: 201, or 207 when some were refused; each counts for itself."""
    made, errors = [], []
    for wanted in inputs_of(call.json(), MOST_INPUTS):
        try:
            made.append(_created(portal, call, wanted))
        except Refusal as refusal:
            errors.append(refusal.as_part({"name": [str(wanted.get("name"))[:100]]}))
    return _done(call, 201, made, errors)


def batch_archive(portal: Portal, call: Call) -> Answer:
    """POST /crm/v3/properties/{type}/batch/archive: 204."""
    object_type = call.object_type()
    for name in _asked(call):
        if name in STANDARD[object_type]:
            raise _read_only(name)
        portal.store.drop_property(object_type, name)
    return Answer(204)


def definitions(portal: Portal, object_type: str) -> dict[str, dict[str, Any]]:
    """All definitions of a type by name, as the API answers them."""
    group = next(s for s, plural in SINGULAR.items() if plural == object_type) + "information"
    standard = {
        name: _empty(name)
        | {"type": _KINDS.get(what.kind, what.kind), "fieldType": _FIELDS.get(what.kind, "text"), "groupName": group}
        | {
            "options": [
                {"label": o, "value": o, "displayOrder": at, "hidden": False} for at, o in enumerate(what.options)
            ]
        }
        | {
            "hubspotDefined": True,
            "calculated": what.read_only,
            "modificationMetadata": _FIXED_METADATA | {"readOnlyValue": what.read_only},
        }
        for name, what in STANDARD[object_type].items()
        if what.kind != "hidden"
    }
    return standard | {d["name"]: d for d in portal.store.added(object_type)}


def _created(portal: Portal, call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    object_type = call.object_type()
    if lacking := sorted(_NEEDED - {k for k, v in body.items() if v}):
        text = f"Invalid input JSON on line 1, column 1. Some required fields were not set: [{', '.join(lacking)}]"
        raise Refusal(400, text, "VALIDATION_ERROR")
    name, kind = str(body["name"]), str(body["type"])
    if not PROPERTY_NAME.fullmatch(name) or kind not in _TYPES:
        text = f"The property {name[:100]!r} of type {kind[:100]!r} has no valid name or type"
        raise Refusal(400, text, "VALIDATION_ERROR")
    _check_options(kind, body)
    if name in definitions(portal, object_type):
        raise Refusal(409, f'A property named "{name}" already exists.', "OBJECT_ALREADY_EXISTS")
    if body.get("hasUniqueValue"):
        _check_unique(portal, object_type)
    stamps = {"createdAt": iso(call.now_ms), "updatedAt": iso(call.now_ms)}
    portal.store.put_property(object_type, _empty(name) | dict(body) | {"archived": False} | stamps)
    return definitions(portal, object_type)[name]


def _check_options(kind: str, body: Mapping[str, Any]) -> None:
    options = part_of(body, "options", list)
    values = [o.get("value") if isinstance(o, dict) else None for o in options]
    if not all(isinstance(v, str) for v in values) or len(set(values)) < len(values):
        raise Refusal(400, f"The options of a property of type {kind} need values, each once", "VALIDATION_ERROR")


def _check_unique(portal: Portal, object_type: str) -> None:
    if object_type in ENGAGEMENTS and not portal.settings.unique_properties:
        raise Refusal(400, f"Object type {NAMES[object_type][1]} cannot have unique properties", "VALIDATION_ERROR")
    if len(portal.store.unique_names(object_type)) >= MOST_UNIQUE:
        text = f"Object type {NAMES[object_type][1]} has its {MOST_UNIQUE} unique properties already"
        raise Refusal(400, text, "VALIDATION_ERROR")


def _named(portal: Portal, call: Call) -> dict[str, Any]:
    name = call.path["name"]
    found = definitions(portal, call.object_type()).get(name)
    if found is None:
        raise _not_found(name)
    return found


def _only_added(portal: Portal, call: Call) -> None:
    name = call.path["name"]
    if definitions(portal, call.object_type()).get(name, {}).get("hubspotDefined"):
        raise _read_only(name)


def _read_only(name: str) -> Refusal:
    return Refusal(400, f'"{name}" is defined by HubSpot; its definition cannot be changed', "VALIDATION_ERROR")


def _not_found(name: str) -> Refusal:
    return Refusal(404, f'Property "{name[:100]}" does not exist', "OBJECT_NOT_FOUND")


def _asked(call: Call) -> list[str]:
    names = [str(wanted.get("name", ""))[:200] for wanted in inputs_of(call.json(), MOST_INPUTS)]
    return list(dict.fromkeys(names))


def _done(call: Call, status: int, results: list[dict[str, Any]], errors: list[dict[str, Any]]) -> Answer:
    at = iso(call.now_ms)
    body = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    return Answer(207, body | {"numErrors": len(errors), "errors": errors}) if errors else Answer(status, body)


def _empty(name: str) -> dict[str, Any]:
    return {
        "name": name, "label": name, "type": "string", "fieldType": "text", "description": "", "groupName": "",
        "options": [], "displayOrder": -1, "calculated": False, "externalOptions": False, "hasUniqueValue": False,
        "hidden": False, "formField": False, "archived": False, "createdAt": SINCE, "updatedAt": SINCE,
        "modificationMetadata": {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": False},
    }  # fmt: skip


#: Kind of a standard property -> `type`, where they differ; and `fieldType`.
_KINDS: Final = {"json": "string", "owner": "enumeration", "email": "string"}
_FIELDS: Final = {"number": "number", "datetime": "date", "enumeration": "select", "owner": "select",
                  "bool": "booleancheckbox"}  # fmt: skip
