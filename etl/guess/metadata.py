"""The fields of each engagement type for guessed columns, as lines of YAML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from etl.guess import values, words
from etl.guess.columns import Facts
from etl.guess.roles import Roles
from etl.guess.shapes import EMAIL
from etl.guess.written import doubtful, quoted, ref


def fields(kind: str, roles: Roles, when: values.Written | None, region: str, indent: int) -> list[str]:
    """The block of fields of one type."""
    makers = {"CALL": _call, "EMAIL": _email, "MEETING": _meeting, "NOTE": _note, "TASK": _task}
    pad = " " * indent
    made = [f"{pad}{line}" for line in makers[kind](dict(roles.of), when, region)]
    return made or [f"{pad}{'body' if kind == 'CALL' else 'subject'}: null"]


def own_domain(sender: Facts, recipients: Facts | None) -> str:
    """The domain that stands on most mails, on whichever side."""
    counts: Counter[str] = Counter()
    for facts in (sender, recipients):
        for text, times in facts.counts.items() if facts else ():
            found = {address.rpartition("@")[2].rstrip(">").casefold() for address in EMAIL.findall(text)}
            counts.update(dict.fromkeys(found, times))
    return counts.most_common(1)[0][0] if counts else "example.com"


def _call(of: dict[str, Facts], _: values.Written | None, region: str) -> Iterator[str]:
    direction = values.known_share(of.get("direction"), words.DIRECTION) > 0
    if "from" in of:
        yield values.phone(of["from"], region).line("fromNumber", 0)
    if "to" in of:
        yield values.phone(of["to"], region).line("toNumber", 0)
    if "phone" in of and not {"from", "to"} & of.keys():
        yield from _sides(of, region) if direction else [values.phone(of["phone"], region).line("toNumber", 0)]
    if "duration" in of:
        yield values.duration(of["duration"]).line("durationMilliseconds", 0)
    if values.known_share(of.get("status"), words.CALL_STATUS) >= 0.3:
        yield from values.words("status", of["status"], words.CALL_STATUS, 0)
        if values.known_share(of["status"], words.DISPOSITION) >= 0.3:
            yield from values.words("disposition", of["status"], words.DISPOSITION, 0, step="lookup: disposition")
    else:
        yield f"status: COMPLETED{doubtful('no column tells how the call ended')}"
    if direction:
        yield from values.words("direction", of["direction"], words.DIRECTION, 0)
    if "recording" in of:
        yield f"recordingUrl: {ref(of['recording'].name)}"
    yield from _texts(of, "title")


def _sides(of: dict[str, Facts], region: str) -> Iterator[str]:
    """Caller and called of a file that has their number and ours: which is which, the direction says."""
    came = [text for text in of["direction"].counts if words.DIRECTION.get(words.folded(text)) == "INBOUND"]
    when = f"{{{quoted(of['direction'].name)}: [{', '.join(quoted(text) for text in came)}]}}"
    theirs = values.phone(of["phone"], region).text
    ours = values.phone(of["ours"], region).text if "ours" in of else "null"
    if not came:
        yield f"toNumber: {theirs}"
        return
    for field, then, otherwise in (("fromNumber", theirs, ours), ("toNumber", ours, theirs)):
        yield f"{field}: {{cases: [{{when: {when}, then: {then}}}, {{else: {otherwise}}}]}}"


def _email(of: dict[str, Facts], _: values.Written | None, __: str) -> Iterator[str]:
    if "sender" in of:
        yield "from:"
        yield f"  email: {{from: {ref(of['sender'].name)}, as: email}}"
        if "sender_name" in of:
            name = ref(of["sender_name"].name)
            yield f"  firstName: {{from: {name}, as: name_part, part: first}}"
            yield f"  lastName: {{from: {name}, as: name_part, part: last}}"
    for field, role in (("to", "recipients"), ("cc", "cc"), ("bcc", "bcc")):
        if role in of:
            yield f"{field}: {{each: {{from: {ref(of[role].name)}, as: emails}}, give: {{email: $item}}}}"
    yield f"subject: {_titled(of)}"
    yield from _mail_texts(of)
    if values.known_share(of.get("direction"), words.EMAIL_DIRECTION) == 1:
        yield from values.words("direction", of["direction"], words.EMAIL_DIRECTION, 0)
    elif "sender" in of:
        yield 'direction: {cases: [{when: {ours: "yes"}, then: EMAIL}, {else: INCOMING_EMAIL}]}'


def _mail_texts(of: dict[str, Facts]) -> Iterator[str]:
    if "html" in of:
        yield f"html: {{from: {ref(of['html'].name)}, as: html}}"
    elif "body" in of:
        yield values.body(of["body"]).line("html", 0)
    if "body" in of:
        yield f"text: {ref(of['body'].name)}"
    if "thread" in of:
        yield f"threadId: {ref(of['thread'].name)}"


def _meeting(of: dict[str, Facts], when: values.Written | None, _: str) -> Iterator[str]:
    yield f"title: {_titled(of)}"
    start = when or values.Written("null", "no column holds a time")
    yield start.line("startTime", 0)
    if "end" in of:
        yield values.time(of["end"], None, of.get("zone")).line("endTime", 0)
    else:
        yield start._replace(doubt="no column tells when it ended, so it ends as it begins").line("endTime", 0)
    yield from _texts(of)
    if "location" in of:
        yield f"location: {ref(of['location'].name)}"
    if values.known_share(of.get("status"), words.MEETING_OUTCOME) >= 0.5:
        yield from values.words("meetingOutcome", of["status"], words.MEETING_OUTCOME, 0)


def _note(of: dict[str, Facts], _: values.Written | None, __: str) -> Iterator[str]:
    body = of.get("body") or of.get("title")
    if body is None:
        yield f"body: null{doubtful('NO COLUMN HOLDS A TEXT, and a note needs one: every row is rejected')}"
    else:
        yield values.body(body).line("body", 0)


def _task(of: dict[str, Facts], _: values.Written | None, __: str) -> Iterator[str]:
    yield f"subject: {_titled(of)}"
    yield from _texts(of)
    if values.known_share(of.get("status"), words.TASK_STATUS) >= 0.3:
        yield from values.words("status", of["status"], words.TASK_STATUS, 0)
    if values.known_share(of.get("priority"), words.PRIORITY) >= 0.5:
        yield from values.words("priority", of["priority"], words.PRIORITY, 0)


def _texts(of: dict[str, Facts], title: str = "") -> Iterator[str]:
    if title and "title" in of:
        yield f"{title}: {ref(of['title'].name)}"
    if "body" in of:
        yield values.body(of["body"]).line("body", 0)


def _titled(of: dict[str, Facts]) -> str:
    facts = of.get("title") or of.get("body")
    if facts is None:
        return f"(no subject){doubtful('no column holds a subject')}"
    return f"{{from: {ref(facts.name)}, default: {quoted('(no subject)')}}}"
