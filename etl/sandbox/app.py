"""All that can be called: the routes of the API, its own paths and pages, as one ASGI app.

The dated paths and v3 share handlers; each route says what its work is, for limits and faults.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from etl.sandbox import account, audit, batches, objects, pages, v1
from etl.sandbox.answers import HTML, not_found_page
from etl.sandbox.exchange import Exchange, Handler
from etl.sandbox.faults import Fault, Faults, Work
from etl.sandbox.limits import Limits
from etl.sandbox.portal import Portal
from etl.sandbox.settings import Settings
from etl.sandbox.store import Store

Line = tuple[str, str, Work, Handler]

#: HubSpot's dated versions of the API that this account has.
DATED: Final = ("2026-03", "2026-09")

ENGAGEMENTS_V1: Final[tuple[Line, ...]] = (
    ("POST", "/engagements", "create", v1.create),
    ("GET", "/engagements/paged", "read", v1.paged),
    ("GET", "/engagements/recent/modified", "read", v1.recent),
    ("GET", "/engagements/modified/after", "read", v1.modified_after),
    ("GET", "/engagements/associated/{type}/{id}/paged", "read", v1.associated),
    ("PUT", "/engagements/{id}/associations/{type}/{object_id}", "write", v1.link),
    ("DELETE", "/engagements/{id}/associations/{type}/{object_id}", "write", v1.unlink),
    ("GET", "/engagements/{id}", "read", v1.get),
    ("PATCH", "/engagements/{id}", "write", v1.update),
    ("PUT", "/engagements/{id}", "write", v1.update),
    ("DELETE", "/engagements/{id}", "write", v1.delete),
)
OBJECTS: Final[tuple[Line, ...]] = (
    ("POST", "/{type}/batch/create", "batch", batches.create),
    ("POST", "/{type}/batch/upsert", "batch", batches.upsert),
    ("POST", "/{type}/batch/read", "read", batches.read),
    ("POST", "/{type}/batch/update", "write", batches.update),
    ("POST", "/{type}/batch/archive", "write", batches.archive),
    ("POST", "/{type}/search", "search", objects.search),
    ("POST", "/{type}", "create", objects.create),
    ("GET", "/{type}", "read", objects.list_),
    ("GET", "/{type}/{id}", "read", objects.get),
    ("PATCH", "/{type}/{id}", "write", objects.update),
    ("DELETE", "/{type}/{id}", "write", objects.archive),
    ("GET", "/{type}/{id}/associations/{to_type}", "read", objects.get_links),
    ("PUT", "/{type}/{id}/associations/default/{to_type}/{to_id}", "write", objects.put_link),
    ("PUT", "/{type}/{id}/associations/{to_type}/{to_id}", "write", objects.put_link),
    ("PUT", "/{type}/{id}/associations/{to_type}/{to_id}/{kind}", "write", objects.put_link),
    ("DELETE", "/{type}/{id}/associations/{to_type}/{to_id}", "write", objects.drop_link),
)
PROPERTIES: Final[tuple[Line, ...]] = (
    ("GET", "/{type}", "read", account.list_properties),
    ("POST", "/{type}", "write", account.create_property),
    ("GET", "/{type}/{name}", "read", account.get_property),
    ("PATCH", "/{type}/{name}", "write", account.update_property),
    ("DELETE", "/{type}/{name}", "write", account.delete_property),
)
OWNERS: Final[tuple[Line, ...]] = (("GET", "", "read", account.owners), ("GET", "/{id}", "read", account.owner))
ASSOCIATIONS: Final[tuple[Line, ...]] = (
    ("POST", "/{from_type}/{to_type}/batch/read", "read", account.read_links),
    ("POST", "/{from_type}/{to_type}/batch/create", "write", account.make_links),
    ("POST", "/{from_type}/{to_type}/batch/associate/default", "write", account.make_links),
    ("POST", "/{from_type}/{to_type}/batch/archive", "write", account.drop_links),
)
ACCOUNT: Final[tuple[Line, ...]] = (
    ("GET", "/details", "read", account.details),
    ("GET", "/api-usage/daily/private-apps", "read", account.usage),
)
CALLING: Final[tuple[Line, ...]] = (("GET", "/dispositions", "read", v1.dispositions),)

#: where -> what stands there; `/crm/objects/2026-03` is `/crm/v3/objects` under its dated name. The first are found fastest.
ROOMS: Final[tuple[tuple[str, str, tuple[Line, ...]], ...]] = (
    ("/engagements/v1", "", ENGAGEMENTS_V1),
    ("/crm/v3/objects", "/crm/objects/{}", OBJECTS),
    ("/crm/v3/properties", "/crm/properties/{}", PROPERTIES),
    ("/crm/v3/owners", "/crm/owners/{}", OWNERS),
    ("/crm/v4/associations", "/crm/associations/{}", ASSOCIATIONS),
    ("/crm/v4/objects", "", OBJECTS[-5:]),
    ("/account-info/v3", "/account-info/{}", ACCOUNT),
    ("/calling/v1", "", CALLING),
)


def build_app(
    store: Store,
    settings: Settings | None = None,
    faults: Iterable[Fault] = (),
    stop: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """The sandbox as an ASGI app over an open store; `stop` is called when it is asked to end."""
    settings = settings or Settings()
    chance = random.Random(settings.seed)  # noqa: S311  order of results, to be made again
    portal = Portal(store, settings, Faults(faults, settings.seed), Limits(settings), chance)
    app = Starlette(
        routes=[*_api(portal), *audit.routes(portal, stop), *pages.routes(portal)],
        exception_handlers={HTTPException: _no_such_path},
    )
    app.router.redirect_slashes = False

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        scope["sandbox.send"] = send  # before any wrapping: faults reach the connection through it
        await app(scope, receive, send)

    return outermost


def _api(portal: Portal) -> list[BaseRoute]:
    found: list[BaseRoute] = []
    for first, dated, lines in ROOMS:
        for at in [*(dated.format(version) for version in DATED if dated), first]:
            found += _routes(portal, at, lines)
    return found


def _routes(portal: Portal, at: str, lines: Iterable[Line]) -> list[Route]:
    return [
        Route(at + path, Exchange(portal, handler, work), methods=[method]) for method, path, work, handler in lines
    ]


async def _no_such_path(request: Request, problem: Exception) -> Response:
    del request
    status = problem.status_code if isinstance(problem, HTTPException) else 404
    page = not_found_page()
    return Response(page.content(), status, media_type=HTML)
