"""Merge: the recordings of a session, in the order they happened, into one file in `audio/sessions/`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from voxlake.archive.plan import SessionRef, read_recordings
from voxlake.audio.merge import Chapter, merge, plan_merge
from voxlake.audio.probe import probe
from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS
from voxlake.lake.storage import ObjectMissingError, Storage

log = logging.getLogger(__name__)

Row = dict[str, Any]


def merge_session(storage: Storage, session: SessionRef, run_id: str) -> str | None:
    """Makes the session's file of all recordings that are held, and leaves its row for `publish`.

    Args:
        storage: The lake.
        session: Which session.
        run_id: The DAG run whose downloads count beside what is published already, and that the outcome belongs to.

    Returns:
        The path of the file, or None if no recording is held.

    Raises:
        NotAudioError: A recording in the lake is damaged; the text names it.
    """
    recordings = _with_downloads_of_run(storage, session, run_id)
    held = [row for row in recordings if row["status"] == "downloaded"]
    if not held:
        log.warning("session %s: no recording is held, nothing to merge", session.telephony_session_id)
        return None
    calls, legs = _calls_of(storage, session, recordings)
    speakers = [_speaker(row, calls, legs) for row in held]
    with ExitStack() as stack:
        parts = [stack.enter_context(storage.local_copy(row["audio_path"])) for row in held]
        plan = plan_merge([probe(part) for part in parts])
        scratch = stack.enter_context(storage.scratch(plan.suffix))
        result = merge(parts, scratch, titles=[_title(speaker) for speaker in speakers])
        path = layout.session_audio(session.telephony_session_id, held[0]["start_time"], plan.content_type)
        with scratch.open("rb") as audio:
            sha256 = hashlib.file_digest(audio, "sha256").hexdigest()
        row = {
            "provider": held[0]["provider"],
            "account_id": held[0]["account_id"],
            "telephony_session_id": session.telephony_session_id,
            "start_time": held[0]["start_time"],
            "end_time": max(part["start_time"] + timedelta(milliseconds=part["duration_ms"]) for part in held),
            "direction": calls[0]["direction"] if calls else None,
            "from_phone_number": calls[0]["from_phone_number"] if calls else None,
            "to_phone_number": calls[0]["to_phone_number"] if calls else None,
            "call_ids": [call["call_id"] for call in calls],
            "recording_ids": [part["recording_id"] for part in held],
            "chapters": _chapters(held, result.chapters, speakers),
            "status": "complete" if len(held) == len(recordings) else "partial",
            "audio_path": path,
            "content_type": plan.content_type,
            "size_bytes": scratch.stat().st_size,
            "sha256": sha256,
            "duration_ms": result.properties.duration_ms,
            "merged_at": datetime.now(UTC),
        }
        storage.publish(scratch, path)
    storage.put(
        layout.outcome(run_id, "merge", session.telephony_session_id),
        tables.to_parquet(tables.to_arrow(SESSIONS, [row])),
    )
    log.info(
        "session %s: %d of %d recordings in %s (%s)",
        session.telephony_session_id,
        len(held),
        len(recordings),
        path,
        result.method,
    )
    return path


def _with_downloads_of_run(storage: Storage, session: SessionRef, run_id: str) -> list[Row]:
    session_id = session.telephony_session_id
    rows = read_recordings(storage, [session_id], session.days).get(session_id, [])
    try:
        outcome = storage.read(layout.outcome(run_id, "download", session_id))
    except ObjectMissingError:
        return rows
    outcomes = tables.from_parquet(RECORDINGS, outcome.data).to_pylist()
    downloaded = {row["recording_id"]: row for row in outcomes if row["status"] == "downloaded"}
    return [downloaded.get(row["recording_id"], row) for row in rows]


def _calls_of(
    storage: Storage, session: SessionRef, recordings: Sequence[Row]
) -> tuple[list[Row], dict[tuple[str, int], Row]]:
    """The session's call-log records by start, and the legs that carry its recordings by call id and index."""
    # A recording may start on the day after its call did.
    days = {day - timedelta(days=shift) for day in session.days for shift in (0, 1)}
    call_ids = [row["call_id"] for row in recordings]
    of_session = (pc.field("telephony_session_id") == session.telephony_session_id) | pc.field("call_id").isin(call_ids)
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


def _chapters(held: Sequence[Row], chapters: Sequence[Chapter], speakers: Sequence[Row]) -> list[Row]:
    return [
        {"recording_id": row["recording_id"], "start_ms": chapter.start_ms, "end_ms": chapter.end_ms} | speaker
        for row, chapter, speaker in zip(held, chapters, speakers, strict=True)
    ]
