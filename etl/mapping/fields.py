"""The parts `engagement`, `metadata` and `properties`, judged against the payload's fields and their allowed values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from etl.engagement import FIELDS, TYPES, EngagementType, Field
from etl.mapping.model import Cases, Constant, Each, EngagementPart, First, From, List, Object, Value
from etl.mapping.shape import Wrong, entries, expected, members, nearest, note, shown
from etl.mapping.tree import Items, Pairs, Tree
from etl.mapping.value import value

Blocks = dict[EngagementType, dict[str, Value]]

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: What a constant of each kind of field must be, and how that is said.
_CONSTANTS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "time": ((int,), "milliseconds since 1970 (UTC)"),
    "duration": ((int,), "milliseconds"),
    "bool": ((bool,), "true or false"),
}
_LISTS = ("addresses", "times", "ids")


def engagement(node: Tree, wrong: Wrong) -> EngagementPart:
    """Type, time, owner and activity of the engagement."""
    readers = {"type": value, "timestamp": value, "ownerId": value, "active": value}
    got = members(node, readers, wrong, what="`engagement`", required=["type", "timestamp"])
    for each in ends(got["type"]) if "type" in got else ():
        if isinstance(each, Constant) and each.value not in TYPES:
            message = f"expected one of {', '.join(TYPES)}; found `{shown(str(each.value))}`"
            note(wrong, each, "bad_value", message, nearest(str(each.value), TYPES))
    for name, field in (("timestamp", Field("time")), ("active", Field("bool"))):
        if name in got:
            _judge(got[name], field, f"engagement.{name}", node, wrong)
    for each in ends(got["ownerId"]) if "ownerId" in got else ():
        if isinstance(each, Constant) and not re.fullmatch(r"[0-9]+", str(each.value)):
            hint = "an e-mail is looked up: `{from: $Agent, lookup: owner}`"
            note(wrong, each, "bad_value", f"an owner's id is digits, found `{shown(str(each.value))}`", hint)
    nothing = Constant(value=None)
    return EngagementPart(place=node.place, **{"type": nothing, "timestamp": nothing, **got})


def metadata(node: Tree | None, kind: Value, *, attached: bool, at: Tree, wrong: Wrong) -> Blocks:
    """The fields, one block per type; `kind` is `engagement.type`, `at` where to complain if there is no `metadata`.

    With a constant type the fields stand directly under `metadata`; otherwise one block per type does.
    """
    if isinstance(kind, Constant):
        if kind.value not in TYPES:  # complained about already
            return {}
        only: EngagementType = kind.value
        if node is None and not (attached and only == "NOTE"):
            note(wrong, at, "missing_key", "`metadata` is missing: the fields of the engagement")
        return {only: _block(node, only, attached=attached, wrong=wrong) if node is not None else {}}
    if node is None:
        note(wrong, at, "missing_key", "`metadata` is missing: a block of fields for each type")
        return {}
    return _blocks(node, kind, attached=attached, wrong=wrong)


def properties(node: Tree, wrong: Wrong) -> dict[str, Value]:
    """Extra properties by their own names."""
    return entries(node, value, wrong, what="`properties`")


def ends(found: Value) -> Iterator[Value]:
    """The values that a value can turn out to be: the branches of `cases` and `first`, else itself."""
    if isinstance(found, Cases):
        for _, then in found.cases:
            yield from ends(then)
        if found.otherwise is not None:
            yield from ends(found.otherwise)
    elif isinstance(found, First):
        for each in found.values:
            yield from ends(each)
    else:
        yield found


def _blocks(node: Tree, kind: Value, *, attached: bool, wrong: Wrong) -> Blocks:
    if not isinstance(node, Pairs):
        expected(node, "a map with a block of fields for each type", wrong)
        return {}
    blocks: Blocks = {}
    for key, under in node.pairs:
        if key.text in TYPES:
            blocks[key.text] = _block(under, key.text, attached=attached, wrong=wrong)
        else:
            hint = nearest(key.text, TYPES) or f"`type` is decided per row: a block for each of {', '.join(TYPES)}"
            note(wrong, key, "unknown_key", f"`{key.text}` is no engagement type", hint)
    given = {each.value: each for each in ends(kind) if isinstance(each, Constant) and each.value in TYPES}
    for name, at in given.items():
        if name not in blocks and name not in node.keys:
            message = f"rows can become {name}, and `metadata` has no block for it"
            note(wrong, at, "missing_key", message, f"add `{name}:` under `metadata`")
    return blocks


def _block(node: Tree, kind: EngagementType, *, attached: bool, wrong: Wrong) -> dict[str, Value]:
    """The fields of one type."""
    if not isinstance(node, Pairs):
        expected(node, f"a map of the fields of {kind}", wrong)
        return {}
    fields: dict[str, Value] = {}
    for key, under in node.pairs:
        field = FIELDS[kind].get(key.text)
        if field is None:
            message = f"{kind} has no field `{key.text}`"
            note(wrong, key, "unknown_field", message, _field_hint(key.text, kind))
            continue
        before = len(wrong)
        fields[key.text] = value(under, wrong)
        if len(wrong) == before:
            _judge(fields[key.text], field, key.text, under, wrong)
    for name, field in FIELDS[kind].items():
        if field.required and name not in node.keys and not (kind == "NOTE" and attached):
            note(wrong, node, "missing_key", f"{kind} needs `{name}`")
    return fields


def _field_hint(name: str, kind: EngagementType) -> str:
    close = nearest(name, FIELDS[kind])
    others = [other for other in TYPES if name in FIELDS[other]]
    if close or not others:
        return close or f"it has {', '.join(FIELDS[kind])}"
    return f"a field of {', '.join(others)}"


def _judge(found: Value, field: Field, name: str, node: Tree, wrong: Wrong) -> None:
    """Whether a field can take a value, as far as the mapping tells without any row; `node` is where it stands."""
    for each in ends(found):
        if isinstance(each, Constant):
            _judge_constant(each, field, name, wrong)
        elif isinstance(each, From) and each.as_ != "json":
            for result in _results(each, node):
                _judge_constant(result, field, name, wrong)
        _judge_form(each, field, name, wrong)


def _judge_form(found: Value, field: Field, name: str, wrong: Wrong) -> None:
    """Lists go where lists go, addresses where addresses go."""
    json = isinstance(found, From) and found.as_ == "json"
    if field.kind == "address" and not json and not isinstance(found, Object):
        _refuse(found, name, "an address", "write `{email: ...}`", wrong)
    elif field.kind in _LISTS and isinstance(found, Object):
        _refuse(found, name, "a list", "write `[...]` or `{each: ..., give: ...}`", wrong)
    elif (field.kind not in _LISTS and _is_list(found)) or (
        field.kind not in ("address", *_LISTS) and isinstance(found, Object)
    ):
        _refuse(found, name, "one value", "", wrong)
    elif field.kind == "addresses" and not json:
        for each in _elements(found):
            if not isinstance(each, Object):
                _refuse(each, name, "addresses", "write `{each: ..., give: {email: $item}}`", wrong)


def _is_list(found: Value) -> bool:
    return isinstance(found, List | Each) or (
        isinstance(found, From) and (found.split is not None or found.as_ == "emails")
    )


def _elements(found: Value) -> tuple[Value, ...]:
    if isinstance(found, List):
        return found.items
    return (found.give,) if isinstance(found, Each) else (found,)


def _refuse(found: Value, name: str, wanted: str, hint: str, wrong: Wrong) -> None:
    forms = {
        "Constant": "a constant",
        "Ref": f"`${getattr(found, 'name', '')}`",
        "From": "a list" if _is_list(found) else "one value with steps",
    }
    kind = type(found).__name__
    what = forms.get(kind, f"a value of the form `{kind.lower()}`")
    note(wrong, found, "wrong_type", f"`{name}` takes {wanted}, found {what}", hint)


def _results(found: From, node: Tree) -> Iterator[Constant]:
    """The constants that `map`, `else` and `default` give in the end: with a look-up, only that of `default`."""
    if found.default is not None:
        yield found.default
    if found.lookup is not None:
        return
    if found.otherwise is not None:
        yield found.otherwise
    steps = next((each for each in _maps(node) if each.place == found.place), None)
    entries_at = steps.get("map") if steps else None
    for key, under in entries_at.pairs if isinstance(entries_at, Pairs) else ():
        yield Constant(place=under.place, value=(found.map or {}).get(key.text))


def _maps(node: Tree) -> Iterator[Pairs]:
    if isinstance(node, Pairs):
        yield node
        for _, each in node.pairs:
            yield from _maps(each)
    elif isinstance(node, Items):
        for each in node.items:
            yield from _maps(each)


def _judge_constant(found: Constant, field: Field, name: str, wrong: Wrong) -> None:
    constant = found.value
    if constant is None:
        return
    if field.kind == "choice" and constant not in field.choices:
        message = f"`{name}` is one of {', '.join(field.choices)}; found `{shown(str(constant))}`"
        note(wrong, found, "bad_value", message, nearest(str(constant), field.choices))
    elif field.kind == "guid" and not _GUID.fullmatch(str(constant)):
        hint = f"a label is looked up: `{{from: {shown(str(constant))}, lookup: disposition}}`"
        note(wrong, found, "bad_value", f"`{name}` is a GUID, found `{shown(str(constant))}`", hint)
    elif field.kind == "url" and not re.match(r"https?://", str(constant)):
        message = f"`{name}` is a web address, found `{shown(str(constant))}`"
        note(wrong, found, "bad_value", message, "it begins with https://")
    elif field.kind in _CONSTANTS:
        kinds, words = _CONSTANTS[field.kind]
        fits = isinstance(constant, kinds) and (bool in kinds or not isinstance(constant, bool))
        if not fits or (field.kind == "duration" and int(constant) < 0):
            note(wrong, found, "wrong_type", f"`{name}` takes {words}, found `{shown(str(constant))}`")
    elif field.kind in _LISTS:
        note(wrong, found, "wrong_type", f"`{name}` takes a list, found `{shown(str(constant))}`")
