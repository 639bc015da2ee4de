"""What a person sees of the sandbox in a browser: counts, the latest engagements, a contact's timeline.

Plain HTML from the server, every text escaped, nothing loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from etl.sandbox.fields import CRM, ENGAGEMENTS, iso
from etl.sandbox.portal import Portal, ids_of
from etl.sandbox.schema import Held
from etl.sandbox.views import body_of, v1_type
from etl.sandbox.words import preview

LATEST: Final = 50
#: Nothing runs and nothing is loaded on these pages, whatever a body says.
_SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#222}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}"
    "article{border-left:3px solid #888;margin:1rem 0;padding:0 1rem}small{color:#666}"
)
_TITLES: Final = ("hs_call_title", "hs_email_subject", "hs_meeting_title", "hs_task_subject")


def routes(portal: Portal) -> list[Route]:
    """The routes of the pages."""

    async def home(request: Request) -> Response:
        del request
        counts = portal.store.counts()
        rows = "".join(f"<tr><th>{t}</th><td>{counts.get(t, 0):,}</td></tr>" for t in (*ENGAGEMENTS, *CRM))
        latest = portal.store.select("calls", "archived = 0", (), order="id DESC", limit=LATEST)
        return _page("Sandbox", f"<table>{rows}</table><h2>Latest engagements</h2>{_timeline(portal, latest)}")

    async def one(request: Request) -> Response:
        object_type, ids = request.path_params["type"], list(ids_of([request.path_params["id"]]))
        held = portal.store.get(object_type, ids) if object_type in CRM else {}
        if not held:
            return _page("Not found", "<p>There is nothing here.</p>", 404)
        found = held[ids[0]]
        links = portal.store.links(object_type, ids).get(ids[0], [])
        near = [
            h for t in ENGAGEMENTS for h in portal.store.get(t, [a.to_id for a in links if a.to_type == t]).values()
        ]
        own = "".join(f"<tr><th>{escape(n)}</th><td>{escape(v)}</td></tr>" for n, v in found.properties.items())
        newest = sorted(near, key=lambda h: -h.time_ms)[:LATEST]
        return _page(_name(found), f"<table>{own}</table><h2>Timeline</h2>{_timeline(portal, newest)}")

    return [Route("/", home), Route("/view/{type}/{id}", one)]


def _timeline(portal: Portal, engagements: Iterable[Held]) -> str:
    return "".join(_article(portal, held) for held in engagements) or "<p>Nothing yet.</p>"


def _article(portal: Portal, held: Held) -> str:
    title = next((held.properties[n] for n in _TITLES if held.properties.get(n)), "")
    links = [a for a in portal.store.links(held.type, [held.id]).get(held.id, []) if a.to_type in CRM]
    linked = " ".join(f'<a href="/view/{a.to_type}/{a.to_id}">{a.to_type} {a.to_id}</a>' for a in links)
    return (
        f"<article><h3>{escape(v1_type(held))} {escape(title)}</h3><small>{iso(held.time_ms)} · {held.id} · {linked}</small>"
        f"<p>{escape(preview(body_of(held))[0])}</p></article>"
    )


def _name(held: Held) -> str:
    own = held.properties
    full = f"{own.get('firstname', '')} {own.get('lastname', '')}".strip()
    return full or own.get("name") or own.get("dealname") or own.get("email") or str(held.id)


def _page(title: str, body: str, status: int = 200) -> Response:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    text = (
        f'<!doctype html><html lang="en"><head>{head}<title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f'<body><p><a href="/">Sandbox</a></p><h1>{escape(title)}</h1>{body}</body></html>'
    )
    return HTMLResponse(text, status, headers=_SAFE)
