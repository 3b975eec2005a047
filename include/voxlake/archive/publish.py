"""Publish: what the tasks of a run came to, back into `recordings` and `sessions`."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from voxlake.archive.plan import SessionRef, plan_sessions, read_recordings
from voxlake.lake import layout, tables
from voxlake.lake.schemas import RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage

log = logging.getLogger(__name__)

Row = dict[str, Any]

_SHOWN = 20


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
    """

    sessions: int
    recordings: dict[str, int]
    merged: int
    failed: dict[str, str]


def publish_run(storage: Storage, sessions: Sequence[SessionRef], run_id: str) -> Published:
    """Writes the outcomes of a run's downloads and merges into the tables.

    A session whose download task left no outcome (it was killed, or its connection was refused) becomes `failed` with
    that as its reason, so that no recording stays pending without a word.

    Args:
        storage: The lake.
        sessions: What the run was to archive.
        run_id: The run that the outcomes belong to.
    """
    session_ids = [session.telephony_session_id for session in sessions]
    days = {day for session in sessions for day in session.days}
    tables.upsert(storage, RECORDINGS, _outcomes(storage, run_id, "download", RECORDINGS, sessions))
    merges = _outcomes(storage, run_id, "merge", SESSIONS, sessions)
    tables.upsert(storage, SESSIONS, merges)

    recordings = read_recordings(storage, session_ids, days)
    silent = [
        row | {"status": "failed", "error": "the download task ended without an outcome; its log says why"}
        for rows in recordings.values()
        for row in rows
        if row["status"] == "pending"
    ]
    if silent:
        tables.upsert(storage, RECORDINGS, tables.to_arrow(RECORDINGS, silent))
        recordings = read_recordings(storage, session_ids, days)

    unfinished = plan_sessions(storage, {session.telephony_session_id: session.days for session in sessions})
    report = Published(
        sessions=len(sessions),
        recordings=dict(Counter(row["status"] for rows in recordings.values() for row in rows)),
        merged=merges.num_rows,
        failed={
            session.telephony_session_id: _reason(recordings[session.telephony_session_id]) for session in unfinished
        },
    )
    log.info("published %d sessions, %d merged, recordings %s", report.sessions, report.merged, report.recordings)
    return report


def raise_for_failed(report: Published) -> None:
    """Ends a run that did not archive all it was to.

    Raises:
        SessionsFailedError: Some sessions are not whole.
    """
    if not report.failed:
        return
    lines = [f"  {session}: {reason}" for session, reason in report.failed.items()]
    shown = lines[:20] + (
        [f"  … and {len(lines) - 20} more: see status and error in the table recordings"] * (len(lines) > 20)
    )
    raise SessionsFailedError(
        f"{len(report.failed)} of {report.sessions} sessions are not archived whole. All others are. Clear the failed tasks, or "
        "run the interval again, to try just these:\n" + "\n".join(lines)
    )


def _outcomes(storage: Storage, run_id: str, step: str, table: Table, sessions: Sequence[SessionRef]) -> pa.Table:
    wanted = {layout.outcome(run_id, step, session.telephony_session_id) for session in sessions}
    paths = [path for path in storage.list(layout.outcomes_folder(run_id, step)) if path in wanted]
    parts = [tables.from_parquet(table, storage.read(path).data) for path in paths]
    return pa.concat_tables(parts) if parts else table.schema.empty_table()


def _reason(recordings: Sequence[Row]) -> str:
    errors = [f"recording {row['recording_id']}: {row['error']}" for row in recordings if row["status"] == "failed"]
    return "; ".join(errors) or "the recordings are held, but the merge did not end; the log of the task merge says why"
