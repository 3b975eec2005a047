"""Merge: the recordings of a session, in the order they happened, into one file in `audio/sessions/`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.compute as pc
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from voxlake.archive.conversations import conversation_ids
from voxlake.archive.download import held_audio, probe_held
from voxlake.archive.plan import SessionRef, days_around, read_recordings
from voxlake.audio.merge import merge, plan_merge
from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS, LEGS, SESSIONS
from voxlake.lake.storage import Storage, VersionConflictError

log = logging.getLogger(__name__)

Row = dict[str, Any]


@retry(retry=retry_if_exception_type(VersionConflictError), stop=stop_after_attempt(10), reraise=True)
def merge_session(storage: Storage, session: SessionRef, run_id: str) -> str | None:
    """Makes the session's file of all its recordings that the lake holds, and leaves its row for `publish`.

    Runs that merge one session at the same time, each with recordings that the other has not seen, end with one file
    that has them all: a file is replaced only by one made after looking at what is there, so the last one made knows
    every recording that any of them knew.

    Args:
        storage: The lake.
        session: Which session.
        run_id: The DAG run that the outcome belongs to.

    Returns:
        The path of the file, or None if no recording is held.

    Raises:
        NotAudioError: A recording in the lake is damaged; the text names it.
    """
    session_id = session.telephony_session_id
    versions, recordings = _look(storage, session)
    held = [(row, path) for row in recordings if (path := held_audio(storage, row)) is not None]
    if not held:
        log.warning("session %s: no recording is held, nothing to merge", session_id)
        return None
    calls, legs = _calls_of(storage, session_id, recordings)
    speakers = [_speaker(row, calls, legs) for row, _ in held]
    with ExitStack() as stack:
        parts = [stack.enter_context(storage.local_copy(path)) for _, path in held]
        properties = [probe_held(part, path) for part, (_, path) in zip(parts, held, strict=True)]
        plan = plan_merge(properties)
        scratch = stack.enter_context(storage.scratch(plan.suffix))
        result = merge(parts, scratch, titles=[_title(speaker) for speaker in speakers])
        with scratch.open("rb") as audio:
            sha256 = hashlib.file_digest(audio, "sha256").hexdigest()
        size_bytes = scratch.stat().st_size
        path = layout.session_audio(session_id, recordings[0]["start_time"].date(), plan.content_type)
        # Taken before: a merge that replaces our file begins after it, so its row is the newer one too.
        merged_at = datetime.now(UTC)
        storage.publish_if(scratch, path, versions[plan.content_type])
    ends = (
        row["start_time"] + timedelta(milliseconds=part.duration_ms)
        for (row, _), part in zip(held, properties, strict=True)
    )
    first_call = calls[0] if calls else {}
    row = {
        "provider": recordings[0]["provider"],
        "account_id": recordings[0]["account_id"],
        "telephony_session_id": session_id,
        "conversation_id": conversation_ids(storage, [session_id], session.days)[session_id],
        "start_time": recordings[0]["start_time"],
        "end_time": max(ends),
        "direction": first_call.get("direction"),
        "from_phone_number": first_call.get("from_phone_number"),
        "to_phone_number": first_call.get("to_phone_number"),
        "call_ids": [call["call_id"] for call in calls],
        "recording_ids": [row["recording_id"] for row, _ in held],
        "chapters": [
            {"recording_id": row["recording_id"], "start_ms": chapter.start_ms, "end_ms": chapter.end_ms} | speaker
            for (row, _), chapter, speaker in zip(held, result.chapters, speakers, strict=True)
        ],
        "status": "complete" if len(held) == len(recordings) else "partial",
        "audio_path": path,
        "content_type": plan.content_type,
        "size_bytes": size_bytes,
        "sha256": sha256,
        "duration_ms": result.properties.duration_ms,
        "merged_at": merged_at,
    }
    storage.put(layout.outcome(run_id, "merge", session_id), tables.to_parquet(tables.to_arrow(SESSIONS, [row])))
    log.info("session %s: %d of %d recordings in %s (%s)", session_id, len(held), len(recordings), path, result.method)
    return path


def _look(storage: Storage, session: SessionRef) -> tuple[dict[str, str | None], list[Row]]:
    """The versions of the session's file by content type, and its recordings, read in this order.

    The order is what makes the merge safe: whoever replaces the file after our look makes our own write fail. And we
    look for all that is there, on days that our plan did not know as well, lest our file replace one that has more.
    """
    session_id, day = session.telephony_session_id, session.days[0]
    days = days_around(session.days)
    while True:
        versions = {
            kind: storage.version(layout.session_audio(session_id, day, kind)) for kind in layout.AUDIO_SUFFIXES
        }
        recordings = read_recordings(storage, [session_id], days).get(session_id, [])
        if not recordings or recordings[0]["start_time"].date() == day:
            return versions, recordings
        day = recordings[0]["start_time"].date()


def _calls_of(
    storage: Storage, session_id: str, recordings: Sequence[Row]
) -> tuple[list[Row], dict[tuple[str, int], Row]]:
    """The session's call-log records by start, and the legs that carry its recordings by call id and index."""
    # A recording may start on the day after its call did.
    days = {row["start_time"].date() - timedelta(days=shift) for row in recordings for shift in (0, 1)}
    call_ids = [row["call_id"] for row in recordings]
    of_session = (pc.field("telephony_session_id") == session_id) | pc.field("call_id").isin(call_ids)
    calls = tables.read(storage, CALLS, days, of_session).to_pylist()
    legs = tables.read(storage, LEGS, days, pc.field("call_id").isin(call_ids)).to_pylist()
    calls.sort(key=lambda call: (call["start_time"], call["call_id"]))
    return calls, {(leg["call_id"], leg["leg_index"]): leg for leg in legs}


def _speaker(recording: Row, calls: Sequence[Row], legs: dict[tuple[str, int], Row]) -> Row:
    """Who spoke with whom: the leg that carries the recording, else its call-log record."""
    leg = legs.get((recording["call_id"], recording["leg_index"]))
    call = next((call for call in calls if call["call_id"] == recording["call_id"]), {})
    source = leg if leg is not None else call
    return {
        "extension_id": source.get("extension_id"),
        "from_name": source.get("from_name") or source.get("from_phone_number"),
        "to_name": source.get("to_name") or source.get("to_phone_number"),
    }


def _title(speaker: Row) -> str:
    return f"{speaker['from_name'] or 'unknown'} → {speaker['to_name'] or 'unknown'}"
