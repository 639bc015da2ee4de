"""From an HTTP request to its answer: the steps that every request goes through, in this order.

    read body ─ token ─ limits ─ fault? ─ the handler, in one transaction ─ audit line ─ answer (or what the fault makes of it)

A handler is a plain function; nothing is awaited while it runs, so requests do not see each other's half-done work.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from etl.sandbox.answers import AUTH_HELP, HTML, SCOPE_HELP, Answer, Refusal
from etl.sandbox.faults import Fault, Kind, Work
from etl.sandbox.limits import too_many
from etl.sandbox.portal import Call, Portal

Handler = Callable[[Portal, Call], Answer]


class Exchange:
    """One route: an ASGI app that answers its requests by one handler. `work` is what it does, for limits and faults."""

    def __init__(self, portal: Portal, handler: Handler, work: Work) -> None:
        self._portal, self._handler, self._work = portal, handler, work

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Answers one request, or lets a fault answer it."""
        request = Request(scope, receive)
        body = await request.body()
        store, now_s = self._portal.store, self._portal.settings.clock()
        call = Call(
            request.path_params, request.query_params, body, int(now_s * 1000), store.new_request(), request.url.path
        )
        told = str(UUID(int=self._portal.chance.getrandbits(128), version=4))
        where = f"{request.method} {request.url.path}"
        turned_away = self._turned_away(request, body, now_s, told)
        fault = None if turned_away else self._portal.faults.draw(self._work, where)
        kind = fault.kind if fault else PLAIN
        if fault and kind.reply != "hang" and kind.commit != "late" and kind.status != 477:
            await asyncio.sleep(kind.seconds)
        reply = _Reply(self._portal, scope, receive, told, search=self._work == "search")
        line = (call.number, call.now_ms, request.method, _path(request), fault.name if fault else "")
        if turned_away or kind.commit == "never":
            answer = turned_away or _instead(fault, kind, told)
            self._note(line, answer.status if kind.reply == "status" or turned_away else None, ())
        elif kind.commit == "late":
            loop = asyncio.get_running_loop()
            loop.call_later(kind.seconds, self._work_on, call, line, kind, told)
            answer = Answer(0)
        else:
            answer = self._work_on(call, line, kind, told)
        await reply.send("given" if turned_away else kind.reply, answer, kind.seconds)

    def _turned_away(self, request: Request, body: bytes, now_s: float, told: str) -> Answer | None:
        """The answer to what does not get as far as the handler: no token, too many requests, no JSON."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        wanted = self._portal.settings.token
        if scheme.lower() != "bearer" or not token.strip() or (wanted and token.strip() != wanted):
            return Refusal(401, AUTH_HELP, "INVALID_AUTHENTICATION").answer(told)._replace(headers=_AUTH_FAILURE)
        if policy := self._portal.limits.take(now_s, search=self._work == "search"):
            return too_many(policy, told)
        if body and "json" not in request.headers.get("content-type", ""):
            return Refusal(415, "Unsupported Media Type: the request body must be application/json").answer(told)
        return None

    def _work_on(self, call: Call, line: tuple[int, int, str, str, str], kind: Kind, told: str) -> Answer:
        """Runs the handler in a transaction; what it refuses leaves no trace but the audit line."""
        store, fault = self._portal.store, line[4]
        if kind.reply == "thinned" and self._portal.faults.coin():
            call, kind = self._without_one(call), kind._replace(reply="given")
        store.begin()
        try:
            answer = self._handler(self._portal, call)
        except Refusal as refusal:
            store.rollback()
            answer = refusal.answer(told)
            self._note(line, answer.status, ())
        except BaseException:
            store.rollback()
            raise
        else:
            seen = {"given": answer.status, "cut": answer.status, "thinned": 207, "status": kind.status}.get(kind.reply)
            store.log((*line[:4], seen, fault, _created(answer.created)))
            store.commit()
        if kind.reply == "thinned":
            return self._thinned(answer)
        return _instead(None, kind, told) if kind.reply == "status" else answer

    def _note(self, line: tuple[int, int, str, str, str], status: int | None, created: tuple[()]) -> None:
        store = self._portal.store
        store.begin()
        store.log((*line[:4], status, line[4], _created(created)))
        store.commit()

    def _without_one(self, call: Call) -> Call:
        """The request as if one of its inputs had been forgotten before the work."""
        body = call.json()
        if isinstance(body.get("inputs"), list) and body["inputs"]:
            body["inputs"].pop(self._portal.faults.pick(len(body["inputs"])))
        return call._replace(body=orjson.dumps(body))

    def _thinned(self, answer: Answer) -> Answer:
        """The answer without one of its results, whose work was done all the same."""
        if isinstance(answer.body, dict) and answer.body.get("results"):
            answer.body["results"].pop(self._portal.faults.pick(len(answer.body["results"])))
            return answer._replace(status=207)
        return answer


class _Reply:
    """Writes an answer to the connection, or does to the connection what a fault wants."""

    def __init__(self, portal: Portal, scope: Scope, receive: Receive, told: str, *, search: bool) -> None:
        self._send: Send = scope["sandbox.send"]
        self._receive = receive
        self._headers = [
            (b"x-hubspot-correlation-id", told.encode()),
            (b"x-trace", told.replace("-", "").upper().encode()),
        ]
        self._headers += [(n.lower().encode(), v.encode()) for n, v in portal.limits.headers(search=search)]

    async def send(self, reply: str, answer: Answer, seconds: float) -> None:
        if reply == "hang":
            await self._hang(seconds)
        if reply in {"hang", "reset"}:
            await self._cut()
            return
        content = answer.content()
        headers = [*self._headers, *((n.lower().encode(), v.encode()) for n, v in answer.headers)]
        if answer.status != 204:
            headers += [(b"content-type", answer.media.encode()), (b"content-length", str(len(content)).encode())]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if reply == "cut" and content:
            await self._send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
            await asyncio.sleep(0.01)  # the half that is sent shall arrive
            await self._cut()
            return
        await self._send({"type": "http.response.body", "body": content})

    async def _hang(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return

    async def _cut(self) -> None:
        """Resets the TCP connection. ASGI has no word for that: the server's own transport is reached through `send`."""
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionResetError("the sandbox cut this connection, as it was told to")
        if (connection := transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        while (await self._receive())["type"] != "http.disconnect":
            pass


PLAIN: Final = Kind(frozenset(), "now", "given")
_AUTH_FAILURE: Final = (("X-HubSpot-Auth-Failure", "401 Unauthorized"),)


def _instead(fault: Fault | None, kind: Kind, told: str) -> Answer:  # noqa: PLR0911  one line for each answer
    """The answer that a fault gives in place of the true one."""
    name, status = fault.name if fault else "", kind.status
    if name in {"rate_limit", "daily_limit"}:
        return too_many("DAILY" if name == "daily_limit" else "TEN_SECONDLY_ROLLING", told)
    if name == "expired_token":
        problem = "The OAuth token used to make this call expired 1 second(s) ago."
        return Refusal(status, problem, "EXPIRED_AUTHENTICATION").answer(told)._replace(headers=_AUTH_FAILURE)
    if status == 401:
        return Refusal(status, AUTH_HELP, "INVALID_AUTHENTICATION").answer(told)._replace(headers=_AUTH_FAILURE)
    if status == 403:
        return Refusal(status, SCOPE_HELP, "MISSING_SCOPES").answer(told)
    if status == 423:
        return Refusal(status, "This resource is locked; try again in 2 seconds.").answer(told)
    if status == 477:
        wait = str(int(kind.seconds))
        return (
            Refusal(status, "This account is being migrated.").answer(told)._replace(headers=(("Retry-After", wait),))
        )
    if status in {502, 503, 504} or status > 520:
        return Answer(status, f"<html><body><h1>{status}</h1></body></html>\n".encode(), HTML)
    return Refusal(status or 500, "internal error").answer(told)


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _created(created: tuple[tuple[int, str], ...]) -> str:
    return orjson.dumps([{"id": str(i), "key": key} for i, key in created]).decode() if created else "[]"
