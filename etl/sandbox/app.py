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

from etl.sandbox import account, associations, audit, batches, legacy, objects, pages, properties, uploads, v1, v1_lists
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
    ("GET", "/engagements/paged", "read", v1_lists.paged),
    ("GET", "/engagements/recent/modified", "read", v1_lists.recent),
    ("GET", "/engagements/modified/after", "read", v1_lists.modified_after),
    ("GET", "/engagements/associated/{type}/{id}/paged", "read", v1_lists.associated),
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
    ("GET", "/{type}/{id}/associations/{to_type}", "read", associations.of_object),
    ("PUT", "/{type}/{id}/associations/default/{to_type}/{to_id}", "write", associations.put_default),
    ("PUT", "/{type}/{id}/associations/{to_type}/{to_id}", "write", associations.put),
    ("PUT", "/{type}/{id}/associations/{to_type}/{to_id}/{kind}", "write", associations.put_named),
    ("DELETE", "/{type}/{id}/associations/{to_type}/{to_id}", "write", associations.drop),
    ("DELETE", "/{type}/{id}/associations/{to_type}/{to_id}/{kind}", "write", associations.drop),
)
PROPERTIES: Final[tuple[Line, ...]] = (
    ("POST", "/{type}/batch/create", "write", properties.batch_create),
    ("POST", "/{type}/batch/read", "read", properties.batch_read),
    ("POST", "/{type}/batch/archive", "write", properties.batch_archive),
    ("GET", "/{type}", "read", properties.list_),
    ("POST", "/{type}", "write", properties.create),
    ("GET", "/{type}/{name}", "read", properties.get),
    ("PATCH", "/{type}/{name}", "write", properties.update),
    ("DELETE", "/{type}/{name}", "write", properties.archive),
)
OWNERS: Final[tuple[Line, ...]] = (
    ("GET", "", "read", account.owners),
    ("GET", "/", "read", account.owners),  # as the official clients write it
    ("GET", "/{id}", "read", account.owner),
)
ASSOCIATIONS: Final[tuple[Line, ...]] = (
    ("POST", "/{from_type}/{to_type}/batch/read", "read", associations.batch_read),
    ("POST", "/{from_type}/{to_type}/batch/create", "write", associations.batch_create),
    ("POST", "/{from_type}/{to_type}/batch/associate/default", "write", associations.batch_default),
    ("POST", "/{from_type}/{to_type}/batch/archive", "write", associations.batch_archive),
    ("POST", "/{from_type}/{to_type}/batch/labels/archive", "write", associations.batch_archive),
)
ACCOUNT: Final[tuple[Line, ...]] = (
    ("GET", "/details", "read", account.details),
    ("GET", "/api-usage/daily/private-apps", "read", account.usage),
)
FILES: Final[tuple[Line, ...]] = (
    ("POST", "", "write", uploads.upload),
    ("GET", "/{id}", "read", uploads.get),
    ("DELETE", "/{id}", "write", uploads.delete),
)
CONTACTS_V1: Final[tuple[Line, ...]] = (
    ("GET", "/contact/email/{email}/profile", "read", legacy.contact),
    ("GET", "/contact/emails/batch", "read", legacy.contacts),
)
COMPANIES_V2: Final[tuple[Line, ...]] = (("POST", "/domains/{domain}/companies", "read", legacy.companies),)
CALLING: Final[tuple[Line, ...]] = (("GET", "/dispositions", "read", v1.dispositions),)
#: The handlers whose requests have no JSON body.
TAKES: Final[dict[Handler, str]] = {uploads.upload: "multipart/form-data"}

#: where -> what stands there; `/crm/objects/2026-03` is `/crm/v3/objects` under its dated name. The first are found fastest.
ROOMS: Final[tuple[tuple[str, str, tuple[Line, ...]], ...]] = (
    ("/engagements/v1", "", ENGAGEMENTS_V1),
    ("/crm/v3/objects", "/crm/objects/{}", OBJECTS),
    ("/crm/v3/properties", "/crm/properties/{}", PROPERTIES),
    ("/crm/v3/owners", "/crm/owners/{}", OWNERS),
    ("/crm/v4/associations", "/crm/associations/{}", ASSOCIATIONS),
    ("/crm/v4/objects", "", OBJECTS[-6:]),
    ("/account-info/v3", "/account-info/{}", ACCOUNT),
    ("/files/v3/files", "/files/{}/files", FILES),
    ("/calling/v1", "", CALLING),
    ("/contacts/v1", "", CONTACTS_V1),
    ("/companies/v2", "", COMPANIES_V2),
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
    limits, now_s = Limits(settings), settings.clock()
    if settings.enforce_limits:
        limits.count_on(now_s, store.requests.taken_since(int(limits.day(now_s)[0] * 1000)))
    portal = Portal(store, settings, Faults(faults, settings.seed), limits, chance)
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
        Route(at + path, Exchange(portal, handler, work, TAKES.get(handler, "json")), methods=[method])
        for method, path, work, handler in lines
    ]


async def _no_such_path(request: Request, problem: Exception) -> Response:
    del request
    status = problem.status_code if isinstance(problem, HTTPException) else 404
    page = not_found_page()
    return Response(page.content(), status, media_type=HTML)
