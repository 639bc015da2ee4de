"""Templates and expressions of a mapping: which names they read.

A template knows one name, `row`, and only as ``row['name']`` with the name written out, so that it can be rendered
once per distinct combination of the columns that it reads. What it can do is `cage`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from etl.mapping.cage import compile_expression, compile_template, environment, parse_expression, refusals, render

if TYPE_CHECKING:  # jinja2 takes 80 ms to import, and many mappings have no template
    from jinja2 import nodes

__all__ = [
    "compile_expression",
    "compile_template",
    "environment",
    "expression_names",
    "is_template",
    "render",
    "template_names",
]


def is_template(text: str) -> bool:
    """Whether a text is a template rather than a constant."""
    return "{{" in text or "{%" in text or "{#" in text


@cache
def template_names(text: str) -> tuple[str, ...]:
    """The columns and defined values that a template reads, in order of first use.

    Raises `ValueError` in words for people where it is no template or reads something else.
    """
    return _names(text, compile_template, lambda: environment().parse(text))


@cache
def expression_names(text: str) -> tuple[str, ...]:
    """The columns and defined values that an expression reads; raises as `template_names`."""
    return _names(text, compile_expression, lambda: parse_expression(text))


def _names(text: str, compiled: Callable[[str], object], tree: Callable[[], nodes.Node]) -> tuple[str, ...]:
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        grown = tree()
        names = tuple(dict.fromkeys(_read(grown)))
        compiled(text)
    except TemplateSyntaxError as error:
        where = f" (line {error.lineno} of it)" if text.count("\n") else ""
        raise ValueError(f"{error.message}{where}") from error
    except (TemplateError, RecursionError, SyntaxError, OverflowError, ArithmeticError, TypeError) as error:
        raise ValueError(str(error)) from error
    return names


def _read(tree: nodes.Node) -> Iterator[str]:
    """The names in ``row['name']``, after a look at everything that could read otherwise."""
    from jinja2 import nodes

    whole = tree if isinstance(tree, nodes.Template) else nodes.Template([nodes.Output([tree])])
    whole.set_environment(environment())
    for refused in refusals(whole):
        raise ValueError(refused)
    named = list(whole.find_all(nodes.Name))
    made = {each.name for each in named if each.ctx != "load"} if isinstance(tree, nodes.Template) else set()
    for name in dict.fromkeys(each.name for each in named if each.name not in {*made, "row", "loop"}):
        raise ValueError(f"`{name}` is unknown: a template reads `row['Column']`")
    cells = [each for each in whole.find_all(nodes.Getitem) if _is_row(each.node) and _is_text(each.arg)]
    if sum(map(_is_row, whole.find_all(nodes.Name))) != len(cells):
        raise ValueError("`row` is read as `row['Column']`, the name written out in quotes, and never set")
    for each in cells:
        yield str(each.arg.as_const())


def _is_text(node: nodes.Node) -> bool:
    return isinstance(getattr(node, "value", None), str) and type(node).__name__ == "Const"


def _is_row(node: nodes.Node) -> bool:
    return getattr(node, "name", "") == "row" and type(node).__name__ == "Name"
