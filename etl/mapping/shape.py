"""The kinds of thing that stand in a mapping, each as a function from a tree to a plain value.

Every reader takes the tree and the list of mistakes found so far. What is wrong is added to the list and a stand-in
comes back, so that one reading finds everything; a stand-in never gets out, because `parse` raises if the list is not
empty.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from etl.errors import Mistake
from etl.mapping.model import Node
from etl.mapping.tree import Items, Pairs, Plain, Scalar, Tree

#: Patterns of letters, digits, classes and single repetitions, which need not be shown to RE2: to ask it takes 0.3 s.
_PLAIN_PATTERN = re.compile(r"\^?(?:(?:[A-Za-z0-9 :;,/@_-]|\\[dws./:-])[*+?]?)*\$?")

Wrong: TypeAlias = list[Mistake]
Read: TypeAlias = Callable[[Tree, Wrong], Any]


def members(
    node: Tree, readers: Mapping[str, Read], wrong: Wrong, *, what: str, required: Iterable[str] = ()
) -> dict[str, Any]:
    """What the readers made of a map's values, by key; keys without a reader and required ones not there are mistakes."""
    if not isinstance(node, Pairs):
        expected(node, f"a map ({what})", wrong)
        return {}
    found: dict[str, Any] = {}
    for key, value in node.pairs:
        reader = readers.get(key.text)
        if reader is None:
            hint = nearest(key.text, readers) or f"it has {', '.join(readers)}"
            note(wrong, key, "unknown_key", f"unknown key `{shown(key.text)}` in {what}", hint)
        else:
            found[key.text] = reader(value, wrong)
    for name in required:
        if name not in node.keys:
            note(wrong, node, "missing_key", f"`{name}` is missing in {what}")
    return found


def entries(node: Tree, reader: Read, wrong: Wrong, *, what: str) -> dict[str, Any]:
    """A map with free keys, every value read by `reader`."""
    if not isinstance(node, Pairs):
        expected(node, f"a map ({what})", wrong)
        return {}
    for key, _ in node.pairs:
        if not key.text.strip():
            note(wrong, key, "bad_value", f"an empty name in {what}")
    return {key.text: reader(value, wrong) for key, value in node.pairs}


def items(node: Tree, reader: Read, wrong: Wrong, *, what: str) -> tuple[Any, ...]:
    """A list that is not empty, every element read by `reader`."""
    if not isinstance(node, Items):
        expected(node, f"a list ({what})", wrong)
        return ()
    if not node.items:
        note(wrong, node, "wrong_type", f"expected at least one element ({what}), found an empty list")
    return tuple(reader(each, wrong) for each in node.items)


def text(node: Tree, wrong: Wrong) -> str:
    """A text as written: a plain `No` or `012` stays what it looks like."""
    if isinstance(node, Scalar) and not node.missing:
        return node.text
    expected(node, "a text", wrong)
    return ""


def filled_text(node: Tree, wrong: Wrong) -> str:
    """A text with something in it."""
    found = text(node, wrong)
    if isinstance(node, Scalar) and not node.missing and not found.strip():
        note(wrong, node, "bad_value", "expected a text with something in it, found an empty one")
    return found


def texts(node: Tree, wrong: Wrong) -> tuple[str, ...]:
    """A list of texts."""
    return items(node, text, wrong, what="of texts")


def truth(node: Tree, wrong: Wrong) -> bool:
    """True or false."""
    value = node.value if isinstance(node, Scalar) else None
    if not isinstance(value, bool):
        expected(node, "true or false", wrong)
        return False
    return value


def number(node: Tree, wrong: Wrong) -> float:
    """A number, whole or not."""
    value = node.number if isinstance(node, Scalar) else None
    if value is None:
        expected(node, "a number", wrong)
        return 0.0
    try:
        return float(value)
    except OverflowError:
        note(wrong, node, "bad_value", "the number is too large")
        return 0.0


def whole(at_least: int, at_most: int = 2**53) -> Read:
    """The reader of a whole number between two bounds, both allowed."""

    def read(node: Tree, wrong: Wrong) -> int:
        value = node.number if isinstance(node, Scalar) else None
        if not isinstance(value, int):
            expected(node, "a whole number", wrong)
            return at_least
        if not at_least <= value <= at_most:
            note(wrong, node, "bad_value", f"expected {at_least} to {at_most}, found {shown(str(value))}")
        return value

    return read


def one_of(words: Collection[str]) -> Read:
    """The reader of one of some words; the stand-in is the first."""

    def read(node: Tree, wrong: Wrong) -> str:
        found = text(node, wrong)
        if found not in words and isinstance(node, Scalar) and not node.missing:
            message = f"expected one of {', '.join(words)}; found `{shown(found)}`"
            note(wrong, node, "bad_value", message, nearest(found, words))
        return found if found in words else next(iter(words))

    return read


def regex(node: Tree, wrong: Wrong) -> str:
    """A regular expression that RE2 takes."""
    found = text(node, wrong)
    if _PLAIN_PATTERN.fullmatch(found):
        return found
    from etl.columns.patterns import RE2_HINT, trouble

    if said := trouble(found):
        note(wrong, node, "bad_regex", f"the regular expression does not compile: {said}", RE2_HINT)
    return found


def plain(node: Tree, wrong: Wrong) -> Any:
    """Whatever stands there as plain data, scalars by the YAML 1.2 core schema."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(each, wrong) for each in node.items]
    return {key.text: plain(value, wrong) for key, value in node.pairs}


def scalar(node: Tree, wrong: Wrong) -> Plain:
    """A text, number, truth value or null."""
    if isinstance(node, Scalar) and not node.missing:
        return node.value
    expected(node, "a text, number, true, false or null", wrong)
    return None


def found_in(folders: Iterable[Path], name: str, fits: Callable[[Path], bool]) -> Path | None:
    """The first of the folders' paths of that name that fits (is a file, is a folder); None where none does."""

    def fit(path: Path) -> bool:
        try:
            return fits(path)
        except (OSError, ValueError):  # a name too long, a folder that may not be read, a NUL
            return False

    return next((path for path in (folder / name for folder in folders) if fit(path)), None)


def places(folders: Iterable[Path]) -> str:
    """Folders as a message names them."""
    return " or in ".join(f"`{folder}`" for folder in folders)


def note(wrong: Wrong, node: Tree | Node, code: str, message: str, hint: str = "") -> None:
    """Adds a mistake at the place of `node`; `code` is one of `errors.MAPPING_CODES`."""
    wrong.append(Mistake(node.place, code, message, hint))


def expected(node: Tree, wanted: str, wrong: Wrong) -> None:
    """Notes that something of another kind stands here."""
    note(wrong, node, "wrong_type", f"expected {wanted}, found {found_kind(node)}")


def found_kind(node: Tree) -> str:
    """A few words for what stands here.

    >>> found_kind(Scalar("", "12")), found_kind(Scalar("", "x")), found_kind(Items("", ()))
    ('the number 12', 'the text `x`', 'a list')
    """
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Pairs):
        return "a map"
    if node.missing:
        return "nothing"
    value = node.value
    if isinstance(value, str):
        return f"the text `{shown(value)}`"
    if value is None or isinstance(value, bool):
        return f"`{node.text}`"
    return f"the number {shown(node.text)}"


def shown(words: str, most: int = 60) -> str:
    """A text as a message shows it: one line, not too long."""
    line = " ".join(words.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def nearest(word: str, words: Iterable[str]) -> str:
    """The hint that names the nearest of the right words, or nothing.

    >>> nearest("dispositon", ["status", "disposition"])
    'did you mean `disposition`?'
    """
    known = list(words)
    folded = {each.casefold(): each for each in reversed(known)}
    close = difflib.get_close_matches(word.casefold()[:200], folded, n=1, cutoff=0.6)
    return f"did you mean `{folded[close[0]]}`?" if close else ""
