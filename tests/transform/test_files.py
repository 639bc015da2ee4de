"""Attachments by path: what lies below the folder, and nothing else."""

import os
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from tests.transform.builders import mapped, mapping_of

MAPPING = """
version: 1
name: scans
source: {timezone: UTC}
key: $Id
engagement: {type: NOTE, timestamp: {from: $When, as: datetime, format: iso}}
associations: {require: none}
metadata: {body: $Body}
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    (folder / "2025").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "2025" / "b c.pdf").write_text("two")
    (tmp_path / "secret.txt").write_text("not yours")
    return folder


def attached(tmp_path: Path, *cells: str, more: str = "base: scans") -> list[object]:
    """For each cell the files that its row attaches, or the codes of its problems."""
    text = f'{MAPPING}attachments: {{files: {{from: $Files, split: ";"}}, {more}}}\n'
    rows = [{"Body": "text", "Files": cell} for cell in cells]
    drafts, rejects = mapped(mapping_of(text, tmp_path / "m.yaml"), rows)
    found: dict[int, object] = {
        line: [each["file"] for each in orjson.loads(text)]
        for line, text in zip(drafts.lines.tolist(), drafts.attachments.to_pylist(), strict=True)
    }
    found |= {reject.line: [(p.code, p.column, p.value) for p in reject.problems] for reject in rejects}
    return [found[line] for line in range(2, len(cells) + 2)]


def test_a_file_stands_with_its_path_its_content_and_its_size(base: Path, tmp_path: Path) -> None:
    drafts, _ = mapped(
        mapping_of(f"{MAPPING}attachments: {{files: $Files, base: scans}}\n", tmp_path / "m.yaml"),
        [{"Body": "text", "Files": "a.txt"}],
    )

    assert orjson.loads(drafts.attachments[0].as_py()) == [
        {"file": "a.txt", "sha256": sha256(b"one").hexdigest(), "bytes": 3}
    ]


def test_paths_may_be_several_none_written_by_windows_or_whole(base: Path, tmp_path: Path) -> None:
    cells = ["a.txt; 2025/b c.pdf", "", r"2025\b c.pdf", str(base / "a.txt"), "2025/../a.txt"]

    assert attached(tmp_path, *cells) == [["a.txt", "2025/b c.pdf"], [], ["2025/b c.pdf"], ["a.txt"], ["a.txt"]]


def test_no_path_leads_out_of_the_folder(base: Path, tmp_path: Path) -> None:
    (base / "link.txt").symlink_to("../secret.txt")
    (base / "up").symlink_to("..")
    ways = ["../secret.txt", str(tmp_path / "secret.txt"), "link.txt", "up/secret.txt", r"..\secret.txt"]

    assert attached(tmp_path, *ways) == [[("file_outside", "Files", way)] for way in ways]


def test_what_is_no_file_that_can_be_read_rejects_its_row_and_no_other(base: Path, tmp_path: Path) -> None:
    os.mkfifo(base / "pipe")
    (base / "ring").symlink_to("ring")
    ways = ["gone.txt", "2025", "pipe", "ring", "x" * 300, "a\0b"]

    found = attached(tmp_path, *ways, "a.txt", "a.txt;gone.txt")

    assert found == [*([("file_missing", "Files", way[:200])] for way in ways), ["a.txt"],
                     [("file_missing", "Files", "gone.txt")]]  # fmt: skip


def test_a_file_larger_than_allowed_rejects_its_row(base: Path, tmp_path: Path) -> None:
    with (base / "film.bin").open("wb") as film:
        film.truncate(1_000_001)

    assert attached(tmp_path, "film.bin", more="base: scans, max_mb: 1") == [[("file_too_large", "Files", "film.bin")]]
    assert attached(tmp_path, "film.bin", more="base: scans, max_mb: 2") == [["film.bin"]]


def test_a_base_above_is_what_says_that_more_is_allowed(base: Path, tmp_path: Path) -> None:
    for said in ("base: .", "max_mb: 20"):  # without a base it is the folder of the mapping
        assert attached(tmp_path, "secret.txt", "scans/a.txt", more=said) == [["secret.txt"], ["scans/a.txt"]]
