"""What each column holds, judged by all its cells in the head of the file: times with their format, phones, words.

Where the cells leave a question open (day or month first), the answer says so: `doubt`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from etl.guess import shapes
from etl.guess.head import Head
from etl.guess.shapes import Form

Kind = Literal[
    "empty", "time", "date", "clock", "epoch_s", "epoch_ms", "spoken", "phone", "email", "emails", "url", "bool",
    "zone", "number", "enum", "text",
]  # fmt: skip
#: Texts by which exports say that nothing is there.
NOTHING = ("-", "--", "N/A", "n/a", "NULL", "null", "(null)", "\\N", "#N/A", "nil", "0000-00-00 00:00:00", "0000-00-00",
           "000000000000000AAA", "None", "none", "(none)", "(blank)")  # fmt: skip
_BOOLS = ({"yes", "no"}, {"y", "n"}, {"true", "false"}, {"t", "f"}, {"0", "1"})
_ENOUGH = 0.8  # of the cells; the others are what the mapping will reject
_LOOKED_AT = 500  # distinct texts


@dataclass(frozen=True, slots=True)
class Facts:
    """One column: what its cells are. `cells` are those that are not empty, trimmed, in the order of the file."""

    name: str
    cells: tuple[str, ...]
    filled: float  #: the share of rows with a cell
    counts: dict[str, int]  #: distinct texts, the most frequent first
    unique: bool  #: no text twice, but where the whole row is, and no row without
    kind: Kind
    forms: tuple[Form, ...] = ()  #: of times and dates; `iso` too
    own_zone: bool = False  #: the times say their offset themselves
    missing: tuple[str, ...] = ()  #: texts that stand for nothing
    doubt: str = ""


def facts_of(head: Head) -> list[Facts]:
    """Every column of the head; one question about day and month is answered by the other columns where they can."""
    columns = list(zip(*head.rows, strict=True)) if head.rows else [()] * len(head.names)
    distinct = len(set(head.rows))
    found = [_facts(name, cells, distinct) for name, cells in zip(head.names, columns, strict=True)]
    sure = {_order(each) for each in found if each.forms and not each.doubt} - {""}
    return [_agreed(each, sure) for each in found]


def _facts(name: str, raw: Sequence[str], distinct: int) -> Facts:
    cells = [cell.strip() for cell in raw if cell.strip()]
    missing = tuple(text for text in NOTHING if text in cells)
    cells = [cell for cell in cells if cell not in missing]
    counts = dict(Counter(cells).most_common())
    unique = len(counts) == distinct > 0 and len(cells) == len(raw)
    facts = Facts(name, tuple(cells), len(cells) / max(len(raw), 1), counts, unique, "text", missing=missing)
    if not cells:
        return replace(facts, kind="empty", missing=())
    texts = list(counts)[:_LOOKED_AT]
    return _timed(facts, texts) or replace(facts, kind=_kind(texts, len(cells)))


def _kind(texts: list[str], cells: int) -> Kind:
    """What is no time."""
    lower = {text.casefold() for text in texts}
    if any(lower <= words for words in _BOOLS) and (len(lower) == 2 or lower & {"yes", "no", "true", "false"}):
        return "bool"
    tests: tuple[tuple[Kind, Callable[[str], object]], ...] = (
        ("email", shapes.EMAIL_INSIDE.fullmatch), ("emails", _are_emails), ("url", shapes.URL.fullmatch),
        ("clock", shapes.CLOCK.fullmatch), ("clock", shapes.H_MM_SS.fullmatch), ("clock", shapes.M_SS.fullmatch),
        ("spoken", shapes.SPOKEN.fullmatch), ("phone", _is_phone), ("number", shapes.NUMBER.fullmatch),
    )  # fmt: skip
    for kind, test in tests:
        if sum(test(text) is not None and test(text) is not False for text in texts) >= _ENOUGH * len(texts):
            return kind
    if all(shapes.ZONE.fullmatch(text) and ("/" in text or text in ("UTC", "GMT")) for text in texts):
        return "zone"
    return "enum" if len(texts) <= min(20, max(2, cells // 2)) and max(map(len, texts)) <= 40 else "text"


def _is_phone(text: str) -> bool:
    digits = re.sub(r"\D", "", re.split(r"(?i)x|ext", text)[0])
    written = text.startswith(("+", "tel:", "(")) or re.search(r"\d[ \-)]+\d", text) or text.count(".") > 1
    return bool(shapes.PHONE.fullmatch(text) and 7 <= len(digits) <= 15 and written)


def _are_emails(text: str) -> bool:
    parts = [part for part in re.split(r"[;,\n]\s*", text) if part.strip()]
    return bool(parts) and all(shapes.EMAIL_INSIDE.fullmatch(part.strip()) for part in parts)


def _timed(facts: Facts, texts: list[str]) -> Facts | None:
    """The column as times, dates or epochs, where nearly every text is one."""
    if all(shapes.DIGITS.fullmatch(text) for text in texts):
        return _epochs(facts, texts)
    if sum(any(c.isdigit() for c in text) and 6 <= len(text) <= 45 for text in texts) < _ENOUGH * len(texts):
        return None
    iso, dated, own = _iso(texts)
    if sum(iso) >= _ENOUGH * len(texts):
        return replace(facts, kind="date" if dated else "time", forms=(Form("iso"),), own_zone=own)
    found, doubt = _covering(texts, facts.cells)
    if not found:
        return None
    dated = not any(re.search("%[HI]", form.format) for form in found)
    own = all(form.zone_letters or re.search("%[zZ]", form.format) for form in found)
    return replace(facts, kind="date" if dated else "time", forms=found, own_zone=own, doubt=doubt)


def _epochs(facts: Facts, texts: list[str]) -> Facts | None:
    """Seconds or milliseconds since 1970, between 2001 and 2036."""
    for kind, low, high in (("epoch_s", 10**9, 2_100_000_000), ("epoch_ms", 10**12, 2_100_000_000_000)):
        zeros = [text for text in texts if text != "0"]
        if zeros and all(low <= int(text) <= high and len(text) == len(str(low)) for text in zeros):
            missing = ("0",) if len(zeros) < len(texts) else ()
            return replace(facts, kind=kind, forms=(Form(kind),), own_zone=True, missing=missing)  # type: ignore[arg-type]  # one of the two
    day = Form("%Y%m%d")
    if all(len(text) == 8 and "1990" <= text[:4] <= "2040" for text in texts) and all(shapes.fits(day, texts)):
        return replace(facts, kind="date", forms=(day,))
    return None


def _iso(texts: list[str]) -> tuple[list[bool], bool, bool]:
    """Which texts are ISO 8601, whether they are dates only, and whether each says its offset."""
    import pyarrow as pa

    from etl.transform.times import reader

    found = reader("iso")(pa.array(texts, pa.string()))
    ok = found.ok & [len(text) > 8 for text in texts]  # eight digits could be anything
    return ok.tolist(), bool(found.dated[ok].all()), bool(ok.any() and found.own[ok].all())


def _covering(texts: list[str], cells: Sequence[str]) -> tuple[tuple[Form, ...], str]:
    """At most three formats that read nearly every text, and what stays open about them."""
    chosen: list[Form] = []
    left, doubt = texts, ""
    while left and len(chosen) < 3:
        ways = {form: sum(shapes.fits(form, left)) for form in shapes.forms(left[0])}
        if not ways:
            left = left[1:] if len(left) > _ENOUGH * len(texts) else []
            continue
        best = max(ways, key=lambda form: ways[form])
        other = best.month_first
        if other is not None and ways.get(other) == ways[best]:
            best, doubt = _in_order_of_time(best, other, cells)
        chosen.append(best)
        left = [text for text, fit in zip(left, shapes.fits(best, left), strict=True) if not fit]
    good = sum(any(fits) for fits in zip(*(shapes.fits(form, texts) for form in chosen), strict=True)) if chosen else 0
    return (tuple(chosen), doubt) if good >= _ENOUGH * len(texts) else ((), "")


def _in_order_of_time(day: Form, month: Form, cells: Sequence[str]) -> tuple[Form, str]:
    """Which of two readings leaves the rows in order: exports are written by time, up or down."""
    turns = []
    for form in (day, month):
        times = [at for at in (shapes.moment(form, cell) for cell in cells[:2_000]) if at is not None]
        ups = sum(after > before for before, after in pairwise(times))
        downs = sum(after < before for before, after in pairwise(times))
        turns.append(min(ups, downs))
    best, other = (day, month) if turns[0] <= turns[1] else (month, day)
    if max(turns) >= 3 and min(turns) * 5 <= max(turns):
        return best, f"`{other.format}` fits too; read as here the rows are in order of time"
    return best, f"`{other.format}` fits as well: is the day first, or the month?"


def _order(facts: Facts) -> str:
    """`day` or `month`: which comes first in the column's formats."""
    for form in facts.forms:
        for day, month in shapes.DAY_FIRST.items():
            if form.format.startswith(day):
                return "day"
            if form.format.startswith(month):
                return "month"
    return ""


def _agreed(facts: Facts, sure: set[str]) -> Facts:
    """The column with its doubt about day and month settled by columns that leave none."""
    if "or the month" not in facts.doubt or len(sure) != 1:
        return facts
    if _order(facts) in sure:
        return replace(facts, doubt="")
    swapped = {month: day for day, month in shapes.DAY_FIRST.items()} | shapes.DAY_FIRST
    turned = []
    for form in facts.forms:
        start = next((date for date in swapped if form.format.startswith(date)), "")
        turned.append(form._replace(format=swapped[start] + form.format[len(start) :]) if start else form)
    return replace(facts, forms=tuple(turned), doubt="")
