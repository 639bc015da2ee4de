"""Broken mappings by the thousand: each loads or is refused with places inside the file, never anything else."""

import json
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from written import FIXTURES, LANGUAGE

from etl.errors import MAPPING_CODES, MappingError
from etl.mapping import check_header, columns_read, lint, parse
from etl.transform import compile_rules
from etl.validate import compile_contract

TEXTS = {name: (FIXTURES / f"{name}.yaml").read_text() for name in LANGUAGE}
LOADED = {name: YAML(typ="safe", pure=True).load(text) for name, text in TEXTS.items()}
WORDS = ("from", "cases", "each", "give", "first", "hash", "as", "map", "format", "lookup", "owner", "CALL", "any", "not",
         "expr", "by", "contact", "$", "$$x", "$item", "$Result", "{{ row['A'] }}", "{{ row", "(", "%Y", "iso", "", "none",
         "metadata", "type", "else", "when", "then", "match", "create", "NOTE", "datetime", "phone", "value", "-1")  # fmt: skip
EXAMPLES = int(os.environ.get("EXAMPLES", "150"))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text(max_size=8))
NEW = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def places_in(node, path=()):
    """The path of every node below the top."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places_in(value, (*path, key))


def changed(node, path, change):
    """A copy of the tree with `change(container, key)` made at `path`."""
    copy = dict(node) if isinstance(node, dict) else list(node)
    if len(path) == 1:
        return change(copy, path[0])
    copy[path[0]] = changed(copy[path[0]], path[1:], change)
    return copy


@st.composite
def broken(draw):
    """One of the language's examples with one to three nodes deleted, renamed, replaced or wrapped, as YAML."""
    tree = LOADED[draw(st.sampled_from(LANGUAGE))]
    for _ in range(draw(st.integers(1, 3))):
        paths = list(places_in(tree))
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        tree = changed(tree, path, draw(st.sampled_from((delete, rename, replace, wrap, double)))(draw))
    return json.dumps(tree, indent=1, ensure_ascii=False)  # JSON is YAML, and quickly written


def delete(draw):
    def change(node, key):
        del node[key]
        return node

    return change


def rename(draw):
    name = draw(st.sampled_from(WORDS) | st.text(max_size=4))

    def change(node, key):
        if isinstance(node, dict):
            return {name if old == key else old: value for old, value in node.items()}
        return node[::-1]

    return change


def replace(draw):
    new = draw(NEW)

    def change(node, key):
        node[key] = new
        return node

    return change


def wrap(draw):
    within = draw(st.sampled_from(WORDS))

    def change(node, key):
        node[key] = {within: node[key]} if within else [node[key]]
        return node

    return change


def loads_or_says_why(text, file):
    try:
        mapping = parse(text, file)
    except MappingError as error:
        mistakes = error.mistakes
    else:
        mistakes = None
        check_header(mapping, columns_read(mapping))
        compiles(mapping)
        lint(mapping, ["A"])
    assert mistakes is None or places_are_in(text, file, mistakes)


def double(draw):
    """A list's element twice; a map's value beside itself under another name (a key twice is the smudged file's part)."""
    name = draw(st.sampled_from(WORDS))

    def change(node, key):
        if isinstance(node, dict):
            return {**node, name: node[key]}
        return [*node, node[key]]

    return change


def compiles(mapping):
    """What a right mapping compiles to; only what the files of its tables hold can still be wrong."""
    try:
        compile_rules(mapping, dispositions={}, header=columns_read(mapping), now_ms=0)
        compile_contract(mapping)
    except MappingError as error:
        assert all(mistake.code in ("unknown_name", "name_clash") for mistake in error.mistakes), error  # noqa: PT017 - it may do


def places_are_in(text, file, mistakes):
    """Whether each mistake has a known code and a place in the text, and they stand in its order."""
    lines = re.split("\r\n|\r|\n", text)  # as an editor shows them
    positions = []
    for mistake in mistakes:
        name, line, column = mistake.place.rsplit(":", 2)
        positions.append((int(line), int(column)))
        assert name == str(file)
        assert mistake.code in MAPPING_CODES
        assert 1 <= int(line) <= len(lines) + 1
        assert 1 <= int(column) <= len((*lines, "")[int(line) - 1]) + 1
    return mistakes and positions == sorted(positions)


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example]
)
@given(text=broken())
def test_a_broken_example_loads_or_is_refused_with_places_in_the_file(text):
    loads_or_says_why(text, FIXTURES / "broken.yaml")


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data(), name=st.sampled_from(LANGUAGE))
def test_a_cut_or_smudged_file_loads_or_is_refused_with_places_in_the_file(data, name):
    text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    smudge = data.draw(
        st.text(max_size=3)
        | st.sampled_from(["{", "[", "}", '"', "'", ": ", "- ", "\t", "|", "&a", "*a", "!t", "%", "\n"])
    )

    loads_or_says_why(text[:start] + smudge + text[end:], FIXTURES / "smudged.yaml")


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data(), name=st.sampled_from(LANGUAGE))
def test_lines_said_twice_moved_or_indented_otherwise_load_or_are_refused(data, name):
    lines = TEXTS[name].split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    shift = data.draw(st.sampled_from(["", " ", "   ", "\t", "- "]))
    line = data.draw(st.sampled_from([lines[at], shift + lines[at], lines[at].lstrip()]))
    where = data.draw(st.integers(0, len(lines)))

    loads_or_says_why("\n".join([*lines[:where], line, *lines[where:]]), FIXTURES / "smudged.yaml")


@pytest.mark.parametrize("name", LANGUAGE)
def test_the_examples_themselves_load(name):
    assert parse(TEXTS[name], FIXTURES / f"{name}.yaml").name == name
