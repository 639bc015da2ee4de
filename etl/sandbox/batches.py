"""The objects API, up to 100 objects a request.

All or nothing, unless every input of a create or upsert has its own `objectWriteTraceId`: then each counts for itself and
the answer is multi-status. Results come in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from etl.sandbox.answers import Answer, Refusal, invalid, part_of, wrong_json
from etl.sandbox.fields import ENGAGEMENTS, iso
from etl.sandbox.portal import Call, Portal
from etl.sandbox.reading import (
    MOST_WITH_HISTORY,
    fresh_view,
    ids_by,
    names_of,
    non_unique,
    not_found,
    views,
    wants_bin,
)
from etl.sandbox.schema import Held, Link
from etl.sandbox.views import own_key
from etl.sandbox.writing import changed, drafted, obstacles

#: HubSpot: inputs of a batch.
MOST: Final = 100

#: What became of an input: the object as stored, or why not.
Result = tuple[Held, list[Link]] | Refusal


def create(portal: Portal, call: Call) -> Answer:
    """POST /{type}/batch/create: 201, or 207 when inputs with trace ids were refused."""
    object_type, inputs = call.object_type(), _inputs(call.json())
    traces = _traces(inputs)
    results = _against(portal, [_drafted(portal, call, object_type, wanted) for wanted in inputs])
    kept = _kept(results, traces, lone_conflict="Contact already exists")
    portal.store.insert([held for held, _ in kept], (link for _, links in kept for link in links))
    created = tuple((h.id, own_key(h)) for h, _ in kept) if object_type in ENGAGEMENTS else ()
    shown = [fresh_view(portal, held) for held, _ in kept]
    return _done(portal, call, shown, _errors(results, traces), 201)._replace(created=created)


def read(portal: Portal, call: Call) -> Answer:
    """POST /{type}/batch/read: by id or by a unique property; what is not there makes it a 207."""
    object_type, body = call.object_type(), call.json()
    asked, history = _ids(_inputs(body)), _history(body)
    ids = ids_by(portal, object_type, str(body.get("idProperty") or ""), asked)
    found = portal.store.get(object_type, set(ids.values()), archived=wants_bin(call))
    absent = [value for value in asked if ids.get(value) not in found]
    names = names_of(body, object_type)
    errors = [not_found(object_type, absent).as_part({})] if absent else []
    return _done(portal, call, views(portal, found.values(), names, history=history), errors, 200)


def update(portal: Portal, call: Call) -> Answer:
    """POST /{type}/batch/update: 200, or 207 when some ids are not there."""
    object_type, inputs = call.object_type(), _inputs(call.json())
    asked = _ids(inputs)
    ids = ids_by(portal, object_type, _id_property(inputs), asked)
    found = portal.store.get(object_type, set(ids.values()))
    absent = [value for value in asked if ids.get(value) not in found]
    there = [w for w, value in zip(inputs, asked, strict=True) if value not in absent]
    results = _against(portal, [_changed(portal, call, found[ids[str(w["id"])]], w) for w in there])
    traces = _traces(there)
    kept = _kept(results, traces)
    for held, _ in kept:
        portal.store.update(held)
    errors = _errors(results, traces) + ([not_found(object_type, absent).as_part({})] if absent else [])
    return _done(portal, call, [fresh_view(portal, held) for held, _ in kept], errors, 200)


def upsert(portal: Portal, call: Call) -> Answer:
    """POST /{type}/batch/upsert: by a unique property; each result says whether it is `new`. Links are not made by it."""
    object_type, inputs = call.object_type(), _inputs(call.json())
    asked, name, traces = _ids(inputs), _id_property(inputs), _traces(inputs)
    if name in {"", "hs_object_id"}:
        raise non_unique(portal, object_type, name or "hs_object_id")
    ids = ids_by(portal, object_type, name, asked)
    before = portal.store.get(object_type, set(ids.values()))
    wanted = [{"properties": part_of(w, "properties", dict) | {name: i}} for w, i in zip(inputs, asked, strict=True)]
    made = [
        _changed(portal, call, before[ids[i]], w) if i in ids else _drafted(portal, call, object_type, w)
        for i, w in zip(asked, wanted, strict=True)
    ]
    results = _against(portal, made)
    kept = _kept(results, traces)
    portal.store.insert(new := [held for held, _ in kept if held.id not in before])
    for held, _ in kept:
        if held.id in before:
            portal.store.update(held)
    shown = [fresh_view(portal, held) | {"new": held.id not in before} for held, _ in kept]
    created = tuple((h.id, own_key(h)) for h in new) if object_type in ENGAGEMENTS else ()
    return _done(portal, call, shown, _errors(results, traces), 200)._replace(created=created)


def archive(portal: Portal, call: Call) -> Answer:
    """POST /{type}/batch/archive: 204."""
    object_type = call.object_type()
    ids = ids_by(portal, object_type, "", _ids(_inputs(call.json())))
    for held in portal.store.get(object_type, ids.values()).values():
        portal.store.update(held._replace(archived=True, updated_ms=call.now_ms))
    return Answer(204)


def inputs_of(body: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """The `inputs` of a batch, at most so many."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list):
        raise wrong_json("java.util.ArrayList", inputs)
    if wrong := [i for i in inputs if not isinstance(i, dict)]:
        raise wrong_json("BatchInput", wrong[0])
    if len(inputs) > most:
        text = f"The maximum number of inputs supported in a batch request is {most}. There are {len(inputs)} inputs."
        raise Refusal(400, text, "VALIDATION_ERROR")
    return inputs


def _inputs(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return inputs_of(body, MOST)


def _ids(inputs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of the inputs, all different."""
    ids = [str(wanted.get("id", "")) for wanted in inputs]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        text = f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique"
        raise Refusal(400, text, "VALIDATION_ERROR", context={"ids": twice})
    return ids


def _history(body: Mapping[str, Any]) -> list[str]:
    names = [str(name) for name in part_of(body, "propertiesWithHistory", list)]
    if names and len(body["inputs"]) > MOST_WITH_HISTORY:
        text = (
            f"The maximum number of inputs supported in a batch request for property histories is {MOST_WITH_HISTORY}."
        )
        raise Refusal(400, f"{text} There are {len(body['inputs'])} inputs.", "VALIDATION_ERROR")
    return names


def _id_property(inputs: Sequence[Mapping[str, Any]]) -> str:
    names = {str(wanted.get("idProperty") or "") for wanted in inputs}
    if len(names) > 1:
        raise Refusal(400, "All inputs of a batch must have the same idProperty", "VALIDATION_ERROR")
    return next(iter(names), "")


def _traces(inputs: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """The trace ids, if every input has one of its own; that is what asks for a multi-status answer."""
    traces = [wanted.get("objectWriteTraceId") for wanted in inputs]
    distinct = {str(t) for t in traces if t is not None and t != ""}
    return [str(t) for t in traces] if len(distinct) == len(inputs) else None


def _drafted(portal: Portal, call: Call, object_type: str, wanted: Mapping[str, Any]) -> Result:
    try:
        return drafted(portal, call, object_type, wanted)
    except Refusal as refusal:
        return _judged(refusal)


def _changed(portal: Portal, call: Call, held: Held, wanted: Mapping[str, Any]) -> Result:
    try:
        return changed(portal, call, held, wanted.get("properties") or {}), []
    except Refusal as refusal:
        return _judged(refusal)


def _judged(refusal: Refusal) -> Refusal:
    """A refusal of values counts for its input; one without a category (JSON of a wrong kind) is of the whole request."""
    if not refusal.category:
        raise refusal
    return refusal


def _against(portal: Portal, results: list[Result]) -> list[Result]:
    """The results with those replaced that the store has something against."""
    drafts = [r for r in results if not isinstance(r, Refusal)]
    found = iter(obstacles(portal, drafts))
    return [r if isinstance(r, Refusal) else (next(found) or r) for r in results]


def _kept(results: list[Result], traces: list[str] | None, lone_conflict: str = "") -> list[tuple[Held, list[Link]]]:
    """The objects to store; without trace ids one refusal is the refusal of all."""
    refusals = [r for r in results if isinstance(r, Refusal)]
    if refusals and traces is None:
        if problems := [p for r in refusals for p in r.problems]:
            raise invalid(problems)
        first = refusals[0]
        raise Refusal(409, lone_conflict, "CONFLICT") if first.status == 409 and lone_conflict else first
    return [r for r in results if not isinstance(r, Refusal)]


def _errors(results: list[Result], traces: list[str] | None) -> list[dict[str, Any]]:
    """The `errors` of a multi-status answer: one for each different complaint, naming all inputs that it concerns."""
    groups: dict[bytes, dict[str, Any]] = {}
    for result, trace in zip(results, traces or [], strict=False):
        if isinstance(result, Refusal):
            part = result.as_part({"objectWriteTraceId": []})
            groups.setdefault(orjson.dumps(part), part)["context"]["objectWriteTraceId"].append(trace)
    return list(groups.values())


def _done(portal: Portal, call: Call, shown: list[dict[str, Any]], errors: list[dict[str, Any]], status: int) -> Answer:
    portal.chance.shuffle(shown)
    at = iso(call.now_ms)
    done: dict[str, Any] = {"status": "COMPLETE", "results": shown}
    if errors:
        done |= {"errors": errors, "numErrors": len(errors)}
    return Answer(207 if errors else status, done | {"startedAt": at, "completedAt": at})
