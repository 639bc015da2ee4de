"""HTML from text, text from HTML, and HTML without what does harm. Plain texts pass by columns, the others one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nh3
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns.arrays import Column, per_distinct, replaced, rows_with, text, to_text

_LINE_BREAK = "<br>"


def to_html_from_text(column: Column) -> Column:
    """`as: html_from_text`: the text as HTML shows it, line breaks kept."""
    return _only(
        column, lambda data: (data == 0x26) | (data == 0x3C) | (data == 0x3E) | (data == 10) | (data == 13), _escaped
    )


def to_html(column: Column) -> Column:
    """`as: html`: without scripts, styles, event handlers and odd links."""
    return _only(column, _marked_up, lambda array: per_distinct(array, nh3.clean, pa.string()))


def to_text_from_html(column: Column) -> Column:
    """`as: text_from_html`: what a reader of the page sees."""
    return _only(column, _marked_up, lambda array: per_distinct(array, _rendered, pa.string()))


def _only(
    column: Column, odd: Callable[[NDArray[np.uint8]], NDArray[np.bool_]], change: Callable[[Any], Any]
) -> Column:
    """The texts, changed where they hold a byte that `odd` marks."""
    array = to_text(column)
    mask = rows_with(array, odd)
    return text(replaced(array, mask, change(array.filter(pa.array(mask))))) if mask.any() else Column("text", array)


def _marked_up(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    odd: NDArray[np.bool_] = (data == 0x26) | (data == 0x3C) | (data == 0x3E) | (data == 13)
    return odd


def _escaped(array: Any) -> Any:
    for plain, html in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\r\n", "\n"),
        ("\r", "\n"),
        ("\n", _LINE_BREAK),
    ):
        array = pc.replace_substring(array, plain, html)
    return array


def _rendered(html: str) -> str:
    from inscriptis import get_text

    return str(get_text(html)).strip()
