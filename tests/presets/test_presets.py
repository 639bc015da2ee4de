"""Every preset on its sample: the payloads are those of the golden file, byte for byte, and each row has its fate.

`make golden` (or GOLDEN=write) writes the golden files again; the difference is then to be read like code.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from etl.associate import payload_lines
from etl.engagement import DISPOSITIONS
from etl.examples import run_examples
from etl.half_one import half_one
from etl.mapping import check_header, load
from etl.mapping.presets import presets
from etl.read import header, inputs

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
NEW_YORK = {"timezone": "America/New_York", "region": "US"}


class Sample(NamedTuple):
    file: str
    said: Mapping[str, str] = MappingProxyType({})


SAMPLES = {
    "3cx": Sample("3cx/report.csv", NEW_YORK),
    "8x8": Sample("8x8/cdr.csv", NEW_YORK),
    "aircall": Sample("aircall/history.csv"),
    "aircall-2": Sample("aircall/history-2.csv"),
    "asterisk-cdr": Sample("asterisk/Master.csv", NEW_YORK),
    "asterisk-cdr-custom": Sample("asterisk/Master-custom.csv", NEW_YORK),
    "avaya-smdr": Sample("avaya/smdr.csv", NEW_YORK),
    "callrail": Sample("callrail/calls.csv", NEW_YORK),
    "cisco-cucm": Sample("cisco-cucm/cdr_StandAloneCluster_01_202503140930_1"),
    "dialpad": Sample("dialpad/calls.csv"),
    "eml-folder": Sample("eml"),
    "exchange-message-trace": Sample("exchange/trace.csv"),
    "freepbx-cdr": Sample("freepbx/cdr.csv", NEW_YORK),
    "freeswitch": Sample("freeswitch/Master.csv", NEW_YORK),
    "gmail-takeout": Sample("gmail-takeout/All mail.mbox"),
    "google-voice": Sample("google-voice"),
    "grandstream": Sample("grandstream/cdr.csv", NEW_YORK),
    "icalendar": Sample("icalendar/meetings.ics"),
    "mailbox-history": Sample("mailbox/archive.mbox"),
    "outlook-calendar": Sample("outlook/calendar.csv", {"timezone": "America/New_York"}),
    "salesforce-email-messages": Sample("salesforce/EmailMessage.csv"),
    "salesforce-events": Sample("salesforce/Event.csv"),
    "salesforce-notes": Sample("salesforce/Note.csv"),
    "thunderbird": Sample("thunderbird/Inbox.mbox"),
    "twilio": Sample("twilio/calls.csv"),
}
#: Presets whose samples are larger and held in other ways (tests/test_sample_data.py, tests of export).
ELSEWHERE = {"email-csv", "engagements", "phone-nightly", "salesforce-tasks"}


def made(name: str) -> tuple[list[str], dict[str, Any]]:
    """The payloads of a preset's sample, and what became of its rows."""
    sample = SAMPLES[name]
    mapping = load(name, **sample.said)
    payloads: list[str] = []
    fates: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    rejected = []
    for path in inputs([ROOT / "sample_data" / sample.file], mapping.source):
        for half in half_one(path, mapping, DISPOSITIONS, None):
            payloads += payload_lines(half.linked).to_pylist()
            fates.update(read=half.read, payloads=len(half.linked), merged=half.merged, rejected=len(half.rejects))
            skipped.update(half.skipped)
            rejected += [[each.line, each.problems[0].code, each.problems[0].column] for each in half.rejects]
    return payloads, {**fates, "skipped": dict(skipped), "rejects": rejected}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_gives_the_payloads_and_fates_of_its_golden_file(name: str) -> None:
    payloads, fates = made(name)
    text = "".join(f"{line}\n" for line in [json.dumps(fates), *payloads])
    path = GOLDEN / f"{name}.jsonl"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8", newline="\n")

    golden = path.read_text(encoding="utf-8").splitlines()
    assert fates == json.loads(golden[0])
    assert payloads == golden[1:]
    assert fates["read"] == fates["payloads"] + fates["merged"] + fates["rejected"] + sum(fates["skipped"].values())


def test_each_preset_has_a_sample_a_golden_file_and_tests_of_its_own() -> None:
    assert set(presets()) == {*SAMPLES, *ELSEWHERE}
    assert {path.stem for path in GOLDEN.glob("*.jsonl")} == set(SAMPLES)
    for name in SAMPLES:
        mapping = load(name)
        assert len(mapping.tests) >= 2, name
        assert mapping.name == name


@pytest.mark.parametrize("name", SAMPLES)
def test_a_preset_passes_its_own_tests_and_fits_its_sample(name: str) -> None:
    mapping = load(name)
    sample = ROOT / "sample_data" / SAMPLES[name].file

    assert run_examples(mapping) == []
    assert check_header(mapping, header(inputs([sample], mapping.source)[0], mapping.source)) == []


def test_only_presets_whose_files_do_not_say_their_zone_leave_it_to_be_given() -> None:
    given = {name for name in SAMPLES if load(name).source.timezone == "given"}

    assert given == {name for name, sample in SAMPLES.items() if "timezone" in sample.said}


def test_the_page_of_presets_lists_each_with_its_sample_and_whether_it_needs_a_zone() -> None:
    page = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    rows = {
        row[0]: row[1:]
        for row in re.findall(r"^\| `([\w-]+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    }

    assert set(rows) == set(presets())
    for name, (system, format_, grade, zone, traps) in rows.items():
        mapping = load(name)
        assert format_ == mapping.source.format, name
        assert (zone == "`--timezone`") == (mapping.source.timezone == "given"), name
        assert system
        assert re.fullmatch(r"[ABC](, [ABC])*|own", grade), name
        assert traps
