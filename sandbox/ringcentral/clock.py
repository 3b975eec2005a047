"""The sandbox's time: what "now" is for call visibility, and the seconds that quotas and tokens are counted in."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Wall time and running seconds of one sandbox; both can be moved forward.

    A fixed wall time decides which calls have ended. The running seconds never stand still, so that a quota window
    and a token life pass in real time even then.

    Args:
        now: Fixed wall time, timezone-aware; None for the real one.
        offset: Added to the real wall time; not combined with `now`.
    """

    def __init__(self, now: datetime | None = None, offset: timedelta = timedelta()) -> None:
        if now is not None and now.tzinfo is None:
            raise ValueError(f"now must carry a timezone, got {now.isoformat()}")
        if now is not None and offset:
            raise ValueError("now and offset exclude each other: a fixed time has no offset")
        self._fixed = now
        self._offset = offset
        self._advanced = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The wall time in UTC."""
        with self._lock:
            advanced = timedelta(seconds=self._advanced)
        if self._fixed is not None:
            return self._fixed.astimezone(UTC) + advanced
        return datetime.now(UTC) + self._offset + advanced

    def seconds(self) -> float:
        """Running seconds since an arbitrary moment."""
        with self._lock:
            return time.monotonic() + self._advanced

    def advance(self, seconds: float) -> None:
        """Moves the wall time and the running seconds forward at once."""
        if seconds < 0:
            raise ValueError(f"time only moves forward, got {seconds} seconds")
        with self._lock:
            self._advanced += seconds
