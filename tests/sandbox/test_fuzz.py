"""Requests that nobody would send, some thousand of them, to a real process over real sockets.

Each is made of a real route with hostile parts in its path, its query and its headers, and of a body that was valid
before it was damaged. Whatever comes, the answer is one of the API's: never a 500, never a dropped connection.
`FUZZ=50000` sends so many instead, others each time.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.sandbox.app import DATED, ROOMS
from tests.conftest import sandbox_process
from tests.sandbox.hostile import TEXTS, bodies, valid

TIMES: Final = int(os.environ.get("FUZZ", "2500"))
HOWEVER_SLOW = settings(
    max_examples=TIMES, derandomize="FUZZ" not in os.environ, database=None, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip

# -- what is sent -----------------------------------------------------------------------------------------------------

# fmt: off
#: (method, path, whether it makes objects)
ROUTES: Final = [
    (method, at + path, work in {"create", "batch"})
    for first, dated, lines in ROOMS
    for at in [first, *(dated.format(version) for version in DATED if dated)]
    for method, path, work, _ in lines
]
PAGES: Final = ["/", "/search", "/timeline", "/requests", "/view/engagement/{id}", "/view/{type}/{id}", "/__sandbox", "/{name}"]
ROUTES += [("GET", path, False) for path in PAGES]
ROUTE: Final = st.sampled_from(ROUTES) | st.sampled_from([route for route in ROUTES if route[2]])
#: What is odd about a request, drawn twice; nothing most of the time.
QUIRK: Final = st.sampled_from([""] * 6 + ["part"] * 2 + ["query"] * 4 + ["method", "media", "token", "header", "chunks"])
METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
TYPES: Final = st.sampled_from(
    ["calls", "emails", "meetings", "notes", "tasks", "contacts", "companies", "deals", "tickets", "0-48", "CONTACT", "company"]
)
IDS: Final = st.sampled_from(["1", "2", "11", "21", "31", *(str(20_000_000_001 + n) for n in range(40))])
#: name of a part of a path -> what usually stands there; else an id
PARTS: Final[Mapping[str, st.SearchStrategy[str]]] = {
    "type": TYPES, "to_type": TYPES, "from_type": TYPES, "kind": st.sampled_from(["194", "call_to_contact"]),
    "name": st.sampled_from(["hs_call_title", "import_key", "email"]), "domain": st.just("customer.example"),
    "email": st.sampled_from(["contact1@customer.example", "a@example.com"]),
}
ODD: Final = (st.sampled_from(TEXTS) | st.text(max_size=20)).map(lambda text: quote(text, safe="", errors="replace"))
RAW: Final = st.sampled_from(["%", "%ff", "%00", "%2e%2e%2f", "%2F", "..", ".", "", "a%20b", "+", ";x=1", "%F0%9F%98%80", "%C0%80"])
PIECE: Final = RAW | ODD
QUERY: Final = st.lists(st.tuples(
    st.sampled_from([
        "limit", "after", "offset", "count", "since", "timestamp", "properties", "propertiesWithHistory", "associations",
        "archived", "idProperty", "email", "q", "type", "before", "in",
    ]),
    st.sampled_from(["0", "1", "5", "100", "true", "email", "hs_call_title,hs_object_id", "contacts,deals", "1-1", "2026-03"])
    | ODD | RAW,
), min_size=1, max_size=4)
#: Of a body: that of most routes, that of uploads, and others.
MEDIA: Final = ["application/json", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "text/plain", "", "json"]
AUTHORIZATIONS: Final = ["Basic eDp5", "Bearer", "Bearer ", "bearer x", "Bearer \xe9\xff", ""]
MORE_HEADERS: Final = [
    "Accept: text/html", "Accept-Encoding: br", "X-HTTP-Method-Override: DELETE", "Expect: 100-continue", "Connection: close",
    "Cookie: " + "a=b; " * 500, "If-None-Match: *", "Range: bytes=0-1", "Content-Encoding: gzip", "Forwarded: for=\xe9",
]
FAULT: Final = {"faults": [{"name": "latency", "match": "/nowhere", "p": 0.5, "nth": 1, "times": 1, "seconds": 0.1}], "seed": 7}
#: What an account works out from other values: reading these shows whether it can.
DERIVED: Final = "hs_timestamp,hs_body_preview,hs_body_preview_html,hs_email_from_email,hs_email_to_email,hs_createdate"
# fmt: on


class Wire(NamedTuple):
    """A request, ready to be sent."""

    method: str
    target: str
    headers: tuple[str, ...]
    body: bytes
    chunks: int  #: 0: sent whole, with its length

    def __bytes__(self) -> bytes:
        head = [f"{self.method} {self.target} HTTP/1.1", "Host: sandbox", *self.headers]
        if not self.chunks:
            return "\r\n".join([*head, f"Content-Length: {len(self.body)}", "", ""]).encode("latin-1") + self.body
        step = len(self.body) // self.chunks + 1
        pieces = [self.body[n : n + step] for n in range(0, len(self.body), step)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        return "\r\n".join([*head, "Transfer-Encoding: chunked", "", ""]).encode("latin-1") + framed + b"0\r\n\r\n"


@st.composite
def wires(draw: st.DrawFn) -> Wire:
    method, template, _ = draw(ROUTE)
    parts = {name: draw(PARTS.get(name, IDS)) for name in re.findall(r"{(\w+)}", template)}
    body = b"" if method in {"GET", "DELETE"} else draw(bodies(valid(template, parts.get("type", ""))))
    pieces, odd = template.format(**parts)[1:].split("/"), {draw(QUIRK), draw(QUIRK)}
    if "part" in odd:
        pieces[draw(st.integers(0, len(pieces) - 1))] = draw(PIECE)
    query = "?" + "&".join(f"{name}={value}" for name, value in draw(QUERY)) if "query" in odd else ""
    media = draw(st.sampled_from(MEDIA)) if "media" in odd else MEDIA[template.startswith("/files")]
    token = draw(st.sampled_from(AUTHORIZATIONS)) if "token" in odd else "Bearer x"
    more = [draw(st.sampled_from(MORE_HEADERS))] if "header" in odd else []
    headers = (f"Authorization: {token}", f"Content-Type: {media}", *more)
    chunks = draw(st.integers(1, 5)) if "chunks" in odd else 0
    return Wire(
        draw(st.sampled_from(METHODS)) if "method" in odd else method,
        f"/{'/'.join(pieces)}{query}",
        headers,
        body,
        chunks,
    )


# -- what comes back --------------------------------------------------------------------------------------------------


class Line:
    """A connection that is kept open, and what came over it: (method, status) of answers that a route of the API gave."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._socket: socket.socket | None = None
        self.seen: Counter[tuple[str, int]] = Counter()

    def ask(self, wire: Wire) -> tuple[http.client.HTTPResponse, bytes]:
        """Sends a request and reads the answer; raises when the connection is dropped or the answer is no HTTP."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=20)
        try:
            self._socket.sendall(bytes(wire))
            answer = http.client.HTTPResponse(self._socket, method=wire.method)
            answer.begin()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.headers["X-HubSpot-Correlation-Id"]:
            self.seen[wire.method, answer.status] += 1
        if answer.will_close or answer.status >= 500:  # the server hangs up after a mistake of its own
            self.close()
        return answer, content

    def told_to(self, sent: bytes) -> bytes:
        """What comes back for these bytes, on a connection of their own whose sender then falls silent."""
        with socket.create_connection(self._address, timeout=20) as other, contextlib.suppress(ConnectionError):
            other.sendall(sent)
            other.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: other.recv(65_536), b""))
        return b""

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with sandbox_process(tmp_path_factory.mktemp("fuzz") / "sandbox", "--index-lag", "0") as url:
        opened = Line(url)
        yield opened
        opened.close()


def check(wire: Wire, answer: http.client.HTTPResponse, content: bytes) -> None:
    """That this is an answer of the API: no 500, and what it says it is."""
    assert 200 <= answer.status < 500, content
    media = answer.headers.get("Content-Type", "")
    if not content:
        assert answer.status in {200, 204} or wire.method == "HEAD"
    elif media.startswith("application/json"):
        body = json.loads(content.decode(), parse_constant=_no_json)
        if answer.status >= 400 and "X-HubSpot-Correlation-Id" in answer.headers:
            assert body["status"] == "error"
            assert isinstance(body["message"], str)
            assert body["message"]
            assert body["correlationId"] == answer.headers["X-HubSpot-Correlation-Id"]
    else:  # a page; of the API's own paths only those that are not there are answered by one
        assert media.startswith("text/html")
        assert content.decode().lstrip().startswith("<")
        assert "X-HubSpot-Correlation-Id" not in answer.headers


def made(status: int, content: bytes) -> list[str]:
    """Where the first of the engagements that an answer tells of can be read."""
    body = json.loads(content) if status in {200, 201, 207} and content.startswith(b"{") else {}
    first = body.get("engagement") or next((r for r in body.get("results") or [body] if isinstance(r, dict)), {})
    if not str(first.get("id", "")).startswith("200000"):
        return []
    views = [f"/crm/v3/objects/{kind}/{first['id']}?properties={DERIVED}" for kind in ("emails", "calls")]
    return [f"/engagements/v1/engagements/{first['id']}", *views]


def _no_json(constant: str) -> Any:
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.timeout(300 + TIMES // 10)
@HOWEVER_SLOW
@given(wire=wires())
def test_whatever_is_asked_the_answer_is_one_of_the_api(line, wire):
    answer, content = line.ask(wire)

    check(wire, answer, content)
    for path in made(answer.status, content):  # what was taken can be read, in either view
        check(wire, *line.ask(Wire("GET", path, wire.headers[:2], b"", 0)))


@settings(HOWEVER_SLOW, max_examples=max(150, TIMES // 20))
@given(body=bodies([FAULT, [FAULT["faults"][0], "latency:p=0.5,match=/nowhere"]]))
def test_odd_faults_are_refused_or_can_be_told(line, body):
    for method, content in (("POST", body), ("GET", b""), ("POST", b"[]")):
        answer, told = line.ask(Wire(method, "/__faults", (), content, 0))
        assert answer.status in {200, 400}
        json.loads(told, parse_constant=_no_json)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /engagements/v1/engagements HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /engagements/v1/engagements HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{}",
        b"POST /engagements/v1/engagements HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    ],
)  # fmt: skip
def test_what_is_no_http_is_refused_and_harms_nobody(line, sent):
    assert line.told_to(sent)[:12] in {b"", b"HTTP/1.1 400"}
    assert line.ask(Wire("GET", "/__sandbox", (), b"", 0))[0].status == 200


def test_afterwards_the_audit_knows_every_request_and_every_engagement(line):
    """Runs after the others, in the order of this file; alone, it holds for a sandbox that nobody has asked anything."""
    requests = _audit(line, "requests")
    engagements = _audit(line, "engagements")

    assert Counter((r["method"], r["status"]) for r in requests) == line.seen
    made = {int(c["id"]): r["request"] for r in requests for c in r["created"]}
    assert len(made) == sum(len(r["created"]) for r in requests)
    assert all(made[e["engagement"]["id"]] == e["request"] for e in engagements)
    if line.seen:
        assert len({status for _, status in line.seen}) > 8  # else the requests were all of one kind
        assert 0 < len(engagements) <= len(made)


def _audit(line: Line, what: str) -> list[dict[str, Any]]:
    answer, content = line.ask(Wire("GET", f"/__audit/{what}", (), b"", 0))
    assert answer.status == 200
    return [json.loads(text) for text in content.splitlines()]
