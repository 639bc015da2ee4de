"""The patterns of a mapping, compiled; one that cannot be used is a mistake at its place."""

from __future__ import annotations

from etl.columns.patterns import RE2_HINT, Pattern, trouble
from etl.errors import MappingError, Mistake


def pattern(text: str, place: str = "") -> Pattern:
    """The pattern. Raises `MappingError` for one that RE2 refuses."""
    if said := trouble(text):
        raise MappingError([Mistake(place, "bad_regex", f"`{text}` is no regular expression of RE2: {said}", RE2_HINT)])
    return Pattern(text)
