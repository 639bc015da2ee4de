"""`etl.guess`: mappings for files of many systems, held to what the rows become with them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.associate import payload_lines
from etl.engagement import DISPOSITIONS
from etl.errors import ContentError, EtlError, InputError
from etl.flow import key_text
from etl.guess import Guess, guess
from etl.guess.head import read_head
from etl.half_one import half_one
from etl.mapping import Mapping, check_header, lint, parse, presets
from etl.read import header
from tests.presets.test_presets import SAMPLES as PRESETS

FILES = Path(__file__).parent / "files"
SAMPLES = Path(__file__).parents[2] / "sample_data"


class Right(NamedTuple):
    """What a person who knows the system would write."""

    kind: str
    time_ms: int  #: of the first row, its zone said or UTC
    key: str  #: the column that is the source's id; no text where there is none
    way: str  #: how the first row's contact is found
    word: str  #: and by what
    zone: str = ""


#: Ten systems. A preset reads half of them (where it is there), nobody has described the other half.
RIGHT = {
    "3cx": Right("CALL", 1758536100000, "Call ID", "phone", "+12065550101", "UTC"),
    "callrail": Right("CALL", 1741944413000, "", "phone", "+12065550111", "UTC"),
    "dialpad": Right("CALL", 1752563154388, "call_id", "phone", "+12065550121"),
    "aircall": Right("CALL", 1746523233000, "", "phone", "+33199000101"),
    "cucm": Right("CALL", 1752500000000, "pkid", "phone", "+12065550131"),
    "justcall": Right("CALL", 1738591509000, "call_sid", "phone", "+14155550141", "UTC"),
    "pipedrive": Right("CALL", 1743499800000, "Activity - ID", "email", "quin@example.com", "UTC"),
    "shoretel": Right("CALL", 1736777100000, "", "phone", "+12065550161", "America/New_York"),
    "didww": Right("CALL", 1748772000000, "Call ID", "phone", "+442079460171"),
    "bookings": Right("MEETING", 1761051600000, "Event UUID", "email", "abe@example.com", "UTC"),
}
#: More than the ten: other scripts, other types.
OTHERS = {
    "anrufe": Right("CALL", 1762154100000, "Anruf-ID", "phone", "+493023125171", "Europe/Berlin"),
    "notes": Right("NOTE", 1735725600000, "note_id", "email", "leo@example.com"),
    "mail-log": Right("EMAIL", 1754384400000, "Message ID", "email", "hedy@example.com"),
}


def made_by(path: Path, found: Guess) -> tuple[Mapping, list[Any], list[Any]]:
    """The guessed mapping, checked as `etl check` does, and the payloads and rejects of the file."""
    mapping = parse(found.text, Path("guessed.yaml"), path.parent)
    assert check_header(mapping, header(path, mapping.source)) == []
    halves = list(half_one(path, mapping, DISPOSITIONS, None))
    payloads = [json.loads(text) for half in halves for text in payload_lines(half.linked).to_pylist()]
    return mapping, payloads, [reject for half in halves for reject in half.rejects]


def faults(name: str, right: Right) -> list[str]:
    """What a guess got wrong."""
    path = FILES / f"{name}.csv"
    mapping, payloads, _ = made_by(path, guess(path, timezone=right.zone))
    if not payloads:
        return ["nothing is mapped"]
    first = payloads[0]
    asked = [(each["by"], word) for each in first.get("wanted", {}).get("contacts", []) for word in each["value"]]
    keys = [getattr(each, "name", "") for each in mapping.key]
    wrong = [
        ("type", first["engagement"]["type"] == right.kind),
        ("time", first["engagement"]["timestamp"] == right.time_ms),
        ("key", right.key in keys if right.key else True),
        ("contact", (right.way, right.word) in asked),
    ]
    return [what for what, good in wrong if not good]


def test_at_least_eight_of_ten_systems_are_guessed_with_time_key_contact_and_type_right() -> None:
    found = {name: faults(name, right) for name, right in RIGHT.items()}

    assert len(found) == 10
    assert sum(not wrong for wrong in found.values()) >= 8, found


@pytest.mark.parametrize("name", [*RIGHT, *OTHERS])
def test_every_row_of_a_guessed_file_is_mapped_or_left_out_on_purpose(name: str) -> None:
    path = FILES / f"{name}.csv"
    _, payloads, rejects = made_by(path, guess(path, timezone="UTC"))

    assert payloads
    assert [(each.line, each.problems) for each in rejects if each.problems[0].code != "no_link"] == []


@pytest.mark.parametrize("name", OTHERS)
def test_other_scripts_and_types_are_guessed_too(name: str) -> None:
    assert faults(name, OTHERS[name]) == []


@pytest.mark.parametrize(
    ("file", "preset"),
    [("calls.csv", "phone-nightly"), ("emails.csv", "email-csv"), ("salesforce/tasks.csv", "salesforce-tasks")],
)
def test_a_file_that_a_preset_reads_begins_from_that_preset(file: str, preset: str) -> None:
    found = guess(SAMPLES / file)

    assert found.preset == preset
    assert presets()[preset].read_text(encoding="utf-8") in found.text


@pytest.mark.parametrize("name", [name for name, sample in PRESETS.items() if sample.file.endswith((".csv", ".ics"))])
def test_the_sample_of_every_preset_is_known_by_its_header(name: str) -> None:
    assert guess(SAMPLES / PRESETS[name].file).preset == name


def test_a_zone_that_the_file_does_not_say_is_marked_and_one_that_was_given_is_not() -> None:
    silent, said = guess(FILES / "shoretel.csv"), guess(FILES / "shoretel.csv", timezone="America/New_York")

    assert "timezone: UTC  # check: NO ZONE IS SAID BY THE FILE" in silent.text
    assert any(doubt.startswith("timezone") for doubt in silent.doubts)
    assert "timezone: America/New_York\n" in said.text


def test_a_preset_takes_the_zone_that_was_given() -> None:
    found = guess(SAMPLES / "calls.csv", timezone="Europe/Berlin", region="DE")

    mapping = parse(found.text, Path("guessed.yaml"))
    assert (mapping.source.timezone, mapping.source.region, found.doubts) == ("Europe/Berlin", "DE", ())


def written(tmp_path: Path, *rows: list[str], name: str = "calls.csv") -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path = tmp_path / name
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def calls(tmp_path: Path, *times: str) -> Path:
    rows = [[f"c-{i}", time, "+12065550100", str(30 + i)] for i, time in enumerate(times)]
    return written(tmp_path, ["Call ID", "Call Time", "Phone Number", "Duration"], *rows)


@pytest.mark.parametrize(
    ("times", "format_"),
    [
        (("03/04/2025 10:00", "25/04/2025 11:00"), '"%d/%m/%Y %H:%M"'),
        (("03/04/2025 10:00", "04/25/2025 11:00"), '"%m/%d/%Y %H:%M"'),
        (("3/4/25 1:05 PM", "4/25/25 11:00 AM"), '"%m/%d/%y %I:%M %p"'),
        (("2025-03-04T10:00:00Z", "2025-03-05T10:00:00Z"), "iso"),
        (("1741082400", "1741082500"), "epoch_s"),
        (("1741082400000", "1741082500123"), "epoch_ms"),
        (("04-Mar-2025 10:00:00", "05-Mar-2025 09:00:01"), '"%d-%b-%Y %H:%M:%S"'),
        (("Mar 4, 2025 10:00 AM", "Mar 5, 2025 1:00 PM"), '"%b %d, %Y %I:%M %p"'),
        (("20250304", "20250305"), '"%Y%m%d"'),
    ],
)
def test_the_format_of_times_is_found_by_all_of_them(tmp_path: Path, times: tuple[str, ...], format_: str) -> None:
    assert f"as: datetime, format: {format_}" in guess(calls(tmp_path, *times)).text


def test_day_and_month_that_no_cell_tells_apart_are_marked(tmp_path: Path) -> None:
    found = guess(calls(tmp_path, "03/04/2025 10:00", "03/05/2025 11:00"))

    assert any("is the day first, or the month?" in doubt for doubt in found.doubts)


def test_day_and_month_are_told_by_the_order_of_rows_and_the_guess_says_so(tmp_path: Path) -> None:
    days = [f"{month:02}/{day:02}/2025 10:00" for month in range(1, 7) for day in (2, 5, 8, 11)]
    found = guess(calls(tmp_path, *days))

    assert 'format: "%m/%d/%Y %H:%M"' in found.text
    assert any("in order of time" in doubt for doubt in found.doubts)


def test_letters_of_a_zone_become_the_zone_marked(tmp_path: Path) -> None:
    path = calls(tmp_path, "01/13/2025 09:05 AM EST", "01/14/2025 09:05 PM EST")
    found = guess(path)

    _, payloads, _ = made_by(path, found)
    assert payloads[0]["engagement"]["timestamp"] == 1736777100000
    assert any("EST" in doubt for doubt in found.doubts)


def test_a_preamble_repeated_names_and_a_footer_with_a_number_are_no_rows(tmp_path: Path) -> None:
    path = written(
        tmp_path, ["Call report"], ["Made on 1 May"], ["Call ID", "Time", "Phone", "Phone"],
        ["c-1", "2025-04-01 10:00:00", "+12065550100", "+12065550109"],
        ["c-2", "2025-04-02 10:00:00", "+12065550101", "+12065550109"],
        ["Total calls: 2", "", "", ""],
    )  # fmt: skip
    found = guess(path)

    _, payloads, rejects = made_by(path, found)
    assert (len(payloads), rejects) == (2, [])
    assert "Phone (2)" in found.text
    assert "Total calls:" in found.text
    assert '"Total calls: 2"' not in found.text


def test_a_file_without_a_header_gets_names_and_says_so(tmp_path: Path) -> None:
    rows = [[f"2025-04-0{i} 10:00:00", f"+1206555010{i}", f"call-2025-000{i}", str(i * 7)] for i in range(1, 6)]
    path = written(tmp_path, *rows)
    found = guess(path)

    mapping, payloads, _ = made_by(path, found)
    assert (mapping.source.header, len(payloads)) == ("none", 5)
    assert any(doubt.startswith("header") for doubt in found.doubts)


def test_words_without_a_usual_meaning_map_to_nothing_and_are_marked(tmp_path: Path) -> None:
    rows = [[f"c-{i}", f"2025-04-0{i} 10:00:00", "+12065550100", word]
            for i, word in enumerate(["Answered", "Busy", "Zorked", "Answered"], 1)]  # fmt: skip
    found = guess(written(tmp_path, ["Call ID", "Call Time", "Phone Number", "Result"], *rows))

    assert "Zorked: null  # check:" in found.text
    assert "Answered: COMPLETED\n" in found.text


def test_a_column_whose_only_repeats_are_whole_rows_is_the_key_and_what_policy_is_taken_is_marked(
    tmp_path: Path,
) -> None:
    rows = ["a-10001,2025-11-03T10:00:00Z,+12065550101", "a-10002,2025-11-03T11:00:00Z,+12065550102"]
    (tmp_path / "calls.csv").write_text("\n".join(["Call ID,Start,Phone", *rows, rows[1]]) + "\n")

    found = guess(tmp_path / "calls.csv").text

    assert "\nkey: $Call ID\n" in found
    assert "ambiguous: company  # check:" in found


def test_a_column_that_is_the_key_but_for_one_row_is_asked_about(tmp_path: Path) -> None:
    rows = [f"PX-{1000 + max(n, 1)},2026-03-{1 + n:02} 09:00,+1206555{100 + n:04},in,note {n}\n" for n in range(20)]
    file = tmp_path / "calls.csv"
    file.write_text("Ref,When,Customer number,Dir,Comment\n" + "".join(rows))

    found = guess(file)

    [key] = [doubt for doubt in found.doubts if doubt.startswith("key: ")]
    assert "`key: $Ref`? As PX-1001 stands in several rows" in key
    assert "\nkey:" not in found.text
    assert "from: $Dir" in found.text
    assert found.unused == ("Ref",)


def test_a_small_file_s_key_may_stand_twice_once_and_german_notes_are_the_body(tmp_path: Path) -> None:
    rows = [f"A-{max(n, 1)};0{1 + n}.11.2026 14:05;(206) 555-010{n};Text {n}\n" for n in range(6)]
    file = tmp_path / "anrufe.csv"
    file.write_text("Anruf-ID;Zeitpunkt;An;Notiz\n" + "".join(rows))

    found = guess(file)

    assert any("`key: $Anruf-ID`? As A-1 stands" in doubt for doubt in found.doubts)
    assert "body: {from: $Notiz" in found.text


def test_columns_that_nothing_reads_are_listed() -> None:
    found = guess(FILES / "shoretel.csv")

    assert {"Originating", "Destination", "Internal"} <= set(found.unused)
    assert "#   Originating: " in found.text
    assert {w.code for w in lint(parse(found.text, Path("m.yaml")), found.unused)} >= {"unused_column"}


HOSTILE = [
    "{{ 7*7 }}", "{% for x in y %}", "$Price", "a: b", "# not a comment", "row['x']", "'", '"', "a\nb", "&x", "*y", "!!python/object",
    "item", "\u2028line", "\U0001f600", "- x", "<script>alert(1)</script>", "yes", "=cmd|' /C calc'!A0", "{", "]",
]  # fmt: skip


def test_names_and_cells_that_mean_something_to_yaml_or_jinja_stay_texts(tmp_path: Path) -> None:
    names = ["Call ID", "Call Time", "Phone Number", "Result", *HOSTILE]
    rows = [[f"c-{i}", f"2025-04-0{i} 10:00:00", "+12065550100", HOSTILE[i % 3], *HOSTILE] for i in range(1, 7)]
    path = written(tmp_path, names, *rows)

    mapping, payloads, rejects = made_by(path, guess(path))
    assert (len(payloads), rejects) == (6, [])
    assert mapping.name == "calls"


@pytest.mark.parametrize(
    ("content", "error", "code"),
    [
        (b"", InputError, "empty_file"),
        (b" \n \n", InputError, "empty_file"),
        (b"PK\x03\x04" + b"\0" * 100, ContentError, "not_text"),
        (bytes(range(256)) * 40, ContentError, "not_text"),
        (b"word\nother\nthird\n", ContentError, "one_column"),
        (b"a,b,c\n", ContentError, "no_rows"),
        ((",".join(f"c{i}" for i in range(10_000)) + "\n").encode() * 3, ContentError, "too_many_columns"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_guessed_is_refused_with_a_reason(
    tmp_path: Path, content: bytes, error: type[EtlError], code: str
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)

    with pytest.raises(error) as caught:
        guess(path)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path, code in ((tmp_path, "unreadable"), (tmp_path / "none.csv", "missing_file")):
        with pytest.raises(InputError) as caught:
            guess(path)
        assert caught.value.code == code


def test_an_old_encoding_is_found_and_marked(tmp_path: Path) -> None:
    names = "Anruf-ID;Zeit;Rufnummer;Größe\n"
    rows = "".join(
        f"k-{i};0{i}.04.2025 10:00;+4930231251{i}0;Übergröße für Müller, schöne Grüße\n" for i in range(1, 9)
    )
    path = tmp_path / "anrufe.csv"
    path.write_bytes((names + rows).encode("cp1252"))

    found = guess(path)
    assert "encoding: cp1252  # check:" in found.text
    assert made_by(path, found)[1]


def test_only_the_head_of_a_large_file_is_read_and_its_footer(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    line = "c-{:07},2025-04-01 10:00:00,+12065550100,{}\n"
    with path.open("w") as file:
        file.write("Call ID,Call Time,Phone Number,Note\n")
        file.writelines(line.format(i, "x" * 60) for i in range(40_000))
        file.write("Totals,,,\n")

    head = read_head(path)
    assert len(head.rows) <= 5_001
    assert head.footer == ("Call ID", "Totals")


CELLS = st.one_of(
    st.text(max_size=12), st.sampled_from(["2025-01-01", "1/2/2025 3:04 PM", "+12065550100", "ann@example.com", "7", "Yes", "0:01:02"])
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.one_of(st.text(min_size=1, max_size=12), st.sampled_from(["Call ID", "Date", "From", "To", "Type", "Notes", "E-mail"])),
                   min_size=2, max_size=6),
    data=st.data(),
)  # fmt: skip
def test_whatever_the_table_the_guess_passes_the_check_or_says_why(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    row = st.lists(CELLS, min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "replace"))

    try:
        found = guess(path)
        mapping = parse(found.text, Path("any.yaml"))
    except (ContentError, InputError):
        return
    try:
        columns = header(path, mapping.source)
    except EtlError:  # bytes that the reader refuses by themselves
        return
    assert check_header(mapping, columns) == []


def test_the_key_of_a_guessed_mapping_is_the_same_whatever_else_is_guessed() -> None:
    path = FILES / "didww.csv"
    mapping = parse(guess(path).text, Path("m.yaml"))
    first = next(half_one(path, mapping, DISPOSITIONS, None)).linked.drafts.keys[0]

    assert len(key_text(first)) == 26
