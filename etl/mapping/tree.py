"""YAML text -> a tree of texts, lists and maps in which everything has its place.

The only room that knows the YAML library. It is read by events, not loaded: that keeps the place of every key and
value, leaves to the language what a plain `No` or `012` means, and lets tags, anchors and depth be refused on sight.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml_events
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from etl.errors import MappingError, Mistake

#: The longest mapping file, in bytes, and the deepest nesting that is read.
MAX_BYTES, MAX_DEPTH = 256 * 1024, 20

Plain: TypeAlias = str | int | float | bool | None

#: Plain scalars of the YAML 1.2 core schema; everything else is text.
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MAX_DIGITS = 4000  #: of a whole number; Python converts no more than 4,300
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as written; `plain` tells that it stood without quotes."""

    place: str  #: ``file:line:column``
    text: str
    plain: bool = True

    @property
    def value(self) -> Plain:
        """What the YAML 1.2 core schema makes of it; quoted is always text.

        But a number that would not print as it is written stays text, so that no zero and no plus is lost:

        >>> [Scalar("", t).value for t in ("12", "1.5", "012", "+49", "1.10", "No", "true", "~")]
        [12, 1.5, '012', '+49', '1.10', 'No', True, None]
        """
        if not self.plain:
            return self.text
        if self.text in _NULL:
            return None
        if self.text in _TRUTH:
            return _TRUTH[self.text]
        return self.text if self.number is None or str(self.number) != self.text else self.number

    @property
    def number(self) -> int | float | None:
        """The number that the YAML 1.2 core schema makes of it, however written; None where it is none."""
        return _number(self.text) if self.plain else None

    @property
    def missing(self) -> bool:
        """Nothing stands here at all (``key:`` and no more); a written `null` is not missing."""
        return self.plain and self.text == ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: str
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """A map in the order of the file; keys are texts and no text twice."""

    place: str
    pairs: tuple[tuple[Scalar, Tree], ...]

    def get(self, key: str) -> Tree | None:
        """The value at `key`."""
        return next((value for name, value in self.pairs if name.text == key), None)

    def at(self, key: str) -> Tree:
        """Where to complain about `key`: the key itself, or the map where it is not there."""
        return next((name for name, _ in self.pairs if name.text == key), self)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys as texts."""
        return tuple(name.text for name, _ in self.pairs)


Tree: TypeAlias = Scalar | Items | Pairs


def read_tree(text: str, file: str, wrong: list[Mistake]) -> Tree:
    """The tree of a YAML text, places beginning with `file`.

    Repeated keys are added to `wrong` and dropped; what leaves no tree to go on with raises `MappingError`.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _refused(f"{file}:1:1", f"the file is longer than {MAX_BYTES // 1024} KiB", "a mapping is a page or two")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        return _grow(YAML(typ="safe", pure=True).parse(text), file, wrong)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else f"{file}:1:1"
        raise _refused(place, f"not YAML: {error.problem or error.context}", _advice(text, mark)) from error
    except ReaderError as error:
        at = error.position if isinstance(error.position, int) else 0
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise _refused(f"{file}:{line}:{column}", "a character that YAML does not allow", "remove it") from error
    except (YAMLError, ValueError) as error:
        raise _refused(f"{file}:1:1", f"not YAML: {error}") from error


@dataclass(slots=True)
class _Open:
    """A list or map whose end has not come yet; a map's children are keys and values in turn."""

    place: str
    is_map: bool
    children: list[Tree] = field(default_factory=list)


def _grow(events: Iterator[Any], file: str, wrong: list[Mistake]) -> Tree:
    root = _Open("", is_map=False)
    stack = [root]
    for event in events:
        place = f"{file}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"
        _refuse_extras(event, place, second=bool(root.children))
        if isinstance(event, yaml_events.ScalarEvent):
            stack[-1].children.append(_scalar(event, place, stack[-1]))
        elif isinstance(event, yaml_events.CollectionStartEvent):
            if len(stack) > MAX_DEPTH:
                raise _refused(place, f"nested deeper than {MAX_DEPTH} levels")
            stack.append(_Open(place, isinstance(event, yaml_events.MappingStartEvent)))
        elif isinstance(event, yaml_events.CollectionEndEvent):
            closed = stack.pop()
            stack[-1].children.append(_closed(closed, wrong))
    if not root.children or (isinstance(root.children[0], Scalar) and root.children[0].missing):
        raise _refused(f"{file}:1:1", "the file is empty", "a mapping begins with `version: 1`")
    return root.children[0]


def _scalar(event: Any, place: str, inside: _Open) -> Scalar:
    """The scalar. One that is not there (`key:`) gets the place of its key, for its own may be lines below."""
    found = Scalar(place, event.value, plain=event.style is None)
    is_value = inside.is_map and len(inside.children) % 2
    return replace(found, place=inside.children[-1].place) if found.missing and is_value else found


def _refuse_extras(event: Any, place: str, *, second: bool) -> None:
    if isinstance(event, yaml_events.DocumentStartEvent) and second:
        raise _refused(place, "a second document", "one mapping a file: remove the `---`")
    if isinstance(event, yaml_events.AliasEvent):
        raise _refused(place, f"an alias (`*{event.anchor}`) is not allowed", "quote it, or use `define` and `$name`")
    if getattr(event, "anchor", None) is not None:
        raise _refused(place, f"an anchor (`&{event.anchor}`) is not allowed", "quote it, or use `define` and `$name`")
    if _LONE_SURROGATE.search(getattr(event, "value", "")):
        raise _refused(place, "half a character (a lone surrogate)", "write the character itself")
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise _refused(place, f"a tag (`{tag}`) is not allowed", "quote the text")


def _closed(done: _Open, wrong: list[Mistake]) -> Tree:
    if not done.is_map:
        return Items(done.place, tuple(done.children))
    pairs: dict[str, tuple[Scalar, Tree]] = {}
    for key, value in zip(done.children[::2], done.children[1::2], strict=True):
        if not isinstance(key, Scalar):
            hint = "a template `{{ ... }}` must stand in quotes"
            raise _refused(key.place, "a key that is a list or a map", hint)
        if key.text in pairs:
            first = pairs[key.text][0].place.rsplit(":", 2)
            where = f"line {first[1]}, column {first[2]}"
            wrong.append(Mistake(key.place, "bad_yaml", f"the key `{key.text}` stood before, at {where}", "keep one"))
            continue
        pairs[key.text] = (key, value)
    return Pairs(done.place, tuple(pairs.values()))


def _refused(place: str, message: str, hint: str = "") -> MappingError:
    return MappingError([Mistake(place, "bad_yaml", message, hint)])


def _advice(text: str, mark: Any) -> str:
    lines = text.split("\n")
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "{{" in line or "{%" in line:
        return "a template `{{ ... }}` must stand in quotes"
    return "indent with spaces, never with tabs" if "\t" in line else ""


def _number(text: str) -> int | float | None:
    if _INT.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return None
