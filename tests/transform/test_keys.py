"""Import keys: the same row has the same key in every run, two rows never share one."""

from hashlib import sha256

from etl.flow import key_text
from etl.transform import transform
from tests.transform.builders import chunk_of, mapped, note, rules_of


def test_a_key_is_sixteen_bytes_of_namespace_and_source_key() -> None:
    drafts, _ = mapped(note("$Body"), [{"Id": "a1", "Body": "x"}])

    assert list(drafts.keys) == [sha256(b"small\x00a1").digest()[:16]]


def test_several_key_values_are_told_apart_and_composed_alike() -> None:
    mapping = note("$Body").model_copy(update={"key": note("$Body", more="define: {d: $B}").key * 1})
    two = note("$Body").model_copy(update={"key": (*mapping.key, mapping.key[0].model_copy(update={"name": "B"}))})

    drafts, _ = mapped(two, [{"Id": "ab", "B": "c", "Body": "x"}, {"Id": "a", "B": "bc", "Body": "x"}])
    composed, _ = mapped(two, [{"Id": "e\u0301", "B": "c", "Body": "x"}, {"Id": "\u00e9", "B": "c", "Body": "x"}])

    assert drafts.keys[0] != drafts.keys[1]
    assert drafts.keys[0] == sha256(b"small\x00ab\x1fc").digest()[:16]
    assert composed.keys[0] == composed.keys[1]


def test_a_row_without_its_key_is_refused() -> None:
    _, rejects = mapped(note("$Body"), [{"Id": "", "Body": "x"}])

    assert [(p.code, p.column) for p in rejects[0].problems] == [("required", "Id")]


def test_rows_without_a_key_of_their_own_are_counted_over_all_chunks() -> None:
    mapping = note("$Body").model_copy(update={"key": ()})
    rows = [{"When": "2025-01-01T00:00:00Z", "Body": body, "Other": str(place)} for place, body in enumerate("aabab")]
    together, apart = (rules_of(mapping, ["When", "Body", "Other"]) for _ in range(2))

    whole = transform(chunk_of(rows), together)[0].keys
    parts = [key for some in (rows[:2], rows[2:]) for key in transform(chunk_of(some), apart)[0].keys]

    assert list(whole) == parts
    assert len(set(whole)) == 5
    assert all(len(key_text(key)) == 26 for key in whole)


def test_columns_that_no_rule_reads_do_not_change_the_key() -> None:
    mapping = note("$Body").model_copy(update={"key": ()})
    rules = [rules_of(mapping, ["When", "Body", "Other"]) for _ in range(2)]
    one, other = ({"When": "2025-01-01T00:00:00Z", "Body": "x", "Other": text} for text in "ab")

    assert list(transform(chunk_of([one]), rules[0])[0].keys) == list(transform(chunk_of([other]), rules[1])[0].keys)
