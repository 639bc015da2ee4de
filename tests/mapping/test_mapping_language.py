"""The whole language is read, every part of it, and becomes the models that `transform` compiles."""

import pytest
from written import FIXTURES, LANGUAGE, read, written

from etl.engagement import TYPES
from etl.errors import InputError, MappingError, UsageError
from etl.mapping import columns_read, load, model, presets
from etl.mapping.links import WAYS
from etl.mapping.parse import parse
from etl.mapping.parts import _CHECKS
from etl.mapping.steps import AS, STEPS

WHOLE = r"""
version: 1
name: whole
namespace: other
description: everything that the language has
source:
  {format: csv, delimiter: tab, encoding: cp1252, header: 3, skip_rows: 2, stop_at: {Id: Totals}, missing: ["", NULL, ~],
   timezone: Europe/Berlin, region: DE}
columns:
  Id:
  When: {required: true, nullable: false, unique: true}
  Kind: {required: false, isin: [No, On, 012, 1], str_matches: '^\w', str_length: {min_value: 1, max_value: 9}, ne: 0}
skip:
  - {when: {any: [{Kind: No}, {not: {Id: {empty: false}}}, {expr: "row['Id']|length > row['Kind']|length"}]}, reason: one}
  - {when: {all: [{Kind: [a, b]}, {n: {gt: 1, le: 2.5}}]}, reason: two}
  - when:
      Kind: {eq: a, ne: 1, in: [a, 2], not_in: [c], ge: 0, lt: 9, matches: '^a', contains: a, starts: a, ends: a}
    reason: three
group: {by: $Call, keep: longest, field: {from: $Seconds, as: int}}
define:
  n: {from: $Count, as: int}
  who: {first: [$Mobile, $Phone]}
tables:
  people: {file: crosswalk_users.csv, key: sf_id, value: email, key_as: salesforce_id}
key: [$Id, {hash: [$Kind, $n]}]
engagement:
  type: {from: $Kind, map: {c: CALL, e: EMAIL, m: MEETING, n: NOTE}, else: TASK}
  timestamp:
    from: $When
    as: datetime
    formats: ["%d.%m.%Y %H:%M", iso, epoch_s, epoch_ms]
    timezone: $Zone
    at: "12:00"
    gap: shift
    fold: last
  ownerId: {from: {from: $Owner, lookup: people, not_found: empty}, lookup: owner, not_found: unassigned}
  active: true
associations:
  contacts:
    match:
      - {by: id, value: $Contact}
      - {by: email, value: {from: $Mails, as: emails}}
      - {by: phone, value: $who}
      - {by: table, table: people, value: $Who}
    not_found: create
    ambiguous: company
    create: {email: $Mail, phone: $who}
    max: 7
  companies: {match: [{by: domain, value: $Domain}, {by: name, value: $Firm}, {by: contact}], not_found: park, park_for: 3d}
  deals: {by: id, value: {from: $deal_ids, split: ";"}, ambiguous: all}
  tickets: {by: id, value: $Ticket, not_found: unlinked}
  require: any
metadata:
  CALL:
    body: {from: $Text, trim: false, extract: '(.+)', as: html_from_text, default: none, max_length: 100}
    title: "{{ row['Kind'] }} {{ row['n'] }}"
    toNumber: {from: $To, as: phone, region: GB, invalid: "null"}
    durationMilliseconds: {from: $Seconds, as: duration, format: "H:MM:SS"}
    disposition: {from: $Result, map: {a: Connected}, lookup: disposition, not_found: empty}
    externalId: $$5
    status: {cases: [{when: {Result: a}, then: COMPLETED}, {when: {n: {gt: 3}}, then: {from: $S, map: {x: BUSY}}}, {else: FAILED}]}
  EMAIL:
    from: {email: $From, firstName: {from: $Name, as: name_part, part: first}, lastName: x}
    to: {each: {from: $To, as: emails}, give: {email: $item}}
    cc: [{email: $Cc}]
    bcc: {from: $Json, as: json}
    sender: {cases: [{when: {Id: a}, then: {email: $From}}]}
    html: {from: $Html, as: html}
    text: {from: $Html, as: text_from_html}
  MEETING:
    startTime: 1763759106000
    endTime: {first: [{from: $End, as: datetime, format: iso}, $When]}
    attendeeOwnerIds: {from: $Owners, split: ","}
    meetingOutcome: null
  NOTE: {body: {from: $Text, map: {No: "yes", On: 1, 012: true, 1: null, $$: $$x}}}
  TASK: {subject: $Text, reminders: [{from: $When, as: datetime, format: epoch_ms}], isAllDay: {from: $Day, as: bool}}
properties: {my_property: $Mine, other: {from: $Number, as: number}}
attachments: {files: {from: $Files, split: ";"}, base: ., max_mb: 5}
tests:
  - given: {Id: 007, Kind: No, When: }
    expect: {outcome: skipped, reason: one}
  - given: {Id: b}
    expect: {engagement.timestamp: 1763759106000, metadata.to: [{email: a@example.com}], wanted.owner: a@example.com}
"""


@pytest.fixture(scope="module")
def whole():
    return read(WHOLE)


def test_every_key_of_every_part_is_read(whole):
    assert whole.namespace == "other"
    assert (whole.source.delimiter, whole.source.header, whole.source.missing) == ("\t", 3, ("", "NULL", "~"))
    assert whole.source.stop_at == {"Id": "Totals"}
    assert whole.columns["Id"] == model.ColumnRule(place=whole.columns["Id"].place)
    assert whole.columns["When"].unique
    assert not whole.columns["When"].nullable
    assert [skip.reason for skip in whole.skip] == ["one", "two", "three"]
    assert whole.group.keep == "longest"
    assert whole.tables["people"].path == FIXTURES / "crosswalk_users.csv"
    assert len(whole.key) == 2
    assert list(whole.metadata) == list(TYPES)
    assert set(whole.properties) == {"my_property", "other"}
    assert (whole.attachments.base, whole.attachments.max_mb) == (FIXTURES, 5)
    assert whole.associations.links["contacts"].max == 7
    assert whole.associations.links["companies"].park_for == "3d"
    assert set(whole.associations.links["contacts"].create) == {"email", "phone"}


def test_every_step_and_parameter_is_kept_under_its_own_name(whole):
    time, body = whole.engagement.timestamp, whole.metadata["CALL"]["body"]

    assert time.formats == ("%d.%m.%Y %H:%M", "iso", "epoch_s", "epoch_ms")
    assert time.timezone.name == "Zone"
    assert (time.at, time.gap, time.fold) == ("12:00", "shift", "last")
    assert (body.trim, body.extract, body.as_, body.max_length) == (False, "(.+)", "html_from_text", 100)
    assert body.default.value == "none"
    assert whole.metadata["CALL"]["durationMilliseconds"].formats == ("H:MM:SS",)
    assert (whole.metadata["CALL"]["toNumber"].region, whole.metadata["CALL"]["toNumber"].invalid) == ("GB", "null")
    assert whole.engagement.type.otherwise.value == "TASK"


def test_keys_of_a_value_map_and_cells_of_a_test_stay_the_text_that_they_look_like(whole):
    assert whole.metadata["NOTE"]["body"].map == {"No": "yes", "On": 1, "012": True, "1": None, "$$": "$x"}
    assert whole.columns["Kind"].checks["isin"] == ("No", "On", "012", "1")
    assert whole.tests[0].given == {"Id": "007", "Kind": "No", "When": ""}


def test_an_expected_payload_keeps_its_types(whole):
    assert whole.tests[1].expect["engagement.timestamp"] == 1763759106000
    assert whole.tests[1].expect["metadata.to"] == [{"email": "a@example.com"}]


def test_conditions_become_trees_of_tests(whole):
    either = whole.skip[0].when
    assert isinstance(either, model.Any_)
    assert [type(each).__name__ for each in either.conditions] == ["Test", "Not", "Expr"]
    both = whole.skip[1].when.conditions
    assert (both[0].operator, both[0].operand) == ("in", ("a", "b"))
    assert [(test.operator, test.operand) for test in both[1].conditions] == [("gt", 1.0), ("le", 2.5)]
    assert [test.operator for test in whole.skip[2].when.conditions] == [
        "eq", "ne", "in", "not_in", "ge", "lt", "matches", "contains", "starts", "ends",
    ]  # fmt: skip


def test_two_dollars_are_one_and_a_template_may_begin_with_one():
    assert read(written(metadata="{body: $$5}")).metadata["NOTE"]["body"].value == "$5"
    template = read(written(metadata="{body: \"$5 for {{ row['Body'] }}\"}")).metadata["NOTE"]["body"]
    assert isinstance(template, model.Template)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("COMPLETED", "COMPLETED"),
        ("3", 3),
        ("true", True),
        ("No", "No"),
        ("'3'", "3"),
        ("1.5", 1.5),
        ("1.50", "1.50"),
        ("+12065550100", "+12065550100"),
        ("012", "012"),
        ("null", None),
    ],
)
def test_a_constant_is_what_yaml_1_2_makes_of_it_unless_that_would_lose_a_zero_or_a_plus(text, value):
    found = read(written(metadata=f"{{body: {text}}}")).metadata["NOTE"]["body"]
    assert (found.value, type(found.value)) == (value, type(value))


@pytest.mark.parametrize("kind", AS)
def test_every_as_is_known(kind):
    more = {"datetime": ", format: iso", "duration": ", format: text", "name_part": ", part: last"}.get(kind, "")
    assert read(written(define=f"{{x: {{from: $A, as: {kind}{more}}}}}")).define["x"].as_ == kind


@pytest.mark.parametrize("check", _CHECKS)
def test_every_check_of_a_column_is_one_that_pandera_has(check):
    from pandera import Check

    assert callable(getattr(Check, check))


def test_a_link_found_through_the_contact_alone_is_not_missed_by_default():
    links = load("phone-nightly").associations.links
    assert links["companies"].not_found == "unlinked"
    assert links["contacts"].not_found == "park"


def test_a_short_link_and_a_list_of_ways_are_the_same():
    short = read(written(associations="{contacts: {by: email, value: $A}}")).associations.links["contacts"]
    long = read(written(associations="{contacts: {match: [{by: email, value: $A}]}}")).associations.links["contacts"]
    assert [(match.by, match.value.name) for match in short.match] == [
        (match.by, match.value.name) for match in long.match
    ]


def test_a_note_with_attachments_needs_no_body():
    assert read(written(metadata=None, attachments="$Files")).metadata == {"NOTE": {}}


def test_the_language_has_no_word_twice():
    assert len(set(STEPS)) == len(STEPS)
    assert set(WAYS) == {"contacts", "companies", "deals", "tickets"}


@pytest.mark.parametrize("name", LANGUAGE)
def test_the_three_examples_of_the_language_load_as_they_stand(name):
    mapping = load(FIXTURES / f"{name}.yaml")

    assert mapping.name == mapping.namespace == name
    assert columns_read(mapping)
    assert len(mapping.digest) == 64


@pytest.mark.parametrize("name", ["phone-nightly", "salesforce-tasks"])
def test_a_preset_is_its_example_under_a_comment(name):
    comment, _, rest = presets()[name].read_text().partition("\n")
    assert comment.startswith("# ")
    assert rest == (FIXTURES / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_by_its_name(name):
    assert load(name).name == name


def test_the_name_of_no_preset_is_answered_with_the_nearest_and_the_list():
    with pytest.raises(UsageError) as caught:
        load("phone-nigthly")
    assert ", ".join(presets()) in caught.value.message
    assert caught.value.hint == "Did you mean `phone-nightly`?"


def test_a_path_without_a_file_is_missing_input(tmp_path):
    with pytest.raises(InputError, match="there is no mapping file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="there is no mapping file"):
        load("mappings/none.yaml")


def test_a_file_that_is_not_utf8_is_refused_at_the_character(tmp_path):
    (tmp_path / "m.yaml").write_bytes(b"version: 1\nname: caf\xe9\n")
    with pytest.raises(MappingError) as caught:
        load(tmp_path / "m.yaml")
    assert caught.value.mistakes[0].place == f"{tmp_path}/m.yaml:2:10"


def test_tables_are_found_beside_the_input_where_the_mapping_has_none(tmp_path):
    text = written(tables="{t: {file: t.csv, key: a, value: b}}")
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    (inputs / "t.csv").write_text("a,b\n1,2\n")

    mapping = parse(text, tmp_path / "m.yaml", beside=inputs)

    assert mapping.tables["t"].path == inputs / "t.csv"
    with pytest.raises(MappingError, match=r"the table's file `t\.csv` is not in"):
        parse(text, tmp_path / "m.yaml")


def test_the_digest_changes_with_the_text_and_with_a_table(tmp_path):
    text = written(tables="{t: {file: t.csv, key: a, value: b}}")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    first = parse(text, tmp_path / "m.yaml").digest
    again = parse(text, tmp_path / "m.yaml").digest
    other = parse(text + "# more\n", tmp_path / "m.yaml").digest
    (tmp_path / "t.csv").write_text("a,b\n1,3\n")
    table = parse(text, tmp_path / "m.yaml").digest

    assert first == again
    assert len({first, other, table}) == 3


def test_a_byte_order_mark_is_no_part_of_the_mapping(tmp_path):
    (tmp_path / "m.yaml").write_bytes(b"\xef\xbb\xbf" + written().encode())
    assert load(tmp_path / "m.yaml").name == "small"
