"""The shapes of answers, as `test_shapes` compares them with what the sandbox says.

A shape is read like the JSON that it describes: a dict has exactly these keys (`?` at the end of one that may be absent,
`str` as the only key of a map), a list has at least one element and all of one shape (`[]`: none), a type or a pattern is
that of a value, and all else is the value itself. So keys that should be left out rather than null, and ids as numbers in
v1 and as strings elsewhere, show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any

import httpx

ID, ISO = re.compile(r"\d+"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_LISTS = ["contactIds", "companyIds", "dealIds", "ownerIds", "workflowIds", "ticketIds", "contentIds", "quoteIds"]
_LISTS += ["marketingEventIds", "partnerClientIds?", "orderIds?", "cartIds?"]
_STAMPS = {"hs_createdate": ISO, "hs_lastmodifieddate": ISO, "hs_object_id": ID}
_CRM_STAMPS = {"createdate": ISO, "lastmodifieddate?": ISO, "hs_lastmodifieddate?": ISO, "hs_object_id": ID}


def v1(kind: str, metadata: dict[str, Any], *, preview: bool = True, **parts: Any) -> dict[str, Any]:
    """An engagement of v1; `engagement` and `associations` among the parts are added to what every one has."""
    engagement = {
        "id": int, "portalId": int, "active": True, "createdAt": int, "lastUpdated": int, "type": kind, "timestamp": int,
        "allAccessibleTeamIds": [], "queueMembershipIds": [], "bodyPreviewIsTruncated": False, "gdprDeleted": False,
        "createdBy?": int, "modifiedBy?": int, "source?": str, "sourceId?": str,
    }  # fmt: skip
    engagement |= ({"bodyPreview": str, "bodyPreviewHtml": str} if preview else {}) | parts.pop("engagement", {})
    associations: dict[str, Any] = {name: [] for name in _LISTS} | parts.pop("associations", {})
    return {"engagement": engagement, "associations": associations, "attachments": [], "metadata": metadata} | parts


def stored(properties: dict[str, Any], *, crm: bool = False, **more: Any) -> dict[str, Any]:
    """An object of the objects API: an activity, or (`crm`) a contact, company or deal."""
    own = {"properties": {**properties, **(_CRM_STAMPS if crm else _STAMPS)}}
    return {"id": ID, **own, "createdAt": ISO, "updatedAt": ISO, "archived": False, "url?": str} | more


def batch(results: Any, *errors: Any) -> dict[str, Any]:
    """The answer to a batch, with its errors when there are some."""
    listed = {"numErrors": len(errors), "errors": list(errors)} if errors else {}
    return {
        "status": "COMPLETE",
        "results": results,
        "startedAt": ISO,
        "completedAt": ISO,
        "requestedAt?": ISO,
        **listed,
    }


def paged(results: Any, after: Any) -> dict[str, Any]:
    """A page that is not the last."""
    return {"results": results, "paging": {"next": {"after": after, "link": str}}}


def error(message: str, category: str | None = None, **more: Any) -> dict[str, Any]:
    """An error body; `message` is a pattern. Without a category it may have one or not."""
    named = {"category": category} if category else {"category?": str}
    return {"status": "error", "message": re.compile(message, re.DOTALL), "correlationId": UUID, **named, **more}


def part(category: str, context: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One of the errors of a 207."""
    return {"status": "error", "category": category, "message": str, "context": context, "errors?": list, **more}


def invalid(name: str, code: str) -> dict[str, Any]:
    """The 400 about one value of a property; the list of them stands once more, as JSON text, in its message."""
    complaint = {"message": str, "code": code, "context": {"propertyName": [name]}}
    twice = rf'Property values were not valid: \[\{{"isValid":false,"message":.*"error":"{code}","name":"{name}"\}}\]'
    return error(twice, "VALIDATION_ERROR", errors=[complaint])


OWNER = {"id": ID, "email": str, "firstName": str, "lastName": str, "type": "PERSON", "userId": int, "teams?": list,
         "userIdIncludingInactive": int, "createdAt": ISO, "updatedAt": ISO, "archived": False}  # fmt: skip
OPTION = {"label": str, "value": str, "hidden": bool, "displayOrder": int, "description?": str}
PROPERTY = {"name": str, "label": str, "type": str, "fieldType": str, "description": str, "groupName": str,
            "options": list, "displayOrder": int, "calculated": bool, "externalOptions": bool, "hasUniqueValue": bool,
            "hidden": bool, "formField": bool, "createdAt?": ISO, "updatedAt?": ISO, "archived?": bool,
            "hubspotDefined?": bool, "modificationMetadata?": {str: bool}, "dataSensitivity?": str}  # fmt: skip
USAGE = {
    "name": str,
    "usageLimit": int,
    "currentUsage": int,
    "collectedAt": ISO,
    "fetchStatus": "SUCCESS",
    "resetsAt": ISO,
}
DETAILS = {"portalId": int, "accountType": str, "timeZone": str, "companyCurrency": str, "additionalCurrencies": [],
           "utcOffset": str, "utcOffsetMilliseconds": int, "uiDomain": str, "dataHostingLocation": str}  # fmt: skip
FILE = {"id": ID, "parentFolderId?": ID, "name": str, "path": str, "size": int, "type": str, "extension": str,
        "access": str, "url": str, "defaultHostingUrl": str, "createdAt": ISO, "updatedAt": ISO, "archived": False,
        "encoding?": str, "isUsableInContent?": bool, "fileMd5?": str}  # fmt: skip
FAR_END = {"toObjectId": int, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": int, "label": str | None}]}


def assert_body(answer: httpx.Response, shape: Any) -> None:
    """That the body is of this shape, JSON by its label, and that it goes by the same correlation id as its headers."""
    assert UUID.fullmatch(answer.headers["X-HubSpot-Correlation-Id"])
    assert answer.headers["X-Trace"]
    if shape is None:
        assert (answer.content, answer.headers.get("Content-Length", "0")) == (b"", "0")
        return
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert list(differences(answer.json(), shape)) == []
    if answer.status_code >= 400:
        assert answer.json()["correlationId"] == answer.headers["X-HubSpot-Correlation-Id"]


def differences(got: Any, shape: Any, at: str = "$") -> Iterator[str]:
    """What is otherwise than the shape has it, each with its place."""
    if isinstance(shape, dict) and isinstance(got, dict):
        shapes = dict.fromkeys(got, shape[str]) if str in shape else {n.rstrip("?"): s for n, s in shape.items()}
        needed = {n for n in shape if isinstance(n, str) and not n.endswith("?")}
        yield from (f"{at}.{name}: missing" for name in sorted(needed - got.keys()))
        yield from (f"{at}.{name}: not expected, {got[name]!r}" for name in sorted(got.keys() - shapes.keys()))
        for name in sorted(got.keys() & shapes.keys()):
            yield from differences(got[name], shapes[name], f"{at}.{name}")
    elif isinstance(shape, list) and isinstance(got, list) and len(shape) == 1 and got:
        for number, element in enumerate(got):
            yield from differences(element, shape[0], f"{at}[{number}]")
    elif not _is(got, shape):
        yield f"{at}: {got!r} is not {shape!r}"


def _is(got: Any, shape: Any) -> bool:
    if isinstance(shape, re.Pattern):
        return isinstance(got, str) and shape.fullmatch(got) is not None
    if isinstance(shape, type | UnionType):
        return isinstance(got, shape) and not (shape is int and isinstance(got, bool))
    return bool(got == shape and type(got) is type(shape))
