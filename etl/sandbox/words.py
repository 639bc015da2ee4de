"""Text as the search index and the timeline see it: words, and what stays of HTML."""

from __future__ import annotations

import html
import re
from typing import Final

#: HubSpot cuts the preview of a body somewhere; what was recorded fits this length.
PREVIEW: Final = 500
_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W_]+")


def has_token(text: str | None, token: str) -> bool:
    """Whether a word of the text is the token; `*` in it stands for any letters.

    >>> has_token("ann@example.com", "example"), has_token("ann@example.com", "exam"), has_token("5095550100", "*0100")
    (True, False, True)
    """
    if not text:
        return False
    words = set(_WORD.findall(text.lower()))
    wanted = [w for w in re.findall(r"[^\W_*]*\*?[^\W_]*\*?", token.lower()) if w]
    return bool(wanted) and all(_matches(words, w) for w in wanted)


def preview(body: str) -> tuple[str, bool]:
    """The start of a body without its markup, and whether it was cut.

    >>> preview("<p>Left&nbsp;details <b>twice</b></p>")
    ('Left details twice', False)
    """
    plain = _SPACE.sub(" ", html.unescape(_TAG.sub(" ", body))).strip()
    return plain[:PREVIEW], len(plain) > PREVIEW


def _matches(words: set[str], wanted: str) -> bool:
    if "*" not in wanted:
        return wanted in words
    pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("*")))
    return any(pattern.fullmatch(word) for word in words)
