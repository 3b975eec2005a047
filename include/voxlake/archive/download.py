"""Download: each recording of a session, once, into `audio/recordings/`."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from voxlake.archive.plan import SessionRef, days_around, is_to_fetch, read_recordings
from voxlake.archive.unavailable import why_unavailable
from voxlake.audio.decode import judge
from voxlake.audio.probe import Measured, NotAudioError, measure
from voxlake.lake import layout, tables
from voxlake.lake.lease import LeaseHeldError, lease
from voxlake.lake.schemas import RECORDINGS
from voxlake.lake.storage import ObjectMissingError, Storage
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

# Hours of speech come in a minute or two. A worker that was killed keeps other runs from the recording for so long, but
# not the next try of its own run.
LEASE = timedelta(minutes=10)
# What another look would not change within a run.
_FINAL = ("downloaded", "unavailable")
# What another run is downloading is mostly there some seconds later.
_LOOK_AGAIN_FOR_LEASED = timedelta(seconds=20)


class RecordingsFailedError(RuntimeError):
    """Recordings could not be downloaded; their rows say which and why.

    Attributes:
        retry_after: Seconds after which the provider may be asked again, None if it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Patience:
    """How long the provider is given.

    Attributes:
        wait: How long after its start a recording that the provider does not have may still come.
        retention: How long after its start the provider keeps a recording.
    """

    wait: timedelta
    retention: timedelta


@dataclass(frozen=True)
class _Fetched:
    outcome: Row
    look_again: datetime | None = None
    retry_after: float | None = None


def download_session(
    client: RingCentralClient,
    storage: Storage,
    session: SessionRef,
    run_id: str,
    try_number: int,
    patience: Patience,
) -> datetime | None:
    """Downloads what the archive does not hold yet of a session, and leaves the outcomes for `publish`.

    Audio that is in the lake already, by an earlier try that was killed before it could say so, is not fetched again;
    what another run is fetching at this moment is left to it, and looked for again.

    Args:
        client: Whose credentials fetch the audio.
        storage: The lake.
        session: Which session.
        run_id: The DAG run that the outcomes belong to.
        try_number: Which try of the task this is, from 1.
        patience: How long the provider is given.

    Returns:
        When to look again for recordings that are not available yet; None if there are none. What failed beside them is
        left to the next try, and told when nothing is waited for any more.

    Raises:
        RecordingsFailedError: Some failed, and none is waited for; all others are there.
        RateLimitedError: The quota is used up for longer than is worth waiting in place; nothing was lost.
        LoginRefusedError: The credentials are wrong.
        PermissionDeniedError: The app or the user may not read recordings.
    """
    session_id = session.telephony_session_id
    recordings = read_recordings(storage, [session_id], session.days).get(session_id, [])
    path = layout.outcome(run_id, "download", session_id)
    tries = {row["recording_id"]: row["attempts"] + try_number for row in recordings}
    outcomes = {
        row["recording_id"]: row
        for row in _earlier_outcomes(storage, path)
        # What failed in this try is for the next one: a task that comes back for its quota is no new try.
        if row["status"] in _FINAL or (row["status"] == "failed" and row["attempts"] == tries.get(row["recording_id"]))
    }
    fetched: list[_Fetched] = []
    try:
        for row in recordings:
            if is_to_fetch(row) and row["recording_id"] not in outcomes:
                this = _fetch(client, storage, row, f"run {run_id}", patience)
                outcomes[row["recording_id"]] = row | this.outcome | {"attempts": tries[row["recording_id"]]}
                fetched.append(this)
    except RingCentralError:
        # The quota, mostly: what has been answered is not asked again when the task comes back.
        if outcomes:
            storage.put(path, tables.to_parquet(tables.to_arrow(RECORDINGS, outcomes.values())))
        raise
    storage.put(path, tables.to_parquet(tables.to_arrow(RECORDINGS, outcomes.values())))
    failed = [
        f"recording {row['recording_id']}: {row['error']}" for row in outcomes.values() if row["status"] == "failed"
    ]
    statuses = Counter(row["status"] for row in outcomes.values())
    log.info("session %s: %d recordings, of these now %s", session_id, len(recordings), dict(statuses))
    waits = [one.retry_after for one in fetched if one.retry_after is not None]
    look_again = _look_again(fetched, waits)
    if failed:
        error = RecordingsFailedError(f"session {session_id}: " + "; ".join(failed), max(waits, default=None))
        if look_again is None:
            raise error
        log.warning("%s", error)
    return look_again


def _look_again(fetched: Sequence[_Fetched], waits: Sequence[float]) -> datetime | None:
    """When to look for what may still come: what failed may be tried again after that, so it is after the waits too."""
    looks = [one.look_again for one in fetched if one.look_again is not None]
    now = datetime.now(UTC)
    return max([min(looks), *(now + timedelta(seconds=wait) for wait in waits)]) if looks else None


def _earlier_outcomes(storage: Storage, path: str) -> list[Row]:
    """What the task came to before it was rescheduled or tried again; `publish` removes it."""
    try:
        rows: list[Row] = tables.from_parquet(RECORDINGS, storage.read(path).data).to_pylist()
    except ObjectMissingError:
        return []
    return rows


def _fetch(client: RingCentralClient, storage: Storage, row: Row, holder: str, patience: Patience) -> _Fetched:
    try:
        path = held_audio(storage, row)
        if path is None:
            with lease(storage, layout.recording_lease(row["recording_id"]), holder, LEASE):
                # Whoever had the lease until now may have brought it.
                path = held_audio(storage, row)
                if path is None:
                    return _Fetched(_download(client, storage, row))
        with storage.local_copy(path) as file:
            return _Fetched(describe(file, path))
    except LeaseHeldError as error:
        said = f"{error.holder} is downloading it, or was killed doing so"
        return _Fetched({"status": "pending", "error": said}, datetime.now(UTC) + _LOOK_AGAIN_FOR_LEASED)
    except (RateLimitedError, LoginRefusedError, PermissionDeniedError):
        # These say something about the connection, not about this recording: the row stays as it was.
        raise
    except NotFoundError as error:
        return _not_found(storage, row, str(error), patience)
    except RingCentralError as error:
        return _Fetched({"status": "failed", "error": str(error)}, retry_after=error.retry_after)
    except NotAudioError as error:
        return _Fetched({"status": "failed", "error": str(error)})


def _not_found(storage: Storage, row: Row, said: str, patience: Patience) -> _Fetched:
    now = datetime.now(UTC)
    reason = why_unavailable(storage, row, now - patience.retention)
    age: timedelta = now - row["start_time"]
    if reason == "not_found" and age < patience.wait:
        look_again = now + max(_LOOK_AGAIN_AT_LEAST, min(age / 4, _LOOK_AGAIN_AT_MOST))
        return _Fetched({"status": "pending", "error": f"not available yet: {said}"}, look_again)
    return _Fetched({"status": "unavailable", "unavailable_reason": reason, "error": said})


def held_audio(storage: Storage, row: Row) -> str | None:
    """The path of a recording's audio in the lake, published or not; None if the lake does not have it."""
    if row["status"] == "downloaded":
        path: str = row["audio_path"]
        return path
    # On the days around too: it may have been fetched when a later record was all that was known to claim it.
    paths = (
        layout.recording_audio(row["recording_id"], day, kind, row["provider"])
        for day in sorted(days_around([row["start_time"].date()]))
        for kind in layout.AUDIO_SUFFIXES
    )
    return next((path for path in paths if storage.version(path) is not None), None)


def measure_held(file: Path, path: str) -> Measured:
    """The properties of audio, at hand as `file`, that has `path` in the lake.

    Raises:
        NotAudioError: It is none; the text names it by its path, as the file is mostly a scratch file.
    """
    try:
        return measure(file)
    except NotAudioError as error:
        raise NotAudioError(str(error).replace(str(file), path)) from None


def _download(client: RingCentralClient, storage: Storage, row: Row) -> Row:
    if row["content_uri"] is None:
        return {"status": "failed", "error": "the call log names the recording, but no contentUri to fetch it from"}
    with storage.scratch() as scratch:
        with scratch.open("wb") as file:
            received = download_recording(client, row["content_uri"], file, row["start_time"])
        path = layout.recording_audio(row["recording_id"], row["start_time"].date(), received.content_type)
        try:
            described = describe(scratch, path, sha256=received.sha256)
        except NotAudioError as error:
            kept = layout.damaged_recording(row["recording_id"], row["start_time"].date(), received.content_type)
            said = f"damaged, as RingCentral sent it: {str(error).replace(path, kept)}"
            return _keep_damaged(storage, scratch, kept, received.sha256) | {"error": said}
        storage.publish(scratch, path)
    log.info("recording %s: %d bytes to %s", row["recording_id"], received.size_bytes, path)
    return described


def _keep_damaged(storage: Storage, scratch: Path, path: str, sha256: str) -> Row:
    """Keeps what no player plays, as it is all that the provider sent; gives the status of its recording.

    It is asked for once more: it may have come while the provider was still writing it. If the same bytes come again,
    that is what the provider has.
    """
    try:
        with storage.local_copy(path) as kept:
            again = sha256_of(kept) == sha256
    except ObjectMissingError:
        again = False
    storage.publish(scratch, path)
    return {"status": "unavailable", "unavailable_reason": "damaged"} if again else {"status": "failed"}


def describe(file: Path, path: str, sha256: str | None = None) -> Row:
    """The columns of `recordings` that say what audio is held, at hand as `file`; it has, or gets, `path` in the lake.

    Raises:
        NotAudioError: It is none; the text names it by its path.
    """
    judged = judge(measure_held(file, path))
    properties, defect = judged.properties, judged.defect
    if defect is not None:
        log.warning("%s is kept as it came, but %s: %s", path, defect.kind, defect.detail)
    if sha256 is None:
        sha256 = sha256_of(file)
    return {
        "status": "downloaded",
        "unavailable_reason": None,
        "error": None,
        "audio_path": path,
        "content_type": properties.content_type,
        "size_bytes": file.stat().st_size,
        "sha256": sha256,
        "duration_ms": properties.duration_ms,
        "codec": properties.codec,
        "sample_rate": properties.sample_rate,
        "channels": properties.channels,
        "defect": defect.kind if defect is not None else None,
        "defect_detail": defect.detail if defect is not None else None,
        "downloaded_at": datetime.now(UTC),
    }


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    with file.open("rb") as audio:
        return hashlib.file_digest(audio, "sha256").hexdigest()
