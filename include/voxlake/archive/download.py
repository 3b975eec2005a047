"""Download: each recording of a session, once, into `audio/recordings/`."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from voxlake.archive.plan import SessionRef, is_to_fetch, read_recordings
from voxlake.audio.probe import AudioProperties, NotAudioError, probe
from voxlake.lake import layout, tables
from voxlake.lake.schemas import RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.errors import (
    LoginRefusedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RingCentralError,
)
from voxlake.ringcentral.recordings import download_recording

log = logging.getLogger(__name__)

Row = dict[str, Any]

# A recording can be fetched some minutes after its call, sometimes later, and RingCentral tells neither by an event nor
# by another status than 404: https://developers.ringcentral.com/guide/voice/call-log/recordings
# The longer it has not been there, the less often it is worth one of the few requests to look.
_LOOK_AGAIN_AT_LEAST = timedelta(minutes=1)
_LOOK_AGAIN_AT_MOST = timedelta(minutes=15)


class RecordingsFailedError(RuntimeError):
    """Recordings could not be downloaded; their rows say which and why."""


def download_session(
    client: RingCentralClient,
    storage: Storage,
    session: SessionRef,
    run_id: str,
    try_number: int,
    wait: timedelta,
) -> datetime | None:
    """Downloads what the archive does not hold yet of a session, and leaves the outcomes for `publish`.

    Audio that is in the lake already, by an earlier try that was killed before it could say so, is not fetched again.

    Args:
        client: Whose credentials fetch the audio.
        storage: The lake.
        session: Which session.
        run_id: The DAG run that the outcomes belong to.
        try_number: Which try of the task this is, from 1.
        wait: How long after its start a recording that the provider does not have may still come.

    Returns:
        When to look again for recordings that are not available yet; None if there are none.

    Raises:
        RecordingsFailedError: Some failed; all others are there.
        RateLimitedError: The quota is used up for longer than is worth waiting in place; nothing was lost.
        LoginRefusedError: The credentials are wrong.
        PermissionDeniedError: The app or the user may not read recordings.
    """
    session_id = session.telephony_session_id
    recordings = read_recordings(storage, [session_id], session.days).get(session_id, [])
    outcomes = [
        row | _fetch(client, storage, row, wait) | {"attempts": row["attempts"] + try_number}
        for row in recordings
        if is_to_fetch(row)
    ]
    storage.put(
        layout.outcome(run_id, "download", session_id),
        tables.to_parquet(tables.to_arrow(RECORDINGS, outcomes)),
    )
    failed = [f"recording {row['recording_id']}: {row['error']}" for row in outcomes if row["status"] == "failed"]
    statuses = Counter(row["status"] for row in outcomes)
    log.info("session %s: %d recordings, of these now %s", session_id, len(recordings), dict(statuses))
    if failed:
        raise RecordingsFailedError(f"session {session_id}: " + "; ".join(failed))
    return min((_look_again(row) for row in outcomes if row["status"] == "pending"), default=None)


def _look_again(row: Row) -> datetime:
    now = datetime.now(UTC)
    age: timedelta = now - row["start_time"]
    return now + max(_LOOK_AGAIN_AT_LEAST, min(age / 4, _LOOK_AGAIN_AT_MOST))


def _fetch(client: RingCentralClient, storage: Storage, row: Row, wait: timedelta) -> Row:
    try:
        path = held_audio(storage, row)
        if path is None:
            return _download(client, storage, row)
        with storage.local_copy(path) as file:
            return _describe(file, path)
    except (RateLimitedError, LoginRefusedError, PermissionDeniedError):
        # These say something about the connection, not about this recording: the row stays as it was.
        raise
    except NotFoundError as error:
        if datetime.now(UTC) < row["start_time"] + wait:
            return {"status": "pending", "error": f"not available yet: {error}"}
        return {"status": "unavailable", "error": str(error)}
    except (RingCentralError, NotAudioError) as error:
        return {"status": "failed", "error": str(error)}


def held_audio(storage: Storage, row: Row) -> str | None:
    """The path of a recording's audio in the lake, published or not; None if the lake does not have it."""
    if row["status"] == "downloaded":
        path: str = row["audio_path"]
        return path
    day = row["start_time"].date()
    paths = (layout.recording_audio(row["recording_id"], day, kind) for kind in layout.AUDIO_SUFFIXES)
    return next((path for path in paths if storage.version(path) is not None), None)


def probe_held(file: Path, path: str) -> AudioProperties:
    """The properties of audio, at hand as `file`, that has `path` in the lake.

    Raises:
        NotAudioError: It is damaged; the text names it by its path, as the file is mostly a scratch file.
    """
    try:
        return probe(file)
    except NotAudioError as error:
        raise NotAudioError(str(error).replace(str(file), path)) from None


def _download(client: RingCentralClient, storage: Storage, row: Row) -> Row:
    if row["content_uri"] is None:
        return {"status": "failed", "error": "the call log names the recording, but no contentUri to fetch it from"}
    with storage.scratch() as scratch:
        with scratch.open("wb") as file:
            received = download_recording(client, row["content_uri"], file)
        path = layout.recording_audio(row["recording_id"], row["start_time"].date(), received.content_type)
        described = _describe(scratch, path, sha256=received.sha256)
        storage.publish(scratch, path)
    log.info("recording %s: %d bytes to %s", row["recording_id"], received.size_bytes, path)
    return described


def _describe(file: Path, path: str, sha256: str | None = None) -> Row:
    properties = probe_held(file, path)
    if sha256 is None:
        with file.open("rb") as audio:
            sha256 = hashlib.file_digest(audio, "sha256").hexdigest()
    return {
        "status": "downloaded",
        "error": None,
        "audio_path": path,
        "content_type": properties.content_type,
        "size_bytes": file.stat().st_size,
        "sha256": sha256,
        "duration_ms": properties.duration_ms,
        "codec": properties.codec,
        "sample_rate": properties.sample_rate,
        "channels": properties.channels,
        "downloaded_at": datetime.now(UTC),
    }
