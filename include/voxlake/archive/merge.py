"""Merge: the recordings of a session, in the order they happened, into one file in `audio/sessions/`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from voxlake.archive import missing
from voxlake.archive.conversations import conversation_ids
from voxlake.archive.download import held_audio, measure_held, sha256_of
from voxlake.archive.plan import SessionRef, days_around, read_recordings
from voxlake.archive.speakers import CallLog, began, read_call_log, speaker, title
from voxlake.audio.merge import MergeResult, Target, merge
from voxlake.audio.probe import Measured, NotAudioError
from voxlake.lake import layout, tables
from voxlake.lake.schemas import SESSIONS
from voxlake.lake.storage import Storage, VersionConflictError

log = logging.getLogger(__name__)

Row = dict[str, Any]


@dataclass(frozen=True)
class MergeOptions:
    """How sessions are merged.

    Attributes:
        timeline: whether each recording is set at its real time, not behind the one before it.
        target: what the files are to be.
        tolerance: how much shorter than its leg an automatic recording may be.
    """

    timeline: bool = False
    target: Target = field(default_factory=Target)
    tolerance: timedelta = timedelta(minutes=1)


AS_THEY_COME = MergeOptions()


@dataclass(frozen=True)
class _Part:
    """A recording that plays: its row, its audio, and the SHA-256 of that."""

    row: Row
    audio: Measured
    sha256: str


@retry(retry=retry_if_exception_type(VersionConflictError), stop=stop_after_attempt(10), reraise=True)
def merge_session(
    storage: Storage,
    session: SessionRef,
    run_id: str,
    options: MergeOptions = AS_THEY_COME,
    made_by: str | None = None,
) -> str | None:
    """Makes the session's file of all its recordings that the lake holds, and leaves its row for `publish`.

    A recording that does not play is left out, and one that plays in part is in the file as far as it plays; the row
    says so, and the session is `partial`.

    Runs that merge one session at the same time, each with recordings that the other has not seen, end with one file
    that has them all: a file is replaced only by one made after looking at what is there, so the last one made knows
    every recording that any of them knew. The waveform beside it is written the same way, after it.

    Args:
        storage: The lake.
        session: Which session.
        run_id: The DAG run that the outcome belongs to.
        options: How.
        made_by: Which task this is, for the session's row.

    Returns:
        The path of the file, or None if no recording is held.

    Raises:
        NotAudioError: None of the recordings in the lake plays; the text names one.
    """
    session_id = session.telephony_session_id
    versions, recordings = _look(storage, session)
    with ExitStack() as stack:
        parts, lacks = _parts(storage, recordings, stack)
        if not parts:
            log.warning("session %s: no recording is held, nothing to merge", session_id)
            return None
        call_log = read_call_log(storage, session_id, recordings)
        speakers = [speaker(part.row, call_log) for part in parts]
        scratch = stack.enter_context(storage.scratch())
        result = merge(
            [part.audio.path for part in parts],
            scratch,
            [title(speaker) for speaker in speakers],
            starts_ms=_starts(parts, call_log, options.tolerance) if options.timeline else None,
            target=options.target,
        )
        day = recordings[0]["start_time"].date()
        path = layout.session_audio(session_id, day, result.properties.content_type, session.provider)
        peaks_path = layout.session_peaks(session_id, day, session.provider)
        file = {
            "audio_path": path,
            "content_type": result.properties.content_type,
            "size_bytes": scratch.stat().st_size,
            "sha256": sha256_of(scratch),
            "duration_ms": result.properties.duration_ms,
            "peaks_path": peaks_path,
            # Taken before: a merge that replaces our file begins after it, so its row is the newer one too.
            "merged_at": datetime.now(UTC),
            "made_by": made_by,
        }
        storage.publish_if(scratch, path, versions[path])
        storage.compare_and_swap(peaks_path, result.peaks.to_json(), versions[peaks_path])
    lacks += _in_part(parts, result, options.tolerance)
    row = _row(session_id, recordings, parts, call_log) | file
    row["conversation_id"] = conversation_ids(storage, [session_id], session.days)[session_id]
    row["chapters"] = [
        {"recording_id": part.row["recording_id"], "start_ms": chapter.start_ms, "end_ms": chapter.end_ms} | speaker
        for part, chapter, speaker in zip(parts, result.chapters, speakers, strict=True)
    ]
    row["status"], row["missing"] = "partial" if lacks else "complete", lacks
    outcome = layout.outcome(run_id, "merge", session_id, session.provider)
    storage.put(outcome, tables.to_parquet(tables.to_arrow(SESSIONS, [row])))
    log.info("session %s: %d of %d recordings in %s (%s)", session_id, len(parts), len(recordings), path, result.method)
    for lack in lacks:
        log.warning("session %s: recording %s: %s: %s", session_id, *lack.values())
    return path


def _row(session_id: str, recordings: Sequence[Row], parts: Sequence[_Part], call_log: CallLog) -> Row:
    """What the session's row says of the call."""
    ends = (part.row["start_time"] + timedelta(milliseconds=part.audio.properties.duration_ms) for part in parts)
    first_call = call_log.calls[0] if call_log.calls else {}
    return {
        "provider": recordings[0]["provider"],
        "account_id": recordings[0]["account_id"],
        "telephony_session_id": session_id,
        "start_time": recordings[0]["start_time"],
        "end_time": max(ends),
        "direction": first_call.get("direction"),
        "from_phone_number": first_call.get("from_phone_number"),
        "to_phone_number": first_call.get("to_phone_number"),
        "call_ids": [call["call_id"] for call in call_log.calls],
        "recording_ids": [part.row["recording_id"] for part in parts],
    }


def _parts(storage: Storage, recordings: Sequence[Row], stack: ExitStack) -> tuple[list[_Part], list[Row]]:
    """The recordings that play, their files at hand until the stack is closed, and what is missing of the others."""
    parts, lacks = [], []
    refused: NotAudioError | None = None
    for row in recordings:
        path = held_audio(storage, row)
        if path is None:
            lacks.append(missing.not_held(row))
            continue
        file = stack.enter_context(storage.local_copy(path))
        try:
            parts.append(_Part(row, measure_held(file, path), sha256_of(file)))
        except NotAudioError as error:
            refused = error
            lacks.append(missing.unplayable(row, str(error)))
    if refused is not None and not parts:
        raise refused
    return parts, lacks


def _in_part(parts: Sequence[_Part], result: MergeResult, tolerance: timedelta) -> list[Row]:
    """What is missing of recordings that are in the file."""
    lacks = (
        missing.in_part(
            part.row,
            part.audio.properties.duration_ms,
            defect or missing.defect_of_held(part.row, part.sha256),
            tolerance,
        )
        for part, defect in zip(parts, result.defects, strict=True)
    )
    return [lack for lack in lacks if lack is not None]


def _starts(parts: Sequence[_Part], call_log: CallLog, tolerance: timedelta) -> list[int]:
    """When each recording began, in milliseconds; none before one that comes before it in the session."""
    times = [began(part.row, part.audio.properties.duration_ms, call_log, tolerance) for part in parts]
    return list(accumulate((round(1000 * time.timestamp()) for time in times), max))


def _look(storage: Storage, session: SessionRef) -> tuple[dict[str, str | None], list[Row]]:
    """The versions of the session's files by path, and its recordings, read in this order.

    The order is what makes the merge safe: whoever replaces the file after our look makes our own write fail. And we
    look for all that is there, on days that our plan did not know as well, lest our file replace one that has more.
    """
    session_id, day, provider = session.telephony_session_id, session.days[0], session.provider
    days = days_around(session.days)
    while True:
        paths = [layout.session_audio(session_id, day, kind, provider) for kind in layout.SESSION_SUFFIXES]
        versions = {path: storage.version(path) for path in (*paths, layout.session_peaks(session_id, day, provider))}
        recordings = read_recordings(storage, [session_id], days, provider).get(session_id, [])
        if not recordings or recordings[0]["start_time"].date() == day:
            return versions, recordings
        day = recordings[0]["start_time"].date()
