"""Half one over several files on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from etl.associate import payload_text
from etl.engagement import DISPOSITIONS
from etl.mapping import load
from etl.partitions import of_files

SAMPLES = Path(__file__).parents[1] / "sample_data"


@pytest.mark.parametrize(
    ("name", "path"), [("salesforce-tasks", "salesforce/tasks.csv"), ("dialpad", "dialpad/calls.csv")]
)
def test_a_limit_counts_the_good_rows_of_all_files_and_reads_no_further(name: str, path: str, tmp_path: Path) -> None:
    files = [Path(shutil.copy(SAMPLES / path, tmp_path / f"{n}.csv")) for n in "abc"]
    mapping = load(name, beside=(SAMPLES / path).parent)

    def rows(*given: Path, limit: int | None = None) -> dict[int, int]:
        found: dict[int, int] = {}
        for place, part in of_files(given, mapping, DISPOSITIONS, None, payload_text, limit=limit):
            found[place] = found.get(place, 0) + part.rows
        return found

    all_of_one = rows(files[0])[0]

    assert rows(*files) == dict.fromkeys(range(3), all_of_one)
    assert rows(*files, limit=all_of_one + 2) == {0: all_of_one, 1: 2}
    assert rows(*files, limit=all_of_one) == {0: all_of_one}
