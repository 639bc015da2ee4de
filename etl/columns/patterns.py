r"""Regular expressions by RE2, the engine of pyarrow: linear in the text, and `\d` means 0-9 and nothing else.

Apart, and on the ground floor, because patterns come from a mapping: what RE2 refuses is said when the mapping is read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

#: One text, made of bytes: `pa.array` would import pandas, which a look at a mapping has no need of.
_SOME_TEXT = pa.StringArray.from_buffers(1, pa.py_buffer(bytes(8)), pa.py_buffer(b""))
#: Frequent, and for these there is a kernel that takes a ninth of the time.
_DIGITS_ONLY = (r"^\d+$", "^[0-9]+$")
#: What to do about a pattern that other engines take.
RE2_HINT = "look-around and back-references do not exist in RE2, which never hangs"


class Pattern(NamedTuple):
    """A pattern that RE2 takes."""

    text: str

    def found(self, values: Any) -> Any:
        """Whether each text holds a match, anywhere in it."""
        return pc.match_substring_regex(values, self.text)

    def begins(self, values: Any) -> Any:
        """Whether each text begins with a match."""
        if self.text in _DIGITS_ONLY:
            return pc.ascii_is_decimal(values)
        return pc.match_substring_regex(values, rf"\A(?:{self.text})")

    def first_group(self, values: Any) -> Any:
        """What the pattern's first group (it must have one) catches; null without a match."""
        return pc.struct_field(pc.extract_regex(values, _named(self.text)), [0])


def trouble(text: str) -> str | None:
    """Why RE2 does not take the pattern, or nothing.

    >>> trouble("(a+)+$"), trouble("a(?=b)")
    (None, 'invalid perl operator: (?=')
    """
    try:
        pc.match_substring_regex(_SOME_TEXT, text)  # of no text at all it would not look at the pattern
    except pa.ArrowInvalid as error:
        said = str(error)
        return said.split(": ", 1)[1] if said.startswith("Invalid regular expression: ") else said
    except UnicodeEncodeError:
        return "half a character (a lone surrogate)"
    return None


def groups(text: str) -> int:
    """How many groups a pattern that RE2 takes has."""
    fields: int = pc.extract_regex(_SOME_TEXT.slice(1), _named(text)).type.num_fields
    return fields


def _named(text: str) -> str:
    """The pattern with a name for every group, as the kernel asks for."""
    made, count, in_class, escaped = [], 0, False, False
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
            made.append(f"?P<g{count}>")
            count += 1
    return "".join(made)
