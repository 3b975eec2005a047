"""Leases: who does a piece of work that must be done once, where any process on any host may come to it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from voxlake.lake.storage import ObjectMissingError, Storage, VersionConflictError

# For how long others stay away from a lease that is being removed.
_SWEEP = timedelta(minutes=1)


class LeaseHeldError(RuntimeError):
    """Somebody else is doing this work.

    Attributes:
        holder: Who.
        expires_at: When the lease ends, should its holder have been killed.
    """

    def __init__(self, holder: str, expires_at: datetime) -> None:
        super().__init__(f"{holder} is doing this, or was killed doing it; its lease ends at {expires_at}")
        self.holder = holder
        self.expires_at = expires_at


@dataclass(frozen=True)
class _Lease:
    holder: str
    expires_at: float
    nonce: str


@contextmanager
def lease(storage: Storage, path: str, holder: str, duration: timedelta) -> Iterator[None]:
    """Holds the lease at `path` while the block runs.

    A lease is an object of the lake, taken by compare-and-swap. Its end is a time of the wall clock, so hosts should
    keep theirs in step; a block that outlives its lease may be done a second time.

    Args:
        storage: The lake.
        path: What the lease is about.
        holder: Who takes it, in words. The same holder may take it again at once: after it was killed, say.
        duration: Longer than the work takes.

    Raises:
        LeaseHeldError: Another holder has it.
    """
    taken = _take(storage, path, holder, duration)
    try:
        yield
    finally:
        _release(storage, path, taken)


def discard_ended(storage: Storage, path: str, now: datetime) -> bool:
    """Removes the lease at `path` if it has ended, as its holder was killed; whether it was removed.

    Args:
        storage: The lake.
        path: What the lease is about.
        now: It has ended if its end is no later.
    """
    found = _look(storage, path)
    if found is None or found[0].expires_at > now.timestamp():
        return False
    # Taken over before it is removed: otherwise that might hit one who takes it just now.
    taken = _Lease("the sweep", (now + _SWEEP).timestamp(), uuid.uuid4().hex)
    try:
        storage.compare_and_swap(path, json.dumps(asdict(taken)).encode(), found[1])
    except VersionConflictError:
        return False
    _release(storage, path, taken)
    return True


# A conflict means that another process took the lease or gave it back since we looked: the next look tells which.
@retry(retry=retry_if_exception_type(VersionConflictError), stop=stop_after_attempt(20), reraise=True)
def _take(storage: Storage, path: str, holder: str, duration: timedelta) -> _Lease:
    now = datetime.now(UTC)
    found = _look(storage, path)
    if found is not None:
        held, version = found
        if held.holder != holder and held.expires_at > now.timestamp():
            raise LeaseHeldError(held.holder, datetime.fromtimestamp(held.expires_at, UTC))
    wanted = _Lease(holder, (now + duration).timestamp(), uuid.uuid4().hex)
    storage.compare_and_swap(path, json.dumps(asdict(wanted)).encode(), None if found is None else version)
    return wanted


def _release(storage: Storage, path: str, taken: _Lease) -> None:
    found = _look(storage, path)
    if found is not None and found[0] == taken:
        storage.delete(path)


def _look(storage: Storage, path: str) -> tuple[_Lease, str] | None:
    try:
        stored = storage.read(path)
    except ObjectMissingError:
        return None
    return _Lease(**json.loads(stored.data)), stored.version
