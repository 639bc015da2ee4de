"""The sandbox's own paths, under `/__`: the truth for tests, faults while it runs, and its end.

They need no token and no real API has them. What changes something is answered to programs on this machine only, not to
pages of other sites in a browser on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from etl.errors import UsageError
from etl.sandbox import streams
from etl.sandbox.faults import TABLE, Fault, parse
from etl.sandbox.portal import Portal
from etl.sandbox.schema import Held, Link
from etl.sandbox.spoiled import ELSEWHERE
from etl.sandbox.views import custom, own_key, v1_view

LINES: Final = "application/x-ndjson"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1", "testclient"})
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def routes(portal: Portal, stop: Callable[[], None]) -> list[Route]:
    """The routes of the sandbox's own paths; `stop` ends the server."""

    async def about(request: Request) -> Response:
        del request
        told = {"sandbox": True, "settle_s": portal.settle_s, "pid": os.getpid(), "portalId": portal.store.portal_id,
                "engagements": portal.store.count("calls", "archived = 0", ())}  # fmt: skip
        return _json(told)

    async def engagements(request: Request) -> Response:
        del request
        return StreamingResponse(_engagements(portal), media_type=LINES)

    async def requests(request: Request) -> Response:
        del request
        return StreamingResponse(_requests(portal), media_type=LINES)

    async def get_faults(request: Request) -> Response:
        del request
        return _json(_switched_on(portal))

    async def set_faults(request: Request) -> Response:
        return _refused(request) or _switch(portal, await request.body())

    async def elsewhere(request: Request) -> Response:
        return _visited(portal, request)

    async def shutdown(request: Request) -> Response:
        if refused := _refused(request):
            return refused
        stop()
        return _json({"stopping": True}, 202)

    return [
        Route("/__sandbox", about),
        Route("/__audit/engagements", engagements),
        Route("/__audit/requests", requests),
        Route("/__faults", get_faults, methods=["GET"]),
        Route("/__faults", set_faults, methods=["POST", "PUT"]),
        Route("/__shutdown", shutdown, methods=["POST"]),
        Route(ELSEWHERE + "/{path:path}", elsewhere, methods=_METHODS),
    ]


def _refused(request: Request) -> Response | None:
    """A refusal of who is not on this machine, and of pages that a browser shows (it names their `Origin`)."""
    if request.client is None or request.client.host not in _LOOPBACK or "origin" in request.headers:
        return _json({"error": "Only a program on this machine can change the sandbox."}, 403)
    return None


def _switch(portal: Portal, content: bytes) -> Response:
    try:
        faults, seed = _faults(content)
    except UsageError as problem:
        return _json({"error": problem.message, "hint": problem.hint}, 400)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        hint = 'e.g. {"faults": ["commit_then_hang:p=0.02"], "seed": 7}, or a bare list of them'
        return _json({"error": "This is no list of faults.", "hint": hint, "faults": sorted(TABLE)}, 400)
    portal.faults.switch(faults, seed)
    return _json(_switched_on(portal))


def _faults(content: bytes) -> tuple[list[Fault], int | None]:
    """The faults that a body asks for, and its seed; raises what `_switch` catches."""
    body = orjson.loads(content or b"null")
    wanted, seed = (body, None) if isinstance(body, list) else (body["faults"], body.get("seed"))
    if not isinstance(seed, int | None):
        raise TypeError(seed)
    return [parse(spec) for spec in wanted], seed


def _visited(portal: Portal, request: Request) -> Response:
    """Notes who followed a redirect, and whether the token came along; the answer looks like success and is none."""
    store, now_ms = portal.store, int(portal.settings.clock() * 1000)
    note = "followed_with_token" if "authorization" in request.headers else "followed"
    store.begin()
    store.requests.log((store.requests.new(), now_ms, request.method, request.url.path, 200, note, "[]"))
    store.commit()
    store.keep()
    return _json({"id": "1", "engagement": {"id": 1}, "status": "COMPLETE", "results": []})


def _engagements(portal: Portal) -> Iterator[bytes]:
    for some in streams.engagements(portal.store.path):
        yield b"".join(
            orjson.dumps(_audited(portal, held, links), option=orjson.OPT_APPEND_NEWLINE) for held, links in some
        )


def _audited(portal: Portal, held: Held, links: list[Link]) -> dict[str, Any]:
    more = {"properties": custom(held), "objectType": held.type, "request": held.request, "key": own_key(held)}
    return v1_view(held, links, portal.store.portal_id) | more


def _requests(portal: Portal) -> Iterator[bytes]:
    names = ("request", "received_at", "method", "path", "status", "fault", "created", "client_got")
    for rows in streams.requests(portal.store.path):
        lines = [dict(zip(names, (*row[:6], orjson.Fragment(row[6]), _got(*row[4:6])), strict=True)) for row in rows]
        yield b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def _got(status: int | None, fault: str) -> str:
    """What came to the client: `nothing` (cut off, or gone before), `part` of an answer, or an `answer`."""
    if status is None:
        return "nothing"
    return "part" if fault in TABLE and TABLE[fault].wire == "cut" else "answer"


def _switched_on(portal: Portal) -> list[dict[str, Any]]:
    return [{name: getattr(fault, name) for name in fault.__slots__} for fault in portal.faults.switched_on]


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
