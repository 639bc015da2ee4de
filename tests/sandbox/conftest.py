"""A sandbox of one test's own: the real server on a real socket, in a thread, with a clock that the test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import orjson
import pytest

from etl.sandbox.faults import parse
from etl.sandbox.serve import serve
from etl.sandbox.settings import Settings

SEEDS = {
    "companies.csv": "id,name,domain\n501,Example Corp,example.com\n502,Example Org,example.org\n",
    "contacts.csv": (
        "id,email,phone,mobilephone,firstname,lastname,company_id\n"
        "101,ann@example.com,(509) 555-0101,,Ann,Archer,501\n"
        "102,Bob@Example.org,+44 20 7946 0000,+1 509 555 0102,Bob,Baker,\n"
    ),
    "deals.csv": "id,dealname\n901,Big Deal\n",
    "owners.csv": "id,email,firstname,lastname,active\n11,rita@example.com,Rita,Rep,true\n12,old@example.com,Olaf,Old,false\n",
}


class Clock:
    """Seconds since 1970, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Sandbox(httpx.Client):
    """A client of a running sandbox; `clock` is the server's."""

    clock: Clock
    thread: threading.Thread

    def stop(self) -> None:
        """Ends the server, if it is not ended yet, and waits for it."""
        if self.thread.is_alive():
            self.post("/__shutdown")
            self.thread.join(timeout=10)
        self.close()
        assert not self.thread.is_alive()

    def create(self, object_type: str, *inputs: dict[str, Any]) -> httpx.Response:
        return self.post(f"/crm/objects/2026-03/{object_type}/batch/create", json={"inputs": list(inputs)})

    def v1(self, engagement_type: str = "NOTE", **parts: Any) -> dict[str, Any]:
        """Creates an engagement through v1; the answer's body."""
        engagement = {"type": engagement_type} | parts.pop("engagement", {})
        body = {"engagement": engagement, "metadata": {"body": "hello"}} | parts
        answer = self.post("/engagements/v1/engagements", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def audited(self, what: str = "engagements") -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.get(f"/__audit/{what}").text.splitlines()]

    def set_faults(self, *specs: Any, seed: int = 0) -> None:
        self.post("/__faults", json={"faults": list(specs), "seed": seed}).raise_for_status()


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds"
    folder.mkdir()
    for name, text in SEEDS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def start(tmp_path: Path, seeds: Path) -> Iterator[Callable[..., Sandbox]]:
    """A function that starts a sandbox with settings; all are stopped after the test."""
    running: list[Sandbox] = []

    def begin(*faults: str, db: str = "sandbox.sqlite", seed_data: Path | None = seeds, **settings: Any) -> Sandbox:
        clock, ready = Clock(), Queue[str]()
        arguments = {"db": tmp_path / db, "seed_data": seed_data, "settings": Settings(clock=clock, **settings)}
        arguments |= {"faults": [parse(f) for f in faults], "ready": ready.put}
        thread = threading.Thread(target=serve, kwargs=arguments, daemon=True)
        thread.start()
        client = Sandbox(base_url=ready.get(timeout=10), headers={"Authorization": "Bearer anything"}, timeout=10)
        client.clock, client.thread = clock, thread
        running.append(client)
        return client

    yield begin
    for client in running:
        client.stop()


@pytest.fixture
def sandbox(start: Callable[..., Sandbox]) -> Sandbox:
    return start()


def call_input(trace: str | None = None, to: int | None = None, **properties: str) -> dict[str, Any]:
    """An input of a batch of calls, valid unless the test says otherwise."""
    wanted: dict[str, Any] = {"properties": {"hs_timestamp": "2026-03-01T09:30:00Z"} | properties}
    if trace is not None:
        wanted["objectWriteTraceId"] = trace
    if to is not None:
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]
        wanted["associations"] = [{"to": {"id": str(to)}, "types": types}]
    return wanted


KEY_PROPERTY = {
    "name": "etl_import_key", "label": "Import key", "type": "string", "fieldType": "text",
    "groupName": "callinformation", "hasUniqueValue": True,
}  # fmt: skip
