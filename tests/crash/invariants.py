"""What must hold after every life, and what at the end: the account's audit, the checkpoint and the run's files compared.

Every check gives sentences about what is wrong, none when all is well. The numbers I1 to I16 are those of the promise:
one fate a row, one engagement a row, no request before its intent, the right ids, and so on; see RESULTS.md. What the
account must hold is made of the export alone: so the order and the size of batches and pages, which faults and kills
change all the time, cannot matter unseen (I9; one that goes by the order of answers is found by I4). That a row is sent again only after two reads that missed it and one that
did not (I6) is proved where time is virtual: tests/test_protocol.py.
"""

from __future__ import annotations

import csv
import shutil
import sqlite3
import stat
import tempfile
from base64 import b32encode
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.crash.account import Held, Request
from tests.crash.export import HEADER, SECRET_TEXT, Export, is_good, key_of
from tests.crash.lives import TOKEN

#: States of a row that has been sent at least once.
SENT = frozenset({"in_flight", "unknown", "created", "unresolved"})
#: Refusals by the account's limit that mean nothing: what leaves in time may come late.
STRAY = 2
#: Files in which the contents of rows may stand: what is loaded, and what holds it on purpose.
HOLDS_ROWS = (".csv", ".sqlite")


class Row(NamedTuple):
    """One row of the checkpoint."""

    key: str
    state: str
    remote_id: str
    attempt: int


@dataclass(slots=True)
class Snapshot:
    """A checkpoint as it lay there between two lives."""

    rows: dict[str, Row] = field(default_factory=dict)
    requests: int = 0
    rows_of_requests: int = 0
    left_in_flight: int = 0  #: rows of a request of an earlier start than the newest
    damage: str = ""


def snapshot(path: Path) -> Snapshot:
    """What a checkpoint holds, read from a copy, so that the next life finds it as the last one left it."""
    found = Snapshot()
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, Path(f"{path}-wal")):
            if file.exists():
                shutil.copy(file, folder)
        if not (copy := Path(folder) / path.name).exists():
            return found
        db = sqlite3.connect(copy)
        try:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'row'").fetchone():
                return found
            found.damage = db.execute("PRAGMA integrity_check").fetchone()[0].removeprefix("ok")
            for key, *rest in db.execute("SELECT key, state, coalesce(remote_id, ''), attempt FROM row"):
                text = b32encode(key)[:26].decode().lower()
                found.rows[text] = Row(text, *rest)
            found.requests, found.rows_of_requests = db.execute(
                "SELECT count(*), coalesce(sum(rows), 0) FROM request"
            ).fetchone()
            [found.left_in_flight] = db.execute(
                """SELECT count(*) FROM row JOIN request ON request.id = row.request
                   WHERE state = 'in_flight' AND request.run < (SELECT max(id) FROM run)"""
            ).fetchone()
        finally:
            db.close()
    return found


def standing(before: Snapshot, now: Snapshot, held: list[Held], *, forgot: bool = False) -> Iterator[str]:
    """What holds at every moment at which no loader lives; `before` is the snapshot of the life before.

    A checkpoint that `forgot` (an older copy was put back) may not know of rows until an export tells of them again.
    """
    if now.damage:
        yield f"integrity_check: {now.damage}"
    if now.left_in_flight:
        yield f"I6: {now.left_in_flight} rows are in flight since an earlier start"
    yield from once_only(held)
    by_id = {engagement.id: engagement for engagement in held}
    for engagement in held:
        row = now.rows.get(engagement.key)
        if (row is None and not forgot) or (row and row.state not in SENT):
            yield f"I3: row {engagement.row} is in the account, in the checkpoint it is {row and row.state}"
    yield from _right_ids(now, by_id)
    for key, row in before.rows.items():
        after = now.rows.get(key)
        if row.state == "created" and (after is None or (after.state, after.remote_id) != ("created", row.remote_id)):
            yield f"I5: {row} was created, now it is {after}"
        if row.state == "rejected" and (after is None or after.state != "rejected"):
            yield f"I5: {row} was refused by the account, now it is {after}"
        if after and after.attempt < row.attempt:
            yield f"I7: {after} has lost attempts: it had {row.attempt}"


def counted(now: Snapshot, held: list[Held], asked: list[Request]) -> Iterator[str]:
    """I3, I7: what the checkpoint counts of what it sent; it can know of more than has come to the account."""
    for engagement in held:
        if (row := now.rows.get(engagement.key)) and not row.attempt:
            yield f"I3: row {engagement.row} is in the account, but was never tried: {row}"
    attempts = sum(row.attempt for row in now.rows.values())
    if attempts != now.rows_of_requests:
        yield f"I7: {attempts} attempts of rows, {now.rows_of_requests} rows in requests"
    creates = sum(request.creates for request in asked)
    if creates > now.requests:
        yield f"I3, I7: the account saw {creates} creates, the checkpoint knows of {now.requests}"


def paced(asked: list[Request]) -> Iterator[str]:
    """I13: the account had to refuse hardly any request, by its own count, whoever was killed in between."""
    if sum(request.status == 429 and not request.fault for request in asked) > STRAY:
        yield f"I13: the account refused more than {STRAY} requests because of its limit"


def once_only(held: Iterable[Held]) -> Iterator[str]:
    """I2: no row and no key twice in the account."""
    held = list(held)
    for what, times in (*Counter(f"row {h.row}" for h in held).items(), *Counter(f"key {h.key}" for h in held).items()):
        if times > 1:
            twice = [h for h in held if what in {f"row {h.row}", f"key {h.key}"}]
            yield f"I2: {what} is in the account {times} times: {twice}"
    for engagement in held:
        if engagement.key != key_of(engagement.row):
            yield f"I4: {engagement} has the key of another row than its text"


def _right_ids(now: Snapshot, by_id: dict[str, Held]) -> Iterator[str]:
    created = [row for row in now.rows.values() if row.state == "created"]
    for row in created:
        engagement = by_id.get(row.remote_id)
        if engagement is None or engagement.key != row.key:
            yield f"I4: {row} was created, but the account has under its id {engagement}"
    if len({row.remote_id for row in created}) < len(created):
        yield "I4: two rows have the same remote id"


def settled(export: Export, now: Snapshot, held: list[Held]) -> Iterator[str]:
    """What holds when a run has ended in peace over the whole export."""
    once = {engagement.row for engagement in held}
    for row in sorted(export.good - once):
        yield f"I1, I10: row {row} was lost"
    for row in sorted(once - export.good):
        yield f"I2, I10: row {row} is in the account and should not be"
    number = {key_of(row): row for row in range(export.rows)}
    for row in now.rows.values():
        if row.key not in number:
            yield f"I1: {row} is of no row of the export"
        elif row.state != ("created" if is_good(number[row.key]) else "rejected"):
            yield f"I1, I10: row {number[row.key]} ended as {row.state}"
    if len(now.rows) < len(export.good):
        yield f"I1: the checkpoint has {len(now.rows)} rows, good ones are {len(export.good)}"


def told(summary: dict[str, Any], code: int) -> Iterator[str]:
    """I1, I16: the summary of a run that came to its end adds up, and the exit code is the one for it."""
    fates = ("created", "updated", "already", "skipped", "merged", "rejected", "parked", "unresolved", "not_tried")
    if not summary.get("balanced") or summary.get("read") != sum(summary[fate] for fate in fates):
        yield f"I1: the summary does not add up: {summary}"
        return
    left = any(part.get(fate) for part in (summary, summary["carried"]) for fate in ("rejected", "unresolved"))
    if (code == 3) != left:
        yield f"I16: exit {code} with rejected {summary['rejected']}, unresolved {summary['unresolved']}"


def reject_file(path: Path, export: Export) -> Iterator[str]:
    """I11: the reject file is a CSV of exactly the rows that are bad, each as it was read."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    rows = [export.number_at(int(line["_etl_line"])) for line in lines]
    if sorted(rows) != sorted(export.bad):
        yield f"I11: the reject file has {sorted(set(rows) ^ export.bad)} too many or too few, of {len(rows)} rows"
    for row, line in zip(rows, lines, strict=True):
        read = line["_etl_raw"] or ",".join(line[name] for name in HEADER)
        if read.strip() != export.line(row):
            yield f"I11: row {row} was {export.line(row)!r}, the reject file has {read!r}"


def files(folder: Path) -> Iterator[str]:
    """I14, I15: what was made is for the owner alone, and neither the token nor the text of a row stands in what is said."""
    for path in sorted(folder.rglob("*")):
        made = path.relative_to(folder).parts[0] in {".etl", "state"}
        mode = stat.S_IMODE(path.lstat().st_mode)
        if made and mode != (0o700 if path.is_dir() else 0o600):
            yield f"I15: {path.relative_to(folder)} has mode {mode:o}"
        if path.is_file():
            content = path.read_bytes()
            if TOKEN.encode() in content:
                yield f"I14: the token stands in {path.relative_to(folder)}"
            if SECRET_TEXT.encode() in content and not any(name in path.name for name in HOLDS_ROWS):
                yield f"I14: the text of a row stands in {path.relative_to(folder)}"
