"""Templates by columns: rendered once for each distinct combination of the columns that a template reads.

A template of texts, ``{{ row['A'] }}`` and ``{% if row['A'] %}`` alone (most of them) is not rendered at all: it
becomes a join of columns. Empty cells are texts of no characters in a template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Column, text, to_text
from etl.columns.fragments import joined
from etl.mapping.model import Expr, Template
from etl.mapping.template import (
    compile_expression,
    compile_template,
    environment,
    expression_names,
    render,
    template_names,
)
from etl.transform.frame import Compiled, Frame

#: A part of a template as pieces of text, from the texts of the columns that it reads.
_Part: TypeAlias = Callable[[dict[str, Any]], Any]


def compile_text(template: Template, refer: Callable[[str], Compiled], label: str) -> Compiled:
    """The template as a function from a frame to a text column. A row for which it fails is refused."""
    names = template_names(template.text)
    columns = {name: refer(name) for name in names}
    plain = _as_join(template.text)
    if plain is not None:
        return lambda frame: text(_spread(plain({n: _words(c, frame) for n, c in columns.items()}), len(frame)))
    compiled = compile_template(template.text)

    def compute(frame: Frame) -> Column:
        return text(_each_combination(frame, columns, lambda row: render(compiled, row), label, pa.string()))

    return compute


def compile_condition(expr: Expr, refer: Callable[[str], Compiled]) -> Callable[[Frame], NDArray[np.bool_]]:
    """The expression as a function from a frame to a mask. A row for which it fails is refused."""
    columns = {name: refer(name) for name in expression_names(expr.text)}
    compiled = compile_expression(expr.text)

    def holds(frame: Frame) -> NDArray[np.bool_]:
        found = _each_combination(frame, columns, lambda row: bool(compiled(row=row)), "", pa.bool_())
        mask: NDArray[np.bool_] = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
        return mask

    return holds


def _words(column: Compiled, frame: Frame) -> Any:
    return pc.fill_null(to_text(column(frame)), "")


def _each_combination(
    frame: Frame, columns: dict[str, Compiled], render: Callable[[dict[str, str]], Any], label: str, type_: Any
) -> Any:
    """What `render` makes of each distinct combination, spread over the rows; null (and a problem) where it fails."""
    from jinja2 import TemplateError

    words = [_words(column, frame) for column in columns.values()]
    firsts, codes = _combinations(words, len(frame))
    distinct = [array.take(pa.array(firsts)).to_pylist() for array in words]
    made: list[Any] = []
    failed: dict[str, list[int]] = {}
    for place in range(len(firsts)):
        try:
            made.append(render(dict(zip(columns, (values[place] for values in distinct), strict=True))))
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
            made.append(None)
            failed.setdefault(f"the template failed: {error}", []).append(place)
    for message, places in failed.items():
        frame.refuse(np.isin(codes, places), "bad_template", label, None, message)
    return pa.array(made, type_).take(pa.array(codes))


def _combinations(words: Sequence[Any], rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first row of each distinct combination, and for each row which combination it is."""
    codes = np.zeros(rows, np.int64)
    firsts = np.zeros(min(rows, 1), np.int64)
    for array in words:
        coded = array.dictionary_encode()
        mixed = codes * len(coded.dictionary) + coded.indices.to_numpy(zero_copy_only=False)
        _, firsts, codes = np.unique(mixed, return_index=True, return_inverse=True)
    return firsts, codes


def _as_join(source: str) -> _Part | None:
    """The template as a join of columns, or None where it does more than put texts together."""
    return _body(environment().parse(source).body)


def _body(nodes: Sequence[Any]) -> _Part | None:
    parts = [_node(node) for node in nodes]
    if any(part is None for part in parts):
        return None
    return lambda words: _joined([part(words) for part in parts if part is not None])


def _node(node: Any) -> _Part | None:
    kind = type(node).__name__
    if kind == "TemplateData":
        data = node.data
        return lambda _: data
    if kind == "Output":
        return _body(node.nodes)
    if kind == "Getitem" and getattr(node.node, "name", "") == "row":
        name = str(node.arg.as_const())
        return lambda words: words[name]
    if kind == "If" and not node.elif_:
        return _choice(_node(node.test) if type(node.test).__name__ == "Getitem" else None, node)
    return None


def _choice(test: _Part | None, node: Any) -> _Part | None:
    then, otherwise = _body(node.body), _body(node.else_)
    if test is None or then is None or otherwise is None:
        return None
    return lambda words: pc.if_else(pc.not_equal(test(words), ""), then(words), otherwise(words))


def _joined(pieces: list[Any]) -> Any:
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces)
    return joined(*pieces)


def _spread(made: Any, rows: int) -> Any:
    return pa.repeat(pa.scalar(made), rows) if isinstance(made, str) else made
