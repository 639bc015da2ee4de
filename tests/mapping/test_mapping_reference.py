"""Each example of the language's reference page does what it says, and no word of the language is without one."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from etl.associate import associate, in_words, payload_lines
from etl.columns.rows import batch_of
from etl.engagement import DISPOSITIONS
from etl.flow import Chunk, key_text
from etl.mapping import links, lint, parts, steps
from etl.mapping.condition import OPERATORS
from etl.mapping.parse import parse, readers
from etl.mapping.value import _FORMS
from etl.transform import compile_rules, skip, transform
from etl.validate import compile_contract, validate

ROOT = Path(__file__).parents[2]
SECTIONS = YAML(typ="safe", pure=True).load((ROOT / "docs" / "language.yaml").read_text(encoding="utf-8"))
EXAMPLES = [(section["covers"], entry) for section in SECTIONS for entry in section["entries"]]
BASE = {
    "version": 1, "name": "small", "source": {"timezone": "UTC", "region": "US"}, "key": "$Id",
    "engagement": {"type": "NOTE", "timestamp": {"from": "$When", "as": "datetime", "format": "iso"}},
    "associations": {"require": "none"}, "metadata": {"body": "$Body"},
}  # fmt: skip
TABLE = {"people": {"file": "people.csv", "key": "theirs", "value": "ours", "key_as": "salesforce_id"}}


def mapping_of(entry, folder):
    (folder / "people.csv").write_text("theirs,ours\n003000000000001AAA,501\n")
    (folder / "scans").mkdir()
    (folder / "scans" / "contract.txt").write_text("hello")
    with (folder / "scans" / "film.bin").open("wb") as film:
        film.truncate(1_000_001)
    whole = {**BASE, **({"tables": TABLE} if entry.get("tables") else {}), **entry.get("parts", {})}
    if "value" in entry:
        whole["metadata"] = {"body": entry["value"]}
    if "when" in entry:
        whole["skip"] = [{"when": entry["when"], "reason": "it holds"}]
    if "links" in entry:
        whole["associations"] = entry["links"]
    if "rule" in entry:
        whole["columns"] = {"A": entry["rule"]}
    if "group" in whole:
        whole["metadata"] = {"body": "$Call"}
    whole = {key: part for key, part in whole.items() if part is not None}
    mapping = parse(json.dumps(whole, ensure_ascii=False, default=str), folder / "m.yaml")
    lint(mapping)
    return mapping


def outcome(entry, mapping):
    """What becomes of the example's row: payload, links, or why there is none."""
    given = {"Id": "1", "When": "2025-11-21T16:05:06Z", "Body": "text", "A": "", "B": "", "Call": "", "Sec": ""}
    given |= {name: str(cell) for name, cell in entry.get("given", {}).items()} | (
        {"A": entry["cell"]} if "rule" in entry else {}
    )
    missing = {"", *mapping.source.missing}
    cells = {name: pa.array([None if cell in missing else cell], pa.string()) for name, cell in given.items()}
    chunk = Chunk("in.csv", batch_of(cells), np.array([2], np.int64))
    rules = compile_rules(mapping, dispositions=DISPOSITIONS, header=list(given), now_ms=1_767_000_000_000)
    kept, skipped, unjudged = skip(chunk, rules)
    good, broken = validate(kept, compile_contract(mapping))
    drafts, refused = transform(good, rules)
    if "account" in entry:
        account = entry["account"]

        def ask(kind, by, values):
            return {value: ids for value, ids in account.get(kind, {}).get(by, {}).items() if value in values}

        linked, unlinked = associate(drafts, mapping.associations, ask, "reject", rules.tables)
    else:
        linked, unlinked = in_words(drafts, mapping.associations, rules.tables)
    rejects = [*unjudged, *broken, *refused, *unlinked]
    return linked, [reject.problems[0].code for reject in rejects], skipped


@pytest.mark.parametrize(("covers", "entry"), EXAMPLES, ids=[f"{covers}-{entry['name']}" for covers, entry in EXAMPLES])
def test_an_example_does_what_it_says(covers, entry, tmp_path):
    mapping = mapping_of(entry, tmp_path)
    if mapping.source.header == "none" or not set(entry) & {"given", "rule"}:
        return  # it says how a file is read: that it is understood is what is shown
    linked, codes, skipped = outcome(entry, mapping)
    if "rejected" in entry or not entry.get("good", True):
        assert codes == [entry.get("rejected") or ("required" if not entry["cell"] else "check_failed")]
    elif entry.get("holds") or "skipped" in entry:
        assert skipped == {entry.get("skipped", "it holds"): 1}
    else:
        assert (codes, skipped) == ([], {})
        row = json.loads(payload_lines(linked)[0].as_py())
        compare(entry, row, linked)


def compare(entry, row, linked):
    if "gives" in entry:
        assert row["metadata"]["body"] == entry["gives"]
    for path, expected in entry.get("expect", {}).items():
        found = row
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if path == "key":
            found = key_text(linked.drafts.keys[0])
        assert found == expected, path
    if "parked" in entry:
        assert linked.parked.to_pylist() == [entry["parked"]]
    if "links_to" in entry:
        ids = {kind: ids[0].as_py() for kind, ids in linked.links.items()}
        assert {kind: some for kind, some in ids.items() if some} == {k: v for k, v in entry["links_to"].items() if v}


WORDS: dict[str, set[str]] = {
    "forms": {*_FORMS, "constant", "dollar", "column", "defined", "template", "address", "list"},
    "steps": set(steps.STEPS),
    "as": set(steps.AS),
    "operators": set(OPERATORS),
    "combinations": {"several", "any", "all", "not", "expr"},
    "ways": {f"{kind} by {way}" for kind, ways in links.WAYS.items() for way in ways} | {"match"},
    "not_found": set(links.NOT_FOUND),
    "ambiguous": set(links.AMBIGUOUS),
    "require": set(links.REQUIRE),
    "keys": set(readers(())),
    "attachments": set(parts.ATTACHMENT_READERS),
    "source": set(parts.SOURCE_READERS),
    "columns": set(parts.COLUMN_READERS),
}


@pytest.mark.parametrize("covers", WORDS)
def test_every_word_of_the_language_has_an_example(covers):
    assert {entry["name"] for section, entry in EXAMPLES if section == covers} == WORDS[covers]
