"""Pieces of YAML: texts quoted so that they stay texts, names as references, comments that cannot break out."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"\$?[A-Za-z][A-Za-z0-9_ ./()+-]*[A-Za-z0-9_/)]|\$?[A-Za-z]")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"}


def quoted(text: str) -> str:
    """A text as a YAML scalar, in quotes wherever it could be read as something else.

    >>> quoted("Call ID"), quoted("No"), quoted("a: b")
    ('Call ID', '"No"', '"a: b"')
    """
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS and "  " not in text:
        return text
    inner = "".join(_escaped(character) for character in text)
    return f'"{inner}"'


def ref(name: str) -> str:
    """The value that is a column."""
    return quoted(f"${name}")


def cell(name: str) -> str:
    """The column inside a template, to stand within the double quotes of YAML."""
    literal = name.replace("\\", "\\\\").replace("'", "\\'")
    return "row['" + "".join(_escaped(character) for character in literal) + "']"


def comment(text: str) -> str:
    """A text as one line of a comment, not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= 200 else f"{line[:197]}..."


def doubtful(text: str) -> str:
    """The comment behind something that a person should look at."""
    return f"  # check: {comment(text)}" if text else ""


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08X}"
