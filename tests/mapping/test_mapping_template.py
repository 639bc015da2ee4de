"""Templates in their cage: what they may read, and what they may not do."""

import time

import jinja2
import pytest

from etl.mapping.template import compile_expression, compile_template, expression_names, render, template_names


def test_the_names_that_a_template_reads_come_in_order_of_first_use():
    text = (
        "{% if row['b'] %}{{ row['a'] }}{% for x in row['c'].split(';') %}{{ x }}{{ row['b'] }}{% endfor %}{% endif %}"
    )
    assert template_names(text) == ("b", "a", "c")
    assert expression_names("row['x']|int > 3 and row['y'] == 'z'") == ("x", "y")


@pytest.mark.parametrize(
    "text",
    ["{{ row }}", "{{ row.a }}", "{{ row[x] }}", "{{ row[0] }}", "{{ row.get('a') }}", "{% set row = 1 %}", "{{ other['a'] }}",
     "{% for row in 'ab' %}{{ row['a'] }}{% endfor %}", "{{ range(9) }}", "{% extends 'x' %}", "{% import 'x' as y %}",
     "{% macro f() %}{% endmacro %}", "{% block b %}{% endblock %}", "{{ 'a'|center(9) }}", "{{ 'a' is odd_one }}",
     "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}"],
)  # fmt: skip
def test_a_template_that_reads_or_does_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        template_names(text)


@pytest.mark.parametrize(
    "text",
    ["{{ 'a' * 1000000000 }}", "{{ 9 ** 9 ** 9 }}", "{{ '%999999999d' % 1 }}", "{{ 'a'.zfill(999999999) }}",
     "{{ row['a'].__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ '{0.__class__}'.format(1) }}", "{{ row['b'] }}"],
)  # fmt: skip
def test_a_template_that_tries_to_break_out_or_to_blow_up_fails_when_it_runs(text):
    with pytest.raises((jinja2.TemplateError, TypeError)):
        compile_template(text).render(row={"a": "x"})


def test_a_template_renders_numbers_and_texts():
    assert compile_template("{{ row['a'] }} {{ 2 * 3 }}{# no #}").render(row={"a": "<x>"}) == "<x> 6"


def test_an_expression_gives_its_value_and_never_hides_an_unknown_name():
    assert compile_expression("row['a']|int > 3")(row={"a": "4"}) is True
    with pytest.raises(jinja2.UndefinedError):
        bool(compile_expression("row['b']")(row={"a": "4"}))


@pytest.mark.parametrize(
    "text",
    ["{% for a in row['a'] %}{% for b in row['a'] %}x{% endfor %}{% endfor %}", "{% for a in row['a'] recursive %}{{ loop(a) }}{% endfor %}",
     "{% filter upper %}x{% endfilter %}", "{% set x %}y{% endset %}", "{{ ['a']|map('upper') }}", "{{ 'ab'|random }}",
     "{{ 'a'|xmlattr }}", "{{ cycler('a') }}", "{{ lipsum() }}", "{{ namespace(a=1) }}", "{{ dict() }}"],
)  # fmt: skip
def test_what_could_run_for_ever_or_reach_out_has_no_place_in_a_template(text):
    with pytest.raises(ValueError, match=r"\w"):
        template_names(text)


DOUBLING = "{% set a = 'xxxxxxxx' %}" + "{% set a = a OP a %}" * 60 + "{{ a|length }}"


@pytest.mark.parametrize(
    "text",
    [DOUBLING.replace("OP", "~"), DOUBLING.replace("OP", "+"), "{{ row['long']|replace('', row['long']) }}",
     "{{ row['long']|join(row['long']) }}", "{{ row['long'].replace('', row['long']) }}", "{{ row['long'].join(row['long']) }}",
     "{{ '\"'" + "|tojson" * 60 + " }}", "{% for c in row['long'] %}{{ row['long'] }}{% endfor %}",
     "{% for c in row['long'] %}{% endfor %}", "{{ [row['long'], row['long']]|join(row['long'] ~ row['long']) ~ row['long'] }}",
     "{{ row['long'] ~ row['long'] ~ row['long'] ~ row['long'] ~ row['long'] }}"],
)  # fmt: skip
def test_a_template_that_grows_is_stopped_soon(text):
    begun = time.monotonic()
    template_names(text)
    with pytest.raises(jinja2.TemplateError):
        render(compile_template(text), {"long": "<" * (1 << 20)})
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [("{{ row['a'] ~ 1 ~ 'c' }}", "x1c"), ("{{ row['a']|replace('x', 'yy') }}", "yy"), ("{{ ['a', 'b']|join(', ') }}", "a, b"),
     ("{{ 'a' + 'b' }}{{ 1 + 2 }}", "ab3"), ("{% for c in 'abc' %}{{ c|upper }}{% endfor %}", "ABC"),
     ("{% set a = row['a'] %}{{ a ~ a }}", "xx"), ("{{ row['a']|default('-')|title }}", "X")],
)  # fmt: skip
def test_what_is_measured_still_works(text, expected):
    assert render(compile_template(text), {"a": "x"}) == expected


def test_an_expression_is_bounded_too():
    with pytest.raises(jinja2.TemplateError):
        compile_expression("(row['a']|replace('', row['a']))|length > 3")(row={"a": "x" * 100_000})
    with pytest.raises(ValueError, match=r"behind|expected"):
        expression_names("row['a'] row['b']")
