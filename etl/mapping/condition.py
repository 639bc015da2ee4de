"""Conditions: trees that say when a case or a skip holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from etl.mapping.model import All, Any_, Condition, Expr, Not, Operator, Test
from etl.mapping.shape import Wrong, expected, filled_text, items, nearest, note, number, regex, text, texts, truth
from etl.mapping.template import expression_names
from etl.mapping.tree import Items, Pairs, Scalar, Tree

OPERATORS: tuple[Operator, ...] = get_args(Operator)

#: operator -> the reader of what stands beside it.
_OPERANDS: dict[str, Callable[[Tree, Wrong], Any]] = {
    "eq": text, "ne": text, "in": texts, "not_in": texts,
    "gt": number, "ge": number, "lt": number, "le": number,
    "matches": regex, "contains": filled_text, "starts": filled_text, "ends": filled_text, "empty": truth,
}  # fmt: skip


def condition(node: Tree, wrong: Wrong) -> Condition:
    """A condition: a map whose members must all hold."""
    if not isinstance(node, Pairs):
        expected(node, "a condition, such as `{Result: Missed}`", wrong)
        return All(place=node.place, conditions=())
    if not node.pairs:
        note(wrong, node, "wrong_type", "expected a condition, found an empty map")
    parts = tuple(each for key, value in node.pairs for each in _part(key, value, wrong))
    return parts[0] if len(parts) == 1 else All(place=node.place, conditions=parts)


def _part(key: Scalar, value: Tree, wrong: Wrong) -> tuple[Condition, ...]:
    """What one key of a condition says: a combination, an expression, or tests of the column of that name."""
    if key.text in ("any", "all"):
        several = items(value, condition, wrong, what=f"the conditions of `{key.text}`")
        made: Condition = (
            Any_(place=key.place, conditions=several) if key.text == "any" else All(place=key.place, conditions=several)
        )
        return (made,)
    if key.text == "not":
        return (Not(place=key.place, condition=condition(value, wrong)),)
    if key.text == "expr":
        return (_expression(value, wrong),)
    return _tests(key, value, wrong)


def _expression(node: Tree, wrong: Wrong) -> Expr:
    found = filled_text(node, wrong)
    try:
        if found.strip():
            expression_names(found)
    except ValueError as error:
        hint = "an expression stands without braces" if "{{" in found else ""
        note(wrong, node, "bad_template", f"the expression cannot be used: {error}", hint)
    return Expr(place=node.place, text=found)


def _tests(key: Scalar, value: Tree, wrong: Wrong) -> tuple[Test, ...]:
    name = key.text
    if name.startswith("$") or not name.strip():
        hint = f"write `{name.lstrip('$')}`" if name.strip("$") else ""
        message = "names in conditions stand without `$`" if name.startswith("$") else "a condition on no column"
        note(wrong, key, "bad_value", message, hint)
    if isinstance(value, Scalar):
        if value.missing:
            note(wrong, value, "wrong_type", "expected a text, found nothing", "`{empty: true}` tests for empty")
        return (Test(place=key.place, name=name, operator="eq", operand=value.text),)
    if isinstance(value, Items):
        return (Test(place=key.place, name=name, operator="in", operand=texts(value, wrong)),)
    if not value.pairs:
        note(wrong, value, "wrong_type", "expected an operator, found an empty map")
    return tuple(each for op, operand in value.pairs for each in _operator(key, op, operand, wrong))


def _operator(key: Scalar, op: Scalar, operand: Tree, wrong: Wrong) -> tuple[Test, ...]:
    reader = _OPERANDS.get(op.text)
    if reader is None:
        hint = nearest(op.text, OPERATORS) or f"one of {' '.join(OPERATORS)}"
        note(wrong, op, "unknown_key", f"unknown operator `{op.text}`", hint)
        return ()
    name = next(each for each in OPERATORS if each == op.text)
    return (Test(place=key.place, name=key.text, operator=name, operand=reader(operand, wrong)),)
