"""A body with markup -> text to read: its lines and lists stay, its tags go.

Apart, because this is where hostile text comes in. What formats is turned into line breaks and bullets; what would load or
run (an image, a script, a frame, anything unknown) is left standing as it was written, so that one sees it is there. The
result is text: the templates escape it like any other. Each step takes time in proportion to the text, whatever is in it,
which Python's own HTML parser does not.
"""

from __future__ import annotations

import html
import re
from typing import Final


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: Tags that only format the words between them.
_INLINE: Final = _tags(
    "a abbr b big body center cite code del em font head html i ins kbd label link mark meta o:p q s samp small span "
    "strike strong sub sup time tt u var wbr"
)
#: Tags that begin a new line; those of `_APART` leave an empty one as well.
_LINES: Final = _tags(
    "address article aside br caption dd div dl dt fieldset figure footer header hr li main nav ol section table tbody "
    "tfoot thead tr ul"
)
_APART: Final = _tags("blockquote h1 h2 h3 h4 h5 h6 p pre")
_CELLS: Final = frozenset({"td", "th"})
#: Where a body has one of these, line breaks of the source are spaces, as in a browser.
_BREAKING: Final = _LINES | _APART

_MARKUP: Final = re.compile(r"<[a-zA-Z/!]|&[a-zA-Z#]")
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][\w:-]*)(?:[\s/][^<>]*)?>")
#: What is written for machines: from the first to the second.
_UNREAD: Final = tuple(
    (re.compile(start, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for start, end in ((r"<!--", r"-->"), (r"<style\b[^<>]*>", r"</style\s*>"), (r"<title\b[^<>]*>", r"</title\s*>"))
)
_DOCTYPE: Final = re.compile(r"<!doctype\b[^<>]*>", re.IGNORECASE)
#: The edge of a block: however many meet, one line ends.
_EDGE: Final = "\r"
_EDGES: Final = re.compile(r"(?: ?\r)+ ?")
_SPACES: Final = re.compile(r"[^\S\n\r]+")
_BREAKS: Final = re.compile(r" ?\n ?")
_GAPS: Final = re.compile(r"\n{3,}")


def readable(body: str) -> str:
    r"""The text of a body that may be HTML.

    >>> readable("<p>Hello&nbsp;Ann,</p><ul><li>one<li>two</ul>")
    'Hello Ann,\n\n• one\n• two'
    >>> readable("a < b\nnext line")
    'a < b\nnext line'
    >>> readable("<b>Hi</b> <img src=x onerror=alert(1)>")
    'Hi <img src=x onerror=alert(1)>'
    """
    body = body.replace("\r\n", "\n").replace("\r", "\n")
    if not _MARKUP.search(body):
        return body.strip()
    for start, end in _UNREAD:
        body = _without(body, start, end)
    body = _DOCTYPE.sub("", body)
    if any(tag[2].lower() in _BREAKING for tag in _TAG.finditer(body)):
        body = body.replace("\n", " ")
    parts, at = [], 0
    for tag in _TAG.finditer(body):
        parts += [html.unescape(body[at : tag.start()]), _become(tag)]
        at = tag.end()
    text = _SPACES.sub(" ", "".join([*parts, html.unescape(body[at:])]))
    return _GAPS.sub("\n\n", _BREAKS.sub("\n", _EDGES.sub("\n", text))).strip()


def shortened(text: str, characters: int, lines: int) -> tuple[str, bool]:
    """The start of a text, and whether it was cut; it is cut between words.

    >>> shortened("one two three", 9, 5)
    ('one two', True)
    """
    start = "\n".join(text.split("\n", lines)[:lines])
    if len(start) > characters:
        start = start[: characters + 1].rsplit(None, 1)[0]
    return start.rstrip(), len(start.rstrip()) < len(text.rstrip())


def _become(tag: re.Match[str]) -> str:
    """What stands for a tag."""
    closing, name = bool(tag[1]), tag[2].lower()
    if name in _INLINE:
        return ""
    if name in _APART:
        return "\n\n"
    if name in _CELLS:
        return " "
    if name in _LINES:
        return {"br": "\n", "li": _EDGE if closing else f"{_EDGE}• "}.get(name, _EDGE)
    return tag[0]


def _without(text: str, start: re.Pattern[str], end: re.Pattern[str]) -> str:
    """The text without what stands from `start` to `end`; a start that has no end stays."""
    parts, at = [], 0
    while (first := start.search(text, at)) and (last := end.search(text, first.end())):
        parts.append(text[at : first.start()])
        at = last.end()
    return "".join([*parts, text[at:]])
