"""Durations to milliseconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.transform.durations import duration_reader
from tests.transform.builders import mapping_of, values

CALL = """
    version: 1
    name: calls
    key: $Id
    associations: {require: none}
    engagement: {type: CALL, timestamp: {from: $When, as: datetime, format: iso}}
    metadata: {durationMilliseconds: {from: $Took, as: duration, %s}}
    """


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 59))
def test_clocks_count_hours_minutes_and_seconds(hours: int, minutes: int, seconds: int) -> None:
    total_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000

    assert duration_reader("H:MM:SS")(f"{hours}:{minutes:02}:{seconds:02}") == total_ms
    assert duration_reader("H:MM:SS")(f"{hours:02}:{minutes:02}:{seconds:02}") == total_ms
    assert duration_reader("M:SS")(f"{hours * 60 + minutes}:{seconds:02}") == total_ms
    assert duration_reader("s")(str(total_ms // 1000)) == total_ms
    assert duration_reader("ms")(str(total_ms)) == total_ms
    assert duration_reader("text")(f"{hours} h {minutes} min {seconds} sec") == total_ms


@pytest.mark.parametrize(
    ("format_", "text", "expected_ms"),
    [
        ("s", "38.5", 38_500), ("s", "0", 0), ("min", "1.5", 90_000), ("ms", "0.9", 0), ("H:MM:SS", "0:00:38.250", 38_250),
        ("text", "1 min 5 sec", 65_000), ("text", "1h2m3s", 3_723_000), ("text", "2 hours, 1 minute and 3 seconds", 7_263_000),
        ("text", "45 seconds", 45_000), ("text", "1.5 h", 5_400_000),
    ],
)  # fmt: skip
def test_a_duration_in_its_format(format_: str, text: str, expected_ms: int) -> None:
    assert duration_reader(format_)(text) == expected_ms


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("s", "-3"), ("s", "1e5"), ("s", "٣"), ("s", "1:05"), ("s", "inf"), ("s", "9" * 5_000), ("H:MM:SS", "05:12"),
        ("H:MM:SS", "0:60:00"), ("H:MM:SS", "-0:00:05"), ("M:SS", "1:5"), ("text", "soon"), ("text", "5"), ("text", "1 fortnight"),
    ],
)  # fmt: skip
def test_what_is_no_duration_in_that_format_is_none(format_: str, text: str) -> None:
    assert duration_reader(format_)(text) is None


def test_a_row_with_a_bad_duration_is_refused_with_its_value() -> None:
    mapping = mapping_of(CALL % 'format: "H:MM:SS"')

    found = values(mapping, [{"Took": "0:00:38"}, {"Took": "-0:00:38"}, {"Took": ""}], "durationMilliseconds")

    assert found == [38_000, ["bad_duration"], None]


def test_a_default_fills_a_duration_that_is_empty() -> None:
    mapping = mapping_of(CALL % "format: s, default: 0")

    assert values(mapping, [{"Took": ""}, {"Took": "2"}], "durationMilliseconds") == [0, 2_000]
