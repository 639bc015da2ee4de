"""From an HTTP request to its answer: the steps that every request goes through, in this order.

    read body ─ token ─ limits ─ fault? ─ the handler ─ audit line ─ commit ─ answer (or what the fault makes of it)

A handler is a plain function; nothing is awaited while it runs, so requests do not see each other's half-done work. The
requests that were there at the same time share one commit, and none is answered before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import orjson
from starlette.types import Receive, Scope, Send

from etl.sandbox.answers import AUTH_HELP, Answer, Refusal
from etl.sandbox.connection import Asked, Connection, whole
from etl.sandbox.faults import Fault, Kind, Work
from etl.sandbox.portal import Call, Portal
from etl.sandbox.spoiled import AUTH_FAILURE, instead, spoiled, without_one

Handler = Callable[[Portal, Call], Answer]


class Exchange:
    """One route: an ASGI app that answers its requests by one handler.

    `work` is what it does, for limits and faults; `takes` a part of the content type that its bodies must have.
    """

    def __init__(self, portal: Portal, handler: Handler, work: Work, takes: str = "json") -> None:
        self._portal, self._handler, self._work, self._takes = portal, handler, work, takes.encode()

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Answers one request, or lets a fault answer it."""
        portal = self._portal
        asked = await whole(scope, receive, portal)
        if asked is None:
            return  # the client left before its request was whole
        refused = self._turned_away(scope, asked)
        headers = portal.limits.headers(search=self._work == "search")
        fault = None if refused else portal.faults.draw(self._work, f"{asked.method} {asked.url_path}", asked.now_s)
        kind = fault.kind if fault else PLAIN
        if waits_s := portal.settings.latency_s + kind.waits_s:
            await asyncio.sleep(waits_s)
        if refused or kind.commit == "never":
            answer = refused or instead(portal, fault, kind, asked)
            _note(portal, asked, fault, answer.status if kind.wire == "whole" else None)
            await portal.commits.kept()
        elif kind.commit == "late":
            asyncio.get_running_loop().call_later(kind.seconds, self._work_later, asked, fault, kind)
            answer = Answer(0)
        else:
            answer = self._work_on(asked, fault, kind)
            await portal.commits.kept()
        arrived = await Connection(scope, receive).send(answer, asked.told, headers, kind.wire, kind.seconds)
        if not arrived and kind.wire not in {"reset", "hang"}:
            portal.store.requests.unanswered(asked.number)

    def _turned_away(self, scope: Scope, asked: Asked) -> Answer | None:
        """The answer to what does not get as far as the handler: no token, too many requests, no JSON."""
        portal, authorization, media = self._portal, b"", b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-type":
                media = value
        scheme, _, token = authorization.partition(b" ")
        token = token.strip()
        if scheme.lower() != b"bearer" or not token or portal.settings.token.encode() not in {b"", token}:
            return Refusal(401, AUTH_HELP, "INVALID_AUTHENTICATION").answer(asked.told)._replace(headers=AUTH_FAILURE)
        if policy := portal.limits.take(asked.now_s, search=self._work == "search"):
            return portal.limits.too_many(policy, asked.now_s, asked.told)
        if asked.body and self._takes not in media:
            wanted = f"Unsupported Media Type: the request body must be {self._takes.decode()}"
            return Refusal(415, wanted).answer(asked.told)
        return None

    def _work_later(self, asked: Asked, fault: Fault | None, kind: Kind) -> None:
        """The same for a client that has given up."""
        self._work_on(asked, fault, kind)
        self._portal.store.keep()

    def _work_on(self, asked: Asked, fault: Fault | None, kind: Kind) -> Answer:
        """Runs the handler as one piece of the transaction; what it refuses leaves no trace but the audit line."""
        portal, store = self._portal, self._portal.store
        now_ms = int(portal.settings.clock() * 1000)
        call = Call(asked.path, asked.query, asked.body, now_ms, asked.number, asked.url_path)
        if kind.holds == "thinned" and portal.faults.coin():
            call, kind = without_one(call, portal.faults), kind._replace(holds="truth")
        store.begin(settled=self._work not in {"create", "batch"})
        try:
            answer = self._handler(portal, call)
        except Refusal as refusal:
            store.rollback()
            answer = refusal.answer(asked.told)
            _note(portal, asked, fault, None if kind.wire in {"reset", "hang"} else answer.status)
            return answer
        except BaseException:
            store.rollback()
            _note(portal, asked, fault, 500)
            store.keep()
            raise
        created = answer.created
        if kind.holds != "truth":
            other = kind.holds == "other"
            answer = instead(portal, fault, kind, asked) if other else spoiled(answer, kind, call, portal.faults)
        status = None if kind.wire in {"reset", "hang"} else answer.status
        store.requests.log(_line(asked, fault, status, created))
        store.commit()
        return answer


PLAIN: Final = Kind(frozenset(), "now", "truth", "whole")


def _note(portal: Portal, asked: Asked, fault: Fault | None, status: int | None) -> None:
    portal.store.begin()
    portal.store.requests.log(_line(asked, fault, status, ()))
    portal.store.commit()


def _line(
    asked: Asked, fault: Fault | None, status: int | None, created: tuple[tuple[int, str], ...]
) -> tuple[int, int, str, str, int | None, str, str]:
    """The audit line of a request, as `Requests.log` takes it."""
    listed = orjson.dumps([{"id": str(i), "key": key} for i, key in created]).decode() if created else "[]"
    name = fault.name if fault else ""
    return asked.number, int(asked.now_s * 1000), asked.method, asked.target, status, name, listed
