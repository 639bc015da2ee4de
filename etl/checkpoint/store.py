"""The checkpoint file: opened, locked, and bound to one target, portal and namespace.

One SQLite file is the only state there is. WAL with `synchronous=FULL`: a commit that returned survives a power cut.
One writer at a time, held by a kernel lock that dies with its process.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from threading import RLock

from etl.checkpoint import seals
from etl.checkpoint.beside import Ballast, HighWater, Mark
from etl.checkpoint.schema import FORMAT, SCHEMA
from etl.errors import ConfigError, DamagedCheckpoint, InputError, StorageError, TryLater

#: Code of the `StorageError` for a full disk.
DISK_FULL = "disk_full"
#: SQLite's cache. Planning looks for keys all over the file; sending goes through it in order, whatever its size. What
#: is sorted is sorted in runs as large as the cache: an index is made in half the time where these fit the processor's.
_PLANNING_KIB, _SENDING_KIB, _SORTING_KIB = 64 << 10, 8 << 10, 2 << 10
_SORTERS = 2  #: threads that sort such runs


class Checkpoint:
    """An open checkpoint. Its tables are worked on by `staging`, `journal`, `directory` and `counts`."""

    def __init__(self, path: Path, db: sqlite3.Connection, lock: int | None) -> None:
        self.path = path
        self.db = db
        self.high_water = HighWater(path)
        self.ballast = Ballast(path)
        self._lock = lock
        self._turn = RLock()  # the journal commits in a thread of its own while the loader reads what is due

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable when the block ends; a failing disk is a `StorageError` and changes nothing."""
        with self._turn, storage_errors(self.path):
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Commits within survive the death of this process, but perhaps not a power cut: for work that is done again then.

        They have more memory, too: keys are looked for all over the file.
        """
        with storage_errors(self.path), self._cache(_PLANNING_KIB):
            self.db.execute("PRAGMA synchronous=NORMAL")
            try:
                yield
            finally:
                self.db.execute("PRAGMA synchronous=FULL")  # the next commit makes those before it durable, too

    @contextmanager
    def sorting(self) -> Iterator[None]:
        """An index is made within."""
        with storage_errors(self.path), self._cache(_SORTING_KIB):
            self.db.execute(f"PRAGMA threads={_SORTERS}")
            try:
                yield
            finally:
                self.db.execute("PRAGMA threads=0")

    @contextmanager
    def _cache(self, kib: int) -> Iterator[None]:
        [(before,)] = self.db.execute("PRAGMA cache_size")
        self.db.execute(f"PRAGMA cache_size=-{kib}")
        try:
            yield
        finally:
            self.db.execute(f"PRAGMA cache_size={before}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for reads that belong together; no commit comes between."""
        with self._turn, storage_errors(self.path):
            yield self.db

    def rows(self, sql: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        """All rows of a query."""
        with self.reading() as db:
            return db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> int:
        """The single number that a query gives; 0 for null or nothing."""
        found = self.rows(sql, *values)
        return int(found[0][0] or 0) if found else 0

    def close(self) -> None:
        """Closes the files and gives up the lock."""
        self.db.close()
        self.high_water.close()
        if self._lock is not None:
            os.close(self._lock)


def open_checkpoint(path: Path, *, portal: str, namespace: str) -> Checkpoint:
    """The checkpoint at `path`, made if need be, locked for this process.

    Raises `TryLater` where another process holds it, `ConfigError` where it belongs to another portal or namespace,
    `DamagedCheckpoint` where it is no database any more, and `StorageError` where it cannot be written.
    """
    with storage_errors(path):
        private_folder(path.parent)
        with ExitStack() as undo:
            lock = _lock(path)
            undo.callback(os.close, lock)
            db = _connect(path)
            undo.callback(db.close)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute(f"PRAGMA cache_size=-{_SENDING_KIB}")
            seals.register(db)
            _create_or_check(db, path, {"format": str(FORMAT), "portal": portal, "namespace": namespace})
            undo.pop_all()
    return Checkpoint(path, db, lock)


def peek(path: Path) -> Checkpoint:
    """The checkpoint at `path` for reading only, without its lock: what `etl status` shows while a run goes on."""
    if not path.is_file():
        raise InputError(f"There is no checkpoint at {path}.", hint="`etl run` makes one.")
    with storage_errors(path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        return Checkpoint(path, db, None)


def private_folder(path: Path) -> None:
    """Makes a folder, and those above it that are missing, for the owner alone (0700 each)."""
    for folder in [*reversed(path.parents), path]:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)


def now() -> str:
    """The wall clock as text, for people: UTC, to the millisecond. No decision rests on it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """What SQLite or the file system raise, as `StorageError` with what to do."""
    try:
        yield
    except sqlite3.DatabaseError as e:
        code = getattr(e, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            hint = f"Move {path} away and run the same command with --reconcile: it reads the account before it sends."
            raise DamagedCheckpoint(f"The checkpoint {path} is damaged: {e}. Nothing was sent.", hint=hint) from e
        full = code == sqlite3.SQLITE_FULL or "full" in str(e)
        hint = "Make room and run the same command again." if full else "Nothing more was sent. See the disk's log."
        raise StorageError(f"The checkpoint {path} failed: {e}.", hint=hint, code=DISK_FULL if full else "") from e
    except OSError as e:
        code = DISK_FULL if e.errno == ENOSPC else ""
        hint = "Make room and run the same command again." if code else "See path and rights."
        raise StorageError(f"The checkpoint {path} cannot be used: {e.strerror}.", hint=hint, code=code) from e


def _lock(path: Path) -> int:
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 200, 0).decode(errors="replace").strip() or "another process"
        os.close(fd)
        raise TryLater(
            f"The checkpoint {path} is in use by {holder}.", hint="Wait for that run to end; nothing was changed."
        ) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"process {os.getpid()} since {now()}".encode(), 0)
    return fd


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    # One thread at a time uses it: half one, then the journal's writer.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _create_or_check(db: sqlite3.Connection, path: Path, wanted: dict[str, str]) -> None:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        _begin_mark(path)
        db.executescript("BEGIN IMMEDIATE;" + SCHEMA)
        db.executemany("INSERT INTO meta VALUES (?, ?)", [*wanted.items(), ("epoch", "0")])
        db.execute("COMMIT")
        return
    found = dict(db.execute("SELECT name, value FROM meta"))
    if found.get("format") != str(FORMAT):
        raise ConfigError(
            f"The checkpoint {path} has format {found.get('format')}; this version of etl writes format {FORMAT}.",
            hint="Finish it with the version that made it, or move it away and run with --reconcile.",
        )
    for name, value in wanted.items():
        if found.get(name) != value:
            raise ConfigError(
                f"The checkpoint {path} belongs to {name} {found.get(name)!r}, not to {value!r}.",
                hint="Use another --checkpoint, or the target it was made for.",
            )


def _begin_mark(path: Path) -> None:
    """Lays a mark beside a new checkpoint, before it is there; one that lies there already tells that one was lost."""
    mark = HighWater(path)
    if not mark.path.exists():
        mark.write(Mark(), durable=True)
        mark.close()
