"""Publish: what the tasks of a run came to, back into `recordings` and `sessions`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from voxlake.archive.conversations import update_sessions
from voxlake.archive.plan import SessionRef, days_around, read_merged, read_recordings
from voxlake.lake import layout, tables
from voxlake.lake.layout import RINGCENTRAL
from voxlake.lake.schemas import RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage

Row = dict[str, Any]

_SHOWN = 20

_SILENT = "the download task ended without an outcome; its log says why"


class SessionsFailedError(RuntimeError):
    """Sessions of the run are not whole in the archive; the text says which and why."""


@dataclass(frozen=True)
class Published:
    """What a run came to.

    Attributes:
        sessions: Sessions that the run was to archive.
        recordings: How many of their recordings have each status now.
        merged: Sessions whose file was made by this run.
        failed: Why, by telephonySessionId of those that are not whole.
        downloaded: Recordings that this run's tasks brought, or found in the lake where a killed task had put them.
        downloaded_bytes: Their size.
        unavailable: How many of the recordings have each `unavailable_reason`.
        partial: How many of the merged sessions lack something of their recordings.
    """

    sessions: int
    recordings: dict[str, int]
    merged: int
    failed: dict[str, str]
    downloaded: int = 0
    downloaded_bytes: int = 0
    unavailable: dict[str, int] = field(default_factory=dict)
    partial: int = 0


def publish_run(
    storage: Storage, sessions: Sequence[SessionRef], run_id: str, provider: str = RINGCENTRAL
) -> Published:
    """Writes the outcomes of a run's downloads and merges into the tables.

    A recording whose download task left no outcome (it was killed, or its connection was refused) becomes `failed` with
    that as its reason, so that none stays pending without a word; so does one that the task gave up waiting for.
    The outcomes are removed once the tables have them.

    Args:
        storage: The lake.
        sessions: What the run was to archive.
        run_id: The run that the outcomes belong to.
        provider: Whose sessions these are.
    """
    paths = _outcome_paths(storage, run_id, sessions, provider)
    downloads = _outcomes(storage, RECORDINGS, paths["download"])
    tables.upsert(storage, RECORDINGS, downloads)
    merges = _outcomes(storage, SESSIONS, paths["merge"])
    _upsert_sessions(storage, merges, provider)

    recordings = _planned_recordings(storage, sessions, provider)
    silent = [
        row | {"status": "failed", "error": row["error"] or _SILENT}
        for rows in recordings.values()
        for row in rows
        if row["status"] == "pending"
    ]
    if silent:
        tables.upsert(storage, RECORDINGS, tables.to_arrow(RECORDINGS, silent))
        recordings = _planned_recordings(storage, sessions, provider)
    planned = [row for rows in recordings.values() for row in rows]
    brought = downloads.filter(pc.field("status") == "downloaded")
    report = Published(
        sessions=len(sessions),
        recordings=dict(Counter(row["status"] for row in planned)),
        merged=merges.num_rows,
        failed=_failed(storage, sessions, recordings, downloads, provider),
        downloaded=brought.num_rows,
        downloaded_bytes=pc.sum(brought["size_bytes"], min_count=0).as_py(),
        unavailable=dict(Counter(row["unavailable_reason"] for row in planned if row["status"] == "unavailable")),
        partial=pc.sum(pc.equal(merges["status"], "partial"), min_count=0).as_py(),
    )
    for step_paths in paths.values():
        for path in step_paths:
            storage.delete(path)
    return report


def raise_for_failed(report: Published) -> None:
    """Ends a run that did not archive all it was to.

    Raises:
        SessionsFailedError: Some sessions are not whole.
    """
    if not report.failed:
        return
    lines = [f"  {session}: {reason}" for session, reason in report.failed.items()]
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"  … and {len(lines) - _SHOWN} more: see status and error in the table recordings"]
    raise SessionsFailedError(
        f"{len(report.failed)} of {report.sessions} sessions are not archived whole; all others are. Clear the failed "
        "tasks, or run the interval again, to try just these:\n" + "\n".join(lines)
    )


def _upsert_sessions(storage: Storage, merges: pa.Table, provider: str) -> None:
    """Upserts the rows of merges, and removes files that the sessions left on another day or under another suffix.

    A session lies on the day of its earliest recording, which may land last, and a WAV becomes an MP3 when a recording
    of another kind joins it.

    What is left is known by its path, not by the rows found alone: neither a publish that was killed half way nor a
    parallel run that knew fewer recordings leaves a row that tells. No merge still under way can need such a file, as a
    session never goes back to a later day, nor from MP3 to WAV.
    """
    days = days_around(time.date() for time in merges["start_time"].to_pylist())
    sessions = merges["telephony_session_id"].to_pylist()
    ours = pc.field("telephony_session_id").isin(sessions) & (pc.field("provider") == provider)
    # Of another format than now, where the setting has changed since.
    outdated = set(tables.read(storage, SESSIONS, days, ours, ["audio_path"])["audio_path"].to_pylist())
    tables.upsert(storage, SESSIONS, merges)
    update_sessions(storage, sessions, days)
    rows = tables.read(storage, SESSIONS, days, ours).to_pylist()
    outdated.update(path for row in rows for path in _outdated(row))
    for path in outdated - {row["audio_path"] for row in rows}:
        storage.delete(path)


def _outdated(row: Row) -> list[str]:
    """Where merges that knew fewer recordings of the session than its row may have put its file."""
    session, day, provider = row["telephony_session_id"], row["start_time"].date(), row["provider"]
    if row["status"] == "complete" and len(row["recording_ids"]) == 1:
        return []
    day_after = day + timedelta(days=1)
    kinds = {row["content_type"], "audio/wav"}
    paths = [layout.session_audio(session, day_after, content_type, provider) for content_type in kinds]
    paths.append(layout.session_peaks(session, day_after, provider))
    if row["content_type"] != "audio/wav":
        paths.append(layout.session_audio(session, day, "audio/wav", provider))
    return paths


def _planned_recordings(storage: Storage, sessions: Sequence[SessionRef], provider: str) -> dict[str, list[Row]]:
    planned = {session.telephony_session_id: set(session.recording_ids) for session in sessions}
    days = {day for session in sessions for day in session.days}
    return {
        session: [row for row in rows if row["recording_id"] in planned[session]]
        for session, rows in read_recordings(storage, planned, days, provider).items()
    }


def _failed(
    storage: Storage,
    sessions: Sequence[SessionRef],
    recordings: Mapping[str, Sequence[Row]],
    downloads: pa.Table,
    provider: str,
) -> dict[str, str]:
    # The table may know better of a recording than this run does, which failed to get it all the same.
    ours = {row["recording_id"]: row for row in downloads.to_pylist() if row["status"] == "failed"}
    # Another run may have landed a recording of the day before, which took the session's row there.
    days = days_around(day for session in sessions for day in session.days)
    merged = read_merged(storage, recordings, days, provider)
    reasons = {}
    for session, rows in recordings.items():
        missing = [ours.get(row["recording_id"], row) for row in rows if row["status"] != "downloaded"]
        errors = [f"recording {row['recording_id']}: {row['error']}" for row in missing if row["status"] == "failed"]
        held = {row["recording_id"] for row in rows if row["status"] == "downloaded"}
        if errors:
            reasons[session] = "; ".join(errors)
        elif not held <= set(merged.get(session, [])):
            reasons[session] = "its recordings are held, but not merged; the log of the task merge says why"
    return reasons


def _outcome_paths(
    storage: Storage, run_id: str, sessions: Sequence[SessionRef], provider: str
) -> dict[str, list[str]]:
    """The outcomes that the run's tasks left, by step."""
    paths = {}
    for step in ("download", "merge"):
        wanted = {layout.outcome(run_id, step, session.telephony_session_id, provider) for session in sessions}
        there = storage.list(layout.outcomes_folder(run_id, step, provider))
        paths[step] = [path for path in there if path in wanted]
    return paths


def _outcomes(storage: Storage, table: Table, paths: Sequence[str]) -> pa.Table:
    parts = [tables.from_parquet(table, storage.read(path).data) for path in paths]
    return pa.concat_tables(parts) if parts else table.schema.empty_table()
