"""Files that rows attach: uploaded once, before their rows, whatever happens on the way."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import sandbox_process
from tests.crash.account import requests, strike
from tests.verify.conftest import Cli, cli

__all__ = ["cli"]

MAPPING = """\
version: 1
name: scans
source: {timezone: UTC}
key: $Id
engagement: {type: NOTE, timestamp: {from: $When, as: datetime, format: iso}}
associations: {require: none}
metadata: {body: $Body}
attachments: {files: {from: $Files, split: ";"}, base: scans, max_mb: 30}
"""
FILES = "/files/v3/files"


class Place(NamedTuple):
    """A folder with files, and an account that lies beside it."""

    folder: Path
    url: str

    def write(self, rows: dict[int, str], files: dict[str, str]) -> None:
        """The export (row number -> paths), and the files (name -> content)."""
        for name, content in files.items():
            (self.folder / "scans" / name).write_text(content)
        lines = [f"{row},2025-11-21T16:05:06Z,note {row},{paths}\n" for row, paths in rows.items()]
        (self.folder / "in.csv").write_text("Id,When,Body,Files\n" + "".join(lines))

    def where(self, wire: str = "objects") -> list[str]:
        return ["--target", self.url, "--api", wire, "--checkpoint", "scans.sqlite", "--settle", "0.3"]

    def held(self) -> dict[str, list[str]]:
        """What the account holds: the note's text -> the SHA-256 of what is attached, by its files."""
        digests = {file_id: its for file_id, _, its in self.files()}
        with urllib.request.urlopen(f"{self.url}/__audit/engagements", timeout=30) as answer:
            found = [json.loads(line) for line in answer if line.strip()]
        assert len({f["metadata"]["body"] for f in found}) == len(found)
        return {f["metadata"]["body"]: [digests[a["id"]] for a in f["attachments"]] for f in found}

    def files(self) -> list[tuple[int, str, str]]:
        """The files of the account: id, path, SHA-256."""
        with contextlib.closing(sqlite3.connect(self.folder / "account" / "db.sqlite")) as db:
            return db.execute("SELECT id, path, sha256 FROM file WHERE archived = 0 ORDER BY id").fetchall()

    def meet(self, *emails: str) -> None:
        """Adds contacts to the account."""
        for email in emails:
            body = json.dumps({"properties": {"email": email}}).encode()
            asked = urllib.request.Request(
                f"{self.url}/crm/v3/objects/contacts", body,
                {"Content-Type": "application/json", "Authorization": "Bearer canary-token-5e1f"},
            )  # fmt: skip
            urllib.request.urlopen(asked, timeout=30).close()

    def uploads(self) -> int:
        """Requests that asked for a file to be stored."""
        return sum(each.path == FILES and each.method == "POST" for each in requests(self.url))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "scans").mkdir()
    (tmp_path / "m.yaml").write_text(MAPPING)
    with sandbox_process(
        tmp_path / "account", "--index-lag", "0.1", "--db", str(tmp_path / "account" / "db.sqlite")
    ) as url:
        yield Place(tmp_path, url)


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("wire", ["objects", "v1"])
def test_each_content_is_uploaded_once_privately_and_attached_by_its_id(place: Place, cli: Cli, wire: str) -> None:
    place.write({1: "a.txt", 2: "b.txt;copy.txt", 3: "", 4: "gone.txt"}, {"a.txt": "A", "b.txt": "B", "copy.txt": "B"})

    planned = cli("plan", "in.csv", "-m", "m.yaml", *place.where(wire)[:-2], "--max-rejects", "50%", "--json").json
    said = cli("run", "in.csv", "-m", "m.yaml", *place.where(wire), "--max-rejects", "50%", "--json")
    again = cli("run", "in.csv", "-m", "m.yaml", *place.where(wire), "--max-rejects", "50%", "--json").json
    verified = cli("verify", *place.where(wire)[:-2])

    assert planned["files_to_upload"] == {"files": 2, "bytes": 2}
    assert (said.code, said.json["created"], said.json["rejected_by"]) == (3, 3, {"file_missing": 1})
    assert "2 files" in said.err
    assert place.held() == {"note 1": [digest("A")], "note 2": [digest("B")], "note 3": []}
    assert (place.uploads(), len(place.files()), again["already"]) == (2, 2, 3)
    assert all(path.startswith("/imported/") for _, path, _ in place.files())
    assert verified.code == 0, verified.out


def test_without_an_account_the_payload_names_path_and_content(place: Place, cli: Cli) -> None:
    place.write({n: f"{n}.txt" for n in range(40)}, {f"{n}.txt": f"content {n}" for n in range(40)})

    for workers, out in ((1, "one.jsonl"), (2, "two.jsonl")):
        assert cli("transform", "in.csv", "-m", "m.yaml", "-o", out, "--workers", workers).code == 0
    cards = cli("preview", "in.csv", "-m", "m.yaml", "--cards", "-n", "1").out

    assert (place.folder / "one.jsonl").read_bytes() == (place.folder / "two.jsonl").read_bytes()
    first = json.loads((place.folder / "one.jsonl").read_text().splitlines()[0])
    assert first["attachments"] == [{"file": "0.txt", "sha256": digest("content 0"), "bytes": 9}]
    assert "0.txt (9 bytes, to be uploaded)" in cards
    assert place.uploads() == 0


def test_several_processes_plan_what_one_does(place: Place, cli: Cli) -> None:
    place.write({n: f"{n % 7}.txt" for n in range(60)}, {f"{n}.txt": f"content {n}" for n in range(7)})

    said = cli("run", "in.csv", "-m", "m.yaml", *place.where(), "--workers", "2", "--json").json

    assert (said["created"], place.uploads()) == (60, 7)
    assert place.held() == {f"note {n}": [digest(f"content {n % 7}")] for n in range(60)}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("wire", ["objects", "v1"])
def test_a_run_killed_while_it_uploads_goes_on_and_no_row_is_sent_before_its_files(place: Place, wire: str) -> None:
    place.write({n: f"{n}.txt" for n in range(16)}, {f"{n}.txt": f"content {n}" for n in range(16)})
    strike(place.url, ["latency:match=files,seconds=0.1", "commit_then_reset:match=files,p=0.2"], seed=5)
    command = [sys.executable, "-m", "etl", "run", "in.csv", "-m", "m.yaml", *place.where(wire), "--json"]
    env = {**os.environ, "HUBSPOT_TOKEN": "canary-token-5e1f"}

    def dies(once: Callable[[], bool]) -> None:
        with subprocess.Popen(
            command, cwd=place.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as life:
            until = time.monotonic() + 30
            while not once() and life.poll() is None and time.monotonic() < until:
                time.sleep(0.01)
            life.kill()
        assert life.returncode == -9

    for _ in range(2):
        before = place.uploads()
        dies(lambda before=before: place.uploads() >= before + 4)
        assert place.held() == {}, "a row was sent before its files"
    strike(place.url, ["latency:match=/engagements/v1,seconds=0.1", "slow_answer:match=batch/create,seconds=2"])
    dies(lambda: len(place.held()) >= 1)
    strike(place.url, [])
    last = subprocess.run(command, cwd=place.folder, env=env, capture_output=True, timeout=60, check=False)

    assert last.returncode == 0, last.stderr
    assert place.held() == {f"note {n}": [digest(f"content {n}")] for n in range(16)}
    assert len(place.files()) == 16  # the account answers with what it has of the same content
    assert place.uploads() < 16 + 2 * 10


def test_what_the_account_refuses_rejects_its_rows_and_is_tried_again_at_a_word(place: Place, cli: Cli) -> None:
    place.write({1: "big.bin", 2: "a.txt", 3: "big.bin;a.txt"}, {"a.txt": "A"})
    with (place.folder / "scans" / "big.bin").open("wb") as film:
        film.truncate(21 * 1024 * 1024)

    said = cli("run", "in.csv", "-m", "m.yaml", *place.where(), "--json")
    tried = cli("retry", "--rejected", "file_refused", *place.where(), "--json")

    assert (said.code, said.json["created"], said.json["rejected_by"]) == (3, 1, {"file_refused": 2})
    assert "20971520 are allowed" in Path(said.json["files"]["rejects"]).read_text()
    assert place.held() == {"note 2": [digest("A")]}
    assert (tried.code, place.uploads()) == (3, 3)


def test_other_content_under_the_same_path_is_an_update(place: Place, cli: Cli) -> None:
    place.write({1: "a.txt", 2: "b.txt"}, {"a.txt": "A", "b.txt": "B"})
    assert cli("run", "in.csv", "-m", "m.yaml", *place.where()).code == 0
    place.write({1: "a.txt", 2: "b.txt"}, {"a.txt": "another"})

    left = cli("run", "in.csv", "-m", "m.yaml", *place.where(), "--json").json
    updated = cli("run", "in.csv", "-m", "m.yaml", *place.where(), "--update-changed", "--json").json

    assert (left["changed"], updated["updated"]) == (1, 1)
    assert place.held() == {"note 1": [digest("another")], "note 2": [digest("B")]}
    assert cli("verify", *place.where()[:-2]).code == 0


def test_undo_leaves_the_files_and_a_row_that_comes_again_takes_them(place: Place, cli: Cli) -> None:
    place.write({1: "a.txt"}, {"a.txt": "A"})
    assert cli("run", "in.csv", "-m", "m.yaml", *place.where()).code == 0

    assert cli("undo", "last", "--yes", *place.where()).code == 0
    assert (place.held(), len(place.files())) == ({}, 1)
    assert cli("run", "in.csv", "-m", "m.yaml", *place.where(), "--again").code == 0

    assert (place.held(), place.uploads()) == ({"note 1": [digest("A")]}, 1)


def test_a_file_that_changed_while_its_row_waited_rejects_that_row_alone(place: Place, cli: Cli) -> None:
    email = "c{{ row['Id'] }}@customer.example"
    links = f'{{contacts: {{by: email, value: "{email}", not_found: park}}}}'
    (place.folder / "m.yaml").write_text(MAPPING.replace("{require: none}", links))
    place.write({1: "a.txt", 2: "b.txt"}, {"a.txt": "A", "b.txt": "B"})
    parked = cli("run", "in.csv", "-m", "m.yaml", *place.where(), "--json").json
    uploads = place.uploads()
    place.meet("c1@customer.example", "c2@customer.example")
    (place.folder / "scans" / "b.txt").write_text("another")

    said = cli("retry", "--parked", "-m", "m.yaml", *place.where(), "--json")

    assert (parked["parked"], uploads) == (2, 0)
    assert (said.code, place.held()) == (3, {"note 1": [digest("A")]})
    with contextlib.closing(sqlite3.connect(place.folder / "scans.sqlite")) as db:
        [(code, reason)] = db.execute("SELECT code, reason FROM row WHERE state = 'rejected'").fetchall()
    assert (code, "changed since it was planned" in reason) == ("file_missing", True)


def test_a_reject_file_finds_its_files_once_they_are_there(place: Place, cli: Cli) -> None:
    (place.folder / "m.yaml").write_text(MAPPING.replace(", base: scans", ""))
    place.write({1: "scans/a.txt", 2: "scans/late.txt"}, {"a.txt": "A"})
    said = cli("run", "in.csv", "-m", "m.yaml", *place.where(), "--max-rejects", "50%", "--json").json
    (place.folder / "scans" / "late.txt").write_text("late")

    again = cli("run", said["files"]["rejects"], "-m", "m.yaml", *place.where(), "--json")

    assert (said["rejected_by"], again.code) == ({"file_missing": 1}, 0)
    assert place.held() == {"note 1": [digest("A")], "note 2": [digest("late")]}


@pytest.mark.parametrize("wire", ["objects", "v1"])
def test_a_note_may_be_a_file_alone(place: Place, cli: Cli, wire: str) -> None:
    (place.folder / "m.yaml").write_text(MAPPING.replace("metadata: {body: $Body}\n", ""))
    place.write({1: "a.txt"}, {"a.txt": "A"})

    said = cli("run", "in.csv", "-m", "m.yaml", *place.where(wire), "--json")

    assert said.code == 0, said.err
    assert [sha256 for _, _, sha256 in place.files()] == [digest("A")]
    assert cli("verify", *place.where(wire)[:-2]).code == 0
