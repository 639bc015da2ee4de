"""Templates: what Jinja says, whether it is rendered or joined by columns."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.mapping.template import compile_template
from etl.transform import templates
from tests.transform.builders import mapped, note, values

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
SIMPLE = [
    "{{ row['A'] }} via {{ row['B'] }}",
    "{{ row['A'] }}{% if row['B'] %}\n{{ row['B'] }}{% endif %}",
    "{% if row['A'] %}{{ row['A'] }}{% else %}none{% endif %}",
    "x{% if row['A'] %}{% if row['B'] %}{{ row['B'] }}{% endif %}{% endif %}y{# no #}",
    "{% if row['A'] %}both{% endif %}",
]


@pytest.mark.parametrize("source", SIMPLE)
def test_a_simple_template_is_a_join_of_columns(source: str) -> None:
    assert templates._as_join(source) is not None


@pytest.mark.parametrize(
    "source",
    ["{{ row['A'] | upper }}", "{% for c in row['A'] %}{{ c }}{% endfor %}", "{% if row['A'] == 'x' %}y{% endif %}"],
)
def test_a_template_that_does_more_is_rendered(source: str) -> None:
    assert templates._as_join(source) is None


@given(
    st.sampled_from([*SIMPLE, "{{ row['A'] | upper }}-{{ row['B'] }}"]),
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5),
)
@settings(deadline=None, max_examples=80)
def test_a_template_gives_what_jinja_gives_row_by_row(source: str, rows: list[tuple[str, str]]) -> None:
    mapping = note('"' + source.replace("\n", "\\n") + '"')
    compiled = compile_template(source)

    found = values(mapping, [{"A": a, "B": b} for a, b in rows])

    expected = [compiled.render(row={"A": a.strip(), "B": b.strip()}) for a, b in rows]
    assert found == [text or ["field_missing"] for text in expected]


def test_a_template_is_rendered_once_for_each_distinct_combination() -> None:
    mapping = note("\"{{ row['A'] | upper }}\"")

    drafts, rejects = mapped(mapping, [{"A": "ab"[place % 2], "B": str(place)} for place in range(50)])

    assert rejects == []
    assert drafts.metadata.unique().to_pylist() == ['{"body":"A"}', '{"body":"B"}']


def test_a_row_on_which_a_template_fails_is_refused_alone() -> None:
    found = values(note("\"{{ 10 // (row['A'] | int) }}\""), [{"A": "2"}, {"A": "0"}, {"A": "5"}])

    assert found == ["5", ["bad_template"], "2"]
