"""The filters of a search as a condition for the store.

Groups are joined by OR, the filters of a group by AND. A filter, also a negative one, finds only objects that have a value
in its property. What compares for equality uses the index where there is one;
all else looks into each object's properties, as text in lower case or, for numbers and times, as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

import orjson

from etl.sandbox.answers import Refusal
from etl.sandbox.fields import INDEXED, STANDARD, Property, ms

#: HubSpot: search guide; groups, filters in a group, filters in all, characters of `query`.
MOST_GROUPS, MOST_FILTERS, MOST_IN_ALL, MOST_QUERY = 5, 6, 18, 3000
_COMPARE: Final = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_COLUMNS: Final = {
    "hs_object_id": "id", "hs_createdate": "created_ms", "createdate": "created_ms", "hs_timestamp": "time_ms",
    "hs_lastmodifieddate": "updated_ms", "lastmodifieddate": "updated_ms",
}  # fmt: skip
_NUMERIC: Final = frozenset({"number", "datetime"})


class Found(NamedTuple):
    """A condition with its bound values, and an order."""

    where: str
    values: list[Any]
    order: str


def finder(object_type: str, body: Mapping[str, Any], known: Mapping[str, Property], until_ms: int) -> Found:
    """The condition that a search body asks for, over what was made until `until_ms`; `Refusal` when it is not valid."""
    groups = [_filters(group) for group in _listed(body, "filterGroups")]
    if len(groups) > MOST_GROUPS or sum(map(len, groups)) > MOST_IN_ALL or any(len(g) > MOST_FILTERS for g in groups):
        raise Refusal(400, "There are too many filters or filter groups in this search", "VALIDATION_ERROR")
    where, values = "type = ? AND archived = 0 AND created_ms <= ?", [object_type, until_ms]
    alternatives = []
    for group in groups:
        parts = [_condition(object_type, f, known) for f in group]
        alternatives.append(" AND ".join(sql for sql, _ in parts) or "1")
        values += [value for _, own in parts for value in own]
    if alternatives:
        where += f" AND (({') OR ('.join(alternatives)}))"
    if query := str(body.get("query") or ""):
        if len(query) > MOST_QUERY:
            raise Refusal(400, f"The query is longer than {MOST_QUERY} characters", "VALIDATION_ERROR")
        where += " AND has_token((SELECT group_concat(value, ' ') FROM json_each(properties)), ?)"
        values.append(query)
    return Found(where, values, _order(body, known))


def _condition(object_type: str, given: Any, known: Mapping[str, Property]) -> tuple[str, list[Any]]:
    name, operator = str(given.get("propertyName")), str(given.get("operator"))
    if name not in known:
        raise Refusal(400, f'Property "{name}" does not exist', "VALIDATION_ERROR")
    numeric = name in _COLUMNS or known[name].kind in _NUMERIC
    one, many = given.get("value"), given.get("values")
    if operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
        sql, own = _expression(name, numeric=False)
        return f"coalesce({sql}, '') {'<>' if operator == 'HAS_PROPERTY' else '='} ''", own
    if operator in {"IN", "NOT_IN"}:
        listed = many if isinstance(many, list) else _lacking(operator, "values")
        return _among(object_type, name, operator, [_value(v, numeric=numeric) for v in listed], numeric=numeric)
    value = _lacking(operator, "value") if one is None else _value(one, numeric=numeric)
    if operator == "EQ":
        return _among(object_type, name, "IN", [value], numeric=numeric)
    if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
        return _token(name, str(one), holds=operator == "CONTAINS_TOKEN")
    sql, own = _expression(name, numeric=numeric)
    if operator == "BETWEEN":
        return f"{sql} BETWEEN ? AND ?", [*own, value, _value(given.get("highValue"), numeric=numeric)]
    if operator not in _COMPARE:
        raise Refusal(400, f"Invalid enum constant '{operator[:100]}' for class FilterOperator", "VALIDATION_ERROR")
    return f"{sql} {_COMPARE[operator]} ?", [*own, value]


def _token(name: str, token: str, *, holds: bool) -> tuple[str, list[Any]]:
    sql, own = _expression(name, numeric=False)
    there = f"coalesce({sql}, '') <> ''"
    return f"{there} AND has_token(CAST({sql} AS TEXT), ?) = ?", [*own, *own, token, holds]


def _among(object_type: str, name: str, operator: str, values: list[Any], *, numeric: bool) -> tuple[str, list[Any]]:
    listed = orjson.dumps(values).decode()
    not_ = "NOT " if operator == "NOT_IN" else ""
    if operator == "IN" and not numeric and (name in INDEXED or name not in STANDARD[object_type]):
        inner = "SELECT id FROM value WHERE type = ? AND name = ? AND value IN (SELECT value FROM json_each(?))"
        return f"id IN ({inner})", [object_type, name, listed]
    sql, own = _expression(name, numeric=numeric)
    return f"{sql} {not_}IN (SELECT value FROM json_each(?))", [*own, listed]  # noqa: S608  names are bound


def _expression(name: str, *, numeric: bool) -> tuple[str, list[Any]]:
    """A property as SQL; its name is bound, never written into the text."""
    if name in _COLUMNS:
        return _COLUMNS[name], []
    path = f'$."{name}"'
    if numeric:
        return "as_number(json_extract(properties, ?))", [path]
    return "lower(json_extract(properties, ?))", [path]


def _value(value: Any, *, numeric: bool) -> Any:
    text = str(value)
    if not numeric:
        return text.lower()
    try:
        return ms(text) if not text.replace(".", "", 1).isdigit() else float(text)
    except (ValueError, OverflowError):
        raise Refusal(400, f"{text} was not a valid long.", "VALIDATION_ERROR") from None


def _order(body: Mapping[str, Any], known: Mapping[str, Property]) -> str:
    sorts = _listed(body, "sorts")
    if not sorts:
        return "id"
    first = sorts[0] if isinstance(sorts[0], dict) else {"propertyName": str(sorts[0])}
    name = str(first.get("propertyName"))
    if name not in known:
        raise Refusal(400, f'Property "{name}" does not exist', "VALIDATION_ERROR")
    down = "DESC" if first.get("direction") == "DESCENDING" else "ASC"
    # a known property's name is made of letters, digits and underscores: it can stand in the text
    fold = "as_number" if known[name].kind in _NUMERIC else "lower"
    sql = _COLUMNS.get(name) or f"{fold}(json_extract(properties, '$.\"{name}\"'))"
    return f"{sql} {down}, id {down}"


def _filters(group: Any) -> list[dict[str, Any]]:
    filters = group.get("filters") if isinstance(group, dict) else None
    if not isinstance(filters, list) or not all(isinstance(f, dict) for f in filters):
        raise Refusal(400, "Each of filterGroups needs a list of filters", "VALIDATION_ERROR")
    return filters


def _listed(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name) or []
    if not isinstance(value, list):
        raise Refusal(400, f"{name} must be a list", "VALIDATION_ERROR")
    return value


def _lacking(operator: str, name: str) -> NoReturn:
    raise Refusal(400, f"operator {operator} requires {name}", "VALIDATION_ERROR")
