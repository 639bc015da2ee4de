"""Telephone numbers as HubSpot searches them, and whether a found number is the one that was looked for.

HubSpot's searchable phone properties hold national digits only, so a search for +44 20 7946 0100 also finds
+1 207 946 0100. What is found is therefore compared again, by what stands in the contact.
"""

from __future__ import annotations

import re

import phonenumbers

#: An extension at the end of a number as people write it.
_EXTENSION = re.compile(r"\s*(?:;ext=|ext\.?|extension|x|#)\s*\d{1,7}\s*$", re.IGNORECASE)


def national(value: str) -> str:
    """The digits by which HubSpot finds a number in E.164; all digits of any other text.

    >>> national("+442079460100")
    '2079460100'
    """
    number = _parsed(value)
    return _digits(value) if number is None else phonenumbers.national_significant_number(number)


def forms(value: str) -> set[str]:
    """The forms, as `written` gives them, that mean this number in E.164.

    Without a plus only those in which the people of its country write it: with the leading 0 where it has one, so that
    a bare 2079460100 is no London number.

    >>> sorted(forms("+442079460100"))
    ['+442079460100', '00442079460100', '011442079460100', '02079460100', '442079460100']
    """
    number = _parsed(value)
    if number is None:
        return {_digits(value), "+" + _digits(value)} - {"", "+"}
    full = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    dialled = _digits(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL))
    return {"+" + full, full, "00" + full, "011" + full, dialled}


def written(stored: str) -> str:
    """A contact's number as it stands there, reduced to its digits, with a plus where it begins with one.

    >>> written("+1 (207) 946-0100 ext. 7"), written("020 7946 0100")
    ('+12079460100', '02079460100')
    """
    stored = _EXTENSION.sub("", stored.strip())
    return ("+" if stored.startswith("+") else "") + _digits(stored)


def _parsed(value: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return None


def _digits(text: str) -> str:
    return "".join(c for c in text if c in "0123456789")
