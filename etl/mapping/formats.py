"""What is wrong with the format of a time or duration, or with the name of a zone: message and hint, or nothing."""

from __future__ import annotations

import re

from etl.mapping.shape import nearest

Trouble = tuple[str, str]

#: Formats of times that are words, and what the strptime formats may hold.
TIME_WORDS = ("iso", "epoch_s", "epoch_ms")
DIRECTIVES = "aAbBdfHIjmMpSyYzZ%"
DURATIONS = ("s", "ms", "min", "H:MM:SS", "M:SS", "text")

#: How other programs write the parts of a time.
_PICTURE = (
    ("yyyy", "%Y"), ("YYYY", "%Y"), ("yy", "%y"), ("YY", "%y"), ("MMM", "%b"), ("dd", "%d"), ("DD", "%d"), ("HH", "%H"),
    ("hh", "%I"), ("mm", "%M"), ("MI", "%M"), ("ss", "%S"), ("SS", "%S"), ("tt", "%p"), ("AM", "%p"),
)  # fmt: skip

#: ISO 3166 two-letter codes, and XK, AC and TA, which have numbering plans of their own.
_CODES = """
    AC AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB
    GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG
    KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB
    SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM
    US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"""
REGIONS = frozenset(_CODES.split())


def time_trouble(text: str) -> Trouble | None:
    """What is wrong with a `format` of `as: datetime`.

    >>> time_trouble("%m/%d/%Y %I:%M:%S")
    ('`%I` is an hour of a 12-hour clock and needs `%p`', '`%H` is the hour of a 24-hour clock')
    """
    if text in TIME_WORDS:
        return None
    found = re.findall(r"%(.?)", text, re.DOTALL)
    for letter in found:
        if letter not in DIRECTIVES or not letter:
            return f"`%{letter}` is no part of a time that is understood", _directive_hint(letter)
    parts = set(found) - {"%"}
    dated = parts & {"Y", "y"} and ("j" in parts or (parts & {"m", "b", "B"} and "d" in parts))
    if not parts:
        return f"`{text}` is no format of a time", _picture_hint(text)
    if not dated:
        return f"`{text}` does not give year, month and day", "it needs `%Y` (or `%y`), `%m` (or `%b`) and `%d`"
    return _clock_trouble("I" in parts, "p" in parts)


def duration_trouble(text: str) -> Trouble | None:
    """What is wrong with a `format` of `as: duration`."""
    if text in DURATIONS:
        return None
    hint = "`H:MM:SS`" if text.upper() in ("HH:MM:SS", "%H:%M:%S") else ""
    hint = f"did you mean {hint}?" if hint else nearest(text, DURATIONS)
    return f"expected one of {', '.join(DURATIONS)}; found `{text}`", hint


def zone_trouble(name: str) -> Trouble | None:
    """What is wrong with the name of a time zone."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return f"no time zone is named `{name}`", nearest(name, available_timezones()) or "such as Europe/Berlin or UTC"
    return None


def _clock_trouble(twelve_hours: bool, half_of_day: bool) -> Trouble | None:
    if twelve_hours and not half_of_day:
        return "`%I` is an hour of a 12-hour clock and needs `%p`", "`%H` is the hour of a 24-hour clock"
    if half_of_day and not twelve_hours:
        return "`%p` (AM or PM) means nothing without `%I`", "`%I` is the hour of a 12-hour clock"
    return None


def _directive_hint(letter: str) -> str:
    if letter in tuple("cxX"):
        return "it depends on the machine's language: write the parts, such as `%m/%d/%Y`"
    if letter == "-":
        return "`%d`, `%m` and `%H` read one digit as well as two"
    whole = {"T": "%H:%M:%S", "F": "%Y-%m-%d", "D": "%m/%d/%y", "R": "%H:%M", "e": "%d", "s": "epoch_s"}.get(letter)
    return f"write `{whole}`" if whole else "such as `%Y-%m-%d %H:%M:%S`"


def _picture_hint(text: str) -> str:
    guess = text
    for picture, directive in _PICTURE:
        guess = guess.replace(picture, directive)
    if guess != text:
        guess = guess.replace("MM", "%m").replace("%%", "%")
        return f"did you mean `{guess}`?" if time_trouble(guess) is None else "such as `%Y-%m-%d %H:%M:%S`"
    return nearest(text, TIME_WORDS) or "such as iso, or `%Y-%m-%d %H:%M:%S`"
