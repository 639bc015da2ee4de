"""The account itself: whose it is, what its call outcomes are called, and the property of ours that carries keys."""

from __future__ import annotations

from typing import Any

from etl.engagement import EngagementType
from etl.errors import ConfigError
from etl.flow import Json
from etl.hubspot.door import Door
from etl.hubspot.names import ACCOUNT, DISPOSITIONS, KEY_PROPERTY, OBJECT_TYPES, PROPERTIES, SANDBOX, USAGE
from etl.hubspot.target import Portal

#: Usage is told to some kinds of token only; to do without it is no error.
NOT_TOLD = (400, 401, 403, 404, 405)


async def portal(door: Door) -> Portal:
    """The account behind the token. Raises `TokenError` if the token does not work."""
    details: Json = await door.read("GET", ACCOUNT)
    usage = await door.read("GET", USAGE, absent=NOT_TOLD)
    limit, used = _daily(usage)
    left = None if limit is None or used is None else max(0, limit - used)
    zone = str(details.get("timeZone") or "UTC")
    settle_s = await _settle_s(door)
    door.day.told(limit, left, zone)
    return Portal(
        id=str(details.get("portalId")),
        kind=str(details.get("accountType") or ""),
        time_zone=zone,
        settle_s=settle_s,
        daily_limit=limit,
        daily_left=left,
    )


async def dispositions(door: Door) -> dict[str, str]:
    """The account's call outcomes: label -> GUID."""
    outcomes: list[Json] = await door.read("GET", DISPOSITIONS)
    return {str(o["label"]): str(o["id"]) for o in outcomes if not o.get("deleted")}


async def key_property(door: Door, engagement_type: EngagementType) -> bool:
    """Whether the import key of this type is a unique property; it is made if it is not there, unique where allowed.

    Raises `TokenError` naming the scope if the token may not make properties.
    """
    path = f"{PROPERTIES}/{OBJECT_TYPES[engagement_type]}"
    listed = await _listed(door, path)
    for unique in (True, False):
        if KEY_PROPERTY in listed:
            break
        # HubSpot answers 400 where a property cannot be unique, 409 where somebody was faster: the list tells
        await door.read("POST", path, _definition(listed, unique=unique), absent=(400, 409))
        listed = await _listed(door, path)
    if KEY_PROPERTY not in listed:
        raise ConfigError(
            f"HubSpot did not make the property {KEY_PROPERTY} on {OBJECT_TYPES[engagement_type]}.",
            hint="Make it by hand (one-line text), or use --api v1.",
        )
    return listed[KEY_PROPERTY].get("hasUniqueValue") is True


async def _settle_s(door: Door) -> float | None:
    if not door.transport.is_loopback:
        return None
    told = await door.read("GET", SANDBOX, absent=NOT_TOLD)
    seconds = told.get("settle_s") if isinstance(told, dict) else None
    return float(seconds) if isinstance(seconds, int | float) else None


def _daily(usage: Any) -> tuple[int | None, int | None]:
    """Limit and use of the day, of the first result that has them."""
    results = usage.get("results") if isinstance(usage, dict) else None
    for result in results if isinstance(results, list) else []:
        limit, used = result.get("usageLimit"), result.get("currentUsage")
        if isinstance(limit, int):
            return limit, used if isinstance(used, int) else None
    return None, None


async def _listed(door: Door, path: str) -> dict[str, Json]:
    answer: Json = await door.read("GET", path)
    return {str(p.get("name")): p for p in answer.get("results") or []}


def _definition(listed: dict[str, Json], *, unique: bool) -> Json:
    """The property to make, in the group in which this type already has properties (HubSpot wants one that exists)."""
    definition: Json = {
        "name": KEY_PROPERTY,
        "label": "Import key (etl)",
        "description": "Tells which row of an import this came from; written by etl, not to be edited.",
        "type": "string",
        "fieldType": "text",
        "hasUniqueValue": unique,
    }
    first = listed.get("hs_timestamp") or next((p for p in listed.values() if p.get("groupName")), {})
    return {**definition, "groupName": first["groupName"]} if first.get("groupName") else definition
