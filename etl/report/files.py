"""The files of a run: rejects that can be corrected and loaded again, rows in doubt, and the summary."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar

from etl.checkpoint import changes, counts
from etl.checkpoint.store import Checkpoint, private_folder
from etl.errors import ROW_CODES, StorageError
from etl.flow import Json, Reject, key_text

T = TypeVar("T")
#: Columns that a reject file has behind the file's own; all of them are ignored when it is loaded again.
REJECT_COLUMNS = ("_etl_line", "_etl_code", "_etl_column", "_etl_value", "_etl_message", "_etl_hint", "_etl_key", "_etl_raw")  # fmt: skip


def write_run_files(checkpoint: Checkpoint, plan: int, folder: Path, run: int = 0) -> dict[str, str]:
    """Writes the reject file of each input and the list of rows in doubt into `folder`; only those that hold rows.

    Gives name -> path: `rejects` (or `rejects:FILE` where there are several inputs), `unresolved` and `parked`. With a
    run, rows of earlier inputs that it saw rejected are there too, in a file for each of those inputs.
    """
    written: dict[str, str] = {}
    inputs, held = counts.inputs(checkpoint, plan), counts.states_held(checkpoint)
    for number, path, header in inputs:
        name = (f"rejects:{path}", f"rejects-{number}.csv") if len(inputs) > 1 else ("rejects", "rejects.csv")
        written |= _write_rejects(folder, *name, header, counts.rejects(checkpoint, number, held))
    for number, path, header in counts.carried_inputs(checkpoint, plan, run) if run else ():
        found = counts.rejected_since(checkpoint, number, run)
        written |= _write_rejects(folder, f"rejects:{path} (earlier)", f"rejects-earlier-{number}.csv", header, found)
    listed = {"changes": changes.told(checkpoint, plan=plan), "vanished": changes.vanished(checkpoint, plan)}
    for kind, told in listed.items():
        if (some := _unless_empty(told)) is not None:
            written[kind] = str(folder / f"{kind}.csv")
            write_changes(folder / f"{kind}.csv", some)
    for kind, states in (("unresolved", ("unknown", "unresolved", "in_flight")), ("parked", ("parked",))):
        if held.intersection(states):
            written[kind] = str(folder / f"{kind}.csv")
            _write_open(folder / f"{kind}.csv", counts.open_rows(checkpoint, states))
    return written


def write_changes(path: Path, rows: Iterable[changes.Told]) -> None:
    """Writes what was, or was not, changed in the account, a line for each row."""
    with whole_file(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "line", "key", "type", "id", "what", "state", "reason"])
        for row in rows:
            writer.writerow(
                [row.path, row.line, key_text(row.key), row.type, row.remote_id, row.what, row.state, row.reason]
            )


@contextmanager
def reject_file(path: Path, header: Sequence[str]) -> Iterator[Callable[[Iterable[Reject]], None]]:
    """A loadable CSV (UTF-8, commas) of rows as they were read and why they were rejected; call it with rejects."""
    with whole_file(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*header, *REJECT_COLUMNS])
        yield lambda rejects: writer.writerows(_reject_row(len(header), reject) for reject in rejects)


def write_summary(path: Path, summary: Json) -> None:
    """Writes the run's summary as JSON."""
    with whole_file(path) as out:
        out.write(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A text file (UTF-8, mode 0600) that appears under its name only when it is whole and on disk."""
    with whole_bytes(path) as out:
        text = TextIOWrapper(out, encoding="utf-8", errors="surrogatepass", newline="")
        yield text
        text.flush()
        text.detach()


@contextmanager
def whole_bytes(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """The same for bytes; where it need not survive a power cut, it does not wait for the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        private_folder(path.parent)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(fd, "wb") as out:
                yield out
                out.flush()
                if durable:
                    os.fsync(out.fileno())
            if not durable:
                path.unlink(missing_ok=True)  # file systems write a file at once that takes the place of another
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as e:
        raise StorageError(f"{path} cannot be written: {e.strerror}.", hint="See path, rights and free space.") from e


def run_name() -> str:
    """A new run's name: its start in UTC, and the process, so that two never share a folder."""
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H%M%S}.{now.microsecond // 1000:03}Z-{os.getpid()}"


def _unless_empty(values: Iterator[T]) -> Iterator[T] | None:
    for first in values:
        return chain([first], values)
    return None


def _write_rejects(
    folder: Path, name: str, file: str, header: Sequence[str], rejects: Iterator[Reject]
) -> dict[str, str]:
    found = _unless_empty(rejects)
    if found is None:
        return {}
    with reject_file(folder / file, header) as write:
        write(found)
    return {name: str(folder / file)}


def _reject_row(width: int, reject: Reject) -> list[str | int]:
    cells = [cell or "" for cell in reject.cells] or [""] * width
    problems = reject.problems
    if len(problems) == 1:  # nearly always
        [only] = problems
        return [*cells, reject.line, *only[:4], only.hint or ROW_CODES[only.code][1], reject.key, reject.raw]
    joined = [
        "; ".join(dict.fromkeys(part for part in parts if part))
        for parts in zip(*(p[:4] for p in problems), strict=True)
    ]
    hints = "; ".join(dict.fromkeys(p.hint or ROW_CODES[p.code][1] for p in problems))
    return [*cells, reject.line, *joined, hints, reject.key, reject.raw]


def _write_open(path: Path, rows: Iterable[counts.Open]) -> None:
    with whole_file(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "line", "key", "type", "time_utc", "state", "reason", "looked_for"])
        for row in rows:
            at = datetime.fromtimestamp(row.time_ms / 1000, UTC).isoformat()
            writer.writerow([row.path, row.line, row.key, row.type, at, row.state, row.reason, row.looked_for])
