"""Phones: the fast path says what the library says, and nothing is a number that cannot be dialled from elsewhere."""

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl.transform.phones import e164, phone_reader, plain_numbers
from tests.transform.builders import mail, note, values

DIGITS = st.text("0123456789", max_size=13)
SPELLED = st.text("0123456789 ().-+", max_size=18)
NANP = st.builds(
    lambda plus, one, area, rest, gaps: plus + one + gaps[0] + area + gaps[1] + rest[:3] + gaps[2] + rest[3:],
    st.sampled_from(["", "+"]),
    st.sampled_from(["", "1"]),
    st.from_regex("[0-9]{3}", fullmatch=True),
    st.from_regex("[0-9]{7}", fullmatch=True),
    st.tuples(*[st.sampled_from(["", " ", "-", ".", "(", ") ", " ("])] * 3),
)

PLUS = st.builds(
    lambda code, rest, gap: f"+{code}{gap}{rest}",
    st.one_of(st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), st.integers(0, 999)),
    st.from_regex("[0-9]{1,15}", fullmatch=True),
    st.sampled_from(["", " ", "-", " ("]),
)


@given(
    st.lists(st.one_of(DIGITS, SPELLED, NANP, PLUS, st.text(max_size=12)), max_size=12),
    st.sampled_from(["US", "CA", "GB", "IT", "AG", None]),
)
@example(
    [
        "+",
        "1",
        "",
        "()",
        "+1",
        "12065550100",
        "+12065550100",
        "x1234",
        "+44 020 7946 0018",
        "+1(206)555-0100",
        "1-206-555-0100",
        "(206",
    ],
    "US",
)
@settings(max_examples=1_000, deadline=None)
def test_a_plain_number_is_what_the_library_says(texts: list[str], region: str | None) -> None:
    plain, numbers = plain_numbers(pa.array(texts, pa.string()), region)

    for text, fast, number in zip(texts, plain.tolist(), numbers.to_pylist(), strict=True):
        assert number == (e164(text, region) if fast else None)


def test_the_usual_spellings_take_the_fast_path() -> None:
    texts = ["(206) 555-0100", "206-555-0100", "+1 206 555 0100", "2065550100", "12065550100", "206.555.0100"]

    plain, numbers = plain_numbers(pa.array([*texts, "+44 20 7946 0018", "x1234"]), "US")

    assert plain.all()
    assert numbers.to_pylist() == ["+12065550100"] * 6 + ["+442079460018", None]


@pytest.mark.parametrize("text", ["104", "anonymous", "*60", "555-0100", "s", "+", "٣"])
def test_what_has_no_number_that_others_can_dial_is_none(text: str) -> None:
    assert phone_reader("US")(pa.array([text])).to_pylist() == [None]


def test_other_countries_go_by_the_library_and_null_stays_null() -> None:
    texts = pa.array(["+44 20 7946 0018", None, "020 7946 0018", "+39 06 698 1234"])

    assert phone_reader("GB")(texts).to_pylist() == ["+442079460018", None, "+442079460018", "+39066981234"]


def test_without_a_region_only_international_forms_are_numbers() -> None:
    assert phone_reader(None)(pa.array(["206 555 0100", "+1 206 555 0100"])).to_pylist() == [None, "+12065550100"]


@pytest.mark.parametrize(
    ("invalid", "expected"), [("keep", "ext 104"), ("null", ["field_missing"]), ("reject", ["bad_phone"])]
)
def test_invalid_says_what_becomes_of_the_rest(invalid: str, expected: object) -> None:
    mapping = note(f'{{from: $Phone, as: phone, invalid: "{invalid}"}}')

    assert values(mapping, [{"Phone": "206 555 0100"}, {"Phone": "ext 104"}]) == ["+12065550100", expected]


def test_phones_of_a_list_are_converted_one_by_one() -> None:
    mapping = mail('{to: {each: {from: $Phones, split: ";", as: phone}, give: {email: $item}}}')

    found = values(mapping, [{"Phones": "206 555 0100; 206 555 0101"}, {"Phones": "1;2"}], "to")

    assert found == [[{"email": "+12065550100"}, {"email": "+12065550101"}], ["bad_phone", "bad_phone"]]
