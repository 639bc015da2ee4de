"""What a handler gives back, and the error bodies of the API.

A handler returns an `Answer` or raises a `Refusal`; neither knows HTTP headers or correlation ids, which `exchange`
adds, since they are the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

#: JSON as the real API labels it.
JSON = "application/json;charset=utf-8"
HTML = "text/html;charset=utf-8"

AUTH_HELP = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at "
    "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
SCOPE_HELP = (
    "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
    "https://developers.hubspot.com/scopes."
)


class Answer(NamedTuple):
    """An answer before it is put into HTTP: `body` is JSON, ready bytes, or None for an empty body."""

    status: int
    body: Any = None
    media: str = JSON
    created: tuple[tuple[int, str], ...] = ()  #: engagements made: (id, the caller's own key or "")
    headers: tuple[tuple[str, str], ...] = ()

    def content(self) -> bytes:
        """The bytes of the body."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


class Refusal(Exception):
    """A request that is refused as a whole; nothing of it is kept."""

    def __init__(self, status: int, message: str, category: str = "", **more: Any) -> None:
        super().__init__(message)
        self.problems: list[Invalid] = []  #: what is wrong with property values
        self.existing = ""  #: the id of what has the value already
        self.status = status
        self.message = message
        self.category = category
        self.more = more
        self.headers: tuple[tuple[str, str], ...] = ()

    def answer(self, correlation_id: str) -> Answer:
        """The error body; its keys in the order in which the real API writes them."""
        body = {"status": "error", "message": self.message, "correlationId": correlation_id, **self.more}
        told = body | {"category": self.category} if self.category else body
        return Answer(self.status, told, headers=self.headers)

    def as_part(self, where: dict[str, list[str]]) -> dict[str, Any]:
        """The same as one of the `errors` of a multi-status answer, with `where` naming the inputs that it concerns."""
        context = self.more.get("context", {}) | where | ({"existingId": [self.existing]} if self.existing else {})
        part = {"status": "error", "category": self.category, "message": self.message, "context": context}
        return part | ({"errors": self.more["errors"]} if "errors" in self.more else {})


class Invalid(NamedTuple):
    """One property value that is not accepted."""

    name: str
    code: str
    message: str


def invalid(problems: list[Invalid]) -> Refusal:
    """The refusal that lists property values; the same list stands once more, as JSON text, in its message."""
    listed = [{"isValid": False, "message": p.message, "error": p.code, "name": p.name} for p in problems]
    errors = [{"message": p.message, "code": p.code, "context": {"propertyName": [p.name]}} for p in problems]
    text = orjson.dumps(listed).decode()
    refusal = Refusal(400, f"Property values were not valid: {text}", "VALIDATION_ERROR", errors=errors)
    refusal.problems = problems
    return refusal


def wrong_json(expected: str, value: Any) -> Refusal:
    """The refusal of JSON of another kind than `expected` (in the words of the real API's own platform)."""
    tokens = {
        dict: "START_OBJECT", list: "START_ARRAY", str: "VALUE_STRING", int: "VALUE_NUMBER_INT",
        float: "VALUE_NUMBER_FLOAT", bool: "VALUE_TRUE", type(None): "VALUE_NULL",
    }  # fmt: skip
    token = tokens[type(value)]
    kind = {int: "Integer", float: "Floating-point", bool: "Boolean"}.get(type(value))
    kind = kind or token.removeprefix("START_").removeprefix("VALUE_").capitalize()
    return Refusal(
        400,
        f"Invalid input JSON on line 1, column 1: Cannot deserialize value of type `{expected}` from "
        f"{kind} value (token `JsonToken.{token}`)",
    )


def part_of(body: Mapping[str, Any], name: str, kind: type) -> Any:
    """An object or list of the body, empty when it is absent or null; JSON of another kind is refused."""
    part = body.get(name)
    if part is None:
        return kind()
    if not isinstance(part, kind):
        raise wrong_json("java.util.ArrayList" if kind is list else "java.util.LinkedHashMap", part)
    return part


def not_found_page() -> Answer:
    """The page that stands at paths which do not exist: HTML, not JSON."""
    page = (
        b"<html>\n<head>\n<title>Error 404 Not Found</title>\n</head>\n"
        b"<body>\n<h2>HTTP ERROR 404</h2>\n<p>Not Found</p>\n</body>\n</html>\n"
    )
    return Answer(404, page, HTML)
