"""The access log: who exported, played or downloaded what, when, and from where.

An access is written down before a byte is given out; where that fails, nothing is given out (503).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from fastapi import Request

from voxlake.lake.storage import Storage
from voxlake.web.rights import Reader

Action = Literal["play", "download", "export"]


@dataclass(frozen=True)
class Access:
    """One row of the table access_log.

    Attributes:
        accessed_at: When, in UTC.
        user_id: Who, as the auth manager knows the user.
        user_name: As Airflow showed the user.
        action: `play`, `download` or `export`.
        provider: Of the conversation; None for an export.
        telephony_session_id: The conversation; None for an export.
        recording_id: Of one recording on its own; None for the merged file and for exports.
        query: The params of the URL of an export.
        address: The client's address.
        user_agent: What the browser calls itself; hostile text.
    """

    accessed_at: datetime
    user_id: str
    user_name: str
    action: str
    provider: str | None
    telephony_session_id: str | None
    recording_id: str | None
    query: str | None
    address: str
    user_agent: str


@dataclass(frozen=True)
class AccessPage:
    """Some accesses, newest first, and how many there are in all."""

    accesses: tuple[Access, ...]
    total: int


def log_export(request: Request, storage: Storage, reader: Reader) -> None:
    """Writes down an export with the query of its URL; to be called before the first byte of it.

    Raises:
        HTTPException: 503, the access log could not be written.
    """
    raise NotImplementedError


def read_accesses(storage: Storage, since: date, until: date, *, offset: int = 0, limit: int = 100) -> AccessPage:
    """The accesses of a range of UTC days, both included, newest first."""
    raise NotImplementedError
