"""Rows to good rows: the mapping's `columns:` as one pandera schema, every reason of every failing row.

Apart from `transform`, because this is the contract on the file as it comes: cells are judged as they were read, before
anything is trimmed or converted. pandera lives in this module alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.numbers import parse_numbers
from etl.columns.patterns import RE2_HINT, Pattern, trouble
from etl.columns.rows import keep, rejects_of
from etl.errors import ContentError, MappingError, Mistake
from etl.flow import Chunk, Problem, Reject
from etl.mapping import Mapping as Rulebook
from etl.mapping.model import ColumnRule


@contextmanager
def _left_out(module: str) -> Iterator[None]:
    """Imports within go without that module, as if it were not installed."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


with _left_out("hypothesis"):  # pandera would load it to make up data: a fifth of what this program takes to start
    import pandera.pandas as pandera

#: The longest part of a cell that a problem repeats, in characters.
SHOWN = 200
#: Other names of the same checks.
_LONG = {"eq": "equal_to", "ne": "not_equal_to", "gt": "greater_than", "ge": "greater_than_or_equal_to",
         "lt": "less_than", "le": "less_than_or_equal_to", "between": "in_range"}  # fmt: skip
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "greater_than": pc.greater, "greater_than_or_equal_to": pc.greater_equal,
    "less_than": pc.less, "less_than_or_equal_to": pc.less_equal,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contract:
    """The compiled `columns:` of a mapping."""

    schema: pandera.DataFrameSchema
    columns: tuple[str, ...]  #: the columns with a rule that a chunk is judged by
    required: tuple[str, ...]  #: columns that the file must have
    expected: Mapping[str, tuple[str, ...]]  #: column -> what each of its checks expects, in words


def compile_contract(mapping: Rulebook) -> Contract:
    """The mapping's `columns:` as one pandera schema. Raises `MappingError` for a check that cannot work.

    `unique` is not in it: it is judged over the whole input, see `unique_columns`.
    """
    columns, expected = {}, {}
    for name, rule in mapping.columns.items():
        checks = {_LONG.get(check, check): argument for check, argument in rule.checks.items()}
        columns[name] = pandera.Column(
            None,  # a declared dtype would give one failure for the whole chunk instead of one for each row
            [_check(check, argument, rule) for check, argument in checks.items()],
            nullable=rule.nullable,
            required=False,  # `validate` says it in its own words
        )
        expected[name] = tuple(_words(check, argument) for check, argument in checks.items())
    judged = tuple(name for name, rule in mapping.columns.items() if rule.checks or not rule.nullable)
    required = tuple(name for name, rule in mapping.columns.items() if rule.required)
    return Contract(pandera.DataFrameSchema({name: columns[name] for name in judged}), judged, required, expected)


def warm_up() -> None:
    """Lets pandera do what it does at its first use, a fifth of a second."""
    pandera.DataFrameSchema({"a": pandera.Column(None, pandera.Check.isin(["x"]))}).validate(pd.DataFrame({"a": ["x"]}))


def unique_columns(mapping: Rulebook) -> tuple[str, ...]:
    """The columns whose values may stand in one row of the input only."""
    return tuple(name for name, rule in mapping.columns.items() if rule.unique)


def validate(chunk: Chunk, contract: Contract) -> tuple[Chunk, list[Reject]]:
    """The rows that keep the contract, and one reject with every reason for each other row.

    Values are judged as read, white space and all. Raises `ContentError` where a required column is not in the file.
    """
    missing = [name for name in contract.required if name not in chunk.rows.columns]
    if missing:
        have = ", ".join(map(str, chunk.rows.columns))
        message = f"{chunk.source}: no column {', '.join(f'`{name}`' for name in missing)}"
        raise ContentError(message, hint=f"The file has: {have}.", code="missing_column")
    judged = [name for name in contract.columns if name in chunk.rows.columns]
    if not judged:
        return chunk, []
    problems = _problems(chunk.rows, judged, contract)
    if not problems:
        return chunk, []
    good = np.ones(len(chunk.lines), np.bool_)
    good[list(problems)] = False
    return keep(chunk, good), rejects_of(chunk, problems)


def _check(name: str, argument: Any, rule: ColumnRule) -> pandera.Check:
    """One of pandera's built-in checks; those that order read the cell as a number where the bound is one."""
    if name in _ORDER and not isinstance(argument, str):
        return pandera.Check(lambda cells: _as_bools(_ORDER[name](_numbers(cells), argument), cells), name=name)
    if name == "in_range" and not isinstance(argument["min_value"], str):
        return pandera.Check(lambda cells: _as_bools(_inside(_numbers(cells), **argument), cells), name=name)
    if name == "unique_values_eq":  # over a chunk it would ask for every value in every chunk
        name = "isin"
    if name in ("str_matches", "str_contains"):  # pandas would leave some patterns to an engine that can hang
        found = _pattern(argument, rule)
        judge = found.begins if name == "str_matches" else found.found
        return pandera.Check(lambda cells: _as_bools(judge(pa.array(cells, pa.string())), cells), name=name)
    if name in ("in_range", "str_length"):
        argument = dict(argument)
    make: Callable[..., pandera.Check] = getattr(pandera.Check, name)
    return make(**argument) if isinstance(argument, dict) else make(argument)


def _numbers(cells: pd.Series) -> Any:
    return parse_numbers(pa.array(cells, pa.string()))


def _inside(
    numbers: Any, min_value: float, max_value: float, *, include_min: bool = True, include_max: bool = True
) -> Any:
    lower = (pc.greater_equal if include_min else pc.greater)(numbers, min_value)
    return pc.and_(lower, (pc.less_equal if include_max else pc.less)(numbers, max_value))


def _as_bools(judged: Any, cells: pd.Series) -> pd.Series:
    """The verdicts beside their cells; a cell that is no number fails."""
    return pd.Series(pc.fill_null(judged, False).to_numpy(zero_copy_only=False), index=cells.index)


def _pattern(text: str, rule: ColumnRule) -> Pattern:
    if said := trouble(text):
        message = f"`{text}` is no regular expression of RE2: {said}"
        raise MappingError([Mistake(rule.place, "bad_regex", message, RE2_HINT)])
    return Pattern(text)


def _problems(rows: pd.DataFrame, judged: list[str], contract: Contract) -> dict[int, tuple[Problem, ...]]:
    """The problems of each failing row, rows ascending, in the order of the contract within a row.

    The schema's checks are asked one by one: `schema.validate` does the same, and then takes 7 ms for each check that
    failed in a chunk to lay out its failure cases, more than all checks together.
    """
    found: dict[int, list[Problem]] = {}
    for name in judged:
        cells, column = rows[name], contract.schema.columns[name]
        if not column.nullable:
            for row in np.flatnonzero(cells.isna()).tolist():
                found.setdefault(row, []).append(Problem("required", name, "", "expected a value"))
        for check, words in zip(column.checks, contract.expected[name], strict=True):
            for row, value in _failures(check, cells):
                problem = Problem("check_failed", name, str(value)[:SHOWN], f"expected {words}")
                found.setdefault(row, []).append(problem)
    return {row: tuple(found[row]) for row in sorted(found)}


def _failures(check: pandera.Check, cells: pd.Series) -> list[tuple[int, Any]]:
    """The rows that fail a check, each with its cell; an empty cell fails none."""
    try:
        result = check(cells)
    except Exception as e:
        raise ContentError(f"the contract of `columns` cannot be judged: {e}", code="contract_failed") from e
    return (
        [] if result.check_passed else list(zip(result.failure_cases.index.tolist(), result.failure_cases, strict=True))
    )


def _words(name: str, argument: Any) -> str:
    """What a check expects, in words: ``isin: Inbound, Outbound``."""
    if isinstance(argument, Mapping):
        shown = ", ".join(f"{key} {value}" for key, value in argument.items())
    else:
        shown = ", ".join(map(str, argument)) if isinstance(argument, list | tuple) else str(argument)
    return f"{name}: {shown}"
