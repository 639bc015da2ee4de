"""Which column is what: by its name and by what it holds; and which of the five engagements the rows are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from etl.guess.columns import Facts, Kind
from etl.guess.words import ACTIVITY, DIRECTION, ROLES, TYPES, folded

_TIMES: tuple[Kind, ...] = ("time", "date", "epoch_s", "epoch_ms")
_WORDS: tuple[Kind, ...] = ("enum", "text", "bool", "number")
#: Role -> the kinds of column that can have it; the roles are given away in this order.
_KINDS: dict[str, tuple[Kind, ...]] = {
    "zone": ("zone",), "type": ("enum", "text"), "direction": ("enum", "text"), "sender": ("email",), "cc": ("email", "emails"),
    "bcc": ("email", "emails"), "recipients": ("email", "emails"), "owner": ("email",), "email": ("email", "emails"),
    "time": _TIMES, "end": _TIMES, "duration": ("number", "clock", "spoken", "bool", "enum"), "recording": ("url",),
    "key": ("text", "number", "enum", "phone", "email", "epoch_s", "epoch_ms"),
    "ours": ("phone", "number", "text", "enum"), "phone": ("phone", "number", "text", "enum"),
    "from": ("phone", "number", "text", "enum"), "to": ("phone", "number", "text", "enum"), "status": ("enum", "text", "bool"),
    "priority": ("enum",), "title": ("text", "enum"), "html": ("text", "enum"), "body": ("text", "enum"), "location": ("text", "enum", "url"),
    "domain": ("text", "enum", "url"), "company": ("text", "enum"), "sender_name": ("text", "enum"), "thread": _WORDS,
}  # fmt: skip
_MAIL = ("sender", "cc", "bcc", "recipients", "sender_name", "thread", "html")
_CALLS = ("from", "to", "ours", "duration", "recording")


@dataclass(frozen=True, slots=True)
class Roles:
    """The engagement type (several where a column decides), and the column of each role that has one."""

    types: tuple[str, ...]
    sure: bool  #: the type is plain from the words
    of: Mapping[str, Facts]


def roles_of(columns: Sequence[Facts], stem: str = "") -> Roles:
    """The roles of the columns of a file whose name is `stem`."""
    usable = [each for each in columns if usable_name(each.name)]
    scores = _type_scores(usable, stem)
    best, second = sorted(scores, key=lambda kind: -scores[kind])[:2]
    kind = best if scores[best] > 0 else "NOTE"
    of = _given(usable, kind)
    per_row = _types_per_row(of.get("type"))
    if len(per_row) > 1:
        return Roles(per_row, True, {**_given(usable, "CALL" if "CALL" in per_row else kind), **of})
    of.pop("type", None)
    if per_row and scores[per_row[0]] >= 0.5 * scores[kind]:
        kind = per_row[0]
        of = _given(usable, kind)
    return Roles((kind,), scores[best] >= 2 and scores[best] >= 1.4 * scores[second], of)


def nearly_a_key(columns: Sequence[Facts]) -> Facts | None:
    """The column that is named like an id, and would be one but for a few texts that stand in several rows."""
    for each in columns:
        is_named = usable_name(each.name) and any(p.fullmatch(folded(bare(each.name))) for p in _patterns("key"))
        again = len(each.cells) - len(each.counts)
        if is_named and each.filled == 1.0 and 0 < again <= max(1, 0.1 * len(each.cells)) < len(each.counts):
            return each
    return None


def usable_name(name: str) -> bool:
    """Whether a mapping can name the column: `$` and braces mean something else there."""
    return not (name.startswith(("$", "_etl_")) or name == "item" or re.search(r"\{[{%#]", name) or not name.strip())


def bare(name: str) -> str:
    """A column's name without the object before it, as some exports write it: `Activity - Due date`, `What.Name`."""
    return re.sub(r"^[A-Za-z]+(?: - |\.)", "", name)


def _given(columns: Sequence[Facts], kind: str) -> dict[str, Facts]:
    """Each role's column: the surest first, no column twice (a meeting's start is its time, too)."""
    found: dict[str, Facts] = {}
    for role, kinds in _KINDS.items():
        if (role in _MAIL and kind != "EMAIL") or (role in _CALLS and kind not in ("CALL", "MEETING")):
            continue
        if role in ("from", "to", "ours") and kind != "CALL":
            continue
        taken = {each.name for each in found.values()}
        fits = [each for each in columns if each.kind in kinds and each.name not in taken]
        scored = [(score, each) for each in fits if (score := _score(role, each, kind)) > 0]
        if scored:
            found[role] = max(scored, key=lambda pair: pair[0])[1]
    _without_names(columns, found, kind)
    return found


def _score(role: str, facts: Facts, kind: str) -> float:
    """How well a column fits a role; nothing, or less, where it does not."""
    name = folded(bare(facts.name))
    place = next((i for i, pattern in enumerate(_patterns(role)) if pattern.fullmatch(name)), None)
    if place is None:
        return 0.0
    if not _can_be(role, facts):
        return 0.0
    score = 10.0 - 2 * place + facts.filled
    if role == "time":
        score += _time_score(name, facts, kind)
    if role == "duration" and re.search("ring|wait|queue|hold|answer", name):
        score -= 5
    if role in ("body", "title") and facts.kind == "enum" and len(facts.counts) < 2:
        score -= 4
    return score


def _can_be(role: str, facts: Facts) -> bool:
    """What the cells say about a role that the name alone would give."""
    if role == "key":
        return facts.unique
    if role in ("from", "to", "phone", "ours"):
        return _numbers(facts, least=2 if role in ("from", "to") else 6)
    if role == "direction":
        known = sum(folded(text) in DIRECTION for text in facts.counts)
        return bool(known) and known * 2 >= len(facts.counts)
    return role != "type" or bool(_types_per_row(facts))


def _time_score(name: str, facts: Facts, kind: str) -> float:
    score = 0.0 if facts.kind == "date" else 1.5
    score -= (
        3 if re.search(r"\b(end|ended|finish|updated?|modified|synced|export|answer(ed)?|connect(ed)?)\b", name) else 0
    )
    score += 0.5 if "utc" in name or facts.own_zone else 0
    return score + (5 if kind == "TASK" and "due" in name else 0) + (0.3 * facts.filled)


def _numbers(facts: Facts, least: int) -> bool:
    """Whether a good part of the cells could be dialled: numbers of at least so many digits."""
    texts = list(facts.counts)[:200]
    digits = [text for text in texts if re.fullmatch(r"(?i)(tel:)?\+?[\d ().\-/]+(\s*(x|ext\.?)\s*\d+)?", text)
              and sum(c.isdigit() for c in text) >= least]  # fmt: skip
    return facts.kind == "phone" or len(digits) * 2 >= len(texts) > 0


def _without_names(columns: Sequence[Facts], found: dict[str, Facts], kind: str) -> None:
    """Fills the roles that no name told by what is left: the first time, the phones in their order, the only address."""
    taken = {each.name for each in found.values()}
    left = [each for each in columns if each.name not in taken]
    if "key" not in found and (ids := [each for each in left if _looks_like_an_id(each)]):
        found["key"] = ids[0]
    if "time" not in found and (times := [each for each in left if each.kind in _TIMES]):
        found["time"] = max(times, key=lambda each: (each.filled > 0.5, each.kind != "date", -left.index(each)))
    phones = [each for each in left if each.kind == "phone"]
    if kind == "CALL" and phones and not found.keys() & {"from", "to", "phone"}:
        found.update(zip(("from", "to") if len(phones) > 1 else ("phone",), phones, strict=False))
    elif kind != "CALL" and phones and "phone" not in found:
        found["phone"] = phones[0]
    mails = [each for each in left if each.kind in ("email", "emails") and not re.search("(?i)uri|sip", each.name)]
    if kind == "EMAIL":
        found.update(zip([r for r in ("sender", "recipients") if r not in found], mails, strict=False))
    elif mails and "email" not in found:
        found["email"] = mails[0]
    if kind == "MEETING" and "end" not in found:
        later = [each for each in left if each.kind in _TIMES and each is not found.get("time")]
        found.update(zip(("end",), later, strict=False))


def _looks_like_an_id(facts: Facts) -> bool:
    """Whether a column without a telling name is an id by its cells: each once, long, with digits, without spaces."""
    texts = list(facts.counts)[:200]
    fits = [re.fullmatch(r"[<\w.:@+/-]{6,80}>?", text) and sum(c.isdigit() for c in text) > 2 for text in texts]
    return facts.unique and facts.kind in ("text", "number", "enum") and all(fits)


def _type_scores(columns: Sequence[Facts], stem: str) -> dict[str, float]:
    """What the words of the header, the name of the file and the cells say for each type."""
    names = [folded(each.name) for each in columns]
    words = folded(stem)
    scores = {
        kind: sum(
            weight * (any(re.search(pattern, name) for name in names) + 0.7 * bool(re.search(pattern, words)))
            for pattern, weight in patterns.items()
        )
        for kind, patterns in TYPES.items()
    }
    phones = sum(each.kind == "phone" for each in columns)
    mails = sum(each.kind in ("email", "emails") for each in columns)
    times = [each for each in columns if each.kind in _TIMES]
    clocks = any(each.kind in ("clock", "spoken") for each in columns)
    scores["CALL"] += 1.0 * min(phones, 2) + (1.0 if clocks and phones else 0.0)
    scores["EMAIL"] += 1.5 if mails >= 2 else (-3.0 if not mails else 0.0)
    scores["MEETING"] += 0.0 if len(times) >= 2 else -2.0
    scores["TASK"] += 0.0 if any(each.kind in ("text", "enum") for each in columns) else -3.0
    return scores


def _types_per_row(facts: Facts | None) -> tuple[str, ...]:
    """The types that the cells of a column name, where most of them name one."""
    if facts is None:
        return ()
    known = [ACTIVITY[folded(text)] for text in facts.counts if folded(text) in ACTIVITY]
    return tuple(dict.fromkeys(known)) if known and len(known) * 3 >= 2 * len(facts.counts) else ()


@cache
def _patterns(role: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(f"(?:{pattern})") for pattern in ROLES[role])


def rising(facts: Facts) -> bool:
    """Whether a column of numbers goes up row by row, as a running number does."""
    numbers = [int(cell) for cell in facts.cells[:200] if cell.isdigit()]
    return len(numbers) > 2 and all(after > before for before, after in pairwise(numbers))
