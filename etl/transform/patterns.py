r"""Regular expressions by RE2: linear in the text, and `\d` means 0-9 and nothing else.

Apart, because patterns come from a mapping: one that RE2 refuses (look-around, back-references) is a mistake there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import MappingError, Mistake


class Pattern(NamedTuple):
    """A pattern that RE2 takes."""

    text: str

    def found(self, values: Any) -> Any:
        """Whether each text holds a match, anywhere in it."""
        return pc.match_substring_regex(values, self.text)

    def first_group(self, values: Any) -> Any:
        """What the pattern's first group (it must have one) catches; null without a match."""
        return pc.struct_field(pc.extract_regex(values, _named(self.text)), [0])


def pattern(text: str, place: str = "") -> Pattern:
    """The pattern. Raises `MappingError` for one that RE2 refuses."""
    try:
        pc.match_substring_regex(pa.array([], pa.string()), text)
    except pa.ArrowInvalid as error:
        message = f"`{text}` is no regular expression of RE2: {_reason(error)}"
        hint = "look-around and back-references do not exist there"
        raise MappingError([Mistake(place, "bad_regex", message, hint)]) from error
    return Pattern(text)


def _reason(error: Exception) -> str:
    text = str(error)
    return text.split(": ", 1)[1] if text.startswith("Invalid regular expression: ") else text


def _named(text: str) -> str:
    """The pattern with a name for every group, as the kernel asks for."""
    made, groups, in_class, escaped = [], 0, False, False
    for place, character in enumerate(text):
        made.append(character)
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif in_class:
            # `]` right after `[` or `[^` is a member of the class
            in_class = character != "]" or text[:place].endswith(("[", "[^"))
        elif character == "[":
            in_class = True
        elif character == "(" and text[place + 1 : place + 2] != "?":
            made.append(f"?P<g{groups}>")
            groups += 1
    return "".join(made)
