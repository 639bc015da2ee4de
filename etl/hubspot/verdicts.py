"""What an answer, or its absence, means: one table, read from top to bottom, that ends with *unknown*.

Apart from the transport, so that the judgement can be read (and printed in the manual) without the mechanism. Two
questions are answered: what becomes of the rows of the request (`rows`: `planned` only where the request was certainly
not worked on), and what is done next (`next`). Nothing here says "try again": a create that may have happened is never
repeated before it has been looked for.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from functools import cache
from typing import NamedTuple

from etl.errors import ConfigError, EtlError, RemoteDown, TokenError, TryLater
from etl.flow import Json, State
from etl.hubspot.target import Next, Verdict, Wellness
from etl.hubspot.transport import Answer

#: A longer Retry-After than this ends the run, which goes on later. Seconds.
MAX_WAIT_S = 900.0
#: The longest reason, in characters; answers can be pages.
MAX_REASON = 2048

#: What a unique property says of a value that something else has: our own key, from an attempt whose answer was lost.
KEY_TAKEN = "ALREADY HAS THAT VALUE"

OK = (200, 201, 202, 204, 207)
SERVER_ERRORS = tuple(range(500, 600))
REDIRECTS = tuple(range(300, 400))
NEVER_CONNECTED = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")


class Line(NamedTuple):
    """One line of the table: what it applies to, and what follows."""

    name: str  #: what happened; a test has this name
    on: tuple[int | str, ...]  #: statuses, names of failures (`Answer.failure`), `NoJson` or `HtmlRefusal`; () for any
    next: Next
    rows: State  #: what the rows become; for `done` and `per_row` the wire decides by the answer
    says: str = ""  #: a word that must stand in policy, category or message, in capitals
    batch: bool | None = None  #: whether the line is for requests of several rows (True) or of one (False)
    wait_s: float = 0.0  #: at least this long nothing is sent; Retry-After can only lengthen it
    exit_code: int = 0
    found: Wellness = "well"  #: what it says of the account's health


VERDICTS: tuple[Line, ...] = (
    # no answer
    Line("never connected", NEVER_CONNECTED, "not_sent", "planned", found="unwell"),
    Line("write timed out", ("WriteTimeout",), "unknown", "unknown", found="unwell"),
    Line("write failed", ("WriteError",), "unknown", "unknown", found="unwell"),
    Line("read timed out", ("ReadTimeout",), "unknown", "unknown", found="unwell"),
    Line("read failed", ("ReadError",), "unknown", "unknown", found="unwell"),
    Line("server disconnected", ("RemoteProtocolError",), "unknown", "unknown", found="unwell"),
    Line("answer could not be decoded", ("DecodingError",), "unknown", "unknown", found="unwell"),
    Line("answer too large", ("AnswerTooLarge",), "unknown", "unknown", found="unwell"),
    Line("total deadline passed", ("DeadlinePassed",), "unknown", "unknown", found="unwell"),
    # success
    Line("answer cut or not json", ("NoJson",), "unknown", "unknown", found="unwell"),
    Line("some rows refused", (207,), "per_row", "unknown"),
    Line("done", OK, "done", "unknown"),
    Line("redirected", REDIRECTS, "stop", "unknown", exit_code=78),
    # refused
    Line("batch refused", (400, 422), "split", "unknown", batch=True),
    Line("refused by something that is not the api", ("HtmlRefusal",), "unknown", "unknown", found="unwell"),
    Line("key taken", (400, 409, 422), "unknown", "unknown", says=KEY_TAKEN, batch=False),
    Line("row refused", (400, 422), "refused", "rejected", batch=False),
    Line("token refused", (401,), "auth", "planned", wait_s=1.0, exit_code=77, found="busy"),
    Line("scope missing", (403,), "stop", "planned", exit_code=77),
    Line("path not known", (404, 405, 415), "stop", "planned", exit_code=78),
    Line("conflict in a batch", (409,), "split", "unknown", batch=True),
    Line("conflict", (409,), "unknown", "unknown", batch=False),
    Line("batch too large", (413, 414), "split", "planned", batch=True),
    Line("row too large", (413, 414), "refused", "rejected", batch=False),
    # not now
    Line("locked", (423,), "unknown", "unknown", wait_s=2.0, found="busy"),
    Line("daily limit", (429,), "stop", "planned", says="DAILY", exit_code=75, found="busy"),
    Line("ten secondly limit", (429,), "wait", "planned", says="TEN_SECONDLY", wait_s=10.0, found="busy"),
    Line("secondly limit", (429,), "wait", "planned", says="SECONDLY", wait_s=1.0, found="busy"),
    Line("limit of unknown kind", (429,), "wait", "planned", wait_s=10.0, found="busy"),
    Line("account migrating", (477,), "stop", "planned", exit_code=75, found="busy"),
    # not well
    Line("server gave up waiting", (408,), "unknown", "unknown", found="unwell"),
    Line("bad gateway or gateway timed out", (502, 504), "unknown", "unknown", wait_s=2.0, found="unwell"),
    Line("token malformed", (530,), "stop", "unknown", exit_code=77),
    Line("server error", SERVER_ERRORS, "unknown", "unknown", found="unwell"),
    Line("anything else", (), "unknown", "unknown", found="unwell"),
)


def judge(answer: Answer, size: int = 1) -> tuple[Verdict, State]:
    """The verdict on a request of `size` rows and what its rows become, by the first line that applies."""
    line = _line(answer, size)
    wait_s = max(line.wait_s, _retry_after_s(answer))
    verdict = Verdict(line.next, reason(answer), wait_s, line.exit_code, line.found)
    if line.next != "stop" and wait_s > MAX_WAIT_S:
        verdict = verdict._replace(next="stop", exit_code=75)
    if verdict.next == "stop" and wait_s:
        verdict = verdict._replace(reason=f"{verdict.reason} (not before {wait_s:.0f} s have passed)")
    return verdict, line.rows


def stopped(verdict: Verdict) -> EtlError:
    """The exception that ends the run after a verdict `stop`."""
    kind, hint = _STOPS.get(verdict.exit_code, _STOPS[69])
    return kind(f"HubSpot answered: {verdict.reason}", hint=hint)


def reason(answer: Answer) -> str:
    """What the answer says, for people: status, category, message, scopes; no control characters, `MAX_REASON` at most."""
    if answer.failure:
        return answer.failure
    if answer.status in OK and answer.json is not None:
        return str(answer.status)
    body = answer.json if isinstance(answer.json, dict) else {}
    words = [str(answer.status), str(body.get("category") or ""), complaint(body), _scopes(body)]
    if answer.status >= 400 and not body:
        words.append("(an answer that is not the API's)")
    return plain(" ".join(word for word in words if word))


def complaint(body: Json) -> str:
    """The message of an error body or of one of a batch's `errors`: each sub-error with its code and property."""
    details = [_detail(error) for error in _list(body.get("errors")) if isinstance(error, dict)]
    message = str(body.get("message") or "")
    # the list of invalid properties stands in the message a second time, as JSON text
    return "; ".join([message.partition(": [{")[0], *dict.fromkeys(filter(None, details))]).strip("; ")


def plain(text: str) -> str:
    """The text without characters that forge lines or drive a terminal, cut to `MAX_REASON`."""
    return "".join(c if c.isprintable() else " " for c in text)[:MAX_REASON]


_STOPS: dict[int, tuple[type[EtlError], str]] = {
    69: (RemoteDown, "Run the same command again later; what is done is in the checkpoint."),
    75: (TryLater, "Run the same command again when the account allows it; what is done is in the checkpoint."),
    77: (TokenError, "Check the token and the scopes named; then run the same command again."),
    78: (ConfigError, "Check --target: is this the address of the HubSpot API?"),
}


def _line(answer: Answer, size: int) -> Line:
    lines = _lines_on(_symptom(answer))
    said = _said(answer) if len(lines) > 1 else ""
    return next(line for line in lines if line.says in said and (line.batch is None or line.batch == (size > 1)))


@cache
def _lines_on(symptom: int | str) -> tuple[Line, ...]:
    """The lines that a symptom can fall under, up to the first that takes every request that has it."""
    lines = [line for line in VERDICTS if not line.on or symptom in line.on]
    first = next(n for n, line in enumerate(lines) if not line.says and line.batch is None)
    return tuple(lines[: first + 1])


def _symptom(answer: Answer) -> int | str:
    """What the table's `on` is compared with: a success, or a refusal, that is not the API's JSON is neither."""
    if answer.failure:
        return answer.failure
    if answer.status in OK and answer.json is None:
        return "NoJson"
    if answer.status in {400, 422} and answer.json is None:
        return "HtmlRefusal"
    return answer.status


def _said(answer: Answer) -> str:
    body = answer.json if isinstance(answer.json, dict) else {}
    return " ".join([str(body.get("policyName") or ""), str(body.get("category") or ""), complaint(body)]).upper()


def _retry_after_s(answer: Answer) -> float:
    """Seconds of the header Retry-After, as a number or as a date against the server's own `Date`; 0 if senseless."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), 1e9)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(answer.headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):  # neither form, or no `Date` to hold it against: the local clock proves nothing
        return 0.0


def _detail(error: Json) -> str:
    where = error.get("context")
    names = _list(where.get("propertyName")) if isinstance(where, dict) else []
    code = str(error.get("code") or error.get("category") or "")
    return " ".join(filter(None, [code, *map(str, names), str(error.get("message") or "")]))


def _scopes(body: Json) -> str:
    """The scopes that a 403 asks for; they stand in one of two places under one of two names."""
    contexts = [body.get("context"), *(e.get("context") for e in _list(body.get("errors")) if isinstance(e, dict))]
    scopes = [
        str(scope)
        for context in contexts
        if isinstance(context, dict)
        for name in ("requiredScopes", "requiredGranularScopes")
        for scope in _list(context.get(name))
    ]
    return f"[scopes required: {', '.join(dict.fromkeys(scopes))}]" if scopes else ""


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
