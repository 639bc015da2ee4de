"""The pages of the sandbox as tests read them."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx

from tests.sandbox.conftest import Sandbox

JANUARY = 1_767_225_600_000  # 2026-01-01, ms
MINUTE = 60_000
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>"\'</textarea><b>bold</b>'


class Page(HTMLParser):
    """A page as a browser reads it: its text, its tags, its links."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.status = answer.status_code
        self.feed(answer.text)
        self.text = re.sub(r"\s+", " ", "".join(self.words))
        self.links = [str(own["href"]) for tag, own in self.tags if tag == "a"]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in {"td", "th", "dd", "dt", "li"}:
            self.words.append(" ")

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [own for name, own in self.tags if name == tag]


def page(sandbox: Sandbox, path: str) -> Page:
    return Page(sandbox.get(path))


def parts(sandbox: Sandbox, path: str) -> Iterator[Page]:
    """A timeline part by part, as the links to what is older lead."""
    while path:
        shown = page(sandbox, path)
        yield shown
        path = next((str(own["href"]) for own in shown.all("a") if own.get("rel") == "next"), "")
