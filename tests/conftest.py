"""Builders with valid defaults (a test writes only what matters), and an account that lives in memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from etl.checkpoint import staging
from etl.checkpoint.folding import fold
from etl.checkpoint.store import Checkpoint, open_checkpoint
from etl.columns.rows import batch_of
from etl.errors import RemoteDown
from etl.flow import Cells, Drafts, Engagement, Key, Keys, Linked, Outcome, RemoteId
from etl.hubspot.target import Place, Sent, Verdict

DONE = Verdict("done", "200")


def key_of(name: str) -> bytes:
    """The 16 bytes of a key."""
    return sha256(name.encode()).digest()[:16]


def make_linked(
    names: Sequence[str],
    *,
    lines: Sequence[int] | None = None,
    bodies: Sequence[str] | None = None,
    types: Sequence[str] | None = None,
    parked: Sequence[str | None] | None = None,
    contacts: Sequence[Sequence[str]] | None = None,
) -> Linked:
    """Linked drafts of these source keys, one row each; line i + 2 unless told."""
    n = len(names)
    texts = bodies or [f"body of {name}" for name in names]
    drafts = Drafts(
        lines=np.array(lines or range(2, n + 2), dtype=np.int64),
        keys=Keys(pa.array([name.encode() for name in names], pa.binary())),
        types=pa.array(types or ["NOTE"] * n, pa.string()),
        times_ms=np.full(n, 1_700_000_000_000, dtype=np.int64),
        engagement=pa.array([f'"type":"{t}","timestamp":1700000000000' for t in types or ["NOTE"] * n], pa.string()),
        attachments=pa.array(["[]"] * n, pa.string()),
        metadata=pa.array([f'{{"body":"{text}"}}' for text in texts], pa.string()),
        properties=pa.nulls(n, pa.string()),
        owner=pa.nulls(n, pa.string()),
        wanted={},
        cells=Cells(batch_of({"Id": pa.array(names, pa.string()), "Body": pa.array(texts, pa.string())}), np.arange(n)),
    )
    return Linked(
        drafts=drafts,
        owner_ids=pa.nulls(n, pa.string()),
        links={"contacts": pa.array(contacts or [["1"]] * n, pa.list_(pa.string()))},
        parked=pa.array(parked or [None] * n, pa.string()),
        wanted=pa.array(['{"contacts":[]}' if why else None for why in parked or [None] * n], pa.string()),
    )


def stage_all(checkpoint: Checkpoint, *chunks: Linked, finish: bool = True, path: str = "in.csv") -> int:
    """A plan of one input with these chunks."""
    plan = staging.begin_plan(checkpoint, "fingerprint", "mapping")
    input_ = staging.add_input(checkpoint, plan, path, ["Id", "Body"])
    pack = staging.is_empty(checkpoint)
    for chunk in chunks:
        staging.stage(checkpoint, input_, fold(chunk, pack=pack), read=len(chunk), rejects=[], skipped={})
    if finish:
        staging.judge_repeats(checkpoint, plan)
        staging.finish_plan(checkpoint, plan)
    return plan


class FakeAccount:
    """A target that keeps what it is sent. `answer` decides what becomes of a batch: it is given the rows and a
    function that writes them, and gives back a verdict (or `Sent`)."""

    wire = "objects"

    def __init__(self, max_batch: int = 100) -> None:
        self.max_batch = max_batch
        self.held: dict[Key, list[RemoteId]] = {}
        self.requests: list[list[Key]] = []
        self.answer: Callable[[Sequence[Engagement], Callable[[], None]], Verdict | Sent] = self.accept
        self.blind = False  #: reads see nothing
        self.gives_up_after = 0  #: so many requests, then no more places; 0: never
        self.next_id = 1000

    @staticmethod
    def accept(_rows: Sequence[Engagement], write: Callable[[], None]) -> Verdict:
        write()
        return DONE

    def write(self, rows: Sequence[Engagement]) -> None:
        for row in rows:
            self.next_id += 1
            self.held.setdefault(row.key, []).append(str(self.next_id))

    def place(self) -> Place:
        if 0 < self.gives_up_after <= len(self.requests):
            raise RemoteDown("no useful answer; the last was: connection refused")
        return Place(self.max_batch)

    def notice(self) -> str:
        return ""

    async def create(self, rows: Sequence[Engagement]) -> Sent:
        await asyncio.sleep(0)
        self.requests.append([row.key for row in rows])
        verdict = self.answer(rows, lambda: self.write(rows))
        if isinstance(verdict, Sent):
            return verdict
        state = {"done": "created", "refused": "rejected", "unknown": "unknown", "split": "unknown"}.get(
            verdict.next, "planned"
        )
        ids = {row.key: self.held[row.key][0] if state == "created" else "" for row in rows}
        return Sent([Outcome(key, state, id_, verdict.reason) for key, id_ in ids.items()], verdict)

    async def find(self, rows: Sequence[Engagement]) -> Mapping[Key, list[RemoteId]]:
        return {} if self.blind else {row.key: self.held[row.key] for row in rows if row.key in self.held}

    async def close(self) -> None:
        return None


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    """An open, empty checkpoint."""
    opened = open_checkpoint(tmp_path / "state" / "c.sqlite", portal="sandbox 1", namespace="test")
    yield opened
    opened.close()


SEEDS = {
    "contacts.csv": "id,email,phone,mobilephone,firstname,lastname,company_id\n"
    "1,contact1@customer.example,(206) 555-0101,,Con,Tact,11\n2,contact2@customer.example,+12065550102,,Ann,Other,\n",
    "companies.csv": "id,name,domain\n11,Customer,customer.example\n",
    "deals.csv": "id,dealname\n21,Deal\n",
    "owners.csv": "id,email,firstname,lastname,active\n31,owner@example.com,Ow,Ner,true\n",
}


@contextlib.contextmanager
def sandbox_process(folder: Path, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a real sandbox process with two contacts, a company, a deal and an owner (and the seed files in
    `more`); at the end it is ended, and its end waited for."""
    (folder / "seeds").mkdir(parents=True)
    for name, text in {**SEEDS, **(more or {})}.items():
        (folder / "seeds" / name).write_text(text)
    ready = folder / "ready.json"
    command = [
        "--db",
        folder / "db.sqlite",
        "--seed-data",
        folder / "seeds",
        "--ready-file",
        ready,
        "--parent-pid",
        os.getpid(),
        *arguments,
    ]  # it ends with the tests, however they end
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "etl.sandbox", *map(str, command)], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 20
        while not ready.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
        yield json.loads(ready.read_text())["url"]
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def sandbox_url(tmp_path: Path) -> Iterator[str]:
    """A sandbox of this test's own, as `sandbox_process` makes it."""
    with sandbox_process(tmp_path / "sandbox") as url:
        yield url
