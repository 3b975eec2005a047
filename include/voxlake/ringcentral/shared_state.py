"""What all processes that use a credential share: small values, each changed by one of them at a time.

A file of SQLite serves the processes of one host, Redis those of many. Neither holds anything that cannot be lost: the
count of requests and the access token.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

Result = TypeVar("Result")

# How often a process that waits for a lock looks again.
_POLL_SECONDS = 0.05


class StateUnavailableError(RuntimeError):
    """The shared state cannot be read or written; the text says what to do."""


class LockTimeoutError(Exception):
    """Another process kept a lock for longer than was waited."""


class SharedState(Protocol):
    """Values by key. Every method may raise StateUnavailableError."""

    def now(self) -> float:
        """Seconds on one clock for all who share the state; what its zero is, is the state's own affair."""

    def read(self, key: str) -> bytes | None:
        """The value, None if there is none."""

    def update(self, key: str, change: Callable[[bytes | None, float], tuple[bytes | None, Result]]) -> Result:
        """Replaces a value as no other process does at the same time.

        Args:
            key: Which value.
            change: Of the value (None if there is none) and the time as of `now()` makes the new value (None to remove
                it) and the result. May be called several times, so it has no effects of its own.

        Returns:
            The result of the change that took effect.
        """

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin with `prefix` and have a value, sorted."""


def open_state(url: str, folder: Path, patience: float = 30.0) -> SharedState:
    """The state that the settings name.

    Args:
        url: `redis://…`, `rediss://…` (TLS) or `unix://…`; empty for a file in `folder`.
        folder: Folder of the file, on a local disk; made for its owner only if it does not exist.
        patience: Seconds to wait for a state that does not answer.

    Raises:
        ValueError: The URL is of another kind.
    """
    if not url:
        from voxlake.ringcentral.sqlite_state import SqliteState

        return SqliteState(folder, patience)
    # Its client takes longer to import than all else here, and most use the file.
    from voxlake.ringcentral.redis_state import RedisState

    return RedisState(url, patience)


@contextmanager
def locked(state: SharedState, key: str, *, lease: float, timeout: float) -> Iterator[None]:
    """Keeps all others out of the block.

    Args:
        state: Where the lock is kept.
        key: Its name.
        lease: Seconds after which the lock of a process that was killed is free again: longer than the block takes.
        timeout: Seconds to wait for it.

    Raises:
        LockTimeoutError: Others kept it for so long.
    """
    holder = uuid.uuid4().hex.encode()

    def take(value: bytes | None, now: float) -> tuple[bytes | None, bool]:
        # Its own: the reply to a change that took effect may be lost, and the change be made again. One that ends later
        # than it could is of before the clock was set back.
        if value is not None and not value.endswith(holder) and 0 < float(value.partition(b" ")[0]) - now <= lease:
            return value, False
        return b"%f %s" % (now + lease, holder), True

    def give_back(value: bytes | None, _: float) -> tuple[bytes | None, None]:
        # After its lease another may have it.
        return (None if value is not None and value.endswith(holder) else value), None

    deadline = time.monotonic() + timeout
    while not state.update(key, take):
        if time.monotonic() >= deadline:
            raise LockTimeoutError(f"another process has kept {key} for {timeout:g} s")
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        state.update(key, give_back)
