"""What a mapping reads, what a header lacks, and what is worth a warning."""

from written import FIXTURES, read, unmarked, written

from etl.mapping import check_header, columns_read, lint, load

HEADER = ["Id", "When", "Body"]


def short(found):
    return [(":".join(each.place.rsplit(":", 2)[1:]), each.code) for each in found]


def test_columns_are_listed_in_order_of_first_use_through_definitions_templates_and_conditions():
    mapping = read(
        written(
            source="{stop_at: {Footer: x}}",
            columns="{Named: {nullable: false}}",
            skip="[{when: {expr: \"row['E'] == row['d']\"}, reason: x}]",
            define="{d: {cases: [{when: {C: x, F: {gt: 1}}, then: $D}]}, never: $Unread}",
            engagement="{type: NOTE, timestamp: {from: $When, as: datetime, format: iso, timezone: $Zone}}",
            metadata="{body: \"{{ row['d'] }}{% if row['T'] %}{{ row['U'] }}{% endif %}\"}",
            properties="{p: {hash: [$Id, $P]}}",
            attachments="$Files",
        )
    )

    assert columns_read(mapping) == ("E", "C", "F", "D", "Id", "When", "Zone", "T", "U", "P", "Files")


def test_a_name_that_is_neither_column_nor_definition_is_placed_at_each_use():
    text, places = unmarked(
        written(
            columns="{Id: , ¤Idd: {unique: true}, Extra: {required: false}}",
            skip="[{when: {¤Whn: x}, reason: x}]",
            define="{d: ¤$Bdy}",
            metadata="{body: {first: [$d, $Extra, ¤\"{{ row['Bod'] }}\"]}}",
        ).replace("¤Idd: {", "Idd: ¤{")
    )

    found = check_header(read(text), HEADER)

    assert {place for place, _ in short(found)} == set(places)
    assert {each.code for each in found} == {"unknown_name"}
    assert sorted(each.hint for each in found) == ["did you mean `Body`?"] * 2 + [
        "did you mean `Id`?",
        "did you mean `When`?",
    ]


def test_a_definition_with_the_name_of_a_column_clashes():
    text, places = unmarked(written(define="{Body: ¤x}"))
    assert short(check_header(read(text), HEADER)) == [(places[0], "name_clash")]


def test_a_test_that_gives_a_column_which_the_file_lacks_is_pointed_at():
    text, places = unmarked(written(tests="[¤{given: {Boddy: x}, expect: {outcome: skipped}}]"))
    assert short(check_header(read(text), HEADER)) == [(places[0], "unknown_name")]


def test_a_header_that_has_everything_is_right():
    mapping = load(FIXTURES / "phone-nightly.yaml")
    assert check_header(mapping, [*columns_read(mapping), "More"]) == []


def test_warnings_name_unused_columns_a_missing_key_and_fields_that_v1_drops():
    text, places = unmarked(
        "¤"
        + written(
            key=None,
            columns="{Named: }",
            engagement="{type: CALL, timestamp: $When}",
            metadata="{direction: ¤INBOUND, body: $Body}",
            properties="{p: ¤$Id}",
        )
    )

    found = lint(read(text), [*HEADER, "Named", "Spare"])

    assert short(found) == [
        (places[0], "no_key"),
        (places[0], "unused_column"),
        (places[1], "not_on_v1"),
        (places[2], "not_on_v1"),
    ]
    assert "`Spare`" in found[1].message


def test_a_plain_mapping_has_no_warnings():
    assert lint(read(written()), HEADER) == []
