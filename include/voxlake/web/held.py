"""Where the audio of a conversation lies: by the tables alone, never by what a request says of paths."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import pyarrow.compute as pc

from voxlake.lake import layout, tables
from voxlake.lake.schemas import RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage

log = logging.getLogger(__name__)

_TYPES = {suffix: content_type for content_type, suffix in layout.SESSION_SUFFIXES.items()}


class NotHeldError(LookupError):
    """The lake does not hold what was asked for; the text may be shown to anybody."""


@dataclass(frozen=True)
class HeldAudio:
    """A file of audio in the lake.

    Attributes:
        path: Relative to the lake root.
        content_type: By its suffix, which is one of those that the lake writes.
        file_name: What a download is called: when it began and which it is, nothing of who spoke.
    """

    path: str
    content_type: str
    file_name: str


def merged_audio(storage: Storage, provider: str, telephony_session_id: str, day: date | None) -> HeldAudio:
    """The merged file of a conversation.

    Args:
        storage: The lake.
        provider: `ringcentral`, `sinch`.
        telephony_session_id: Which.
        day: The UTC day to look on first; all days are looked at before it is given up.

    Raises:
        NotHeldError: There is no such conversation, or it has no merged file.
    """
    row = _find(storage, SESSIONS, {"provider": provider, "telephony_session_id": telephony_session_id}, day)
    return _audio(row, "conversation", telephony_session_id)


def recording_audio(
    storage: Storage, provider: str, telephony_session_id: str, recording_id: str, day: date | None
) -> HeldAudio:
    """The original of one recording of a conversation; see `merged_audio`.

    Raises:
        NotHeldError: There is no such recording in that conversation, or it is not held.
    """
    named = {
        "provider": provider,
        "telephony_session_id": telephony_session_id,
        "recording_id": recording_id,
    }
    return _audio(_find(storage, RECORDINGS, named, day), "recording", recording_id)


def peaks_path(storage: Storage, provider: str, telephony_session_id: str, day: date | None) -> str:
    """The file of a conversation's waveform; see `merged_audio`.

    Raises:
        NotHeldError: There is no such conversation, or it has no waveform.
    """
    named = {"provider": provider, "telephony_session_id": telephony_session_id}
    path = _find(storage, SESSIONS, named, day)["peaks_path"]
    if path is None or not layout.is_peaks_file(path):
        raise NotHeldError("This conversation has no waveform.")
    return str(path)


def _audio(row: dict[str, Any], what: str, identifier: str) -> HeldAudio:
    path = row["audio_path"]
    if path is None:
        raise NotHeldError(f"The audio of this {what} is not held in the lake.")
    if not layout.is_audio_file(path):
        # Whoever wrote this into a table is not to have the API server read files for them.
        log.error("%s %s: the table names %r, which is no path of audio", what, identifier, path)
        raise NotHeldError(f"The audio of this {what} is not where audio lies.")
    suffix = PurePosixPath(path).suffix
    began: datetime = row["start_time"]
    return HeldAudio(path, _TYPES[suffix], f"{what}-{began:%Y-%m-%d-%H%M%S}-{identifier}{suffix}")


def _find(storage: Storage, table: Table, named: dict[str, str], day: date | None) -> dict[str, Any]:
    # An id that the lake cannot have is not looked for on all its days.
    if all(layout.is_safe_id(identifier) for identifier in named.values()):
        where = pc.scalar(True)
        for column, value in named.items():
            where &= pc.field(column) == value
        columns = [name for name in ("start_time", "audio_path", "peaks_path") if name in table.schema.names]
        for looked_at in _days(storage, table, day):
            rows = tables.read(storage, table, [looked_at], where, columns).to_pylist()
            if rows:
                return dict(rows[0])
    raise NotHeldError("There is no such conversation in the lake, or it has no such audio.")


def _days(storage: Storage, table: Table, first: date | None) -> Iterator[date]:
    """The days of a table: the one to look on first, those around it, and all others, the newest first."""
    near: list[date] = []
    if first is not None:
        near = [first, first + timedelta(days=1), first - timedelta(days=1)]
        yield from near
    yield from (day for day in reversed(tables.stored_days(storage, table)) if day not in near)
