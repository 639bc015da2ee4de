"""Writes the sample exports, the portal to try them on, and `expected.json`; the same bytes at every run.

    python sample_data/generate.py [ROOT]

writes `ROOT/sample_data/` and the crosswalks `ROOT/mappings/crosswalk_*.csv` (ROOT: the project, unless given). Every
row is made together with its fate, so `expected.json` says what must become of it without asking the pipeline. The small
exports, one for each preset, are held by the golden files of the presets' tests instead.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from generator.calls import calls
from generator.clouds import cloud_samples
from generator.emails import emails
from generator.letters import letter_samples
from generator.meetings import meeting_samples
from generator.pbx import pbx_samples
from generator.portal import make_portal, write_portal
from generator.rows import write_rows
from generator.tasks import tasks, write_crosswalks
from generator.voice import voice_samples

SEED = 20250314


def main(root: Path) -> None:
    """Writes all files under `root`."""
    r = random.Random(SEED)  # noqa: S311 - made-up people, no secrets
    portal, folder = make_portal(r), root / "sample_data"
    write_portal(r, portal, folder / "portal")
    write_crosswalks(portal, root / "mappings")
    exports = {"calls.csv": calls, "emails.csv": emails, "salesforce/tasks.csv": tasks}
    expected = {name: write_rows(folder / name, make(r, portal)) for name, make in exports.items()}
    samples = (pbx_samples, cloud_samples, voice_samples, letter_samples, meeting_samples)
    for name, content in (pair for each in samples for pair in each(portal).items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "expected.json").write_text(_json(expected), encoding="utf-8", newline="\n")


def _json(expected: dict[str, dict[str, object]]) -> str:
    """One line for each fact, so that a change shows as a small difference."""
    files = (
        f'"{name}": {{\n' + ",\n".join(f'  "{fact}": {json.dumps(value)}' for fact, value in facts.items()) + "\n }"
        for name, facts in expected.items()
    )
    return "{\n " + ",\n ".join(files) + "\n}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent)
