"""Values: trees that stand where a payload field takes something."""

from __future__ import annotations

from collections.abc import Callable

from etl.engagement import ADDRESS_FIELDS
from etl.mapping.condition import condition
from etl.mapping.model import (
    Cases,
    Condition,
    Constant,
    Each,
    First,
    From,
    Hash,
    Item,
    List,
    Object,
    Ref,
    Template,
    Value,
)
from etl.mapping.shape import Wrong, expected, items, members, nearest, note
from etl.mapping.steps import STEPS, read_from
from etl.mapping.template import is_template, template_names
from etl.mapping.tree import Items, Pairs, Scalar, Tree

_NOTHING = Constant(value=None)


def value(node: Tree, wrong: Wrong) -> Value:
    """A value in any of its forms."""
    if isinstance(node, Scalar):
        return _scalar(node, wrong)
    if isinstance(node, Items):
        return List(place=node.place, items=tuple(value(each, wrong) for each in node.items))
    form = next((each for each in _FORMS if each in node.keys), "")
    return _FORMS[form](node, wrong) if form else _object(node, wrong)


def values(node: Tree, wrong: Wrong) -> tuple[Value, ...]:
    """One value, or a list of several."""
    return _several(node, wrong) if isinstance(node, Items) else (value(node, wrong),)


def _several(node: Tree, wrong: Wrong) -> tuple[Value, ...]:
    return items(node, value, wrong, what="of values")


def _scalar(node: Scalar, wrong: Wrong) -> Value:
    if node.missing:
        expected(node, "a value", wrong)
        return _NOTHING
    if is_template(node.text):
        return _template(node, wrong)
    if node.text.startswith("$$"):
        return Constant(place=node.place, value=node.text[1:])
    if node.text.startswith("$"):
        return _reference(node, wrong)
    return Constant(place=node.place, value=node.value)


def _reference(node: Scalar, wrong: Wrong) -> Value:
    name = node.text[1:]
    if name == "item":
        return Item(place=node.place)
    if not name.strip():
        hint = "`$Column` names a column, `$$` is a literal dollar"
        note(wrong, node, "bad_value", "`$` without a name", hint)
    return Ref(place=node.place, name=name)


def _template(node: Scalar, wrong: Wrong) -> Template:
    try:
        template_names(node.text)
    except ValueError as error:
        note(wrong, node, "bad_template", f"the template cannot be used: {error}")
    return Template(place=node.place, text=node.text)


def _cases(node: Pairs, wrong: Wrong) -> Cases:
    got = members(node, {"cases": _case_list}, wrong, what="`cases`")
    pairs, otherwise = got["cases"]
    return Cases(place=node.place, cases=pairs, otherwise=otherwise)


def _case_list(node: Tree, wrong: Wrong) -> tuple[tuple[tuple[Condition, Value], ...], Value | None]:
    pairs: list[tuple[Condition, Value]] = []
    otherwise: Value | None = None
    found = items(node, lambda each, _: each, wrong, what="of cases")
    for at, each in enumerate(found):
        if isinstance(each, Pairs) and "else" in each.keys:
            otherwise = members(each, {"else": value}, wrong, what="an `else` case")["else"]
            if at + 1 < len(found):
                note(wrong, each, "bad_value", "`else` must be the last case")
        elif isinstance(each, Pairs) and not {"when", "then"} & set(each.keys):
            hint = next(filter(None, (nearest(key, ("when", "then", "else")) for key in each.keys)), "")
            note(wrong, each, "missing_key", "a case has `when` and `then`, or `else`", hint)
        else:
            got = members(each, {"when": condition, "then": value}, wrong, what="a case", required=["when", "then"])
            if len(got) == 2:
                pairs.append((got["when"], got["then"]))
    return tuple(pairs), otherwise


def _from(node: Pairs, wrong: Wrong) -> From:
    return read_from(node, value, wrong)


def _each(node: Pairs, wrong: Wrong) -> Each:
    got = members(node, {"each": value, "give": value}, wrong, what="`each`", required=["give"])
    return Each(place=node.place, each=got["each"], give=got.get("give", _NOTHING))


def _first(node: Pairs, wrong: Wrong) -> First:
    return First(place=node.place, values=members(node, {"first": _several}, wrong, what="`first`")["first"])


def _hash(node: Pairs, wrong: Wrong) -> Hash:
    return Hash(place=node.place, values=members(node, {"hash": _several}, wrong, what="`hash`")["hash"])


#: The key that tells a form of a value -> its reader.
_FORMS: dict[str, Callable[[Pairs, Wrong], Value]] = {
    "from": _from,
    "cases": _cases,
    "first": _first,
    "each": _each,
    "hash": _hash,
}


def _object(node: Pairs, wrong: Wrong) -> Object:
    """An address, the only object that a payload holds; anything else is a form of a value gone wrong."""
    if not node.pairs:
        note(wrong, node, "wrong_type", "expected a value, found an empty map")
    for key in node.keys:
        if key in STEPS and not set(node.keys) & set(ADDRESS_FIELDS):
            note(wrong, node, "missing_key", f"`{key}` is a step, and `from` is missing beside it")
            break
    else:
        known = (*ADDRESS_FIELDS, *_FORMS)
        for name, _ in node.pairs:
            if name.text not in ADDRESS_FIELDS:
                hint = (
                    nearest(name.text, known)
                    or f"a value has one of {', '.join(_FORMS)}; an address {', '.join(ADDRESS_FIELDS)}"
                )
                note(wrong, name, "unknown_key", f"unknown key `{name.text}` in a value", hint)
    return Object(
        place=node.place,
        fields={key.text: value(each, wrong) for key, each in node.pairs if key.text in ADDRESS_FIELDS},
    )
