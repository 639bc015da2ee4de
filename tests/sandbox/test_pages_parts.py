"""What the pages are made of: bodies as text, counts as pictures."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.sandbox.pages.charts import calendar, even_above
from etl.sandbox.pages.plain import readable, shortened


@pytest.mark.parametrize(
    ("days", "unit", "columns"),
    [([0, 5], "day", 6), ([0, 70], "month", 3), ([0, 365 * 12], "year", 12), ([0, -800_000_000], "day", 1)],
)
def test_the_time_that_is_spanned_decides_whether_days_months_or_years_are_shown(days, unit, columns):
    shown = calendar([(day, "calls", 2) for day in days], ("calls",), "")
    assert (shown.unit, len(shown.columns)) == (unit, columns)
    assert sum(bar.height for c in shown.columns for bar in c.bars) > 0


@given(st.integers(0, 10**12))
def test_an_axis_reaches_above_every_count_and_has_a_middle(count):
    top = even_above(count)
    assert count <= top
    assert top % 2 == 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>three", "one\ntwo\nthree"),
        ("one<br>two<br/><br />three", "one\ntwo\n\nthree"),
        ("line\nnext &amp; last", "line\nnext & last"),
        ("<p>a\nb</p>", "a b"),
        ("<style>p{x:y}</style><!-- [if mso]><p>no</p> -->yes", "yes"),
        ("<ul><li>a<li>b</ul>c", "• a\n• b\nc"),
        ("<a href='https://example.com'>here</a>", "here"),
        ("<iframe src=//example.com></iframe>", "<iframe src=//example.com></iframe>"),
        ("<svg/onload=alert(1)>", "<svg/onload=alert(1)>"),
        ("3 < 4 && 5 > 4", "3 < 4 && 5 > 4"),
        ("&lt;b&gt;", "<b>"),
        ("<!-- open", "<!-- open"),
        ("", ""),
    ],
)
def test_a_body_is_read_as_its_words_and_lines(body, text):
    assert readable(body) == text


@given(st.text(st.sampled_from("<>/!-ab &;\"'=\n"), max_size=60))
def test_reading_a_body_loses_no_tag_that_could_do_something(body):
    for name in ("img", "script"):
        assert f"<{name} x=1>" in readable(f"{body} <{name} x=1>") or "<!--" in body


@pytest.mark.parametrize("piece", ["<a ", "<p", "<!--", "<style>", "</", "&#", "<img '", "<![CDATA[", "\r", " \n"])
def test_no_body_takes_long_to_read(piece: str):
    started = time.perf_counter()
    readable(piece * (65_536 // len(piece)))
    assert time.perf_counter() - started < 2  # the library's own parser takes a minute for the first


def test_a_text_is_cut_between_words_and_lines():
    assert shortened("one two", 100, 3) == ("one two", False)
    assert shortened("one two three", 8, 3) == ("one two", True)
    assert shortened("a\nb\nc\nd", 100, 3) == ("a\nb\nc", True)
