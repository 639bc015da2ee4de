"""The pages by path. Each reads its query, asks `look`, and fills a template; nothing here changes anything."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from etl.sandbox.fields import CRM, ENGAGEMENTS, FOREIGN
from etl.sandbox.pages import charts, look, shown
from etl.sandbox.portal import Portal, ids_of
from etl.sandbox.schema import Held
from etl.sandbox.views import own_key

if TYPE_CHECKING:
    from jinja2 import Environment

#: Entries of a timeline, results of a search (of each type, of one type), linked objects and requests on one page.
ENTRIES, FEW, RESULTS, LINKED, REQUESTS = 25, 8, 50, 8, 50
#: What came of requests, in the order in which a picture stacks them: kind, words.
ANSWERS: Final = {
    "ok": "done (2xx)", "limited": "over a limit (429)", "refused": "refused (4xx)", "failed": "failed (5xx)",
    "lost": "no answer",
}  # fmt: skip
#: Nothing runs and nothing is loaded from elsewhere, whatever a body says; nobody else may keep or frame a page.
_SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_KINDS: Final = (*ENGAGEMENTS, FOREIGN)
_FOLDER: Final = Path(__file__).parent
_SPAN: Final = re.compile(r"\d{4}(-\d{2})?")

Page = Callable[[sqlite3.Connection, Request], dict[str, Any] | None]


def routes(portal: Portal) -> list[Route]:
    """The routes of the pages."""
    fill = cache(lambda: _templates(portal))  # Jinja2 is imported when the first page is asked for

    def page(path: str, template: str, ask: Page) -> Route:
        async def answer(request: Request) -> Response:
            portal.store.settle()
            return await run_in_threadpool(looked, request)  # requests go on meanwhile

        def looked(request: Request) -> Response:
            with look.looking(portal.store.path) as db:
                values = ask(db, request)
            found = fill().get_template(template if values is not None else "missing.html")
            text = found.render(values or {}, here=request.url.path, query=request.query_params)
            return HTMLResponse(text, 200 if values is not None else 404, headers=_SAFE)

        return Route(path, answer)

    return [
        page("/", "home.html", _home),
        page("/search", "search.html", _search),
        page("/timeline", "timeline.html", _timeline),
        page("/requests", "requests.html", _requests),
        page("/view/engagement/{id}", "engagement.html", _engagement),
        page("/view/{type}/{id}", "object.html", _object),
        _file("/look.css", "text/css"),
        _file("/look.svg", "image/svg+xml"),
    ]


def _home(db: sqlite3.Connection, request: Request) -> dict[str, Any]:
    days = look.days(db)
    within = request.query_params.get("in", "")
    within = within if _SPAN.fullmatch(within) else ""
    return {
        "objects": look.objects(db),
        "totals": _totals(days),
        "calendar": charts.calendar(days, _KINDS, within),
        "within": within,
        "newest": shown.entries(db, look.timeline(db, None, "", look.NEWEST, 8)),
        **_traffic(db, minutes=1),
    }


def _search(db: sqlite3.Connection, request: Request) -> dict[str, Any]:
    words = request.query_params.get("q", "").strip()[:200]
    only = request.query_params.get("type", "")
    types = (only,) if only in CRM else CRM
    after = _number(request.query_params.get("after", ""), 0)
    most = RESULTS if only in CRM else FEW
    found = {t: look.search(db, t, words, after, most + 1) for t in types} if words or only in CRM else {}
    return {
        "words": words,
        "only": only if only in CRM else "",
        "found": {t: held for t, held in found.items() if held},
        "keyed": shown.entries(db, look.keyed(db, words)) if words else [],
        "most": most,
    }


def _timeline(db: sqlite3.Connection, request: Request) -> dict[str, Any]:
    return _entries(db, request, None, _totals(look.days(db)))


def _object(db: sqlite3.Connection, request: Request) -> dict[str, Any] | None:
    object_type = request.path_params["type"]
    held = _one(db, object_type, request.path_params["id"]) if object_type in CRM else None
    if held is None:
        return None
    of = (held.type, held.id)
    near = {t: look.neighbours(db, of, t, LINKED) for t in CRM}
    owner = held.properties.get("hubspot_owner_id", "")
    return {
        "held": held,
        "near": {t: found for t, found in near.items() if found[0]},
        "owner": look.owners(db, [owner]).get(owner),
        **_entries(db, request, of, look.counted(db, of)),
    }


def _engagement(db: sqlite3.Connection, request: Request) -> dict[str, Any] | None:
    held = next((e for i in ids_of([request.path_params["id"]]) if (e := look.engagement(db, i))), None)
    if held is None:
        return None
    return {
        "entry": shown.entries(db, [held], whole=True)[0],
        "key": own_key(held),
        "made_by": next(iter(look.requests(db, held.request + 1, 1)), None) if held.request else None,
    }


def _requests(db: sqlite3.Connection, request: Request) -> dict[str, Any]:
    before = _number(request.query_params.get("before", ""), 2**62)
    found = look.requests(db, before, REQUESTS + 1)
    older = f"/requests?before={found[REQUESTS - 1].number}" if len(found) > REQUESTS else ""
    return {"requests": found[:REQUESTS], "older": older, "is_first": before == 2**62, **_traffic(db, minutes=60)}


def _entries(
    db: sqlite3.Connection, request: Request, of: tuple[str, int] | None, counts: dict[str, int]
) -> dict[str, Any]:
    """One part of a timeline, with the way to the next."""
    only, before = request.query_params.get("type", ""), _place(request.query_params.get("before", ""))
    held = look.timeline(db, of, only, before, ENTRIES + 1)
    last = held[ENTRIES - 1] if len(held) > ENTRIES else None
    return {
        "months": shown.months(shown.entries(db, held[:ENTRIES])),
        "counts": {kind: counts[kind] for kind in _KINDS if kind in counts},
        "only": only,
        "is_first": before == look.NEWEST,
        "older": str(request.url.include_query_params(before=f"{last.time_ms}.{last.id}").query) if last else "",
    }


def _traffic(db: sqlite3.Connection, minutes: int) -> dict[str, Any]:
    """The requests received: how many of each status, and how fast they came in the last minutes that had any."""
    statuses, last = look.statuses(db), look.last_second(db)
    if last is None:
        return {"statuses": {}}
    rates = [(s, _answer(status), n) for s, status, n in look.rates(db, last - 60 * minutes, statuses)]
    by_second = charts.seconds(rates, last, 60, 1, tuple(ANSWERS))
    return {
        "statuses": statuses,
        "last_s": last,
        "minute": by_second,
        "hour": charts.seconds(rates, last, 60, 60, tuple(ANSWERS)),
    }


def _answer(status: int | None) -> str:
    if status is None:
        return "lost"
    if status == 429:
        return "limited"
    return "ok" if status < 400 else "refused" if status < 500 else "failed"


def _templates(portal: Portal) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("etl.sandbox.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals |= {"account": portal.store.portal_id, "answers": ANSWERS, "answer_of": _answer, "url_of": _url}
    env.globals |= {"words": {kind: shown.word(kind, 2) for kind in _KINDS}}
    env.globals |= {"WIDTH": charts.WIDTH, "HEIGHT": charts.HEIGHT}
    own = (shown.name_of, shown.detail_of, shown.card, shown.word, shown.when, shown.moment, shown.months)
    env.filters |= {function.__name__: function for function in own} | {"number": lambda n: f"{n:,}"}
    return env


def _file(path: str, media: str) -> Route:
    content = (_FOLDER / path[1:]).read_bytes()

    def answer(request: Request) -> Response:
        del request
        return Response(content, media_type=media, headers=_SAFE | {"Cache-Control": "no-cache"})

    return Route(path, answer)


def _one(db: sqlite3.Connection, object_type: str, text: str) -> Held | None:
    return next((held for i in ids_of([text]) for held in look.get(db, object_type, [i]).values()), None)


def _url(held: Held) -> str:
    return f"/view/{held.type if held.type in CRM else 'engagement'}/{held.id}"


def _totals(days: Sequence[tuple[int, str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for _, kind, count in days:
        totals[kind] = totals.get(kind, 0) + count
    return {kind: totals[kind] for kind in _KINDS if kind in totals}


def _place(text: str) -> tuple[int, int]:
    """A place on a timeline as its links write it: `time.id`."""
    time_ms, _, held_id = text.partition(".")
    return (_number(time_ms, look.NEWEST[0]), _number(held_id, look.NEWEST[1]))


def _number(text: str, otherwise: int) -> int:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 19 else otherwise
