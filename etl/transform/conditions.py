"""Conditions as masks: which rows of a frame a `when` holds for.

Text operators see an empty cell as a text of no characters. The ordering ones read the cell as a number: an empty
cell is none and simply does not hold, anything else that is none rejects its row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Column, as_mask, flat, lost, to_text
from etl.columns.numbers import parse_numbers
from etl.mapping.model import All, Any_, Condition, Expr, Not, Test
from etl.transform.frame import Compiled, Frame
from etl.transform.patterns import pattern
from etl.transform.templates import compile_condition

Mask: TypeAlias = NDArray[np.bool_]
Holds: TypeAlias = Callable[[Frame], Mask]

_ORDER: dict[str, Any] = {"gt": pc.greater, "ge": pc.greater_equal, "lt": pc.less, "le": pc.less_equal}


def compile_when(condition: Condition, refer: Callable[[str], Compiled]) -> Holds:
    """The condition as a function from a frame to a mask; `refer` compiles a name to its column."""
    if isinstance(condition, Test):
        return _test(condition, refer(condition.name))
    if isinstance(condition, All):
        return _every([compile_when(each, refer) for each in condition.conditions])
    if isinstance(condition, Any_):
        return _some([compile_when(each, refer) for each in condition.conditions])
    if isinstance(condition, Not):
        inner = compile_when(condition.condition, refer)
        return lambda frame: ~inner(frame)
    assert isinstance(condition, Expr)
    return compile_condition(condition, refer)


def _every(conditions: list[Holds]) -> Holds:
    def holds(frame: Frame) -> Mask:
        mask = np.ones(len(frame), np.bool_)
        for each in conditions:  # each is asked only where the ones before it hold, so a bad number elsewhere is none
            places, part = frame.part(mask)
            mask[places] = each(part)
        return mask

    return holds


def _some(conditions: list[Holds]) -> Holds:
    def holds(frame: Frame) -> Mask:
        mask = np.zeros(len(frame), np.bool_)
        for each in conditions:
            places, part = frame.part(~mask)
            mask[places] = each(part)
        return mask

    return holds


def _test(test: Test, column: Compiled) -> Holds:
    if test.operator in _ORDER:
        return _ordered(test, column)
    if test.operator == "empty":
        wanted = bool(test.operand)
        return lambda frame: column(frame).empty == wanted
    judge = _text_test(test)

    def holds(frame: Frame) -> Mask:
        return _any_element(column(frame), judge)

    return (lambda frame: ~holds(frame)) if test.operator in ("ne", "not_in") else holds


def _text_test(test: Test) -> Callable[[Any], Any]:
    """The positive form of a text operator, over a string array without nulls."""
    operand = test.operand
    if test.operator in ("eq", "ne", "in", "not_in"):
        texts = [str(each) for each in operand] if isinstance(operand, tuple) else [_as_text(operand)]
        if len(texts) == 1:
            return lambda values: pc.equal(values, texts[0])
        known = pa.array(texts, pa.string())
        return lambda values: pc.is_in(values, known)
    text = _as_text(operand)
    if test.operator == "matches":
        return pattern(text, test.place).found
    kernel = {"contains": pc.match_substring, "starts": pc.starts_with, "ends": pc.ends_with}[test.operator]
    return lambda values: kernel(values, text)


def _as_text(operand: Any) -> str:
    if isinstance(operand, bool):
        return str(operand).lower()
    return str(int(operand)) if isinstance(operand, float) and operand.is_integer() else str(operand)


def _any_element(column: Column, judge: Callable[[Any], Any]) -> Mask:
    """Where the test holds; for a list, where it holds for one of its elements."""
    if column.kind != "texts":
        return as_mask(judge(pc.fill_null(to_text(column), "")))
    values, owners = flat(column.array)
    mask = np.zeros(len(column.array), np.bool_)
    mask[owners[as_mask(judge(values))]] = True
    return mask


def _ordered(test: Test, column: Compiled) -> Holds:
    kernel, bound = _ORDER[test.operator], float(test.operand)  # type: ignore[arg-type]  # the parser made it a number

    def holds(frame: Frame) -> Mask:
        found = column(frame)
        texts = to_text(found)
        numbers = found.array if found.kind in ("int", "number") else parse_numbers(texts)
        odd = lost(numbers, texts)
        frame.refuse(
            odd, "bad_condition", test.name, texts, f"expected a number, for `{test.operator}: {test.operand}`"
        )
        return as_mask(kernel(numbers, bound))

    return holds
