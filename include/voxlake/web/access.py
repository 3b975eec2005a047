"""The access log: who exported, played or downloaded what, when, and from where.

An access is written down before a byte is given out; where that fails, nothing is given out (503). A player asks for
one file in many ranges: the first of them makes a row, whichever part of the file it is, and so does the next one after
`PLAY_WINDOW`. Each process of the API server keeps this in mind for itself, so several may add a row each.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Hashable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from urllib.parse import unquote_plus

from fastapi import HTTPException, Request

from voxlake.lake import tables
from voxlake.lake.schemas import ACCESS_LOG
from voxlake.lake.storage import Storage
from voxlake.search.masking import mask_text
from voxlake.web.rights import Reader

log = logging.getLogger(__name__)

PLAY_WINDOW = timedelta(minutes=30)

Action = Literal["play", "download", "export"]


@dataclass(frozen=True)
class Access:
    """One row of the table access_log; attributes as its columns.

    Attributes:
        accessed_at: When, in UTC.
        user_id: Who, as the auth manager knows the user.
        user_name: As Airflow showed the user.
        action: `play`, `download` or `export`.
        provider: Of the conversation; None for an export.
        telephony_session_id: The conversation; None for an export.
        recording_id: Of one recording on its own; None for the merged file and for exports.
        query: The params of the URL of an export, percent-decoded; hostile text.
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


_COLUMNS = [field.name for field in fields(Access)]


class _Windows:
    """When what was last written down, by this process."""

    def __init__(self) -> None:
        self._until: dict[Hashable, float] = {}
        self.lock = threading.Lock()

    def is_open(self, access: Hashable) -> bool:
        return self._until.get(access, 0.0) > time.monotonic()

    def open(self, access: Hashable) -> None:
        now = time.monotonic()
        self._until = {known: until for known, until in self._until.items() if until > now}
        self._until[access] = now + PLAY_WINDOW.total_seconds()


_windows = _Windows()


def log_export(request: Request, storage: Storage, reader: Reader) -> None:
    """Writes down an export with the query of its URL; to be called before the first byte of it.

    Raises:
        HTTPException: 503, the access log could not be written.
    """
    _write(storage, reader, "export", query=unquote_plus(request.url.query))


def log_audio(
    request: Request,
    storage: Storage,
    reader: Reader,
    provider: str,
    telephony_session_id: str,
    recording_id: str | None = None,
    *,
    download: bool,
) -> None:
    """Writes down that somebody plays or downloads audio, unless this process has done so for the same a moment ago.

    A HEAD gives out no audio, and makes no row.

    Args:
        request: Which asks for it.
        storage: The lake.
        reader: Who asks.
        provider: Of the conversation.
        telephony_session_id: Which conversation.
        recording_id: Of an original; None for the merged file.
        download: Whether it is to be saved.

    Raises:
        HTTPException: 503, the access log could not be written.
    """
    if request.method == "HEAD":
        return
    action: Action = "download" if download else "play"
    access = (storage.url, reader, action, provider, telephony_session_id, recording_id)
    if _windows.is_open(access):
        return
    with _windows.lock:
        # Other ranges of the same play wait here until it is written down.
        if not _windows.is_open(access):
            _write(
                storage,
                reader,
                action,
                provider=provider,
                telephony_session_id=telephony_session_id,
                recording_id=recording_id,
            )
            _windows.open(access)


def read_accesses(
    storage: Storage, since: date, until: date, *, numbers: bool, offset: int = 0, limit: int = 100
) -> AccessPage:
    """The accesses of a range of UTC days, both included, newest first.

    Args:
        storage: The lake.
        since: The first day.
        until: The last one.
        numbers: Whether the reader may see phone numbers, which are searched for; if not, they are masked.
        offset: How many of the newest are left out.
        limit: How many there are at most.
    """
    days = [day for day in tables.stored_days(storage, ACCESS_LOG) if since <= day <= until]
    rows = tables.read(storage, ACCESS_LOG, days, columns=_COLUMNS).sort_by([("accessed_at", "descending")])
    accesses = [Access(**row) for row in rows.slice(offset, limit).to_pylist()]
    if not numbers:
        accesses = [replace(access, query=access.query and mask_text(access.query)) for access in accesses]
    return AccessPage(tuple(accesses), rows.num_rows)


def _write(
    storage: Storage,
    reader: Reader,
    action: Action,
    *,
    provider: str | None = None,
    telephony_session_id: str | None = None,
    recording_id: str | None = None,
    query: str | None = None,
) -> None:
    access = Access(
        accessed_at=datetime.now(UTC),
        user_id=reader.user_id,
        user_name=reader.name,
        action=action,
        provider=provider,
        telephony_session_id=telephony_session_id,
        recording_id=recording_id,
        query=query,
        address=reader.address,
        user_agent=reader.user_agent,
    )
    row = asdict(access) | {"access_id": uuid.uuid4().hex}
    try:
        tables.upsert(storage, ACCESS_LOG, tables.to_arrow(ACCESS_LOG, [row]))
    except Exception as error:
        log.exception("%s %s: the access log cannot be written, so nothing is given out", reader.user_id, action)
        raise HTTPException(
            503, "The access log cannot be written, so nothing is given out. Try again, or tell an administrator."
        ) from error
