"""The lists of Engagements v1, each with its own way to page. All of them show every type that is in the account."""

from __future__ import annotations

from typing import Final

from etl.sandbox.answers import Answer, Refusal
from etl.sandbox.fields import ENGAGEMENTS, FOREIGN
from etl.sandbox.portal import Call, Portal
from etl.sandbox.schema import Held
from etl.sandbox.v1 import id_of, linked_type, shown

#: HubSpot: `recent/modified` reaches back so far.
RECENT_DAYS, RECENT_MOST = 30, 10_000
_DAY_MS: Final = 86_400_000
#: Any type will do for a question about engagements of all types: they stand in one table.
_ANY: Final = FOREIGN


def paged(portal: Portal, call: Call) -> Answer:
    """GET .../paged: all engagements by ascending id; `offset` is the last id, even at the end."""
    limit, offset = call.whole("limit", 100, 250, least=1), call.whole("offset", 0, 2**62)
    found = list(portal.store.select(_ANY, "id > ? AND archived = 0", (offset,), limit=limit + 1))
    return _page(portal, found, limit, offset)


def associated(portal: Portal, call: Call) -> Answer:
    """GET .../associated/:type/:id/paged: the engagements of a contact, company or deal, by ascending id."""
    limit, offset = call.whole("limit", 20, 100, least=1), call.whole("offset", 0, 2**62)
    marks = ",".join("?" * (len(ENGAGEMENTS) + 1))
    linked = f"SELECT to_id FROM link WHERE from_type = ? AND from_id = ? AND to_type IN ({marks})"  # noqa: S608
    where = f"id > ? AND archived = 0 AND id IN ({linked})"
    values = (offset, linked_type(call), id_of(call), *ENGAGEMENTS, FOREIGN)
    return _page(portal, list(portal.store.select(_ANY, where, values, limit=limit + 1)), limit, offset)


def recent(portal: Portal, call: Call) -> Answer:
    """GET .../recent/modified: newest first, 30 days or 10,000 back, late by the index lag."""
    count, offset = call.whole("count", 20, 100, least=1), call.whole("offset", 0, RECENT_MOST)
    since = max(call.whole("since", 0, 2**62), call.now_ms - RECENT_DAYS * _DAY_MS)
    bounds = (since, portal.indexed_until_ms(call.now_ms))
    where = "updated_ms >= ? AND updated_ms <= ? AND archived = 0"
    total = portal.store.count(_ANY, where, bounds, most=RECENT_MOST)
    limit = min(count, RECENT_MOST - offset)
    found = list(portal.store.select(_ANY, where, bounds, order="updated_ms DESC, id DESC", limit=limit, offset=offset))
    reached = offset + len(found)
    body = {"results": shown(portal, found), "hasMore": reached < total, "offset": reached, "total": total}
    return Answer(200, body)


def modified_after(portal: Portal, call: Call) -> Answer:
    """GET .../modified/after: what changed since `after`, a moment (ms) or a cursor; late by the index lag.

    A page is in no order, but all of a later page changed later. The cursor of the next one is the answer's `after`.
    """
    limit, start = call.whole("limit", 100, 1000, least=1), call.query.get("after") or "0"
    moment, _, last_id = start.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (moment, last_id or "0")):
        raise Refusal(400, "after must be a timestamp in milliseconds or a cursor", "VALIDATION_ERROR")
    where = "(updated_ms, id) > (?, ?) AND updated_ms <= ? AND archived = 0"
    values = (int(moment), int(last_id or 0), portal.indexed_until_ms(call.now_ms))
    found = list(portal.store.select(_ANY, where, values, order="updated_ms, id", limit=limit + 1))
    page = found[:limit]
    cursor = f"{page[-1].updated_ms}-{page[-1].id}" if page else start
    portal.chance.shuffle(page)
    return Answer(200, {"results": shown(portal, page), "hasMore": len(found) > limit, "after": cursor})


def _page(portal: Portal, found: list[Held], limit: int, offset: int) -> Answer:
    page = found[:limit]
    last = page[-1].id if page else offset
    return Answer(200, {"results": shown(portal, page), "hasMore": len(found) > limit, "offset": last})
