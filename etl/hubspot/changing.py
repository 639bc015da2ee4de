"""Engagements that are there, changed: the requests of both wires, and one attempt at one of them.

Every request says what is to be, never what to add: done twice it is as if done once. So a lost answer costs a look, and
nothing worse. Fields that are empty now are sent as empty texts, which takes a property away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import orjson

from etl.engagement import FIELDS, EngagementType
from etl.flow import Engagement, Json, LinkKind, RemoteId
from etl.hubspot.door import Door
from etl.hubspot.names import (
    ANCHORS_V1,
    ASSOCIATION_IDS,
    ASSOCIATIONS,
    ENGAGEMENTS_V1,
    KEY_PROPERTY,
    OBJECT_TYPES,
    OBJECTS,
)
from etl.hubspot.properties import properties
from etl.hubspot.target import Patch, Step, Write, Wrote
from etl.hubspot.transport import Answer
from etl.hubspot.verdicts import complaint, plain

#: Fields of `metadata` that v1 holds as lists, so that an empty one is empty in its way.
_LISTS = frozenset({"addresses", "times", "ids"})
#: kind of link -> object type in a v1 path.
_V1_TYPES: dict[LinkKind, str] = {**ANCHORS_V1, "tickets": "TICKET"}


def objects(step: Step, patches: Sequence[Patch]) -> list[Write]:
    """The requests of one step through the objects API; the patches are of one type and at most 100."""
    if not patches:
        return []
    type_ = cast("EngagementType", patches[0].after.type)
    if step == "archive":
        inputs: list[Json] = [{"id": patch.remote_id} for patch in patches]
        return [_post(step, f"{OBJECTS}/{OBJECT_TYPES[type_]}/batch/archive", inputs, patches)]
    if step == "values":
        changed = [(patch, values) for patch in patches if patch.values and (values := _properties(patch))]
        inputs = [{"id": p.remote_id, "objectWriteTraceId": p.remote_id, "properties": v} for p, v in changed]
        path = f"{OBJECTS}/{OBJECT_TYPES[type_]}/batch/update"
        return [_post(step, path, inputs, [p for p, _ in changed])] if changed else []
    return list(_link_batches(step, type_, patches))


def v1(step: Step, patches: Sequence[Patch]) -> list[Write]:
    """The same through Engagements v1: one engagement a request, and one link."""
    return [write for patch in patches for write in _of_one(step, patch)]


async def write(door: Door, request: Write) -> Wrote:
    """One attempt."""
    answer, verdict, _ = await door.create(
        request.path, request.body, len(request.ids), method=request.method, may_be_empty=True
    )
    if verdict.next == "refused":
        return Wrote(dict.fromkeys(request.ids, verdict.reason), verdict)
    if verdict.next in {"done", "per_row"} and request.path.endswith("/batch/update"):
        return Wrote(_refused(request.ids, answer), verdict)
    if verdict.next == "per_row" and request.step == "link":  # nothing tells which of them
        return Wrote({}, verdict._replace(next="split" if len(request.ids) > 1 else "refused"))
    return Wrote({}, verdict)


def _post(step: Step, path: str, inputs: Sequence[Json], patches: Sequence[Patch]) -> Write:
    return Write(step, "POST", path, orjson.dumps({"inputs": inputs}), tuple(patch.remote_id for patch in patches))


def _properties(patch: Patch) -> dict[str, str]:
    """The properties to write: those that are not as before, and those that are no more, as empty texts."""
    before, after = properties(patch.before), properties(patch.after)
    gone = dict.fromkeys(before.keys() - after.keys(), "")
    wanted = {name: value for name, value in after.items() if patch.whole or before.get(name) != value} | gone
    wanted.pop(KEY_PROPERTY, None)
    return wanted


def _link_batches(step: Step, type_: EngagementType, patches: Sequence[Patch]) -> Iterator[Write]:
    for kind, number in ASSOCIATION_IDS[type_].items():
        pairs = [(p, to) for p in patches for to in (p.link if step == "link" else p.unlink).get(kind, ())]
        if not pairs:
            continue
        path = f"{ASSOCIATIONS}/{OBJECT_TYPES[type_]}/{kind}/batch/{'create' if step == 'link' else 'archive'}"
        concerned = list({p.remote_id: p for p, _ in pairs}.values())
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}]
        inputs: list[Json] = (
            [{"from": {"id": p.remote_id}, "to": {"id": to}, "types": types} for p, to in pairs] if step == "link"
            else [{"from": {"id": p.remote_id}, "to": [{"id": to}]} for p, to in pairs]
        )  # fmt: skip
        yield _post(step, path, inputs, concerned)


def _refused(ids: Sequence[RemoteId], answer: Answer) -> dict[RemoteId, str]:
    """Those that the answer does not show as done, each with what its error says, else with all that was said."""
    body: Any = answer.json if isinstance(answer.json, dict) else {}
    done = {str(result.get("id")) for result in body.get("results") or [] if isinstance(result, dict)}
    errors = [error for error in body.get("errors") or [] if isinstance(error, dict)]
    said = plain("; ".join(complaint(error) for error in errors)) or "the answer does not name it"
    own = {
        str(trace): plain(complaint(error))
        for error in errors
        for trace in (error.get("context") or {}).get("objectWriteTraceId") or ()
    }
    return {remote_id: own.get(remote_id, said) for remote_id in ids if remote_id not in done}


def _of_one(step: Step, patch: Patch) -> Iterator[Write]:
    path, ids = f"{ENGAGEMENTS_V1}/{patch.remote_id}", (patch.remote_id,)
    if step == "archive":
        yield Write(step, "DELETE", path, b"", ids)
    elif step == "values":
        if patch.values and (body := _v1_body(patch)):
            yield Write(step, "PATCH", path, orjson.dumps(body), ids)
    else:
        method, links = ("PUT", patch.link) if step == "link" else ("DELETE", patch.unlink)
        for kind, far in links.items():
            for to in far:
                yield Write(step, method, f"{path}/associations/{_V1_TYPES[kind]}/{to}", b"", ids)


def _v1_body(patch: Patch) -> Json:
    """What changed, in v1's form; empty when nothing did that v1 has a place for."""
    before, after = _v1_parts(patch.before), _v1_parts(patch.after)
    type_ = cast("EngagementType", patch.after.type)
    parts = ("engagement", "metadata")
    body: Json = {name: _changed(before[name], after[name], type_, whole=patch.whole) for name in parts}
    if patch.whole or before["attachments"] != after["attachments"]:
        body["attachments"] = after["attachments"]
    # v1 wants its metadata in every body
    return {name: part for name, part in body.items() if part or name == "metadata"} if any(body.values()) else {}


def _v1_parts(row: Engagement) -> Json:
    payload: Json = orjson.loads(row.payload)
    engagement: Json = {**payload["engagement"]}
    engagement.pop("type", None)
    if row.links.owner:
        engagement["ownerId"] = int(row.links.owner)
    fields = FIELDS[cast("EngagementType", row.type)]
    metadata = {n: v for n, v in (payload.get("metadata") or {}).items() if n not in fields or "v1" in fields[n].wires}
    return {"engagement": engagement, "metadata": metadata, "attachments": payload.get("attachments") or []}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], type_: EngagementType, *, whole: bool) -> Json:
    gone = {n: _nothing(type_, n) for n in before.keys() - after.keys()}
    return {n: v for n, v in after.items() if whole or before.get(n) != v} | gone


def _nothing(type_: EngagementType, name: str) -> Any:
    field = FIELDS[type_].get(name)
    return [] if field and field.kind in _LISTS else ""
