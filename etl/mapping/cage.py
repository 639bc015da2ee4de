"""Jinja2 in its cage: what a template of a mapping can do, and how much.

A template knows one name, `row`, has no loader and no globals, and is written by somebody who may have copied it from
anywhere. So that a few characters never become gigabytes or hours, loops stand alone and end, whatever makes a text from
texts is measured, and nothing repeats or pads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # jinja2 takes 80 ms to import, and many mappings have no template
    from jinja2 import Template, nodes
    from jinja2.sandbox import SandboxedEnvironment

#: The longest text that a template makes, on the way or in the end, in characters: twice the longest cell.
MAX_TEXT = 2 << 20
#: How often a loop goes round.
MAX_ROUNDS = 1_000

#: Filters that repeat or pad without bound, that reach for attributes, or that give another text each time.
_DROPPED_FILTERS = (
    "attr",
    "batch",
    "center",
    "format",
    "indent",
    "map",
    "pprint",
    "random",
    "slice",
    "wordwrap",
    "xmlattr",
)
#: Methods of texts that grow them: the filters `replace` and `join` measure first.
_GROWING = frozenset(["center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map", "translate", "replace", "join"])  # fmt: skip


@cache
def environment() -> SandboxedEnvironment:
    """The sandbox in which templates run: strict about unknown names, texts not escaped, no loader, no globals."""
    from jinja2 import StrictUndefined, nodes
    from jinja2.compiler import CodeGenerator
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Cage(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(["*", "**", "%", "+"])

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "+":
                return _measured(super().call_binop(context, operator, left, right))
            if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
                raise SecurityError(f"`{operator}` is for numbers only, and `**` for none")
            return super().call_binop(context, operator, left, right)

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            return attr not in _GROWING and super().is_safe_attribute(obj, attr, value)

    class Compiler(CodeGenerator):
        def _output_child_to_const(self, node: nodes.Expr, frame: Any, finalize: Any) -> str:
            if not isinstance(node, nodes.TemplateData):  # nothing is computed while a template is read
                raise nodes.Impossible
            return super()._output_child_to_const(node, frame, finalize)

    cage = Cage(undefined=StrictUndefined, autoescape=False, optimized=False)
    cage.code_generator_class = Compiler
    cage.globals.clear()
    own = {"replace": _replace, "join": _join, "concatenated": _concatenated, "rounds": _rounds}
    for name, filter_ in {**cage.filters, **own}.items():
        cage.filters[name] = filter_ if name == "rounds" else _capped(filter_)
    for name in _DROPPED_FILTERS:
        del cage.filters[name]
    return cage


def compile_template(text: str) -> Template:
    """The template, to be rendered by `render`. Raises `jinja2.TemplateError`."""
    return environment().from_string(_bounded(environment().parse(text)))


def compile_expression(text: str) -> Callable[..., Any]:
    """The expression as a function of ``row=...``; an unknown name raises, never counts as false.

    Raises `jinja2.TemplateError`.
    """
    from jinja2 import nodes
    from jinja2.environment import TemplateExpression

    result = nodes.Assign(nodes.Name("result", "store"), parse_expression(text), lineno=1)
    whole = nodes.Template([result], lineno=1)
    return TemplateExpression(environment().from_string(_bounded(whole)), undefined_to_none=False)


def parse_expression(text: str) -> nodes.Expr:
    """The tree of an expression. Raises `jinja2.TemplateSyntaxError`."""
    from jinja2.exceptions import TemplateSyntaxError
    from jinja2.parser import Parser

    parser = Parser(environment(), text, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError("more follows behind the expression", parser.stream.current.lineno, None, None)
    tree.set_environment(environment())
    return tree


def render(template: Template, row: dict[str, str]) -> str:
    """What the template makes of a row. Raises `jinja2.TemplateError`, also for a text longer than `MAX_TEXT`."""
    pieces, length = [], 0
    for piece in template.generate(row=row):
        pieces.append(piece)
        length += len(piece)
        _check(length)
    return "".join(pieces)


def refusals(tree: nodes.Node) -> Iterator[str]:
    """What stands in a template that has no place there, in words."""
    from jinja2 import nodes

    tags = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block, nodes.Macro, nodes.CallBlock,
            nodes.FilterBlock, nodes.AssignBlock)  # fmt: skip
    for tag in tree.find_all(tags):
        yield f"`{type(tag).__name__.lower()}` has no place in a mapping's template"
    for loop in tree.find_all(nodes.For):
        if loop.recursive or any(inner.find(nodes.For) or isinstance(inner, nodes.For) for inner in loop.body):
            yield "a loop inside a loop has no place in a mapping's template"


def _bounded(tree: nodes.Template) -> nodes.Template:
    """The tree with every loop counted, and every `~` measured."""
    from jinja2 import nodes

    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "rounds", [], [], None, None, lineno=loop.lineno)
    return _joined(tree).set_environment(environment())  # type: ignore[no-any-return]


def _joined(tree: Any) -> Any:
    from jinja2.visitor import NodeTransformer

    class Join(NodeTransformer):
        def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - jinja2's name
            from jinja2 import nodes

            self.generic_visit(node)
            parts = nodes.List(node.nodes, lineno=node.lineno)
            return nodes.Filter(parts, "concatenated", [], [], None, None, lineno=node.lineno)

    return Join().visit(tree)


def _rounds(found: Iterable[Any]) -> Iterator[Any]:
    from jinja2.exceptions import SecurityError

    for count, each in enumerate(found):
        if count == MAX_ROUNDS:
            raise SecurityError(f"a loop goes round more than {MAX_ROUNDS:,} times")
        yield each


def _capped(filter_: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(filter_)  # which keeps what jinja2 has noted on it
    def measured(*args: Any, **kwargs: Any) -> Any:
        return _measured(filter_(*args, **kwargs))

    return measured


def _replace(value: Any, old: str, new: str, count: int | None = None) -> str:
    """The text with each `old` replaced by `new`, at most `count` of them."""
    text = str(value)
    old, new = str(old), str(new)
    _check(len(text) + text.count(old) * len(new))
    return text.replace(old, new, -1 if count is None else count)


def _join(parts: Iterable[Any], between: str = "") -> str:
    """The parts as one text."""
    texts, between = [str(part) for part in parts], str(between)
    _check(sum(map(len, texts)) + len(texts) * len(between))
    return between.join(texts)


def _concatenated(parts: list[Any]) -> str:
    return _join(parts)


def _measured(made: Any) -> Any:
    if isinstance(made, str | list | tuple):
        _check(len(made))
    return made


def _check(length: int) -> None:
    from jinja2.exceptions import SecurityError

    if length > MAX_TEXT:
        raise SecurityError(f"it makes a text of more than {MAX_TEXT:,} characters")
