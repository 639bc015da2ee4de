"""The JSON Schema is in step with the language: what is right passes, what is misspelt does not."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML
from written import FIXTURES, LANGUAGE, written

from etl.mapping import json_schema, presets

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def plain(text):
    """What an editor sees: keys are texts, times are texts."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))


def test_the_schema_is_one_and_the_committed_one_is_fresh():
    jsonschema.Draft202012Validator.check_schema(json_schema())
    committed = (ROOT / "mappings" / "mapping.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == json_schema(), "run `make docs`"


FILES = [*(FIXTURES / f"{name}.yaml" for name in LANGUAGE), *presets().values()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_mappings_of_the_language_and_every_preset_pass(file):
    assert [error.message for error in VALIDATOR.iter_errors(plain(file.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize(
    "parts",
    [{"verison": "1"}, {"version": "2"}, {"name": "Not Small"}, {"source": "{format: xml}"}, {"source": "{delimeter: ;}"},
     {"metadata": "{boddy: $A}"}, {"metadata": "{body: {from: $A, az: text}}"}, {"metadata": "{body: {from: $A, as: txet}}"},
     {"associations": "{contacts: {by: fax, value: $A}}"}, {"associations": "{require: all}"}, {"group": "{keep: first}"},
     {"skip": "[{when: {A: {gtt: 1}}, reason: x}]"}, {"engagement": "{type: PHONE, timestamp: 1}"}, {"engagement": "{type: NOTE}"},
     {"columns": "{A: {isin: x}}"}, {"tests": "[{given: {A: x}, expect: {meta.body: x}}]"}],
    ids=str,
)  # fmt: skip
def test_a_misspelt_mapping_does_not_pass(parts):
    assert VALIDATOR.is_valid(plain(written()))
    assert not VALIDATOR.is_valid(plain(written(**parts)))


def test_the_field_of_a_call_takes_its_choices_and_references_only():
    call = {"engagement": "{type: CALL, timestamp: $A}"}
    assert VALIDATOR.is_valid(plain(written(**call, metadata="{status: COMPLETED, direction: $A}")))
    assert not VALIDATOR.is_valid(plain(written(**call, metadata="{status: DONE}")))
