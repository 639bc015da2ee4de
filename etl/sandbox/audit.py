"""The sandbox's own paths, under `/__`: the truth for tests, faults while it runs, and its end.

They need no token and no real API has them. What changes something is answered on loopback only.
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
from etl.sandbox.faults import TABLE, parse
from etl.sandbox.portal import Portal
from etl.sandbox.schema import Held, Link
from etl.sandbox.views import custom, v1_view

LINES: Final = "application/x-ndjson"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1", "testclient"})


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
        try:
            body = orjson.loads(await request.body() or b"null")
            wanted = body if isinstance(body, list) else body["faults"]
            faults = [parse(spec) for spec in wanted]
            seed = body.get("seed") if isinstance(body, dict) else None
        except UsageError as problem:
            return _json({"error": problem.message, "hint": problem.hint}, 400)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            hint = 'e.g. {"faults": ["commit_then_hang:p=0.02"], "seed": 7}, or a bare list of them'
            return _json({"error": "This is no list of faults.", "hint": hint, "faults": sorted(TABLE)}, 400)
        portal.faults.switch(faults, seed)
        return _json(_switched_on(portal))

    async def shutdown(request: Request) -> Response:
        if request.client is None or request.client.host not in _LOOPBACK:
            return _json({"error": "Only a client on this machine can stop the sandbox."}, 403)
        stop()
        return _json({"stopping": True}, 202)

    return [
        Route("/__sandbox", about),
        Route("/__audit/engagements", engagements),
        Route("/__audit/requests", requests),
        Route("/__faults", get_faults, methods=["GET"]),
        Route("/__faults", set_faults, methods=["POST", "PUT"]),
        Route("/__shutdown", shutdown, methods=["POST"]),
    ]


def _engagements(portal: Portal) -> Iterator[bytes]:
    for some in portal.store.stream_engagements():
        yield b"".join(
            orjson.dumps(_audited(portal, held, links), option=orjson.OPT_APPEND_NEWLINE) for held, links in some
        )


def _audited(portal: Portal, held: Held, links: list[Link]) -> dict[str, Any]:
    more = {"properties": custom(held), "objectType": held.type, "request": held.request}
    return v1_view(held, links, portal.store.portal_id) | more


def _requests(portal: Portal) -> Iterator[bytes]:
    names = ("request", "received_at", "method", "path", "status", "fault", "created")
    for rows in portal.store.stream_requests():
        lines = [dict(zip(names, (*row[:6], orjson.Fragment(row[6])), strict=True)) for row in rows]
        yield b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def _switched_on(portal: Portal) -> list[dict[str, Any]]:
    return [{name: getattr(fault, name) for name in fault.__slots__} for fault in portal.faults.switched_on]


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
