"""The shared state of the processes of one host: a file of SQLite."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from voxlake.ringcentral.shared_state import Result, StateUnavailableError

_log = logging.getLogger(__name__)

_FILE = "state.sqlite"

_DAMAGED = ("file is not a database", "malformed")


class SqliteState:
    """The `SharedState` of a folder on a local disk.

    Each operation opens the file anew: a connection must not be carried into a forked process, which is what a task of
    LocalExecutor is (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_).

    Args:
        folder: Made for its owner only if it does not exist.
        patience: Seconds to wait for another process that writes, which takes it a millisecond.
    """

    def __init__(self, folder: Path, patience: float = 30.0) -> None:
        self.path = folder / _FILE
        self._patience = patience

    def now(self) -> float:
        """See `SharedState.now`: since the host started, so that it does not matter if somebody sets its clock."""
        return time.monotonic()

    def read(self, key: str) -> bytes | None:
        """See `SharedState.read`."""
        with self._connection() as connection:
            return _value(connection, key)

    def update(self, key: str, change: Callable[[bytes | None, float], tuple[bytes | None, Result]]) -> Result:
        """See `SharedState.update`."""
        with self._connection() as connection:
            # Takes the write lock at once: a transaction that begins by reading may not be let write any more.
            connection.execute("BEGIN IMMEDIATE")
            before = _value(connection, key)
            after, result = change(before, self.now())
            if after is None:
                connection.execute("DELETE FROM state WHERE key = ?", (key,))
            elif after != before:
                connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, after))
            connection.execute("COMMIT")
            return result

    def keys(self, prefix: str) -> list[str]:
        """See `SharedState.keys`."""
        with self._connection() as connection:
            rows = connection.execute("SELECT key FROM state WHERE substr(key, 1, ?) = ?", (len(prefix), prefix))
            return sorted(key for (key,) in rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite would make it readable by others, and gives its journal the mode of the file.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            with closing(sqlite3.connect(self.path, timeout=self._patience, isolation_level=None)) as connection:
                # What a crash of the machine destroys may be lost; a killed process destroys nothing.
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
                yield connection
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        except OSError as error:
            raise StateUnavailableError(
                f"The folder {self.path.parent} (VOXLAKE_STATE_DIR) cannot be used: {error.strerror}. Nothing was sent."
            ) from error

    def _unavailable(self, error: sqlite3.Error) -> StateUnavailableError:
        if any(text in str(error) for text in _DAMAGED):
            _log.warning("%s is damaged (%s) and starts anew", self.path, error)
            self.path.unlink(missing_ok=True)
            return StateUnavailableError(f"{self.path} was damaged and has been removed. Nothing was sent; try again.")
        return StateUnavailableError(
            f"{self.path} cannot be used: {error}. Nothing was sent. VOXLAKE_STATE_DIR must be on a local disk with "
            "room, and belong to the user that runs the tasks."
        )


def _value(connection: sqlite3.Connection, key: str) -> bytes | None:
    row = connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]
