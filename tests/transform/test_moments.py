"""Local times to UTC: against zoneinfo, row by row, with the policies for the hours that clocks skip or repeat."""

# ruff: noqa: DTZ001 -- times without a zone are what is tested here

import os
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.transform import zones
from tests.transform.builders import mapped, note, values

ZONES = ["America/New_York", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia",
         "America/Sao_Paulo", "UTC", "Africa/Casablanca"]  # fmt: skip
EPOCH = datetime(1970, 1, 1)
HOUR_MS = 3_600_000


def local_ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def around_changes(zone: str) -> list[datetime]:
    """Local times every ten minutes around the changes of a zone in some years."""
    found = []
    for year in (1994, 2011, 2024):
        for at in range(zones._start_s(year), zones._start_s(year + 1), 43_200):
            if zones._offset_s(ZoneInfo(zone), at) != zones._offset_s(ZoneInfo(zone), at + 43_200):
                start = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
                found += [start + timedelta(minutes=10 * step, seconds=1) for step in range(-40, 120)]
    return found


def check(moments: list[datetime], zone: str) -> None:
    info = ZoneInfo(zone)
    placed = zones.place(np.array([local_ms(moment) for moment in moments], np.int64), info)
    for place, moment in enumerate(moments):
        first, last = (moment.replace(tzinfo=info, fold=fold).astimezone(UTC).replace(tzinfo=None) for fold in (0, 1))
        exists = first.replace(tzinfo=UTC).astimezone(info).replace(tzinfo=None) == moment
        assert bool(placed.gap[place]) == (not exists), moment
        assert bool(placed.fold[place]) == (exists and first != last), moment
        assert placed.first[place] == local_ms(first), moment
        if exists:
            assert placed.last[place] == local_ms(last), moment


@pytest.mark.parametrize("zone", ZONES)
def test_times_around_clock_changes_are_placed_as_zoneinfo_places_them(zone: str) -> None:
    check(around_changes(zone) or [datetime(2024, 1, 1)], zone)


@given(
    st.lists(st.datetimes(datetime(1990, 1, 2), datetime(2026, 12, 31)), min_size=1, max_size=6), st.sampled_from(ZONES)
)
@settings(deadline=None, max_examples=60)
def test_any_time_is_placed_as_zoneinfo_places_it(moments: list[datetime], zone: str) -> None:
    check([moment.replace(microsecond=0) for moment in moments], zone)


def times_of(step: str, texts: list[str], **more: str) -> list[object]:
    """The timestamp of each text, or the codes of its problems."""
    drafts, rejects = mapped(
        note(timestamp="{from: $At, as: datetime, " + step + "}"), [{"At": t, "Body": "x", **more} for t in texts]
    )
    found: dict[int, object] = dict(zip(drafts.lines.tolist(), drafts.times_ms.tolist(), strict=True))
    found.update({reject.line: [problem.code for problem in reject.problems] for reject in rejects})
    return [found[line] for line in range(2, len(texts) + 2)]


def test_a_skipped_hour_is_refused_or_shifted() -> None:
    step = 'format: "%Y-%m-%d %H:%M", timezone: America/New_York'

    assert times_of(step, ["2025-03-09 02:30"]) == [["time_gap"]]
    assert times_of(step + ", gap: shift", ["2025-03-09 02:30", "2025-03-09 03:30"]) == [1_741_505_400_000] * 2


def test_a_repeated_hour_is_the_first_the_last_or_refused() -> None:
    step = 'format: "%Y-%m-%d %H:%M", timezone: America/New_York'
    first = 1_762_061_400_000  # 2025-11-02 01:30 EDT

    assert times_of(step, ["2025-11-02 01:30"]) == [first]
    assert times_of(step + ", fold: last", ["2025-11-02 01:30"]) == [first + HOUR_MS]
    assert times_of(step + ", fold: reject", ["2025-11-02 01:30", "2025-11-02 02:30"]) == [
        ["time_fold"],
        first + 2 * HOUR_MS,
    ]


def test_the_zone_may_stand_in_a_column() -> None:
    mapping = note(timestamp='{from: $At, as: datetime, format: "%Y-%m-%d %H:%M", timezone: $Zone}')
    rows = [
        {"At": "2025-01-01 12:00", "Body": "x", "Zone": zone}
        for zone in ("America/New_York", "UTC", "Nowhere/Land", "")
    ]

    drafts, rejects = mapped(mapping, rows)

    assert drafts.times_ms.tolist() == [1_735_750_800_000, 1_735_732_800_000]
    assert [(reject.line, reject.problems[0].code) for reject in rejects] == [(4, "bad_time"), (5, "bad_time")]
    assert "Nowhere/Land" in rejects[0].problems[0].message


def test_a_time_without_any_zone_is_refused_never_guessed() -> None:
    mapping = note(timestamp="{from: $At, as: datetime, format: iso}", source="{format: csv}")

    _, rejects = mapped(mapping, [{"At": "2025-01-01T12:00:00", "Body": "x"}])

    assert rejects[0].problems[0].code == "bad_time"
    assert "zone" in rejects[0].problems[0].message


def test_dates_get_the_hour_that_the_mapping_says_and_times_keep_theirs() -> None:
    step = 'format: iso, at: "12:00", timezone: Europe/Berlin'

    assert times_of(step, ["2025-01-01", "2025-01-01T12:00:00", "2025-01-01T11:00:00Z"]) == [1_735_729_200_000] * 3


def test_formats_are_tried_in_order() -> None:
    step = 'formats: ["%d.%m.%Y %H:%M", "%d.%m.%Y", iso]'

    assert times_of(step, ["01.02.2025 00:00", "01.02.2025", "2025-02-01", "02/01/2025"]) == [
        1_738_368_000_000, 1_738_368_000_000, 1_738_368_000_000, ["bad_time"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["1989-12-31T23:59:59Z", "2027-06-01T00:00:00Z", "0001-01-01T00:00:00", "9999-12-31T00:00:00"]
)
def test_times_far_away_are_refused(text: str) -> None:
    assert times_of("format: iso", [text]) == [["time_range"]]


def test_seconds_taken_for_milliseconds_are_refused() -> None:
    assert times_of("format: epoch_ms", ["1735732800"]) == [["time_range"]]
    assert times_of("format: epoch_s", ["1735732800"]) == [1_735_732_800_000]


def test_an_empty_time_is_missing_and_a_bad_one_is_only_bad() -> None:
    assert times_of("format: iso", ["", "soon"]) == [["field_missing"], ["bad_time"]]


@pytest.mark.parametrize("machine", ["Pacific/Kiritimati", "America/Adak", "UTC"])
def test_the_zone_of_the_machine_plays_no_part(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", machine)
    time.tzset()
    try:
        assert times_of('format: "%Y-%m-%d %H:%M", timezone: America/New_York', ["2025-01-01 07:00"]) == [
            1_735_732_800_000
        ]
    finally:
        monkeypatch.undo()
        os.environ.get("TZ")
        time.tzset()


def test_values_of_problems_are_the_texts_as_read() -> None:
    _, rejects = mapped(note(), [{"When": "y" * 500, "Body": "x"}])

    problem = rejects[0].problems[0]
    assert (problem.code, problem.column, problem.value) == ("bad_time", "When", "y" * 200)
    assert values(note(), [{"Body": "x"}]) == ["x"]
