"""Columns and their roles -> the text of a mapping, every guess that is not sure marked with `# check:`.

source ─ columns ─ skip ─ define ─ key ─ engagement ─ associations ─ metadata
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from etl.guess import metadata, values
from etl.guess.columns import Facts
from etl.guess.head import Head
from etl.guess.roles import Roles, nearly_a_key, rising
from etl.guess.words import ACTIVITY, DIRECTION, INTERNAL, folded
from etl.guess.written import comment, doubtful, quoted, ref

_SEVERAL = "what to do where several contacts fit: all, oldest, park, reject, or company: the one that they share"
NO_ZONE = "NO ZONE IS SAID BY THE FILE, and UTC is only a stand-in: give the zone of its clock, or --timezone"


class Choices(NamedTuple):
    """What the person said beforehand."""

    name: str
    timezone: str = ""
    region: str = ""


def draft(head: Head, columns: Sequence[Facts], roles: Roles, choices: Choices) -> str:
    """The mapping as YAML."""
    of = roles.of
    phones = [of[role] for role in ("from", "to", "phone") if role in of]
    region = choices.region or values.region_of(phones)
    clock = _clock_beside(columns, of)
    when = values.time(of["time"], clock, of.get("zone")) if "time" in of else None
    parts = [
        [f"version: 1\nname: {choices.name}"],
        _source(head, roles, choices, region, naive=_naive(of.get("time"), of.get("end"), of.get("zone"))),
        _columns(of),
        _skips(head, of),
        _define(of, roles),
        _key(of, columns),
        _engagement(roles, when),
        _associations(of, roles),
        _metadata(roles, when, region),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def _source(head: Head, roles: Roles, choices: Choices, region: str, *, naive: bool) -> list[str]:
    lines = ["source:", f"  format: {head.format}"]
    if head.sheet:
        lines.append(f"  sheet: {quoted(head.sheet)}")
    if head.delimiter != ",":
        lines.append(f"  delimiter: {'tab' if head.delimiter == chr(9) else quoted(head.delimiter)}")
    if head.encoding != "utf-8":
        lines.append(f"  encoding: {head.encoding}{doubtful(head.doubts.get('encoding', ''))}")
    if head.skip_rows:
        lines.append(f"  skip_rows: {head.skip_rows}")
    if not head.headed:
        names = ", ".join(quoted(name) for name in head.names)
        lines += [f"  header: none{doubtful(head.doubts.get('header', ''))}", f"  names: [{names}]"]
    if head.footer is not None and not _starts(head):
        lines.append(f"  stop_at: {{{quoted(head.footer[0])}: {quoted(head.footer[1])}}}  # the last line, no row")
    missing = dict.fromkeys(text for each in roles.of.values() for text in each.missing)
    if missing:
        lines.append(f'  missing: ["", {", ".join(quoted(text) for text in missing)}]  # texts that mean: nothing')
    if naive:
        said = "" if choices.timezone else NO_ZONE
        lines.append(f"  timezone: {choices.timezone or 'UTC'}{doubtful(said)}")
    if region:
        said = "" if choices.region else "the country of numbers without a country code"
        lines.append(f"  region: {region}{doubtful(said)}")
    return lines


def _naive(*times: Facts | None) -> bool:
    """Whether a zone has to be given for some of the times."""
    *stamps, zone = times
    open_ = [each for each in stamps if each is not None and not each.own_zone]
    return zone is None and any(not re.search(r"\b(utc|gmt|zulu)\b", folded(each.name)) for each in open_)


def _columns(of: Mapping[str, Facts]) -> list[str]:
    """The contract: a row without its key or its time is no row."""
    lines = ["columns:"]
    if "key" in of:
        lines.append(f"  {quoted(of['key'].name)}: {{nullable: false}}")
    if "time" in of and of["time"].filled == 1.0:
        lines.append(f"  {quoted(of['time'].name)}: {{nullable: false}}")
    return lines if len(lines) > 1 else []


def _skips(head: Head, of: Mapping[str, Facts]) -> list[str]:
    """What is no row of its own: a line of column types, a totals line, internal calls."""
    lines = []
    first = quoted(head.names[0])
    if head.types_line:
        lines.append(f"  - {{when: {{{first}: {quoted(head.types_line)}}}, reason: line of column types}}")
    if head.footer is not None and (starts := _starts(head)):
        name = quoted(head.footer[0])
        lines.append(f"  - {{when: {{{name}: {{starts: {quoted(starts)}}}}}, reason: totals line}}")
    if direction := of.get("direction"):
        internal = [text for text in direction.counts if folded(text) in INTERNAL]
        if internal:
            texts = ", ".join(quoted(text) for text in internal)
            lines.append(f"  - {{when: {{{quoted(direction.name)}: [{texts}]}}, reason: internal call}}")
    return ["skip:", *lines] if lines else []


def _starts(head: Head) -> str:
    """The words before a number in the footer's text, which is another one tomorrow."""
    found = re.match(r"[^\d]*", head.footer[1] if head.footer else "")
    text = found[0].rstrip() if found else ""
    return text if head.footer and text != head.footer[1].rstrip() and len(text) > 3 else ""


def _define(of: Mapping[str, Facts], roles: Roles) -> list[str]:
    """Who the other side is: of a call by its direction, of a mail by our own domain."""
    if "EMAIL" in roles.types and "sender" in of:
        domain = metadata.own_domain(of["sender"], of.get("recipients"))
        to = ref(of["recipients"].name) if "recipients" in of else "null"
        doubt = "your own domains, each in a line: mail from them is sent mail, all other is received"
        return [
            "define:", "  ours:", f"    from: {ref(of['sender'].name)}", "    as: domain",
            f"    map:{doubtful(doubt)}", f'      {quoted(domain)}: "yes"', '    else: "no"',
            f'  correspondents: {{cases: [{{when: {{ours: "yes"}}, then: {to}}}, {{else: {ref(of["sender"].name)}}}]}}',
        ]  # fmt: skip
    if "CALL" in roles.types and {"from", "to", "direction"} <= of.keys():
        came = [text for text in of["direction"].counts if DIRECTION.get(folded(text)) == "INBOUND"]
        if came:
            texts = ", ".join(quoted(text) for text in came)
            when = f"{{{quoted(of['direction'].name)}: [{texts}]}}"
            sides = f"[{{when: {when}, then: {ref(of['from'].name)}}}, {{else: {ref(of['to'].name)}}}]"
            return ["define:", f"  other side: {{cases: {sides}}}"]
    return []


def _key(of: Mapping[str, Facts], columns: Sequence[Facts]) -> list[str]:
    key = of.get("key")
    if key is None:
        doubt = "no column is an id of its own (each row once), so rows are told apart by all that is read of them."
        if near := nearly_a_key(columns):
            twice = next(iter(near.counts))
            doubt = f"`key: {ref(near.name)}`? As {twice} stands in several rows, rows are told apart by all that is read of them."
        return [comment(f"# check: {doubt}")]
    name = folded(key.name)
    plain = re.search(r"(id|guid|identifier)$", name)
    doubt = "" if plain else "is this the source's own id, the same in every export?"
    if name in ("no", "nr", "number", "#", "line") and rising(key):
        doubt = "a running number may begin anew in the next export: then it is no key"
    return [f"key: {ref(key.name)}{doubtful(doubt)}"]


def _engagement(roles: Roles, when: values.Written | None) -> list[str]:
    lines = ["engagement:"]
    if len(roles.types) > 1:
        column = roles.of["type"]
        lines += values.words("type", column, {text: ACTIVITY.get(text, "TASK") for text in map(folded, column.counts)},
                              2, step="else: TASK")  # fmt: skip
    else:
        lines.append(f"  type: {roles.types[0]}{doubtful('' if roles.sure else 'CALL, EMAIL, MEETING, NOTE or TASK?')}")
    if when is None:
        lines.append(
            "  timestamp: null  # check: NO COLUMN HOLDS A TIME, and an engagement needs one: every row is rejected"
        )
    else:
        lines.append(when.line("timestamp", 2))
    owner = roles.of.get("owner")
    if "EMAIL" in roles.types and "sender" in roles.of and owner is None:
        who = f"{{from: {ref(roles.of['sender'].name)}, as: email, lookup: owner, not_found: unassigned}}"
        lines.append(f'  ownerId: {{cases: [{{when: {{ours: "yes"}}, then: {who}}}]}}')
    elif owner is not None:
        lines.append(f"  ownerId: {{from: {ref(owner.name)}, lookup: owner, not_found: unassigned}}")
    return lines


def _associations(of: Mapping[str, Facts], roles: Roles) -> list[str]:
    if roles.types == ("EMAIL",) and "sender" in of:
        value = "{by: email, value: {from: $correspondents, as: emails}, ambiguous: all, not_found: park}"
        return ["associations:", f"  contacts: {value}", "  companies: {by: contact}"]
    ways = list(_ways(of, roles))
    if not ways:
        doubt = "NO PHONE AND NO E-MAIL FOUND: engagements without a link are seen by nobody in the CRM"
        return ["associations:", f"  require: none{doubtful(doubt)}"]
    several = of.get("email") is not None and of["email"].kind == "emails"
    return [
        "associations:", "  contacts:", "    match:", *(f"      - {way}" for way in ways),
        "    not_found: park  # the row waits until the contact is there; or reject, unlinked, create",
        f"    ambiguous: {'all' if several else 'company'}{doubtful(_SEVERAL)}", "  companies: {by: contact}",
    ]  # fmt: skip


def _ways(of: Mapping[str, Facts], roles: Roles) -> Iterator[str]:
    """How the contact is found: by e-mail first, which belongs to one person, then by phone."""
    if email := of.get("email"):
        value = f"{{from: {ref(email.name)}, as: emails}}" if email.kind == "emails" else ref(email.name)
        yield f"{{by: email, value: {value}}}"
    if phone := of.get("phone"):
        yield f"{{by: phone, value: {_dialled(phone)}}}"
    if "CALL" not in roles.types:
        return
    sides = [of[role] for role in ("from", "to") if role in of]
    if len(sides) == 2 and any(line.startswith("  other side") for line in _define(of, roles)):
        yield (
            "{by: phone, value: $other side}"
            if not any(values.lacks_plus(each, "") for each in sides)
            else ("{by: phone, value: \"{% if row['other side'] %}+{{ row['other side'] }}{% endif %}\"}")
        )
    elif not phone:
        doubt = "the file tells no direction, so both numbers are looked up, in this order" if len(sides) > 1 else ""
        for side in sides:
            yield f"{{by: phone, value: {_dialled(side)}}}{doubtful(doubt)}"
            doubt = ""


def _dialled(facts: Facts) -> str:
    return values.phone(facts, "").text if values.lacks_plus(facts, "") else ref(facts.name)


def _metadata(roles: Roles, when: values.Written | None, region: str) -> list[str]:
    if len(roles.types) == 1:
        return ["metadata:", *metadata.fields(roles.types[0], roles, when, region, 2)]
    lines = ["metadata:"]
    for kind in roles.types if "TASK" in roles.types else (*roles.types, "TASK"):
        lines += [f"  {kind}:", *metadata.fields(kind, roles, when, region, 4)]
    return lines


def _clock_beside(columns: Sequence[Facts], of: Mapping[str, Facts]) -> Facts | None:
    """The column of clock times that belongs to a column of dates."""
    date = of.get("time")
    if date is None or date.kind != "date":
        return None
    taken = {each.name for each in of.values()}
    clocks = [each for each in columns if each.kind == "clock" and each.name not in taken]
    named = [each for each in clocks if re.search(r"\b(time|uhrzeit|hora|heure|clock|start)\b", folded(each.name))
             and not re.search(r"\b(duration|talk|wait|ring|hold|avg|end)\b", folded(each.name))]  # fmt: skip
    return named[0] if named else None
