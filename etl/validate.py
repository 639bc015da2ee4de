"""Rows to good rows: the mapping's `columns:` as pandera's checks, every reason of every failing row.

Apart from `transform`, because this is the contract on the file as it comes: cells are judged as they were read, before
anything is trimmed or converted. pandera lives in this module alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import as_mask
from etl.columns.numbers import parse_numbers
from etl.columns.patterns import RE2_HINT, Pattern, trouble
from etl.columns.rows import arrow_columns, keep, rejects_of
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
#: Distinct cells of a chunk up to which a verdict is remembered for the next.
_FEW = 1_000
#: Other names of the same checks.
_LONG = {"eq": "equal_to", "ne": "not_equal_to", "gt": "greater_than", "ge": "greater_than_or_equal_to",
         "lt": "less_than", "le": "less_than_or_equal_to", "between": "in_range"}  # fmt: skip
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "greater_than": pc.greater, "greater_than_or_equal_to": pc.greater_equal,
    "less_than": pc.less, "less_than_or_equal_to": pc.less_equal,
}  # fmt: skip


#: Which cells of a string array keep a rule; what it says of an empty cell does not count.
Judge = Callable[[Any], Any]


class _Column(NamedTuple):
    """The contract of one column."""

    nullable: bool
    checks: tuple[tuple[str, Judge], ...]  #: each with what it expects, in words


@dataclass(frozen=True, slots=True)
class Contract:
    """The compiled `columns:` of a mapping."""

    columns: Mapping[str, _Column]  #: those that a chunk is judged by
    required: tuple[str, ...]  #: columns that the file must have


def compile_contract(mapping: Rulebook) -> Contract:
    """The mapping's `columns:`, compiled. Raises `MappingError` for a check that cannot work.

    `unique` is not in it: it is judged over the whole input, see `unique_columns`.
    """
    columns = {}
    for name, rule in mapping.columns.items():
        if rule.checks or not rule.nullable:
            checks = [(_LONG.get(check, check), argument) for check, argument in rule.checks.items()]
            judged = tuple((_words(check, argument), _judge(check, argument, rule)) for check, argument in checks)
            columns[name] = _Column(rule.nullable, judged)
    return Contract(columns, tuple(name for name, rule in mapping.columns.items() if rule.required))


def warm_up() -> None:
    """Lets pandera do what it does at its first use, a fifth of a second."""
    _by_pandera(pandera.Check.isin(["x"]))(pa.array(["x"]))


def unique_columns(mapping: Rulebook) -> tuple[str, ...]:
    """The columns whose values may stand in one row of the input only."""
    return tuple(name for name, rule in mapping.columns.items() if rule.unique)


def validate(chunk: Chunk, contract: Contract) -> tuple[Chunk, list[Reject]]:
    """The rows that keep the contract, and one reject with every reason for each other row.

    Values are judged as read, white space and all. Raises `ContentError` where a required column is not in the file.
    """
    columns = arrow_columns(chunk.rows)
    missing = [name for name in contract.required if name not in columns]
    if missing:
        have = ", ".join(columns)
        message = f"{chunk.source}: no column {', '.join(f'`{name}`' for name in missing)}"
        raise ContentError(message, hint=f"The file has: {have}.", code="missing_column")
    problems = _problems(columns, contract)
    if not problems:
        return chunk, []
    good = np.ones(len(chunk.lines), np.bool_)
    good[list(problems)] = False
    return keep(chunk, good), rejects_of(chunk, problems)


def _judge(name: str, argument: Any, rule: ColumnRule) -> Judge:
    """One check: pandera's own, but for patterns, and for bounds that are numbers: cells are text."""
    if name in _ORDER and not isinstance(argument, str):
        return lambda cells: _ORDER[name](parse_numbers(cells), argument)
    if name == "in_range" and not isinstance(argument["min_value"], str):
        return lambda cells: _inside(parse_numbers(cells), **argument)
    if name in ("str_matches", "str_contains"):  # pandas would leave some patterns to an engine that can hang
        found = _pattern(argument, rule)
        return found.begins if name == "str_matches" else found.found
    if name == "unique_values_eq":  # over a chunk it would ask for every value in every chunk
        name = "isin"
    make: Callable[..., pandera.Check] = getattr(pandera.Check, name)
    return _by_pandera(make(**argument) if isinstance(argument, Mapping) else make(argument))


def _by_pandera(check: pandera.Check) -> Judge:
    """The check, asked about each distinct cell once: one call takes pandera a millisecond, whatever it is about."""
    known: dict[str, bool] = {}

    def judge(cells: Any) -> Any:
        coded = cells.dictionary_encode()
        if len(coded.dictionary) > _FEW:
            return pa.array(_verdicts(check, coded.dictionary)).take(coded.indices)
        words = coded.dictionary.to_pylist()
        if fresh := [word for word in words if word not in known]:
            if len(known) > _FEW:
                known.clear()
                fresh = words
            known.update(zip(fresh, _verdicts(check, pa.array(fresh, pa.string())).tolist(), strict=True))
        return pa.array([known[word] for word in words], pa.bool_()).take(coded.indices)

    return judge


def _verdicts(check: pandera.Check, cells: Any) -> NDArray[np.bool_]:
    with _left_out("hypothesis"):  # the first call imports more
        found = check(pd.Series(pd.arrays.ArrowExtensionArray(cells))).check_output
    verdicts: NDArray[np.bool_] = found.to_numpy(np.bool_)
    return verdicts


def _inside(
    numbers: Any, min_value: float, max_value: float, *, include_min: bool = True, include_max: bool = True
) -> Any:
    lower = (pc.greater_equal if include_min else pc.greater)(numbers, min_value)
    return pc.and_(lower, (pc.less_equal if include_max else pc.less)(numbers, max_value))


def _pattern(text: str, rule: ColumnRule) -> Pattern:
    if said := trouble(text):
        message = f"`{text}` is no regular expression of RE2: {said}"
        raise MappingError([Mistake(rule.place, "bad_regex", message, RE2_HINT)])
    return Pattern(text)


def _problems(columns: Mapping[str, Any], contract: Contract) -> dict[int, tuple[Problem, ...]]:
    """The problems of each failing row, rows ascending, in the order of the contract within a row."""
    found: dict[int, list[Problem]] = {}
    for name, (nullable, checks) in contract.columns.items():
        cells = columns.get(name)
        if cells is None:
            continue
        filled = as_mask(cells.is_valid())
        if not nullable:
            for row in np.flatnonzero(~filled).tolist():
                found.setdefault(row, []).append(Problem("required", name, "", "expected a value"))
        for words, judge in checks:
            failing = np.flatnonzero(filled & ~_judged(judge, cells))
            for row, value in zip(failing.tolist(), cells.take(pa.array(failing)).to_pylist(), strict=True):
                problem = Problem("check_failed", name, str(value)[:SHOWN], f"expected {words}")
                found.setdefault(row, []).append(problem)
    return {row: tuple(found[row]) for row in sorted(found)}


def _judged(judge: Judge, cells: Any) -> NDArray[np.bool_]:
    """Which cells keep the rule; one that is no number keeps no bound."""
    try:
        return as_mask(judge(cells))
    except Exception as e:
        raise ContentError(f"the contract of `columns` cannot be judged: {e}", code="contract_failed") from e


def _words(name: str, argument: Any) -> str:
    """What a check expects, in words: ``isin: Inbound, Outbound``."""
    if isinstance(argument, Mapping):
        shown = ", ".join(f"{key} {value}" for key, value in argument.items())
    else:
        shown = ", ".join(map(str, argument)) if isinstance(argument, list | tuple) else str(argument)
    return f"{name}: {shown}"
