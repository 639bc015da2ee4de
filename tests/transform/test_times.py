"""Times: every format against the row-by-row reference, whatever path a text takes."""

# ruff: noqa: DTZ001, DTZ007 -- times without a zone are what is tested here

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.transform import layouts, times

EPOCH = datetime(1970, 1, 1)
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(lambda each: each.replace(microsecond=0))
FORMATS = [
    "%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M", "%Y%m%d%H%M%S", "%d/%m/%y %H:%M", "%d-%b-%Y %H:%M",
    "%B %d, %Y %I:%M %p", "%a, %d %b %Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%j/%Y %H", "%Y/%m/%d",
]  # fmt: skip


def local_ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


@given(st.sampled_from(FORMATS), st.lists(MOMENTS, min_size=1, max_size=8))
@settings(deadline=None)
def test_a_time_is_read_as_datetime_reads_it(format_: str, moments: list[datetime]) -> None:
    texts = [moment.strftime(format_) for moment in moments]

    found = times.reader(format_)(pa.array(texts))

    assert found.ok.all()
    assert found.local_ms.tolist() == [local_ms(datetime.strptime(text, format_)) for text in texts]
    assert not found.own.any()


@given(st.sampled_from(FORMATS), st.text("0123456789/-: APMapm.,TZ", max_size=24))
@settings(deadline=None, max_examples=300)
def test_what_datetime_refuses_is_no_time(format_: str, text: str) -> None:
    found = times.reader(format_)(pa.array([text]))
    try:
        expected = datetime.strptime(text, format_)
    except ValueError:
        assert not found.ok[0]
    else:
        if expected.second < 60 and text.isascii():
            assert found.ok[0]
            assert found.local_ms[0] == local_ms(expected)


@given(
    MOMENTS, st.sampled_from(["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S.%f", "%d-%b-%Y %H:%M"])
)
def test_the_bytes_and_the_regular_expression_agree(moment: datetime, format_: str) -> None:
    text = moment.strftime(format_)

    layout = layouts.layout(format_)
    slow = times.strptime(format_)(text)

    assert layout is not None
    assert slow is not None
    assert layouts.read(pa.array([text]), (layout,)).local_ms.tolist() == [slow.local_ms]


@pytest.mark.parametrize("text", ["2025-02-30 10:00:00", "2025-13-01 00:00:00", "2025-01-01 24:00:00", "2025-01-01 10:00:60",
                                  "2025-01-01 10:00", "٢٠٢٥-01-01 10:00:00", " 2025-01-01 10:00:00", "2025-01-01 10:00:00 ", "", "nan"])  # fmt: skip
def test_a_text_that_is_no_such_time_is_refused(text: str) -> None:
    assert not times.reader("%Y-%m-%d %H:%M:%S")(pa.array([text])).ok[0]


def test_single_digits_are_read_like_padded_ones() -> None:
    found = times.reader("%m/%d/%Y %I:%M:%S %p")(pa.array(["1/5/2025 4:05:06 pm", "01/05/2025 04:05:06 PM"]))

    assert found.ok.all()
    assert found.local_ms[0] == found.local_ms[1] == local_ms(datetime(2025, 1, 5, 16, 5, 6))


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from([None, 0, 60, -300, 330, -570]),
    st.sampled_from(["seconds", "milliseconds", "microseconds", "minutes"]),
    st.sampled_from(["T", " "]),
)
def test_iso_times_are_what_fromisoformat_reads(
    moment: datetime, offset: int | None, spec: str, separator: str
) -> None:
    zone = None if offset is None else timezone(timedelta(minutes=offset))
    text = moment.replace(tzinfo=zone).isoformat(separator, spec)
    expected = datetime.fromisoformat(text)

    found = times.reader("iso")(pa.array([text, text.replace("+00:00", "Z"), text[:10]]))

    assert found.ok.all()
    assert found.own.tolist() == [zone is not None, zone is not None, False]
    assert found.dated.tolist() == [False, False, True]
    if zone is None:
        assert found.local_ms[0] == local_ms(expected)
    else:
        utc = expected.astimezone(UTC).replace(tzinfo=None)
        assert (found.local_ms - found.offset_ms)[:2].tolist() == [local_ms(utc)] * 2


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2021-02-22T17:25:11.000+0000", "2021-02-22T17:25:11"), ("2021-02-22T17:25:11+01", "2021-02-22T16:25:11"),
        ("20210222T172511Z", "2021-02-22T17:25:11"), ("2021-02-22t17:25:11,5z", "2021-02-22T17:25:11.500"),
        ("2021-02-22 17:25 +02:00", "2021-02-22T15:25:00"), ("2021-02-22T17:25:11.123456789Z", "2021-02-22T17:25:11.123"),
    ],
)  # fmt: skip
def test_iso_spellings_of_other_systems_are_read(text: str, utc: str) -> None:
    found = times.reader("iso")(pa.array([text]))

    assert found.own[0]
    assert (found.local_ms - found.offset_ms)[0] == local_ms(datetime.fromisoformat(utc))


@pytest.mark.parametrize("text", ["2021-02-30", "2021-02-22T25:00:00Z", "2021-W01-1", "1613995200", "2021-02-22T17:25:60Z",
                                  "2021-02-22T17:25:11+24:00", "22.02.2021"])  # fmt: skip
def test_what_is_not_iso_is_refused(text: str) -> None:
    assert not times.reader("iso")(pa.array([text])).ok[0]


def test_epochs_are_counted_in_their_unit() -> None:
    assert times.reader("epoch_s")(pa.array(["1613995200"])).local_ms.tolist() == [1_613_995_200_000]
    assert times.reader("epoch_ms")(pa.array(["1613995200000", "x", None, "9" * 40])).ok.tolist() == [
        True,
        False,
        False,
        False,
    ]


def test_every_date_of_four_centuries_has_its_number() -> None:
    start = np.datetime64("1890-01-01")
    some = start + np.arange(0, 150_000, 13)
    texts = pa.array([str(day) for day in some])

    found = times.reader("%Y-%m-%d")(texts)

    assert found.ok.all()
    assert (found.local_ms == some.astype("datetime64[ms]").astype(np.int64)).all()
