"""Phone numbers to E.164, where the number is possible in its region.

*Possible* is the rule of the `phonenumbers` library: a length that the numbers of that country have. A length that can
only be dialled inside an area (seven digits in the US) has no E.164 form, so it is not taken. The library takes some
ten microseconds a number; North American numbers in their plain spellings are done on bytes instead, and what is left
is asked once for each distinct text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Column, as_mask, lost, per_distinct, replaced, text_bytes, to_text
from etl.transform.frame import Frame, Step

#: Regions whose country code is 1 and whose national numbers are ten digits that begin with 2 to 9.
_NANP = ("US", "CA")

_DIGIT, _PLUS, _FILLER, _OTHER = 0, 1, 2, 3
_CLASS = np.full(256, _OTHER, np.uint8)
_CLASS[list(b"0123456789")] = _DIGIT
_CLASS[ord("+")] = _PLUS
_CLASS[list(b" ().-")] = _FILLER
_NO_FILLER = str.maketrans("", "", " ().-")
_PREFIX = pa.array(["+1", "+"])


def to_phone(region: str | None, invalid: str, label: str) -> Step:
    """`as: phone`: texts to E.164 numbers; `invalid` says what becomes of the rest."""
    convert = phone_reader(region)

    def compute(frame: Frame, column: Column) -> Column:
        texts = to_text(column)
        numbers = convert(texts)
        if invalid == "keep":
            return Column("text", pc.coalesce(numbers, texts))
        if invalid == "reject":
            odd = lost(numbers, texts)
            frame.refuse(odd, "bad_phone", label, texts, f"expected a phone number{f' of {region}' if region else ''}")
        return Column("text", numbers)

    return compute


def phone_reader(region: str | None) -> Callable[[Any], Any]:
    """A function from texts to E.164, null where that is not possible."""

    def read(value: str) -> str | None:
        return plain_international(value) or _known(value, region)

    def convert(texts: Any) -> Any:
        plain, numbers = plain_nanp(texts, region)
        rest = ~plain & as_mask(texts.is_valid())
        if not rest.any():
            return numbers
        return replaced(numbers, rest, per_distinct(texts.filter(pa.array(rest)), read, pa.string()))

    return convert


def e164(value: str, region: str | None) -> str | None:
    """One number by the library, or None where it is no possible number.

    >>> e164("(206) 555-0100", "US"), e164("*60", "US")
    ('+12065550100', None)
    """
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def plain_international(value: str) -> str | None:
    """The E.164 form of a plain ``+`` number whose length is possible in its country; None where that takes a look.

    >>> plain_international("+44 20 7946 0018"), plain_international("+44 020 7946 0018")
    ('+442079460018', None)
    """
    if value[:1] != "+":
        return None
    digits = value[1:].translate(_NO_FILLER)
    if not (digits.isascii() and digits.isdigit()):
        return None
    for length in (1, 2, 3):  # no country code is the beginning of another
        lengths, prefix = _country(digits[:length])
        if len(digits) - length in lengths:
            return None if prefix and prefix.match(digits, length) else "+" + digits
    return None


def plain_nanp(texts: Any, region: str | None) -> tuple[NDArray[np.bool_], Any]:
    """Which texts are North American numbers in a plain spelling, and their E.164 form (null for the others).

    Plain: digits, spaces, dots, dashes and round brackets, after a `+` or none. `+1` and ten digits is one everywhere;
    ten digits, or 1 and ten digits, without a `+` where the region is one of North America.
    """
    offsets, data = text_bytes(texts)
    classes = _CLASS[data]
    digit = classes == _DIGIT
    starts, ends = offsets[:-1], offsets[1:]
    filled = starts < ends
    at = np.where(filled, starts, 0)
    plus = filled & (classes[at] == _PLUS) if len(data) else filled
    ordinals = np.zeros(len(data) + 1, np.int32)
    np.cumsum(digit, out=ordinals[1:], dtype=np.int32)
    digits = data[digit]
    begin, count = ordinals[starts], ordinals[ends] - ordinals[starts]
    clean = _clean(classes, offsets, plus)
    area = np.where(count == 11, begin + 1, begin)  # where the area code begins, if it is such a number
    padded = np.append(digits, np.zeros(2, np.uint8))
    fits = (padded[np.minimum(area, len(digits))] >= ord("2")) & clean
    eleven = fits & (count == 11) & (padded[np.minimum(begin, len(digits))] == ord("1"))
    ten = fits & (count == 10) & ~plus
    plain = (eleven | ten) if region in _NANP else eleven & plus
    spelled = pa.StringArray.from_buffers(len(texts), pa.py_buffer(ordinals[offsets]), pa.py_buffer(digits))
    numbers = pc.binary_join_element_wise(_PREFIX.take(pa.array(eleven.astype(np.int8))), spelled, "")
    return plain, pc.if_else(pa.array(plain), numbers, pa.scalar(None, pa.string()))


@lru_cache(maxsize=50_000)
def _known(value: str, region: str | None) -> str | None:
    return e164(value, region)


@cache
def _country(code: str) -> tuple[tuple[int, ...], re.Pattern[str] | None]:
    """The possible lengths of the numbers of a country code, and what the library would cut off their beginning."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if not regions or code[0] == "0":
        return (), None
    metadata: Any = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), regions[0])
    prefix = metadata.national_prefix_for_parsing
    return metadata.general_desc.possible_length, re.compile(prefix) if prefix else None


def _clean(classes: NDArray[np.uint8], offsets: NDArray[np.int32], plus: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which texts have nothing but digits and filler, but for a plus at their beginning."""
    clean = np.ones(len(offsets) - 1, np.bool_)
    odd = np.flatnonzero((classes == _OTHER) | (classes == _PLUS))
    rows = np.searchsorted(offsets, odd, side="right") - 1
    leading = plus[rows] & (odd == offsets[rows])
    clean[rows[~leading]] = False
    return clean
