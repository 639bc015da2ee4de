"""Phone numbers to E.164, where the number is possible in its region.

*Possible* is the rule of the `phonenumbers` library: a length that the numbers of that country have. A length that can
only be dialled inside an area (seven digits in the US) has no E.164 form, so it is not taken. The library takes some
ten microseconds a number; numbers in plain spellings, and texts too short to be one, are done on bytes instead, and
what is left is asked once for each distinct text.
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
_FEWEST_ABROAD = 5  #: digits of a `+` number, its country code with them, below which the library is asked


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

    def convert(texts: Any) -> Any:
        plain, numbers = plain_numbers(texts, region)
        rest = ~plain & as_mask(texts.is_valid())
        if not rest.any():
            return numbers
        odd = per_distinct(texts.filter(pa.array(rest)), lambda value: _known(value, region), pa.string())
        return replaced(numbers, rest, odd)

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


def plain_numbers(texts: Any, region: str | None) -> tuple[NDArray[np.bool_], Any]:
    """Which texts need no look, and their E.164 form (null for the others, and for those too short to be a number).

    Plain are digits, spaces, dots, dashes and round brackets, after a `+` or none: North American numbers (`+1` and ten
    digits everywhere; ten digits, or 1 and ten digits, where the region is one of North America), and `+` numbers whose
    length is possible in their country.
    """
    spelled = _Spelled(texts)
    nanp, eleven = _nanp(spelled, region)
    abroad = _abroad(spelled, spelled.plus & spelled.clean & ~nanp)
    short = spelled.filled & (spelled.signs < _fewest_digits(region)) & ~spelled.foreign
    digits = pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(spelled.ordinals[spelled.offsets]), pa.py_buffer(spelled.digits)
    )
    plus = (eleven | abroad).astype(np.int8)  # what has its country code already
    numbers = pc.binary_join_element_wise(pa.array(["+1", "+"]).take(pa.array(plus)), digits, "")
    numbers = pc.if_else(pa.array(nanp | abroad), numbers, pa.scalar(None, pa.string()))
    return nanp | abroad | short, numbers


class _Spelled:
    """What the bytes of some texts are, one element a text where nothing else is said."""

    def __init__(self, texts: Any) -> None:
        self.offsets, data = text_bytes(texts)
        classes = _CLASS[data]
        digit = classes == _DIGIT
        starts, ends = self.offsets[:-1], self.offsets[1:]
        self.filled = starts < ends
        at = np.where(self.filled, starts, 0)
        self.plus = self.filled & (classes[at] == _PLUS) if len(data) else self.filled
        self.ordinals = np.zeros(len(data) + 1, np.int32)  #: digits before each byte
        np.cumsum(digit, out=self.ordinals[1:], dtype=np.int32)
        self.digits = data[digit]
        self.begin, self.count = self.ordinals[starts], self.ordinals[ends] - self.ordinals[starts]
        odd = np.flatnonzero((classes == _OTHER) | (classes == _PLUS))
        rows = np.searchsorted(self.offsets, odd, side="right") - 1
        leading = self.plus[rows] & (odd == self.offsets[rows])
        self.clean = np.ones(len(texts), np.bool_)  #: nothing but digits and filler, but for a plus at the beginning
        self.clean[rows[~leading]] = False
        letters = np.bincount(rows, minlength=len(texts)) if len(odd) else np.zeros(len(texts), np.int64)
        self.signs = self.count + letters  #: at most so many digits come of it, as letters stand for digits
        strange = odd[(data[odd] >= 0x80) | (data[odd] == ord("+"))]
        self.foreign = np.zeros(len(texts), np.bool_)  #: a plus somewhere, or what is not ASCII
        self.foreign[np.searchsorted(self.offsets, strange, side="right") - 1] = True
        self._padded = np.append(self.digits, np.zeros(4, np.uint8))

    def digit(self, place: NDArray[np.int32]) -> NDArray[np.uint8]:
        """The digit at a place among all digits, as a byte."""
        found: NDArray[np.uint8] = self._padded[np.minimum(place, len(self.digits))]
        return found


def _nanp(spelled: _Spelled, region: str | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which texts are North American numbers, and which have a 1 and ten digits."""
    begin, count = spelled.begin, spelled.count
    area = np.where(count == 11, begin + 1, begin)  # where the area code begins, if it is such a number
    fits = (spelled.digit(area) >= ord("2")) & spelled.clean
    eleven = fits & (count == 11) & (spelled.digit(begin) == ord("1"))
    ten = fits & (count == 10) & ~spelled.plus
    return ((eleven | ten) if region in _NANP else eleven & spelled.plus), eleven


def _abroad(spelled: _Spelled, plain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the plain texts are numbers with a `+` whose length is possible in the country of their code."""
    found = np.zeros(len(spelled.count), np.bool_)
    some = np.flatnonzero(plain & (spelled.count >= _FEWEST_ABROAD))
    if not len(some):
        return found
    begin, count = spelled.begin[some], spelled.count[some]
    first, second, third = (spelled.digit(begin + place).astype(np.int64) - ord("0") for place in range(3))
    heads = 100 * first + 10 * second + third
    fits = np.zeros(len(some), np.bool_)
    for head in np.unique(heads).tolist():
        length, lengths, looks = _country(f"{head:03}")
        mine = heads == head
        national = spelled.digit(begin[mine] + length) - ord("0")
        fits[mine] = np.isin(count[mine] - length, lengths) & ~np.isin(national, looks)
    found[some] = fits
    return found


@lru_cache(maxsize=50_000)
def _known(value: str, region: str | None) -> str | None:
    return e164(value, region)


@cache
def _country(head: str) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Of the country by whose code a number with these three digits begins: how long the code is, and what may follow.

    What may follow: the lengths that are possible, and the first digits at which the library might cut something off.
    """
    for length in (1, 2, 3):  # no country code is the beginning of another
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(head[:length]))
        if regions and head[0] != "0":
            found: Any = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(head[:length]), regions[0])
            prefix = found.national_prefix_for_parsing or ""
            simple = re.fullmatch(r"(\d+(\|\d+)*)?", prefix)
            looks = {int(each[0]) for each in prefix.split("|") if each} if simple else range(10)
            return length, tuple(found.general_desc.possible_length), tuple(looks)
    return 1, (), ()


@cache
def _fewest_digits(region: str | None) -> int:
    """How many digits a number of the region has at least; 0 where the library may add some."""
    found: Any = phonenumbers.PhoneMetadata.metadata_for_region(region) if region else None
    if found is None or found.national_prefix_transform_rule:
        return 0
    return int(min(found.general_desc.possible_length))
