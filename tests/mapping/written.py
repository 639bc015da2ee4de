"""Small mappings as text for the tests: a right one, with parts replaced, and places marked by `¤`."""

from pathlib import Path

from etl.errors import MappingError, Mistake
from etl.mapping import Mapping, parse

FIXTURES = Path(__file__).parent / "fixtures"
LANGUAGE = ("phone-nightly", "mailbox-history", "salesforce-tasks")  #: the examples of the language
PARTS = {
    "version": "1",
    "name": "small",
    "key": "$Id",
    "engagement": "{type: NOTE, timestamp: {from: $When, as: datetime, format: iso}}",
    "associations": "{require: none}",
    "metadata": "{body: $Body}",
}


def written(**parts: str | None) -> str:
    """A right mapping with these parts replaced, added, or (None) left out."""
    return "\n".join(f"{key}: {part}" for key, part in {**PARTS, **parts}.items() if part is not None) + "\n"


def read(text: str, file: Path = FIXTURES / "t.yaml") -> Mapping:
    return parse(text, file)


def mistakes(text: str) -> list[Mistake]:
    """All that is wrong with a text."""
    try:
        read(text)
    except MappingError as error:
        return error.mistakes
    return []


def unmarked(text: str) -> tuple[str, list[str]]:
    """The text without its marks, and the places of the marks as line:column."""
    places = []
    while "¤" in text:
        before, _, after = text.partition("¤")
        places.append(f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}")
        text = before + after
    return text, places
