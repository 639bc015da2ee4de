"""Every kind of mistake, with its exact place (marked by ¤) and words that a person can act on."""

import re

import pytest
from written import FIXTURES, PARTS, mistakes, read, unmarked, written

from etl.errors import MAPPING_CODES, MappingError

CALL = "{type: CALL, timestamp: {from: $When, as: datetime, format: iso}}"
MANY = "{type: {from: $Kind, map: {c: CALL, n: NOTE}}, timestamp: $When}"


def value(text: str, **more: str | None) -> str:
    return written(metadata=f"{{body: {text}}}", **more)


def field(text: str, kind: str = "CALL", **more: str | None) -> str:
    """A mapping whose type has one field, and `$x` for the fields that it must have besides."""
    needs = {"TASK": ", subject: $x", "MEETING": ", startTime: $x, endTime: $x"}.get(kind, "")
    return written(engagement=f"{{type: {kind}, timestamp: $When}}", metadata=f"{{{text}{needs}}}", **more)


def contacts(text: str) -> str:
    return written(associations=f"{{contacts: {text}}}")


#: (code, mapping with the place marked, words of message or hint)
CASES = [
    # the file
    ("bad_yaml", "¤", "empty"),
    ("bad_yaml", "¤# nothing\n", "empty"),
    ("bad_yaml", written() + "¤version: 1\n", "stood before, at line 1, column 1"),
    ("bad_yaml", value("$Body, ¤body: $Other"), "stood before, at line 6, column 12"),
    ("bad_yaml", "a: ¤*b\n", "alias"),
    ("bad_yaml", "a: ¤&b c\n", "anchor"),
    ("bad_yaml", "a: ¤!!python/object b\n", "tag"),
    ("bad_yaml", "a: ¤!b c\n", "tag"),
    ("bad_yaml", "a: [\n¤", "not YAML"),
    ("bad_yaml", "a:\n¤\tb: 1\n", "spaces"),
    ("bad_yaml", "a: b\n¤---\nc: d\n", "second document"),
    ("bad_yaml", "a: {¤{b: 1}: 2}\n", "quotes"),
    ("bad_yaml", 'a: ¤"\\ud800"\n', "surrogate"),
    ("bad_yaml", "a: x¤\x07\n", "does not allow"),
    ("bad_yaml", "[" * 20 + "¤[" + "]" * 21, "deeper than 20"),
    ("wrong_type", "¤just text", "a map (a mapping)"),
    ("wrong_type", "¤- a\n- b\n", "a map (a mapping)"),
    # the top level
    ("missing_key", "¤" + written(version=None), "`version`"),
    ("missing_key", "¤" + written(name=None), "`name`"),
    ("missing_key", "¤" + written(engagement=None), "`engagement`"),
    ("missing_key", "¤" + written(associations=None), "`associations`"),
    ("missing_key", written(metadata=None).replace("engagement:", "¤engagement:"), "`metadata`"),
    ("unknown_key", written() + "¤assocations: {}\n", "did you mean `associations`?"),
    ("bad_value", written(version="¤2"), "version 1"),
    ("bad_value", written(name="¤Phone Nightly"), "`phone-nightly`"),
    ("bad_value", written(namespace="¤../up"), "lower-case"),
    ("wrong_type", written(name="¤[a]"), "a list"),
    ("wrong_type", written(description="").replace("description:", "¤description:"), "found nothing"),
    ("wrong_type", written(key="¤[]"), "empty list"),
    ("bad_value", written(key="¤Call ID"), "did you mean `$Call ID`?"),
    ("bad_value", written(key='[$A, ¤"{{ 1 }}"]'), "same"),
    # source and columns
    ("unknown_key", written(source="{¤delimeter: ';'}"), "`delimiter`"),
    ("bad_value", written(source="{format: ¤xls}"), "excel"),
    ("bad_value", written(source="{delimiter: ¤';;'}"), "one character"),
    ("bad_value", written(source="{encoding: ¤utf9}"), "utf-8"),
    ("bad_value", written(source="{timezone: ¤America/New York}"), "America/New_York"),
    ("bad_value", written(source="{timezone: ¤../UTC}"), "no time zone"),
    ("bad_value", written(source="{region: ¤us}"), "did you mean `US`?"),
    ("bad_value", written(source="{region: ¤UK}"), "`GB`"),
    ("wrong_type", written(source="{header: ¤first}"), "a whole number"),
    ("bad_value", written(source="{header: ¤0}"), "1 to"),
    ("missing_key", written(source="¤{header: none}"), "`names`"),
    ("bad_value", written(source="{names: ¤[a, b]}"), "`header: none`"),
    ("bad_value", written(source="{header: none, names: ¤[Id, Id, When, Body]}"), "twice"),
    ("wrong_type", written(source="{missing: ¤'-'}"), "a list"),
    ("unknown_key", written(columns="{Id: {¤is_in: [a]}}"), "`isin`"),
    ("wrong_type", written(columns="{Id: {nullable: ¤nope}}"), "true or false"),
    ("bad_regex", written(columns="{Id: {str_matches: ¤'(a'}}"), "does not compile"),
    ("missing_key", written(columns="{Id: {in_range: ¤{min_value: 1}}}"), "`max_value`"),
    # skip, group, define, key
    ("missing_key", written(skip="[¤{when: {A: b}}]"), "`reason`"),
    ("wrong_type", written(skip="¤{when: {A: b}, reason: x}"), "a list"),
    ("missing_key", written(group="¤{keep: first}"), "`by`"),
    ("missing_key", written(group="¤{by: $Call, keep: longest}"), "`field`"),
    ("bad_value", written(group="{by: $Call, keep: ¤longst}"), "`longest`"),
    ("bad_value", written(define="{a: ¤{from: $b, as: text}, b: {first: [$a]}}"), "a -> b -> a"),
    ("bad_value", written(define="{Phone: ¤{from: $Phone, as: phone}}"), "name of a column"),
    ("bad_value", written(define="{¤$x: $y}"), "`x:`"),
    ("bad_value", written(define="{¤item: $y}"), "element"),
    # conditions
    ("wrong_type", written(skip="[{when: ¤Missed, reason: x}]"), "a condition"),
    ("wrong_type", written(skip="[{when: ¤{}, reason: x}]"), "empty map"),
    ("bad_value", written(skip="[{when: {¤$A: b}, reason: x}]"), "write `A`"),
    ("unknown_key", written(skip="[{when: {A: {¤start: b}}, reason: x}]"), "`starts`"),
    ("wrong_type", written(skip="[{when: {A: {gt: ¤many}}, reason: x}]"), "a number"),
    ("wrong_type", written(skip="[{when: {A: {empty: ¤maybe}}, reason: x}]"), "true or false"),
    ("wrong_type", written(skip="[{when: {¤A: }, reason: x}]"), "empty: true"),
    ("bad_regex", written(skip="[{when: {A: {matches: ¤'['}}, reason: x}]"), "does not compile"),
    ("wrong_type", written(skip="[{when: {any: ¤{A: b}}, reason: x}]"), "a list"),
    ("bad_template", written(skip='[{when: {expr: ¤"row[\'A\'] =="}, reason: x}]'), "cannot be used"),
    ("bad_template", written(skip='[{when: {expr: ¤"{{ row[\'A\'] }}"}, reason: x}]'), "without braces"),
    # values
    ("wrong_type", value("¤{}"), "empty map"),
    ("wrong_type", written(metadata="{¤body: }"), "a value, found nothing"),
    ("bad_value", value("¤$"), "`$$` is a literal dollar"),
    ("bad_template", value("¤\"{{ row['A' }}\""), "cannot be used"),
    ("bad_template", value('¤"{{ rows }}"'), "`rows` is unknown"),
    ("bad_template", value('¤"{{ row.A }}"'), "row['Column']"),
    ("bad_template", value("¤\"{{ row['A']|shout }}\""), "shout"),
    ("bad_template", value("¤\"{% include 'x' %}\""), "include"),
    ("unknown_key", value("{¤form: $A}"), "did you mean `from`?"),
    ("missing_key", value("¤{as: phone, form: $A}"), "`from` is missing"),
    ("unknown_key", value("{from: $A, ¤mapp: {}}"), "`map`"),
    ("bad_value", value("{from: $A, as: ¤phon}"), "`phone`"),
    ("unknown_key", value("{from: $A, ¤gap: shift}"), "`as: datetime`, found no `as`"),
    ("unknown_key", value("{from: $A, as: phone, ¤gap: shift}"), "belongs to `as: datetime`, found `as: phone`"),
    ("unknown_key", value("{from: $A, as: text, ¤format: s}"), "`as: datetime` or `as: duration`"),
    ("unknown_key", value("{from: $A, ¤else: x}"), "belongs to `map`"),
    ("unknown_key", value("{from: $A, ¤not_found: empty}"), "belongs to `lookup`"),
    ("missing_key", value("¤{from: $A, as: datetime}"), "needs `format`"),
    ("missing_key", value("¤{from: $A, as: duration}"), "needs `format`"),
    ("missing_key", value("¤{from: $A, as: name_part}"), "needs `part`"),
    ("bad_value", value("¤{from: $A, as: datetime, format: iso, formats: [iso]}"), "exclude"),
    ("bad_format", value('{from: $A, as: datetime, format: ¤"%Y-%m-%Q"}'), "`%Q`"),
    ("bad_format", value('{from: $A, as: datetime, format: ¤"%m/%d %H:%M"}'), "year"),
    ("bad_format", value('{from: $A, as: datetime, format: ¤"%Y-%m-%d %I:%M"}'), "`%p`"),
    ("bad_format", value('{from: $A, as: datetime, format: ¤"%Y-%m-%d %H:%M %p"}'), "without `%I`"),
    ("bad_format", value('{from: $A, as: datetime, format: ¤"%F"}'), "write `%Y-%m-%d`"),
    ("bad_format", value("{from: $A, as: datetime, format: ¤YYYY-MM-DD}"), "did you mean `%Y-%m-%d`?"),
    ("bad_format", value("{from: $A, as: datetime, format: ¤DD/MM/YYYY HH:mm}"), "`%d/%m/%Y %H:%M`"),
    ("bad_format", value("{from: $A, as: datetime, format: ¤epoch}"), "did you mean `epoch_s`?"),
    ("bad_format", value('{from: $A, as: datetime, formats: [iso, ¤"%c"]}'), "language"),
    ("bad_format", value('{from: $A, as: duration, format: ¤"HH:MM:SS"}'), "`H:MM:SS`"),
    ("bad_value", value("{from: $A, as: datetime, format: iso, timezone: ¤Mars}"), "no time zone"),
    ("bad_value", value("{from: $A, as: datetime, format: iso, at: ¤noon}"), "HH:MM"),
    ("bad_regex", value("{from: $A, extract: ¤'a('}"), "does not compile"),
    ("bad_regex", value("{from: $A, extract: ¤'a+'}"), "first group"),
    ("wrong_type", value("{from: $A, split: ¤''}"), "a separator"),
    ("wrong_type", value("{from: $A, map: ¤[a]}"), "a map"),
    ("bad_value", value("{from: $A, map: {a: ¤$B}}"), "`cases`"),
    ("wrong_type", value("{from: $A, default: ¤$B}"), "a constant"),
    ("wrong_type", value("{from: $A, max_length: ¤long}"), "a whole number"),
    ("bad_value", value("{from: $A, max_length: ¤0}"), "1 to"),
    ("wrong_type", value("{from: $A, trim: ¤no}"), "true or false"),
    ("unknown_key", value("{from: $A, as: phone, ¤regoin: US}"), "`region`"),
    ("missing_key", value("{cases: [¤{when: {A: b}}]}"), "`then`"),
    ("missing_key", value("{cases: [{when: {A: b}, then: c}, ¤{els: d}]}"), "did you mean `else`?"),
    ("missing_key", value("{cases: [¤{}]}"), "a case has"),
    ("bad_value", value("{cases: [¤{else: a}, {when: {A: b}, then: c}]}"), "last"),
    ("wrong_type", value("{cases: ¤[]}"), "empty list"),
    ("unknown_key", value("{cases: [{when: {A: b}, then: c, ¤thn: d}]}"), "`then`"),
    ("unknown_key", value("{first: [$A], ¤secnd: $B}"), "in `first`"),
    ("wrong_type", value("{hash: ¤$A}"), "a list"),
    ("missing_key", field("to: ¤{each: $A}", "EMAIL"), "`give`"),
    ("unknown_name", value("¤$item"), "`each`"),
    ("unknown_name", field("to: {each: ¤$item, give: {email: $item}}", "EMAIL"), "`give` of `each`"),
    # tables and look-ups
    ("unknown_name", written(tables="{t: {file: ¤nowhere.csv, key: a, value: b}}"), "is not in"),
    ("unknown_name", written(tables="{t: {file: crosswalk_users.csv, key: ¤sfid, value: email}}"), "`sf_id`"),
    ("missing_key", written(tables="{t: ¤{file: crosswalk_users.csv, key: sf_id}}"), "`value`"),
    ("bad_value", written(tables="{t: {file: crosswalk_users.csv, key: sf_id, value: email, key_as: ¤sfid}}"), "salesforce_id"),
    ("name_clash", written(tables="{¤owner: {file: crosswalk_users.csv, key: sf_id, value: email}}"), "rename"),
    ("unknown_name", value("¤{from: $A, lookup: user}"), "no table `user`"),
    ("bad_value", value("¤{from: $A, lookup: owner}"), "`engagement.ownerId`"),
    ("bad_value", value("¤{from: $A, lookup: disposition}"), "`metadata.disposition`"),
    ("bad_value", written(define="{o: ¤{from: $A, lookup: owner}}"), "`engagement.ownerId`"),
    # engagement
    ("missing_key", written(engagement="¤{type: NOTE}"), "`timestamp`"),
    ("missing_key", written(engagement="¤{timestamp: $A}"), "`type`"),
    ("bad_value", written(engagement="{type: ¤CAL, timestamp: $A}"), "`CALL`"),
    ("bad_value", written(engagement="{type: {cases: [{when: {A: b}, then: ¤Note}]}, timestamp: $A}", metadata="{}"), "`NOTE`"),
    ("wrong_type", written(engagement="{type: NOTE, timestamp: ¤yesterday}"), "milliseconds"),
    ("unknown_key", written(engagement="{type: NOTE, timestamp: $A, ¤owner: $B}"), "`ownerId`"),
    ("wrong_type", written(engagement="{type: NOTE, timestamp: $A, active: ¤sure}"), "true or false"),
    ("bad_value", written(engagement="{type: NOTE, timestamp: $A, ownerId: ¤ann@example.com}"), "lookup: owner"),
    ("missing_key", written(engagement='{type: NOTE, timestamp: ¤{from: $A, as: datetime, format: "%Y-%m-%d %H:%M"}}'), "without a zone"),
    ("wrong_type", written(engagement="{¤type: , timestamp: $A}"), "found nothing"),
    # metadata
    ("unknown_field", field("¤dispositon: $A"), "did you mean `disposition`?"),
    ("unknown_field", field("¤startTime: $A"), "a field of MEETING"),
    ("missing_key", written(metadata="¤{}"), "NOTE needs `body`"),
    ("missing_key", written(engagement="{type: TASK, timestamp: $A}", metadata="¤{body: $B}"), "`subject`"),
    ("bad_value", field("status: ¤DONE"), "COMPLETED"),
    ("bad_value", field("status: {from: $A, map: {a: COMPLETED, b: ¤COMPLETE}}"), "did you mean `COMPLETED`?"),
    ("bad_value", field("status: {from: $A, map: {a: BUSY}, else: ¤NONE}"), "BUSY"),
    ("bad_value", field("status: {from: $A, map: {a: BUSY}, default: ¤NONE}"), "BUSY"),
    ("bad_value", field("status: {cases: [{when: {A: b}, then: ¤GONE}]}"), "BUSY"),
    ("bad_value", field("disposition: ¤Connected"), "lookup: disposition"),
    ("bad_value", field("recordingUrl: ¤www.example.com"), "https://"),
    ("wrong_type", field("durationMilliseconds: ¤-1"), "milliseconds"),
    ("wrong_type", field("durationMilliseconds: ¤long"), "milliseconds"),
    ("wrong_type", field("body: ¤[a, b]"), "one value"),
    ("wrong_type", field("body: ¤{from: $A, split: ','}"), "found a list"),
    ("wrong_type", field("body: ¤{email: $A}"), "one value"),
    ("wrong_type", field("from: ¤$A", "EMAIL"), "{email: ...}"),
    ("unknown_key", field("from: {¤mail: $A}", "EMAIL"), "`email`"),
    ("wrong_type", field("to: ¤{email: $A}", "EMAIL"), "a list"),
    ("wrong_type", field("to: ¤{from: $A, as: emails}", "EMAIL"), "give: {email: $item}"),
    ("wrong_type", field("to: [¤$A]", "EMAIL"), "addresses"),
    ("wrong_type", field("sendDefaultReminder: ¤often", "TASK"), "true or false"),
    ("wrong_type", field("reminders: ¤12", "TASK"), "a list"),
    ("unknown_key", written(engagement=MANY, metadata="{CALL: {}, NOTE: {body: $B}, ¤TASKS: {}}"), "`TASK`"),
    ("unknown_key", written(engagement=MANY, metadata="{¤body: $B}"), "decided per row"),
    ("wrong_type", written(engagement=MANY, metadata="{CALL: ¤$B}"), "fields of CALL"),
    ("missing_key", written(engagement="{type: {cases: [{else: ¤CALL}]}, timestamp: $A}", metadata="{NOTE: {body: $B}}"), "`CALL:`"),
    # associations
    ("missing_key", written(associations="¤{}"), "`require: any`"),
    ("missing_key", written(associations="¤{require: any}"), "nothing to link to"),
    ("unknown_key", written(associations="{require: none, ¤contact: {}}"), "`contacts`"),
    ("bad_value", written(associations="{require: ¤contacts}") + "", "`contact`"),
    ("missing_key", contacts("¤{value: $A}"), "`by`"),
    ("missing_key", contacts("¤{by: email}"), "needs `value`"),
    ("missing_key", contacts("¤{by: table, value: $A}"), "needs `table`"),
    ("unknown_name", contacts("¤{by: table, table: people, value: $A}"), "no table `people`"),
    ("unknown_key", contacts("{by: email, value: $A, ¤table: t}"), "takes no `table`"),
    ("bad_value", contacts("{by: ¤contact}"), "id, email, phone, table"),
    ("bad_value", contacts("{by: ¤domain, value: $A}"), "id, email, phone, table"),
    ("wrong_type", contacts("¤[{by: email, value: $A}]"), "a map"),
    ("wrong_type", contacts("{match: ¤{by: email, value: $A}}"), "a list"),
    ("bad_value", contacts("{match: [{by: email, value: $A}], ¤by: id}"), "inside `match`"),
    ("unknown_key", contacts("{match: [{by: email, value: $A, ¤not_found: park}]}"), "in `match`"),
    ("bad_value", contacts("{by: email, value: $A, not_found: ¤prak}"), "`park`"),
    ("unknown_key", contacts("{by: email, value: $A, ¤park_for: 3d}"), "`not_found: park`"),
    ("bad_value", contacts("{by: email, value: $A, not_found: park, park_for: ¤3 days}"), "14d"),
    ("missing_key", contacts("¤{by: email, value: $A, not_found: create}"), "needs `create`"),
    ("unknown_key", contacts("{by: email, value: $A, ¤max: 3}"), "`not_found: create`"),
    ("bad_value", written(associations="{require: none, deals: {by: id, value: $A, ambiguous: ¤company}}"), "for contacts"),
    ("bad_value", written(associations="{require: none, companies: {by: id, value: $A, ambiguous: ¤all}}"), "one company"),
    ("missing_key", written(associations="{require: none, companies: ¤{by: contact}}"), "`contacts` is missing"),
    # attachments and tests
    ("missing_key", written(attachments="¤{base: .}"), "`files`"),
    ("unknown_name", written(attachments="{files: $Files, base: ¤recordings}"), "the folder `recordings` is not in"),
    ("bad_value", written(attachments="{files: $Files, max_mb: ¤101}"), "expected 1 to 100"),
    ("unknown_key", written(attachments="{files: $Files, ¤bases: .}"), "did you mean `base`"),
    ("missing_key", written(tests="[¤{given: {A: b}}]"), "`expect`"),
    ("wrong_type", written(tests="[{given: {A: ¤[1]}, expect: {outcome: skipped}}]"), "a text"),
    ("unknown_field", written(tests="[{given: {A: b}, expect: {¤metdata.body: x}}]"), "`metadata`"),
    # names known without the file, where the mapping names the columns itself
    ("unknown_name", written(source="{header: none, names: [Id, When, body]}").replace("$Body", "¤$Body"), "did you mean `body`?"),
    ("name_clash", written(source="{header: none, names: [Id, When, Body]}", define="{Body: ¤x}"), "rename"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "marked", "words"), CASES)
def test_a_mistake_is_named_with_its_exact_place_and_a_way_out(code, marked, words):
    text, places = unmarked(marked)

    found = mistakes(text)

    assert [(each.place.removeprefix(f"{FIXTURES}/t.yaml:"), each.code) for each in found] == [(places[0], code)]
    assert words in f"{found[0].message} {found[0].hint}"


def test_every_code_of_a_mapping_file_has_a_case():
    elsewhere = {"test_failed", "unused_column", "no_key", "group_key", "not_on_v1"}

    assert {code for code, _, _ in CASES} == set(MAPPING_CODES) - elsewhere


def test_the_small_mapping_that_the_cases_start_from_is_right():
    assert mistakes(written()) == []
    assert set(PARTS) <= set(type(read(written())).model_fields)


def test_all_mistakes_come_at_once_in_the_order_of_the_file():
    text, places = unmarked(
        written(
            source="{format: ¤cvs, ¤regio: US}",
            define="{a: {from: $x, as: ¤number2}}",
            metadata="{body: {from: $x, ¤gap: shift}, ¤bod: 3}",
        )
    )

    found = mistakes(text)

    assert sorted(places, key=lambda p: [int(n) for n in p.split(":")]) == [
        ":".join(m.place.split(":")[-2:]) for m in found
    ]
    assert len(found) == 5


def test_the_error_prints_a_line_for_each_mistake_and_exits_78():
    with pytest.raises(MappingError) as caught:
        read(written(version="3", name="A"))

    assert caught.value.exit_code == 78
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(re.match(r".*t\.yaml:\d+:\d+: .+ \[bad_value\]$", line) for line in lines)


def test_a_file_of_more_than_256_kib_is_refused():
    found = mistakes(written(description="x" * 256 * 1024))

    assert [each.code for each in found] == ["bad_yaml"]
    assert "256 KiB" in found[0].message
