"""A page of a Google Voice archive (Takeout: `Voice/Calls/*.html`) -> rows.

One page is one call, voicemail or recording, or one conversation of texts, of which each message is a row. The format has no
description; what is read here is its hCard marks: `tel` links, `abbr` times with their offset, `duration`, `tags`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

#: The columns. `kind` is what the page's labels say: Placed, Received, Missed, Voicemail, Recorded or Text; `sender` is
#: `me` or the other's name, of a text; `name` and `phone` are the other's; `time` has an offset, `duration` is seconds.
NAMES = ("kind", "time", "duration", "name", "phone", "sender", "text", "attachments", "labels", "file")
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
_KINDS = ("Placed", "Received", "Missed", "Voicemail", "Recorded", "Text")


@dataclass
class _Message:
    time: str = ""
    sender: str = ""
    phone: str = ""
    text: str = ""
    images: list[str] = field(default_factory=list)


def rows(raw: bytes, file: str) -> list[tuple[str | None, ...]]:
    """The rows of a page in the order of `NAMES`; none where it has no time."""
    page = _Page()
    page.feed(raw.decode("utf-8-sig", "replace"))
    page.close()
    kind = next((each for each in _KINDS if each in page.labels), "") or _kind_by_name(file)
    labels = "\n".join(page.labels)
    if page.messages:
        other = next(((m.sender, m.phone) for m in page.messages if m.phone), page.other)
        return [
            _cells(kind or "Text", m.time, "", *((m.sender, m.phone) if m.phone else other), m.sender, m.text,
                   "\n".join(m.images), labels, file)
            for m in page.messages
        ]  # fmt: skip
    if not page.time:
        return []
    sounds = "\n".join(page.sounds)
    return [_cells(kind, page.time, _seconds(page.duration), *page.other, "", page.text, sounds, labels, file)]


def _cells(*cells: str) -> tuple[str | None, ...]:
    return tuple(each.replace("\0", "").strip() or None for each in cells)


def _seconds(duration: str) -> str:
    """`PT1M18S` as `78`."""
    found = _DURATION.fullmatch(duration)
    return (
        str(sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)))
        if found
        else ""
    )


def _kind_by_name(file: str) -> str:
    """The kind by the name that the archive gives: `<contact> - <kind> - <time>.html`."""
    parts = file.rsplit("/", 1)[-1].split(" - ")
    return parts[-2] if len(parts) > 2 and parts[-2] in _KINDS else ""


class _Page(HTMLParser):
    """What a page says, as its marks come by."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.time = self.duration = self.text = self.title = ""
        self.people: list[tuple[str, str]] = []
        self.labels: list[str] = []
        self.sounds: list[str] = []
        self.messages: list[_Message] = []
        self._into = ""  # what the text at hand belongs to
        self._phone: str | None = None

    @property
    def other(self) -> tuple[str, str]:
        """Name and phone of whom it was with: a page of texts that only we wrote has the name in its title alone."""
        title = " ".join(self.title.split())
        return (
            self.people[0] if self.people else (title.removeprefix("Me to ") if title.startswith("Me to ") else "", "")
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what begins here; text follows."""
        got = {name: value or "" for name, value in attrs}
        class_ = got.get("class", "")
        if tag == "abbr":
            self._moment(class_, got.get("title", ""))
        elif tag == "div" and class_ == "message":
            self.messages.append(_Message())
        elif tag == "a" and class_ == "tel":
            self._phone = unquote(got.get("href", "").removeprefix("tel:"))
        elif tag == "a" and got.get("rel") in ("tag", "enclosure"):
            self._into = "label" if got["rel"] == "tag" else ""
            self.sounds += [got["href"]] if got["rel"] == "enclosure" and got.get("href") else []
        elif tag == "img" and self.messages and got.get("src"):
            self.messages[-1].images.append(got["src"])
        elif tag == "title":
            self._into = "title"
        elif tag == "q" or (tag == "span" and class_ == "full-text"):
            self._into = "words"
        elif tag == "br" and self._into == "words":
            self._say("\n")
        if class_ == "fn" and self._phone is not None:
            self._into = "name"

    def handle_endtag(self, tag: str) -> None:
        """Ends what the text belonged to."""
        if tag == "a" and self._phone is not None:
            self._person("", self._phone)
        if tag in ("q", "span", "a", "abbr", "title"):
            self._into = ""

    def handle_data(self, data: str) -> None:
        """Text, for what was noted."""
        if self._into == "words":
            self._say(data)
        elif self._into == "title":
            self.title += data
        elif self._into == "label":
            self.labels.append(data.strip())
        elif self._into == "name" and self._phone is not None and data.strip():
            self._person(" ".join(data.split()), self._phone)

    def _moment(self, class_: str, title: str) -> None:
        if class_ == "duration":
            self.duration = title
        elif class_ == "published":
            self.time = title
        elif class_ == "dt" and self.messages:
            self.messages[-1].time = title

    def _person(self, name: str, phone: str) -> None:
        self._phone = None
        if not self.messages:
            self.people.append((name, phone))
        elif name == "Me":
            self.messages[-1].sender = "me"
        else:
            self.messages[-1].sender, self.messages[-1].phone = name or phone, phone

    def _say(self, words: str) -> None:
        if self.messages:
            self.messages[-1].text += words
        else:
            self.text += words
