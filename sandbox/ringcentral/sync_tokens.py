"""The tokens by which an extract of changes goes on where it stopped."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sandbox.ringcentral.errors import sync_token_refused


@dataclass(frozen=True, slots=True)
class SyncCursor:
    """Where an extract of changes stands, and what its first request asked for.

    Attributes:
        time: Modification time up to which every planned version has been given.
        edit: Number of the last user's edit that has been given; 0 for none.
        record_count: Records of an answer.
        view: Of the records.
        metadata_category: Filter; empty when it is off.
    """

    time: datetime
    edit: int
    record_count: int
    view: Literal["Simple", "Detailed"]
    metadata_category: tuple[str, ...]


class SyncTokens:
    """Issues tokens and knows what they stand for; a token may be used any number of times.

    Args:
        life: Seconds for which a token is good; None for ever.
        seconds: The running clock.
    """

    def __init__(self, life: float | None, seconds: Callable[[], float]) -> None:
        self._life = life
        self._seconds = seconds
        self._lock = threading.Lock()
        self._issued: dict[str, tuple[SyncCursor, float]] = {}
        self._expired: set[str] = set()

    def issue(self, cursor: SyncCursor) -> str:
        token = secrets.token_urlsafe(52)
        with self._lock:
            self._issued[token] = (cursor, self._seconds())
        return token

    def cursor_of(self, token: str) -> SyncCursor:
        """What a token stands for.

        Raises:
            ApiError: 400 CLG-102 for a token that was never issued, CLG-104 for one that is over.
        """
        with self._lock:
            if token in self._expired:
                raise sync_token_refused("CLG-104", token)
            if token not in self._issued:
                raise sync_token_refused("CLG-102", token)
            cursor, issued_at = self._issued[token]
            if self._life is not None and self._seconds() >= issued_at + self._life:
                raise sync_token_refused("CLG-104", token)
            return cursor

    def expire(self) -> None:
        """Ends every token issued so far, as when RingCentral resets its log."""
        with self._lock:
            self._expired.update(self._issued)
            self._issued.clear()
