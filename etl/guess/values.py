"""Values of a mapping for guessed columns: times, durations, numbers, words; each a line or lines of YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from etl.guess import shapes
from etl.guess.columns import Facts
from etl.guess.words import ZONE_LETTERS, folded
from etl.guess.written import cell, doubtful, quoted, ref

_REGIONS = (
    "US",
    "GB",
    "DE",
    "FR",
    "ES",
    "IT",
    "NL",
    "AU",
    "IN",
    "BR",
    "PT",
    "PL",
    "CH",
    "AT",
    "BE",
    "IE",
    "SE",
    "MX",
    "ZA",
    "NZ",
)


class Written(NamedTuple):
    """A value in YAML, on one line, and what is not sure about it."""

    text: str
    doubt: str = ""

    def line(self, key: str, indent: int) -> str:
        """The value behind a key, as a line: ``key: value  # check: ...``."""
        return f"{' ' * indent}{key}: {self.text}{doubtful(self.doubt)}"


def time(facts: Facts, clock: Facts | None = None, zone: Facts | None = None) -> Written:
    """`as: datetime` for a column of times, or for one of dates with the column of clock times beside it."""
    source, formats, doubt = ref(facts.name), [form.format for form in facts.forms], facts.doubt
    said_utc = bool(re.search(r"\b(utc|gmt|zulu)\b", folded(facts.name)))
    letters = next((form.zone_letters for form in facts.forms if form.zone_letters), "")
    extra = ""
    if clock is not None and facts.cells and clock.cells:
        source = f'"{{{{ {cell(facts.name)} }}}} {{{{ {cell(clock.name)} }}}}"'
        formats = _together(facts, clock) or formats
        if clock.filled < facts.filled:
            formats, extra = [*formats, *(form.format for form in facts.forms)], ', at: "12:00"'
    elif facts.kind == "date":
        extra = ', at: "12:00"'
        doubt = doubt or "dates without a time: they are put at noon"
    if letters:
        extra += ", extract: '^(.*\\S) +[A-Z]{2,5}$'"
        if letters in ZONE_LETTERS:
            extra += f", timezone: {ZONE_LETTERS[letters]}"
        doubt = doubt or f"the times say {letters}; is the zone the right one?"
    if said_utc and not facts.own_zone:
        extra += ", timezone: UTC"
    elif zone is not None and not facts.own_zone:
        extra += f", timezone: {ref(zone.name)}"
        plain = re.fullmatch(r"(time ?zone|tz|zone)( name)?", folded(zone.name))
        doubt = doubt or ("" if plain else f"are the times by the clock of {zone.name}?")
    said = f"format: {_format(formats[0])}" if len(formats) == 1 else f"formats: [{', '.join(map(_format, formats))}]"
    return Written(f"{{from: {source}, as: datetime, {said}{extra}}}", doubt)


def duration(facts: Facts) -> Written:
    """`as: duration`, by how it is written and by the unit in the column's name."""
    texts, doubt = list(facts.counts), ""
    if facts.kind == "spoken":
        formats = ["text"]
    elif facts.kind == "clock":
        formats = [name for name, form in (("H:MM:SS", shapes.H_MM_SS), ("M:SS", shapes.M_SS))
                   if any(form.fullmatch(text) for text in texts)]  # fmt: skip
        formats = formats or ["H:MM:SS"]
    else:
        unit, doubt = _unit(facts)
        formats = [unit]
    said = f"format: {_format(formats[0])}" if len(formats) == 1 else f"formats: [{', '.join(map(_format, formats))}]"
    return Written(f"{{from: {ref(facts.name)}, as: duration, {said}}}", doubt)


def phone(facts: Facts, region: str) -> Written:
    """`as: phone`; digits with a country code and no plus get one."""
    source = ref(facts.name)
    if lacks_plus(facts, region):
        name = cell(facts.name)
        source = f'"{{% if {name} %}}+{{{{ {name} }}}}{{% endif %}}"'
    return Written(f"{{from: {source}, as: phone, invalid: keep}}")


def region_of(columns: list[Facts]) -> str:
    """The country in which most of the numbers without a country code are valid; no text where none has any."""
    numbers = [text for each in columns for text in list(each.counts)[:60] if not text.startswith(("+", "00", "tel:+"))]
    numbers = [text for text in numbers if 7 <= len(re.sub(r"\D", "", text)) <= 13]
    if not numbers or all(lacks_plus(each, "") for each in columns if each.cells):
        return ""
    valid = {region: sum(_valid(text, region) for text in numbers) for region in _REGIONS}
    best = max(_REGIONS, key=lambda region: valid[region])
    return best if valid[best] * 2 >= len(numbers) else ""


def lacks_plus(facts: Facts, region: str) -> bool:
    """Whether the numbers are digits that begin with a country code."""
    texts = [text for text in list(facts.counts)[:60] if text.isdigit() and len(text) >= 10]
    if not texts:
        return False
    with_plus = sum(_valid(f"+{text}", None) or bool(re.fullmatch(r"1[2-9]\d{9}", text)) for text in texts)
    national = max((sum(_valid(text, each) for text in texts) for each in ([region] if region else ["US"])), default=0)
    return with_plus * 10 >= 7 * len(texts) and with_plus > national


def words(key: str, facts: Facts, known: Mapping[str, str], indent: int, *, step: str = "") -> list[str]:
    """`map` over the words seen in a column; a word that nobody knows maps to nothing, marked."""
    pad = " " * indent
    lines = [f"{pad}{key}:", f"{pad}  from: {ref(facts.name)}", f"{pad}  map:"]
    for text in facts.counts:
        word = known.get(folded(text))
        doubt = "" if word is not None else "a word without a usual meaning; until it has one the field stays empty"
        lines.append(f"{pad}    {quoted(text)}: {quoted(word) if word else 'null'}{doubtful(doubt)}")
    return [*lines, f"{pad}  {step}"] if step else lines


def known_share(facts: Facts | None, known: Mapping[str, str]) -> float:
    """The share of a column's distinct words that a table knows; 0.0 where there are too many words."""
    if facts is None or not 0 < len(facts.counts) <= 20:
        return 0.0
    return sum(folded(text) in known for text in facts.counts) / len(facts.counts)


def body(facts: Facts) -> Written:
    """A text as the body: escaped, or as HTML where it is HTML."""
    tagged = any(re.search(r"(?i)</?(p|br|div|a|b|ul|table|span)\b[^>]*>", text) for text in list(facts.counts)[:50])
    return Written(f"{{from: {ref(facts.name)}, as: {'html' if tagged else 'html_from_text'}}}")


def _together(date: Facts, clock: Facts) -> list[str]:
    """The format of a date and a clock time with a space between."""
    afters = dict.fromkeys(
        form.format.removeprefix(start)
        for text in list(clock.counts)[:200]
        for start in ("%Y-%m-%d ",)
        for form in shapes.forms(f"2001-02-03 {text}")
        if form.format.startswith(start)
    )
    starts = ["%Y-%m-%d" if form.format == "iso" else form.format for form in date.forms]
    return [f"{start} {after}" for start in starts for after in afters][:6]


def _unit(facts: Facts) -> tuple[str, str]:
    name = folded(facts.name)
    for pattern, unit in ((r"\b(ms|millis\w*|msec)\b", "ms"), (r"\b(sec|secs|seconds?|s|billsec)\b", "s"),
                          (r"\b(min|mins|minutes?)\b", "min")):  # fmt: skip
        if re.search(pattern, name):
            return unit, ""
    numbers = sorted(float(text) for text in facts.counts if re.fullmatch(r"\d+(\.\d+)?", text))
    middle = numbers[len(numbers) // 2] if numbers else 0
    return ("ms", "milliseconds, by their size") if middle > 30_000 else ("s", "seconds?")


def _format(text: str) -> str:
    return text if text.isidentifier() else f'"{text}"'


def _valid(text: str, region: str | None) -> bool:
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(text, region)))
    except phonenumbers.NumberParseException:
        return False
