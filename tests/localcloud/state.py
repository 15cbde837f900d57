"""Where the loopback cloud keeps its objects: in memory, or in one SQLite file that survives a restart.

Both are stores as the services know them (api.Store). On top of that they group what one call writes: a transaction
ends before the call's answer leaves, so an answer that was seen is durable, and half a call never is.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tests.localcloud.api import Store

_TABLE = """
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (kind, key)
)
"""
_SAVE = (
    "INSERT INTO objects (kind, key, data) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET data = excluded.data"
)


class StateFileError(Exception):
    """The state file cannot be used; the message says which and why."""


class CallStore(Store, Protocol):
    """A store that makes the writes of one call durable together."""

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Group the writes made inside; they are durable when it ends, also when it ends with a refusal."""

    def close(self) -> None:
        """Let go of whatever is held open."""


class MemoryStore:
    """Objects that live as long as the process: what tests want."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, bytes]] = {}

    def load(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """Yield every (id, bytes) of a kind, in insertion order."""
        yield from list(self._kinds.get(kind, {}).items())

    def save(self, kind: str, key: str, data: bytes) -> None:
        """Write one object; an object written again keeps its place in the order."""
        self._kinds.setdefault(kind, {})[key] = data

    def remove(self, kind: str, key: str) -> None:
        """Forget one object; forgetting an unknown one is no error."""
        self._kinds.get(kind, {}).pop(key, None)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Group nothing: memory has nothing to make durable."""
        yield

    def close(self) -> None:
        """Hold nothing open."""


class SqliteStore:
    """Objects in one SQLite table, synced to disk at the end of every transaction or single write."""

    def __init__(self, path: str | Path) -> None:
        self._lock = threading.RLock()  # the event loop and a test's own thread may both write
        self._open_transactions = 0
        try:
            self._database = self._opened(path)
        except (sqlite3.Error, OSError) as error:
            msg = f"state file {path}: {error}"
            raise StateFileError(msg) from None

    @staticmethod
    def _opened(path: str | Path) -> sqlite3.Connection:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")  # one sync per commit, where a rollback journal needs two
            database.execute("PRAGMA synchronous = FULL")
            database.execute(_TABLE)
        except sqlite3.Error:
            database.close()
            raise
        return database

    def load(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """Yield every (id, bytes) of a kind, in insertion order."""
        with self._lock:
            rows = self._database.execute(
                "SELECT key, data FROM objects WHERE kind = ? ORDER BY id", (kind,)
            ).fetchall()
        yield from rows

    def save(self, kind: str, key: str, data: bytes) -> None:
        """Write one object; an object written again keeps its place in the order."""
        with self._lock:
            self._database.execute(_SAVE, (kind, key, data))

    def remove(self, kind: str, key: str) -> None:
        """Forget one object; forgetting an unknown one is no error."""
        with self._lock:
            self._database.execute("DELETE FROM objects WHERE kind = ? AND key = ?", (kind, key))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the writes inside durable together.

        A refusal commits too: a service that wrote before it refused has the same in its own memory. The lock is not
        held throughout: services have locks of their own, and two threads would meet them in opposite orders. A write
        of another thread meanwhile joins the transaction.
        """
        self._begin()
        try:
            yield
        finally:
            self._commit()

    def _begin(self) -> None:
        with self._lock:
            if self._open_transactions == 0:
                self._database.execute("BEGIN IMMEDIATE")
            self._open_transactions += 1

    def _commit(self) -> None:
        with self._lock:
            self._open_transactions -= 1
            if self._open_transactions == 0:
                self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the file; SQLite folds its write-ahead log back into it."""
        with self._lock:
            self._database.close()
