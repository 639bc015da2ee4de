"""Jinja2 in its cage: how templates and expressions of a mapping are compiled, and which names they read.

A template knows one name, `row`, and only as ``row['name']`` with the name written out, so that it can be rendered
once per distinct combination of the columns that it reads. There is no loader, no global and no operator or filter
that turns a few characters into gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # jinja2 takes 80 ms to import, and many mappings have no template
    from jinja2 import Template, nodes
    from jinja2.sandbox import SandboxedEnvironment

#: Filters that repeat or pad without bound, or that reach for attributes.
_DROPPED_FILTERS = ("attr", "batch", "center", "format", "indent", "map", "pprint", "slice", "wordwrap", "xmlattr")

_PADDING = frozenset(["center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map", "translate"])


def is_template(text: str) -> bool:
    """Whether a text is a template rather than a constant."""
    return "{{" in text or "{%" in text or "{#" in text


@cache
def environment() -> SandboxedEnvironment:
    """The sandbox in which templates run: strict about unknown names, texts not escaped, no loader, no globals."""
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Cage(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(["*", "**", "%"])

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
                raise SecurityError(f"`{operator}` is for numbers only, and `**` for none")
            return super().call_binop(context, operator, left, right)

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            return attr not in _PADDING and super().is_safe_attribute(obj, attr, value)

    cage = Cage(undefined=StrictUndefined, autoescape=False)
    cage.globals.clear()
    for name in _DROPPED_FILTERS:
        cage.filters.pop(name, None)
    return cage


def compile_template(text: str) -> Template:
    """The template, ready for ``render(row=...)``. Raises `jinja2.TemplateError`."""
    return environment().from_string(text)


def compile_expression(text: str) -> Callable[..., Any]:
    """The expression as a function of ``row=...``; an unknown name raises, never counts as false.

    Raises `jinja2.TemplateError`.
    """
    return environment().compile_expression(text, undefined_to_none=False)


@cache
def template_names(text: str) -> tuple[str, ...]:
    """The columns and defined values that a template reads, in order of first use.

    Raises `ValueError` in words for people where it is no template or reads something else.
    """
    return _names(text, compile_template, lambda: environment().parse(text))


@cache
def expression_names(text: str) -> tuple[str, ...]:
    """The columns and defined values that an expression reads; raises as `template_names`."""
    from jinja2.parser import Parser

    return _names(text, compile_expression, lambda: Parser(environment(), text, state="variable").parse_expression())


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
    from jinja2 import meta, nodes

    whole = tree if isinstance(tree, nodes.Template) else nodes.Template([nodes.Output([tree])])
    whole.set_environment(environment())
    refused = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block, nodes.Macro, nodes.CallBlock)
    for tag in tree.find_all(refused):
        raise ValueError(f"`{type(tag).__name__.lower()}` has no place in a mapping's template")
    for name in sorted(meta.find_undeclared_variables(whole) - {"row"}):
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
