"""`{from: ..., steps}`: the steps on a value, and the parameters that belong to each `as`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from etl.mapping import formats
from etl.mapping.model import As, Constant, From, Ref, Value
from etl.mapping.shape import (
    Read,
    Wrong,
    expected,
    filled_text,
    items,
    members,
    note,
    one_of,
    regex,
    scalar,
    truth,
    whole,
)
from etl.mapping.tree import Items, Pairs, Plain, Scalar, Tree

AS: tuple[As, ...] = get_args(As)

#: `as` -> the parameters that it takes.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "datetime": ("format", "formats", "timezone", "at", "gap", "fold"),
    "duration": ("format", "formats"),
    "phone": ("region", "invalid"),
    "name_part": ("part",),
}
#: Every step and parameter, in the order in which steps are applied.
STEPS = ("trim", "extract", "split", "as", "format", "formats", "timezone", "at", "gap", "fold", "region", "invalid",
         "part", "map", "else", "lookup", "not_found", "default", "max_length")  # fmt: skip
#: A step that means nothing without another.
_NEEDS = {"else": "map", "not_found": "lookup"}


def read_from(node: Pairs, value: Callable[[Tree, Wrong], Value], wrong: Wrong) -> From:
    """The value under `from` with its steps; `value` reads values and is passed in, since it calls this."""
    before = len(wrong)
    got = members(node, {"from": value, **_readers(value)}, wrong, what="a value with steps")
    if len(wrong) == before:
        _belongings(node, got, wrong)
        _formats(node, got, wrong)
    return From(
        place=node.place,
        source=got["from"],
        as_=got.get("as"),
        formats=got.get("formats", ()) or ((got["format"],) if "format" in got else ()),
        otherwise=got.get("else"),
        **{name: step for name, step in got.items() if name not in ("from", "as", "format", "formats", "else")},
    )


def _readers(value: Callable[[Tree, Wrong], Value]) -> Mapping[str, Read]:
    def constant(node: Tree, wrong: Wrong) -> Constant:
        found = value(node, wrong)
        if isinstance(found, Constant):
            return found
        hint = "`first` and `cases` take columns and templates; a leading dollar is written `$$`"
        note(wrong, node, "wrong_type", "expected a constant, found another value", hint)
        return Constant(value=None)

    return {**_STEP_READERS, "default": constant, "else": constant}


def _belongings(node: Pairs, got: Mapping[str, Any], wrong: Wrong) -> None:
    """Parameters must belong to the `as` beside them, and what it needs must be there."""
    kind = got.get("as")
    owners = {name: [each for each in PARAMETERS if name in PARAMETERS[each]] for name in got}
    for key, _ in node.pairs:
        belongs = owners.get(key.text)
        if belongs and kind not in belongs:
            words = " or ".join(f"`as: {each}`" for each in belongs)
            found = f"found `as: {kind}`" if kind else "found no `as`"
            note(wrong, key, "unknown_key", f"`{key.text}` belongs to {words}, {found}")
        if key.text in _NEEDS and _NEEDS[key.text] not in got:
            note(wrong, key, "unknown_key", f"`{key.text}` belongs to `{_NEEDS[key.text]}`, which is not here")
    needed = {"datetime": ("format", "formats"), "duration": ("format", "formats"), "name_part": ("part",)}.get(
        kind or "", ()
    )
    if needed and not any(name in got for name in needed):
        note(wrong, node, "missing_key", f"`as: {kind}` needs `{needed[0]}`")
    if "format" in got and "formats" in got:
        note(wrong, node, "bad_value", "`format` and `formats` exclude each other")


def _formats(node: Pairs, got: Mapping[str, Any], wrong: Wrong) -> None:
    check = {"datetime": formats.time_trouble, "duration": formats.duration_trouble}.get(got.get("as", ""))
    if check is None:
        return
    for name in ("format", "formats"):
        under = node.get(name)
        for each in under.items if isinstance(under, Items) else (under,):
            trouble = check(each.text) if isinstance(each, Scalar) else None
            if trouble and each is not None:
                note(wrong, each, "bad_format", *trouble)


def _extract(node: Tree, wrong: Wrong) -> str:
    from etl.columns.patterns import groups

    before = len(wrong)
    found = regex(node, wrong)
    if len(wrong) == before and not groups(found):
        hint = "put ( ) around the part to take"
        note(wrong, node, "bad_regex", "`extract` takes the first group, and there is none", hint)
    return found


def _separator(node: Tree, wrong: Wrong) -> str:
    if isinstance(node, Scalar) and node.text:
        return node.text
    expected(node, "a separator", wrong)
    return ";"


def _value_map(node: Tree, wrong: Wrong) -> dict[str, Plain]:
    """Texts to constants. The keys stay what they look like: `No`, `012`."""
    if not isinstance(node, Pairs) or not node.pairs:
        expected(node, "a map from texts to constants", wrong)
        return {}
    return {key.text: _mapped(each, wrong) for key, each in node.pairs}


def _mapped(node: Tree, wrong: Wrong) -> Plain:
    found = scalar(node, wrong)
    if isinstance(found, str) and found.startswith("$"):
        if not found.startswith("$$"):
            hint = "`cases` chooses between columns; a leading dollar is written `$$`"
            note(wrong, node, "bad_value", f"`map` gives constants, found `{found}`", hint)
        return found[1:]
    return found


def zone(node: Tree, wrong: Wrong) -> str:
    """The IANA name of a time zone."""
    found = filled_text(node, wrong)
    trouble = formats.zone_trouble(found) if found.strip() else None
    if trouble:
        note(wrong, node, "bad_value", *trouble)
    return found


def country(node: Tree, wrong: Wrong) -> str:
    """The two letters of a country or region."""
    found = filled_text(node, wrong)
    if found.strip() and found not in formats.REGIONS:
        hint = f"did you mean `{found.upper()}`?" if found.upper() in formats.REGIONS else "such as US, GB or DE"
        hint = "did you mean `GB`?" if found.upper() == "UK" else hint
        note(wrong, node, "bad_value", f"expected the two letters of a country, found `{found}`", hint)
    return found


def _zone_or_column(node: Tree, wrong: Wrong) -> str | Ref:
    if isinstance(node, Scalar) and node.text.startswith("$"):
        return Ref(place=node.place, name=node.text[1:])
    return zone(node, wrong)


def _clock(node: Tree, wrong: Wrong) -> str:
    found = filled_text(node, wrong)
    if found.strip() and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", found):
        note(wrong, node, "bad_value", f"expected a time as HH:MM, found `{found}`", 'such as "12:00"')
    return found


def _format_list(node: Tree, wrong: Wrong) -> tuple[str, ...]:
    return items(node, filled_text, wrong, what="of formats")


_STEP_READERS: dict[str, Read] = {
    "trim": truth,
    "extract": _extract,
    "split": _separator,
    "as": one_of(AS),
    "format": filled_text,
    "formats": _format_list,
    "timezone": _zone_or_column,
    "at": _clock,
    "gap": one_of(("reject", "shift")),
    "fold": one_of(("first", "last", "reject")),
    "region": country,
    "invalid": one_of(("keep", "null", "reject")),
    "part": one_of(("first", "last")),
    "map": _value_map,
    "lookup": filled_text,
    "not_found": one_of(("reject", "unassigned", "empty")),
    "max_length": whole(1),
}
