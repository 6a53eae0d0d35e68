"""`SQLiteCache`: answers in one file, for many threads and many processes at once."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from typing import Any, ClassVar, Self

from typing_extensions import override

from modelport.engine.cache import Cache
from modelport.engine.memory_cache import check_bounds
from modelport.engine.sqlite_connections import Connections
from modelport.values.errors import InputError, ModelportError

logger = logging.getLogger("modelport.cache")

MAX_ENTRIES = 100_000
"""How many entries a `SQLiteCache` keeps by default."""
MAX_BYTES = 1024 * 1024 * 1024
"""How many bytes of values a `SQLiteCache` keeps by default."""
BUSY_SECONDS = 5.0
"""How long a call waits for another process's write."""
TOUCH_SECONDS = 60.0
"""How old an entry's last use must be before a read writes it down anew."""

_APPLICATION_ID = 0x6D70_6361  # "mpca", in the file's header: how a file is known for ours
_VERSION = 1
# Triggers keep the totals, so that they hold in every transaction and no write counts the whole table.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL, used_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_use ON entries (used_at);
CREATE TABLE IF NOT EXISTS totals (entries INTEGER NOT NULL, size_bytes INTEGER NOT NULL);
INSERT INTO totals SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM totals);
CREATE TRIGGER IF NOT EXISTS entry_added AFTER INSERT ON entries BEGIN
    UPDATE totals SET entries = entries + 1, size_bytes = size_bytes + length(NEW.value);
END;
CREATE TRIGGER IF NOT EXISTS entry_dropped AFTER DELETE ON entries BEGIN
    UPDATE totals SET entries = entries - 1, size_bytes = size_bytes - length(OLD.value);
END;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
COMMIT;
"""  # noqa: S608 - made of constants

_making = threading.Lock()


class SQLiteCache(Cache):
    """Keeps answers in a SQLite file, which any number of threads and processes may share.

    A write is one transaction: a process that is killed in it leaves the entry as it was before. When a bound is
    passed, the least recently used entries go first, by a clock that is written down once a minute for each entry.
    The file must be on a local disk (SQLite's write-ahead log); beside it stand `…-wal` and `…-shm`. It is made for its
    owner only (0600), since answers are private; a file that is there keeps its permissions.

    Reading and writing never break a call: when the file is locked for too long, full or damaged, nothing is found
    and nothing kept, and the logger `modelport.cache` says so once.
    """

    blocks: ClassVar[bool] = True

    def __init__(
        self, path: str | os.PathLike[str], max_bytes: int = MAX_BYTES, max_entries: int = MAX_ENTRIES
    ) -> None:
        """Open a cache file; make it when it is not there.

        Args:
            path: The file; its folder must exist.
            max_bytes: How long the kept values are together at most; a longer value is not kept at all.
            max_entries: How many values are kept at most.

        Raises:
            InputError: A bound is no int of at least 1, the folder does not exist, or the file is something else
                than a cache of this version. It is left as it is.
            ModelportError: The file cannot be opened.
        """
        check_bounds(type(self).__name__, max_entries, max_bytes)
        self.path = os.path.abspath(path)
        """The file."""
        self.max_bytes = max_bytes
        """How many bytes the kept values have together at most."""
        self.max_entries = max_entries
        """How many values are kept at most."""
        self._said: set[str] = set()
        self._connections = Connections(lambda path=self.path: _connect(path))
        with self._connections.one():
            pass

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r}, max_bytes={self.max_bytes}, max_entries={self.max_entries})"

    @property
    def entries(self) -> int:
        """How many values are kept now; 0 when the file cannot be read."""
        return self._totals()[0]

    @property
    def size_bytes(self) -> int:
        """How many bytes the kept values have together now; 0 when the file cannot be read."""
        return self._totals()[1]

    @override
    def get(self, key: str) -> bytes | None:
        try:
            with self._connections.one() as connection:
                row = connection.execute("SELECT value, used_at FROM entries WHERE key = ?", (key,)).fetchone()
                if row is None:
                    return None
                now = time.time()
                if not 0 <= now - row[1] < TOUCH_SECONDS:
                    _touch(connection, key, now)
                return row[0]
        except (sqlite3.Error, OSError, ModelportError) as error:
            self._say("read", error)
            return None

    @override
    def set(self, key: str, value: bytes) -> None:
        try:
            with self._connections.one() as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("DELETE FROM entries WHERE key = ?", (key,))
                if len(value) <= self.max_bytes:
                    connection.execute(
                        "INSERT INTO entries (key, value, used_at) VALUES (?, ?, ?)", (key, value, time.time())
                    )
                    self._drop_oldest(connection)
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError, ModelportError) as error:
            self._say("written", error)

    @override
    def clear(self) -> None:
        """Drop every value; the file keeps its size and fills again.

        Raises:
            ModelportError: The file cannot be written.
        """
        try:
            with self._connections.one() as connection:
                connection.execute("DELETE FROM entries")
        except (sqlite3.Error, OSError) as error:
            raise ModelportError(f"the cache {self.path!r} could not be cleared: {error}") from error

    def close(self) -> None:
        """Close the file's handles; a later call opens them anew."""
        self._connections.close_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __copy__(self) -> SQLiteCache:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SQLiteCache:
        return self

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.max_bytes, self.max_entries)

    def _totals(self) -> tuple[int, int]:
        try:
            with self._connections.one() as connection:
                return connection.execute("SELECT entries, size_bytes FROM totals").fetchone()
        except (sqlite3.Error, OSError, ModelportError) as error:
            self._say("read", error)
            return 0, 0

    def _drop_oldest(self, connection: sqlite3.Connection) -> None:
        """Drop the least recently used entries until both bounds hold, inside of the running transaction."""
        entries, size_bytes = connection.execute("SELECT entries, size_bytes FROM totals").fetchone()
        if entries <= self.max_entries and size_bytes <= self.max_bytes:
            return
        drop: list[tuple[int]] = []
        oldest = connection.execute("SELECT id, length(value) FROM entries ORDER BY used_at, id")
        for place, length in oldest:
            drop.append((place,))
            entries, size_bytes = entries - 1, size_bytes - length
            if entries <= self.max_entries and size_bytes <= self.max_bytes:
                break
        oldest.close()
        connection.executemany("DELETE FROM entries WHERE id = ?", drop)

    def _say(self, what: str, error: Exception) -> None:
        """Log the first failure of each kind; its text may carry data, so the type must do."""
        kind = f"{what} {type(error).__name__}"
        if kind not in self._said:
            self._said.add(kind)
            logger.warning("the cache %r could not be %s: %s", self.path, what, type(error).__name__)


def _touch(connection: sqlite3.Connection, key: str, now: float) -> None:
    """Write down an entry's use, unless somebody else is writing: a read does not wait for that."""
    connection.execute("PRAGMA busy_timeout = 0")
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("UPDATE entries SET used_at = ? WHERE key = ?", (now, key))
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _connect(path: str) -> sqlite3.Connection:
    """Open a connection to a cache file, made and checked.

    Raises:
        InputError: The folder does not exist, or the file is something else.
        ModelportError: The file cannot be opened.
    """
    _make_private(path)
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        if isinstance(error, sqlite3.OperationalError):
            raise ModelportError(f"the cache {path!r} cannot be opened: {error}") from error
        raise InputError(f"{path!r} is no cache file: {error}; give another path, or move that file away") from error
    return connection


def _make_private(path: str) -> None:
    """Make an empty file that only its owner may read, unless there is one.

    One thread at a time: closing a file drops every lock that this process holds on it, SQLite's too.
    """
    with _making:
        if os.path.exists(path):
            return
        if not os.path.isdir(os.path.dirname(path)):
            raise InputError(f"the folder of the cache {path!r} does not exist; make it, or give another path")
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise ModelportError(f"the cache {path!r} cannot be made: {error.strerror}") from error


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables of an empty file; refuse one that is not ours before anything in it is changed."""
    if not _is_ours(connection, path):
        _use_write_ahead_log(connection)
        connection.executescript(_SCHEMA)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {16 * 1024 * 1024}")


def _is_ours(connection: sqlite3.Connection, path: str) -> bool:
    """Tell whether a file has our tables; False: it is empty.

    Raises:
        InputError: It has others, or ours of another version.
    """
    connection.execute("BEGIN")  # one look: another process may be making the tables
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if application_id == _APPLICATION_ID and version == _VERSION:
        return True
    if application_id == _APPLICATION_ID:
        raise InputError(
            f"the cache {path!r} has version {version}, and this modelport reads version {_VERSION}; give another "
            f"path, or delete that file"
        )
    if application_id or version or tables:
        raise InputError(f"{path!r} is another program's database; give another path")
    return False


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the file to the write-ahead log; SQLite does not wait by itself for others who do the same."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
