"""The show of `etl verify`: engagements of five types are loaded, some are tampered with, and it must name exactly those.

    python -m tests.verify.tamper [--rows 100000] [--tampered 50] [--api objects|v1] [--seed 1]

Tampering goes through the API, as people and other programs do it: a field changed, a link removed, an engagement
deleted, or made a second time under the same key. `test_verify` runs the short form.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from etl.export.columns import COLUMNS, iso

ROOT = Path(__file__).parents[2]
TYPES = ("CALL", "EMAIL", "MEETING", "NOTE", "TASK")
START_MS = 1_735_689_600_000
BEARER = {"Authorization": "Bearer show"}
V1 = "/engagements/v1/engagements"
WAYS = ("changed", "unlinked", "deleted", "duplicated")
#: type -> a field of its metadata that a person can change.
FIELDS = {"CALL": "body", "EMAIL": "subject", "MEETING": "title", "NOTE": "body", "TASK": "subject"}
OBJECT_TYPES = {"CALL": "calls", "EMAIL": "emails", "MEETING": "meetings", "NOTE": "notes", "TASK": "tasks"}


class Tampered(NamedTuple):
    """One thing done to the account, and what must be said of it."""

    way: str
    symbol: str
    remote_id: str


def write_rows(path: Path, rows: int, people: Sequence[Mapping[str, str]]) -> None:
    """A file of so many engagements of five types, each with a contact, most with a company, as `etl export` writes them."""
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for i in range(rows):
            writer.writerow(_row(i, people[i % len(people)]))


def tamper(url: str, ids: Sequence[str], number: int, seed: int) -> list[Tampered]:
    """Does `number` known things to engagements taken at random, each to one of its own; what must be found."""
    chance = random.Random(seed)
    done = []
    with httpx.Client(base_url=url, trust_env=False, headers=BEARER) as client:
        for i, remote_id in enumerate(chance.sample(ids, number)):
            way = WAYS[i % len(WAYS)]
            done.append(_DO[way](client, client.get(f"{V1}/{remote_id}").raise_for_status().json(), remote_id))
    return done


def found_by(combined: Path) -> list[tuple[str, str]]:
    """(symbol, id) of every line of a combined file that is not `=`."""
    lines = combined.read_text().splitlines()
    return sorted((line.split()[0], line.split()[2]) for line in lines if not line.startswith("="))


def ids_in(combined: Path) -> list[str]:
    """The ids in a combined file."""
    return [line.split()[2] for line in combined.read_text().splitlines()]


def people_in(contacts: Path) -> list[dict[str, str]]:
    """Contacts of a seed folder whose e-mail nobody shares."""
    with contacts.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["email"]]


def _row(i: int, person: Mapping[str, str]) -> dict[str, str]:
    type_ = TYPES[i % len(TYPES)]
    at = START_MS + i * 60_000
    row = {"id": str(i), "portal_id": "1", "type": type_, "timestamp": iso(at), "contact_emails": person["email"]}
    address = json.dumps({"email": person["email"]})
    match type_:
        case "CALL":
            row |= {"body": f"Call {i}", "durationMilliseconds": str(1000 * (i % 900)), "status": "COMPLETED",
                    "toNumber": "+15555550100", "direction": "OUTBOUND", "outcome": "Connected"}  # fmt: skip
        case "EMAIL":
            row |= {"subject": f"Offer {i}", "text": f"Text of {i}", "to": f"[{address}]", "direction": "EMAIL",
                    "from": '{"email":"Rep@Example.com"}'}  # fmt: skip
        case "MEETING":
            row |= {"title": f"Meeting {i}", "startTime": iso(at), "endTime": iso(at + 3_600_000)}
        case "NOTE":
            row |= {"body": f"<p>Note {i}</p>"}
        case _:
            row |= {"subject": f"Task {i}", "status": "NOT_STARTED", "priority": "HIGH"}
    return row


def _change(client: httpx.Client, held: Any, remote_id: str) -> Tampered:
    body = {"metadata": {FIELDS[held["engagement"]["type"]]: "somebody wrote this"}}
    client.patch(f"{V1}/{remote_id}", json=body).raise_for_status()
    return Tampered("changed", "*", remote_id)


def _unlink(client: httpx.Client, held: Any, remote_id: str) -> Tampered:
    contact = held["associations"]["contactIds"][0]
    client.delete(f"{V1}/{remote_id}/associations/CONTACT/{contact}").raise_for_status()
    return Tampered("unlinked", "*", remote_id)


def _delete(client: httpx.Client, held: Any, remote_id: str) -> Tampered:
    client.delete(f"{V1}/{remote_id}").raise_for_status()
    return Tampered("deleted", "-", remote_id)


def _duplicate(client: httpx.Client, held: Any, remote_id: str) -> Tampered:
    """A second one under the same key, on the wire that the first came by."""
    if uid := held["engagement"].get("uid"):
        kept = {name: held["engagement"][name] for name in ("type", "timestamp")}
        body = {"engagement": {**kept, "uid": uid}, "associations": held["associations"], "metadata": held["metadata"]}
        made = client.post(V1, json=body).raise_for_status().json()
        return Tampered("duplicated", "+", str(made["engagement"]["id"]))
    path = f"/crm/objects/2026-03/{OBJECT_TYPES[held['engagement']['type']]}"
    names = "hs_timestamp,hs_note_body,hs_call_body,hs_email_subject,hs_task_subject,hs_meeting_title,etl_import_key"
    own = client.get(f"{path}/{remote_id}?properties={names}").raise_for_status().json()["properties"]
    written = {name: value for name, value in own.items() if name in names.split(",") and value}
    return Tampered("duplicated", "+", client.post(path, json={"properties": written}).raise_for_status().json()["id"])


_DO = {"changed": _change, "unlinked": _unlink, "deleted": _delete, "duplicated": _duplicate}


@contextmanager
def _sandbox(folder: Path) -> Any:
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "etl.sandbox", "--db", folder / "db.sqlite", "--ready-file", ready,
               "--seed-data", ROOT / "sample_data" / "portal", "--no-unique-properties", "--index-lag", "200ms"]  # fmt: skip
    with subprocess.Popen(list(map(str, command)), cwd=ROOT) as process:
        try:
            while not ready.exists():
                assert process.poll() is None
                time.sleep(0.05)
            yield json.loads(ready.read_text())["url"]
        finally:
            process.terminate()


def _etl(folder: Path, *words: object, code: int = 0) -> tuple[Any, str]:
    """What a command says with `--json`, and what it took: seconds and memory."""
    begun = time.monotonic()
    env = {**os.environ, "HUBSPOT_TOKEN": "show", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "etl", *map(str, words), "--json"]
    with (folder / "said.json").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == code, f"{words} ended with {process.returncode}"
    took = f"in {time.monotonic() - begun:6.1f} s, {used.ru_maxrss / 1024:,.0f} MiB"
    return json.loads((folder / "said.json").read_bytes()), took


def main() -> None:
    """The long form, with its times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--tampered", type=int, default=50)
    parser.add_argument("--api", choices=["objects", "v1"], default="objects")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _sandbox(Path(name)) as url:
        folder = Path(name)
        write_rows(folder / "in.csv", given.rows, people_in(ROOT / "sample_data" / "portal" / "contacts.csv"))
        where = ("--target", url, "--api", given.api)
        loaded, took = _etl(folder, "run", "in.csv", "-m", "engagements", *where)
        print(f"loaded    {loaded['created']:>9,} {took}  {loaded['by_type']}")
        time.sleep(1)
        before, took = _etl(folder, "verify", *where, "--combined", "before.txt")
        print(f"verified  {before['equal']:>9,} equal {took}")
        assert before["equal_to_account"]
        assert before["equal"] == loaded["created"]
        done = tamper(url, ids_in(folder / "before.txt"), given.tampered, given.seed)
        time.sleep(1)
        after, took = _etl(folder, "verify", *where, "--combined", "after.txt", code=4)
        wanted, found = sorted((t.symbol, t.remote_id) for t in done), found_by(folder / "after.txt")
        ways = {way: sum(t.way == way for t in done) for way in WAYS}
        print(f"tampered  {len(done):>9,} {ways}")
        print(f"verified  {after['equal']:>9,} equal {took}; named {len(found)}")
        exported, took = _etl(folder, "export", *where, "-o", "out.csv")
        print(
            f"exported  {exported['exported']:>9,} {took}, {(folder / 'out.csv').stat().st_size / 2**20:,.0f} MiB of CSV"
        )
        print("exactly those" if wanted == found else f"NOT those: {set(wanted) ^ set(found)}")
        sys.exit(wanted != found)


if __name__ == "__main__":
    main()
