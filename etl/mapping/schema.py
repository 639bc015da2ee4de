"""The language as a JSON Schema, for editors that complete and check while one writes.

Made from the tables by which mappings are read (keys, steps, operators, fields and their choices): a word that the
reader learns is in the schema too, or making it fails. It says what stands where; what fits together is said by `check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from etl.engagement import ADDRESS_FIELDS, FIELDS, TYPES, EngagementType, Field
from etl.flow import LINK_KINDS
from etl.mapping import formats, links, parts, steps, tables
from etl.mapping.condition import OPERATORS
from etl.mapping.model import Group, Source, Table
from etl.mapping.model import Mapping as MappingFile
from etl.mapping.parse import REQUIRED, readers

Schema: TypeAlias = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_LITERAL: Schema = {"type": ["string", "number", "boolean"]}  #: a text as written: YAML makes more of some
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array", "items": _LITERAL, "minItems": 1}
_SPELLED: Schema = {"type": "string", "pattern": r"^\$|\{\{|\{%|\{#"}  #: a reference or a template
_LIST_KINDS = ("addresses", "times", "ids")


def json_schema() -> Schema:
    """The whole language."""
    return {
        "$schema": _DRAFT,
        "title": "A mapping of etl",
        "description": "How the rows of one kind of export become HubSpot engagements.",
        **_map(_top(), REQUIRED),
        "allOf": [_metadata_of(kind) for kind in TYPES],
        "$defs": {
            "value": _value(), "made": {"anyOf": _forms()}, "condition": _condition(), "scalar": {"type": ["string", "number", "boolean", "null"]},
            "steps": _from(), "link": {kind: _link(kind) for kind in LINK_KINDS},
            "fields": {kind: _fields(kind) for kind in TYPES},
        },
    }  # fmt: skip


def _top() -> Mapping[str, Schema]:
    blocks = _map({kind: _ref(f"fields/{kind}") for kind in TYPES})
    known: dict[str, Schema] = {
        "version": {"const": 1},
        "name": _named("Of the mapping; part of every import key, unless there is a `namespace`."),
        "namespace": _named("Part of every import key: a copy of a mapping that keeps it imports nothing twice."),
        "description": _LITERAL,
        "source": _map(_keyed(parts.SOURCE_READERS, _source())),
        "columns": _each({"anyOf": [{"type": "null"}, _map(_keyed(parts.COLUMN_READERS, _column()))]}),
        "skip": _list(_map({"when": _ref("condition"), "reason": _LITERAL}, ("when", "reason"))),
        "group": _map({"by": _ref("value"), "keep": _one(_words(Group, "keep")), "field": _ref("value")}, ("by",)),
        "define": _each(_ref("value")),
        "tables": _each(_map(dict.fromkeys(("file", "key", "value"), _LITERAL) | {"key_as": _one(_words(Table, "key_as"))},
                             ("file", "key", "value"))),
        "key": _ref("value"),
        "engagement": _engagement(),
        "associations": _map({kind: _ref(f"link/{kind}") for kind in LINK_KINDS} | {"require": _one(links.REQUIRE)}),
        "metadata": {"anyOf": [blocks, *(_ref(f"fields/{kind}") for kind in TYPES)]},
        "properties": _each(_ref("value")),
        "attachments": {"anyOf": [_map(_keyed(parts.ATTACHMENT_READERS, _attachments()), ("files",)), _ref("value")]},
        "on_change": _one(_words(MappingFile, "on_change")),
        "tests": _list(_map({"given": _each(_ref("scalar")), "expect": _expect()}, ("given", "expect"))),
    }  # fmt: skip
    return _keyed(readers(()), known)


def _attachments() -> Mapping[str, Schema]:
    size = {"type": "integer", "minimum": 1, "maximum": parts.MOST_MB, "description": "Of one file, in MB; default 20."}
    return {"files": _ref("value"), "base": _LITERAL, "max_mb": size}


def _source() -> Mapping[str, Schema]:
    return {
        "format": {"anyOf": [_one(parts.SOURCE_FORMATS), _list(_one(parts.TABLES))]}, "delimiter": {"type": "string"}, "encoding": {"type": "string"},
        "quotes": _one(_words(Source, "quotes")), "sheet": _LITERAL,
        "header": {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "none"}]}, "names": _TEXTS,
        "skip_rows": _WHOLE, "stop_at": _each(_LITERAL), "missing": _TEXTS, "timezone": {"type": "string"}, "region": _region(),
    }  # fmt: skip


def _column() -> Mapping[str, Schema]:
    length = _map(dict.fromkeys(("min_value", "max_value", "exact_value"), _WHOLE))
    between = _map({"min_value": _LITERAL, "max_value": _LITERAL, "include_min": _FLAG, "include_max": _FLAG},
                   ("min_value", "max_value"))  # fmt: skip
    known: dict[str, Schema] = dict.fromkeys(parts.COLUMN_READERS, _LITERAL)
    known |= dict.fromkeys(("required", "nullable", "unique"), _FLAG)
    known |= dict.fromkeys(("isin", "notin", "unique_values_eq"), _TEXTS)
    return known | {"in_range": between, "between": between, "str_length": {"anyOf": [_WHOLE, length]}}


def _engagement() -> Schema:
    kind = {"anyOf": [_one(TYPES), _ref("made")]}
    known = {"type": kind, "timestamp": _ref("value"), "ownerId": _ref("value"), "active": _ref("value")}
    return _map(known, ("type", "timestamp"))


def _metadata_of(kind: EngagementType) -> Schema:
    """Where the type is a constant, its fields stand directly under `metadata`."""
    says = {"properties": {"type": {"const": kind}}, "required": ["type"]}
    return {
        "if": {"properties": {"engagement": says}, "required": ["engagement"]},
        "then": {"properties": {"metadata": _ref(f"fields/{kind}")}},
    }


def _fields(kind: EngagementType) -> Schema:
    return _map({name: _field(field) for name, field in FIELDS[kind].items()})


def _field(field: Field) -> Schema:
    if field.kind == "address" or field.kind in _LIST_KINDS:
        return _ref("value")
    constants: dict[str, Schema] = {
        "choice": _one(field.choices), "int": {"type": "integer"}, "time": {"type": "integer"}, "duration": _WHOLE,
        "bool": _FLAG, "url": {"type": "string", "pattern": "^https?://"},
        "guid": {"type": "string", "pattern": "^[0-9a-fA-F]{8}-"},
    }  # fmt: skip
    return {"anyOf": [constants.get(field.kind, _ref("scalar")), {"type": "null"}, _ref("made")]}


def _link(kind: str) -> Schema:
    way = {"by": _one(links.WAYS[kind]), "value": _ref("value"), "table": _LITERAL}
    known = way | {
        "match": _list(_map(way, ("by",))),
        "not_found": _one(links.NOT_FOUND if kind == "contacts" else links.NOT_FOUND[:-1]),
        "ambiguous": _one(links.AMBIGUOUS), "park_for": {"type": "string", "pattern": "^[1-9][0-9]{0,3}[hdw]$"},
        "create": _each(_ref("value")), "max": {"type": "integer", "minimum": 1},
    }  # fmt: skip
    return _map(known)


def _value() -> Schema:
    return {
        "description": "A constant, `$Column`, a template, or one of the forms from, cases, first, each, hash.",
        "anyOf": [_ref("scalar"), {"type": "array", "items": _ref("value")}, _address(), _ref("made")],
    }


def _address() -> Schema:
    return {**_map(dict.fromkeys(ADDRESS_FIELDS, _ref("value"))), "minProperties": 1}


def _forms() -> list[Schema]:
    """A value that is made: a reference or template, and the forms."""
    case = {"anyOf": [_map({"when": _ref("condition"), "then": _ref("value")}, ("when", "then")),
                      _map({"else": _ref("value")}, ("else",))]}  # fmt: skip
    return [
        _SPELLED, _ref("steps"), _map({"cases": _list(case)}, ("cases",)), _map({"first": _list(_ref("value"))}, ("first",)),
        _map({"each": _ref("value"), "give": _ref("value")}, ("each", "give")), _map({"hash": _list(_ref("value"))}, ("hash",)),
    ]  # fmt: skip


def _from() -> Schema:
    known: dict[str, Schema] = {
        "trim": _FLAG, "extract": {"type": "string", "format": "regex"}, "split": {"type": "string", "minLength": 1},
        "as": _one(steps.AS), "format": {"type": "string", "examples": [*formats.TIME_WORDS, *formats.DURATIONS]},
        "formats": _list({"type": "string"}), "timezone": {"type": "string"}, "at": {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"},
        "gap": _one(("reject", "shift")), "fold": _one(("first", "last", "reject")), "region": _region(),
        "invalid": _one(("keep", "null", "reject")), "part": _one(("first", "last")), "map": _each(_ref("scalar")),
        "else": _ref("scalar"), "lookup": {"type": "string", "examples": list(tables.DIRECTORIES)},
        "not_found": _one(("reject", "unassigned", "empty")), "default": _ref("scalar"), "max_length": {"type": "integer", "minimum": 1},
    }  # fmt: skip
    found = {"from": _ref("value"), **_keyed(steps.STEPS, known)}
    return {**_map(found, ("from",)), "dependentRequired": {"else": ["map"], "not_found": ["lookup"]}}


def _condition() -> Schema:
    several = _list(_ref("condition"))
    numbers = {operator: {"type": "number"} for operator in ("gt", "ge", "lt", "le")}
    operands = dict.fromkeys(OPERATORS, _LITERAL) | numbers | {"in": _TEXTS, "not_in": _TEXTS, "empty": _FLAG}
    return {
        "type": "object", "minProperties": 1,
        "properties": {"any": several, "all": several, "not": _ref("condition"), "expr": {"type": "string"}},
        "additionalProperties": {"anyOf": [_LITERAL, _TEXTS, {**_map(operands), "minProperties": 1}]},
    }  # fmt: skip


def _expect() -> Schema:
    return {"type": "object", "propertyNames": {"pattern": f"^({'|'.join(parts.EXPECTED)})(\\.|$)"}}


def _region() -> Schema:
    return {"type": "string", "pattern": "^[A-Z]{2}$"}


def _named(words: str) -> Schema:
    return {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$", "description": words}


def _words(model: Any, field: str) -> tuple[str, ...]:
    from typing import get_args

    return get_args(model.model_fields[field].annotation)


def _keyed(keys: Iterable[str], known: Mapping[str, Schema]) -> dict[str, Schema]:
    """The schema of each key that the reader knows; a key that has none is a fault of this module."""
    return {key: known[key] for key in keys}


def _map(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _each(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema, "minItems": 1}


def _one(words: Iterable[str]) -> Schema:
    return {"enum": list(words)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
