"""Which quotes open and close fields, and what to do about the others.

Apart from the cutting, because it is the one place where a file can be read in more than one way. A quote opens at
the start of a field and closes at its end; two together inside stand for one. As long as that holds, the running
parity of all quotes says exactly what is inside. Where it does not hold, programs differ:

    lenient     after a closing quote the rest of the field is plain text, as are quotes within a plain field
    parity      every quote switches between inside and outside
    unescaped   only a quote before a delimiter closes; the others were not doubled; blanks before a quote do not count

If the row ends with the line on which it begins by the lenient reading, as most programs have it, and by one of the
others too, its place is certain: it alone is rejected (``5" disk,x``, ``"5" disk",x``, ``"x"y,z``). If not, nobody can
say what the rows after it are, and the file is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_LF, _CR, _QUOTE = 10, 13, 34
_WINDOW = 64  # quotes looked at after a broken row; grows fourfold with each success

Positions = NDArray[np.int64]
Bytes = NDArray[np.uint8]


class Uncertain(Exception):
    """Different readings end a row at different places: the quote at byte `at` does not fit the one at `opened`."""

    def __init__(self, opened: int, at: int) -> None:
        super().__init__(f"quote at byte {at}, opened at byte {opened}")
        self.opened, self.at = opened, at


def settle(
    data: Bytes, at: Positions, kind: Bytes, feeds: Positions, delimiter: int
) -> tuple[Positions, NDArray[np.bool_]]:
    """The starts of lines with broken quotes, and for each mark whether it lies inside quotes.

    `at` and `kind` are the marks' positions and bytes, `feeds` the positions of the line feeds. The quotes of broken
    lines do not count. A closing quote counts as outside, an opening one as inside. Raises `Uncertain`.
    """
    quotes = np.flatnonzero(kind == _QUOTE)
    broken, dropped = _broken_lines(data, at[quotes], feeds, delimiter)
    runs = np.diff(quotes[~dropped], prepend=0, append=len(kind))  # marks from each quote to the next
    return broken, np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def opening(quotes: Positions) -> int:
    """The quote that opened the field which the last of these is in: back over pairs that stand for one."""
    place = len(quotes) - 1
    while place > 1 and quotes[place - 1] == quotes[place] - 1:
        place -= 2
    return int(quotes[place])


def _broken_lines(
    data: Bytes, quotes: Positions, feeds: Positions, delimiter: int
) -> tuple[Positions, NDArray[np.bool_]]:
    """Walks from one quote out of place to the next: the lines' starts, and which quotes stand on those lines."""
    may_open, may_close = _in_place(data, quotes, delimiter)
    broken: list[int] = []
    dropped = np.zeros(len(quotes), np.bool_)
    first, window = 0, len(quotes) + 1
    while first < len(quotes):
        window += window & 1
        wrong = _first_wrong(may_open[first : first + window], may_close[first : first + window])
        if wrong is None:
            first, window = first + window, window * 4
            continue
        start, end = _line_around(feeds, int(quotes[first + wrong]))
        opened = first + int(np.searchsorted(quotes[first : first + wrong], start))
        if (opened - first) % 2 or not _ends_here(data[start:end].tobytes(), delimiter):
            raise Uncertain(opening(quotes[first : first + wrong + 1 - wrong % 2]), int(quotes[first + wrong]))
        broken.append(start)
        after = int(np.searchsorted(quotes, end))
        dropped[opened:after] = True
        first, window = after, _WINDOW
    return np.array(broken, np.int64), dropped


def _in_place(data: Bytes, quotes: Positions, delimiter: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each quote, whether by the byte before it could open a field, and by the byte after it could close one.

    A quote beside a quote may do both: inside a field they stand for one.
    """
    before, after = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
    before[[delimiter, _LF, _QUOTE]] = True
    after[[delimiter, _LF, _CR, _QUOTE]] = True
    return before[data[quotes - 1]], after[
        data[quotes + 1]
    ]  # a block ends with LF: it stands for the one before it, too


def _first_wrong(may_open: NDArray[np.bool_], may_close: NDArray[np.bool_]) -> int | None:
    """The first quote out of place, where the first of them opens, the second closes, and so on."""
    wrong = ~may_open
    wrong[1::2] = ~may_close[1::2]
    place = int(wrong.argmax())
    return place if wrong[place] else None


def _line_around(feeds: Positions, place: int) -> tuple[int, int]:
    """Start and end (past the line feed) of the line that holds this byte."""
    after = int(np.searchsorted(feeds, place))
    return int(feeds[after - 1]) + 1 if after else 0, int(feeds[after]) + 1


def _ends_here(line: bytes, delimiter: int) -> bool:
    """Whether a row that begins with this line surely ends with it."""
    line = line.rstrip(b"\r\n")
    lenient, unescaped = _readings(delimiter)
    return bool(lenient.fullmatch(line)) and (line.count(b'"') % 2 == 0 or bool(unescaped.fullmatch(line)))


@lru_cache(maxsize=4)
def _readings(delimiter: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Lines that are whole in the lenient and in the unescaped reading. Possessive, so that no line makes them slow."""
    d = re.escape(bytes([delimiter]))
    plain = rb"[^" + d + rb"]*+"
    closing = rb'"(?=' + d + rb"|\Z)"
    lenient = rb'(?:"(?:[^"]|"")*+"' + plain + rb'|(?!")' + plain + rb")"
    unescaped = rb'(?: *+"(?:""|[^"]|(?!' + closing + rb')")*+' + closing + rb'|(?! *+")' + plain + rb")"

    def line_of(field: bytes) -> re.Pattern[bytes]:
        return re.compile(field + rb"(?:" + d + field + rb")*+", re.DOTALL)

    return line_of(lenient), line_of(unescaped)
