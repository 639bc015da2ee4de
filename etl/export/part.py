"""The file while it is written: beside its name, with a note of how far it is; under its name once it is whole.

`FILE.part` grows by whole pages, `FILE.part.json` says how many of its bytes count and where each list goes on. Bytes
behind that number are of a page that was cut by a kill: they are dropped, and the page is read again.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import numpy as np
import orjson

from etl.checkpoint.store import private_folder
from etl.errors import ConfigError, StorageError, TryLater
from etl.export.columns import COLUMNS, Row
from etl.flow import Json
from etl.hubspot.target import Held

FORMATS = (".csv", ".jsonl", ".parquet")
#: So often the note is brought up to date.
NOTE_S = 1.0
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_PARQUET_ROWS = 10_000
_DONE = "done"


class Part:
    """An open export. Raises `ConfigError` where what lies there is of another export, `TryLater` where one is at work."""

    def __init__(self, path: Path, question: Json) -> None:
        """`question` says what is exported from where; a part with another question is not gone on with."""
        if path.suffix not in FORMATS:
            raise ConfigError(f"{path} has no known ending.", hint=f"Use one of {', '.join(FORMATS)}.")
        self.path = path
        self.part, self._note_path = Path(f"{path}.part"), Path(f"{path}.part.json")
        self.cursors: dict[str, str] = {}
        self.by_type: Counter[str] = Counter()
        self._question = {**question, "columns": list(COLUMNS)}
        self._seen, self._noted_s = Seen(), 0.0
        try:
            private_folder(path.resolve().parent)
            self._file: BinaryIO = os.fdopen(os.open(self.part, _FLAGS, 0o600), "r+b")
        except OSError as e:
            raise StorageError(f"{self.part} cannot be written: {e.strerror}.", hint="See path and rights.") from e
        try:
            self._lock()
            self._resume()
        except BaseException:
            self._file.close()
            raise

    def is_done(self, name: str) -> bool:
        """Whether the list of this name is at its end."""
        return self.cursors.get(name) == _DONE

    def fresh(self, held: Sequence[Held]) -> list[Held]:
        """Those that the file does not have yet: a list that moves shows some twice."""
        return [one for one in held if self._seen.add(int(one.remote_id))]

    def write(self, rows: Sequence[Row], name: str, after: str) -> None:
        """Adds a page of the list `name`, which goes on at `after`; empty after its last."""
        try:
            self._file.write(self._bytes(rows))
            self.by_type.update(row["type"] for row in rows)
            self.cursors[name] = after or _DONE
            if monotonic() - self._noted_s >= NOTE_S:
                self.note()
        except OSError as e:
            hint = "Make room and run the same command again: it goes on."
            raise StorageError(f"{self.part} cannot be written: {e.strerror}.", hint=hint) from e

    def note(self) -> None:
        """Makes what was written durable, and notes how far it is."""
        self._file.flush()
        os.fsync(self._file.fileno())
        note = {**self._question, "bytes": self._file.tell(), "cursors": self.cursors, "by_type": self.by_type}
        temporary = Path(f"{self._note_path}.new")
        with os.fdopen(os.open(temporary, _FLAGS | os.O_TRUNC, 0o600), "wb") as out:
            out.write(orjson.dumps(note))
        temporary.replace(self._note_path)
        self._noted_s = monotonic()

    def finish(self) -> None:
        """Puts the whole file under its name, and takes the note away."""
        try:
            self.note()
            whole = self.part
            if self.path.suffix == ".parquet":
                whole = _parquet(self.part)
            whole.replace(self.path)
            self._note_path.unlink()
            self.part.unlink(missing_ok=True)
        except OSError as e:
            hint = "Make room and run the same command again: it goes on."
            raise StorageError(f"{self.path} cannot be written: {e.strerror}.", hint=hint) from e

    def close(self) -> None:
        """Closes the file; what was written since the last note is noted too."""
        try:
            if self.part.exists():
                self.note()
        finally:
            self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TryLater(f"Another export is writing {self.path}.", hint="Wait for it, or give another -o.") from None

    def _resume(self) -> None:
        """Goes on behind what the note counts; without a note from the beginning."""
        note = self._read_note()
        if note is None:
            self._file.truncate(0)
            self._file.write(b"" if self._is_lines else _csv([COLUMNS]))
            return
        if any(note.get(name) != value for name, value in self._question.items()):
            raise ConfigError(
                f"{self.part} is of another export than the one asked for.",
                hint=f"Finish that one with its own options, or remove {self.part} and {self._note_path}.",
            )
        self.cursors = {str(name): str(cursor) for name, cursor in note["cursors"].items()}
        self.by_type = Counter(note["by_type"])
        self._file.truncate(int(note["bytes"]))
        self._file.seek(0)
        for remote_id in _ids(self._file, lines=self._is_lines):
            self._seen.add(remote_id)
        self._file.seek(0, os.SEEK_END)

    def _read_note(self) -> Json | None:
        try:
            note: Any = orjson.loads(self._note_path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        there = os.fstat(self._file.fileno()).st_size
        return note if isinstance(note, dict) and int(note.get("bytes", there + 1)) <= there else None

    @property
    def _is_lines(self) -> bool:
        return self.path.suffix != ".csv"

    def _bytes(self, rows: Sequence[Row]) -> bytes:
        if self._is_lines:  # the first line has every column: readers learn from it which there are
            named = [dict.fromkeys(COLUMNS) | row for row in rows[:1]] if not self._file.tell() else rows[:1]
            return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in [*named, *rows[1:]])
        return _csv([[row.get(column, "") for column in COLUMNS] for row in rows])


class Seen:
    """Ids that were seen: eight bytes each, in a sorted column; the newest in a set."""

    def __init__(self, most_new: int = 50_000) -> None:
        self._old = np.zeros(0, np.int64)
        self._new: set[int] = set()
        self._most_new = most_new

    def add(self, remote_id: int) -> bool:
        """Whether it is new."""
        if remote_id in self._new:
            return False
        at = int(np.searchsorted(self._old, remote_id))
        if at < len(self._old) and self._old[at] == remote_id:
            return False
        self._new.add(remote_id)
        if len(self._new) >= self._most_new:
            self._old = np.sort(np.concatenate([self._old, np.fromiter(self._new, np.int64)]))
            self._new = set()
        return True


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _ids(file: BinaryIO, *, lines: bool) -> Iterator[int]:
    if lines:
        for line in file:
            yield int(orjson.loads(line)["id"])
        return
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogatepass", newline="")
    rows = csv.reader(text)
    next(rows, None)
    for row in rows:
        yield int(row[0])
    text.detach()


def _parquet(part: Path) -> Path:
    """The lines of a part as a Parquet file beside it, every column text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = Path(f"{part}.parquet")
    schema = pa.schema([(column, pa.string()) for column in COLUMNS])
    os.close(os.open(whole, _FLAGS | os.O_TRUNC, 0o600))
    with part.open("rb") as lines, pq.ParquetWriter(whole, schema, compression="zstd") as out:
        while rows := [orjson.loads(line) for _, line in zip(range(_PARQUET_ROWS), lines, strict=False)]:
            out.write_table(pa.Table.from_pylist(rows, schema=schema))
    with whole.open("rb") as written:
        os.fsync(written.fileno())
    return whole
