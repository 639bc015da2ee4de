"""What a fault puts into an answer: another answer altogether, or the true one with something wrong about it."""

from __future__ import annotations

from typing import Any, Final

import orjson

from etl.sandbox.answers import AUTH_HELP, HTML, SCOPE_HELP, Answer, Refusal
from etl.sandbox.connection import Asked
from etl.sandbox.faults import Fault, Faults, Kind
from etl.sandbox.limits import DAILY, WINDOW
from etl.sandbox.portal import Call, Portal

AUTH_FAILURE: Final = (("X-HubSpot-Auth-Failure", "401 Unauthorized"),)
#: Where redirects lead; who comes here followed one.
ELSEWHERE: Final = "/__elsewhere"
_EXPIRED: Final = "The OAuth token used to make this call expired 1 second(s) ago."
_REDACTED: Final = "The content of this email has been redacted: the scope sales-email-read is needed to see it."
#: status -> message and category
_WORDS: Final = {
    401: (AUTH_HELP, "INVALID_AUTHENTICATION"), 403: (SCOPE_HELP, "MISSING_SCOPES"),
    423: ("This resource is locked; try again in 2 seconds.", ""), 477: ("This account is being migrated.", ""),
}  # fmt: skip


def instead(portal: Portal, fault: Fault | None, kind: Kind, asked: Asked) -> Answer:
    """The answer that a fault gives in place of the true one."""
    name, status, wait = (fault.name, kind.status, fault.retry_after) if fault else ("", 500, "")
    if name in {"rate_limit", "daily_limit"}:
        policy = DAILY if name == "daily_limit" else WINDOW
        return portal.limits.too_many(policy, asked.now_s, asked.told, wait)._replace(status=status)
    if name == "redirect" and fault:
        return Answer(status, b"", HTML, headers=(("Location", f"{fault.to}{ELSEWHERE}{asked.target}"),))
    if name == "html_error" or status in {502, 503, 504} or status > 520:
        return Answer(status, _page(status), HTML)
    message, category = _WORDS.get(status, ("internal error", ""))
    if name == "expired_token":
        message, category = _EXPIRED, "EXPIRED_AUTHENTICATION"
    if status == 477:
        wait = wait or str(int(kind.seconds))
    headers = (*(AUTH_FAILURE if status == 401 else ()), *([("Retry-After", wait)] if wait else ()))
    return Refusal(status or 500, message, category).answer(asked.told)._replace(headers=headers)


def without_one(call: Call, faults: Faults) -> Call:
    """The request as if one of its inputs had been forgotten before the work."""
    body = call.json()
    if isinstance(body.get("inputs"), list) and body["inputs"]:
        body["inputs"].pop(faults.pick(len(body["inputs"])))
    return call._replace(body=orjson.dumps(body))


def spoiled(answer: Answer, kind: Kind, call: Call, faults: Faults) -> Answer:
    """The answer with what the fault does to it; one that the fault has no hold on stays as it is."""
    if kind.holds == "half":
        content = answer.content()
        return answer._replace(body=content[: len(content) // 2])
    body = answer.body
    if kind.holds == "redacted":
        _redact(body)
        return answer
    if not isinstance(body, dict) or not isinstance(body.get("results"), list):
        return answer
    results = body["results"]
    if kind.holds == "thinned" and results:
        results.pop(faults.pick(len(results)))
        return answer._replace(status=207)
    if kind.holds == "doubled":
        results += results[: (len(results) + 1) // 2]
    elif kind.holds == "again":
        _turn_back(body, call)
    elif kind.holds == "nothing":
        results.clear()
        body.update({name: value for name, value in (("hasMore", False), ("total", 0)) if name in body})
        body.pop("paging", None)
    return answer


def _turn_back(body: dict[str, Any], call: Call) -> None:
    """Lets the cursor to the next page lead to this one again."""
    if call.body:
        asked = call.json().get("after") or "0"
    else:
        asked = next((call.query[name] for name in ("offset", "after", "timestamp") if call.query.get(name)), "0")
    if "paging" in body:
        body["paging"]["next"]["after"] = str(asked)
    elif "offset" in body:
        body |= {"offset": int(asked) if isinstance(body["offset"], int) else str(asked), "hasMore": True}


def _redact(body: Any) -> None:
    """Takes out of a v1 answer what a token without the scope for the content of mail does not get to see."""
    shown = body if isinstance(body, dict) else {}
    for one in shown.get("results", [shown]):
        if str(one.get("engagement", {}).get("type", "")).endswith("EMAIL"):
            one["metadata"] = {"to": [], "cc": [], "bcc": [], "validationSkipped": [], "html": _REDACTED}
            for name in ("ownerId", "bodyPreview", "bodyPreviewHtml"):
                one["engagement"].pop(name, None)


def _page(status: int) -> bytes:
    """What proxies and content networks answer when they cannot reach the API: a page for people."""
    return (
        f"<!DOCTYPE html>\n<html>\n<head><title>{status} | api.hubapi.com</title></head>\n"
        f"<body>\n<h1>Error {status}</h1>\n<p>The server is temporarily unable to answer your request.</p>\n</body>\n</html>\n"
    ).encode()
