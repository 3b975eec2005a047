"""Runs side by side, as overlapping runs, backfills and the nightly comparison are: one archive, no download twice."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sandbox.ringcentral import Sandbox
from tests.archive.archived_day import (
    DAY,
    NEXT_DAY,
    PATIENCE,
    content_requests,
    files_of,
    ids,
    land_window,
    rows,
)
from tests.archive.conftest import Connect
from voxlake.archive.download import download_session
from voxlake.archive.merge import merge_session
from voxlake.archive.plan import SessionRef, plan_sessions
from voxlake.archive.publish import Published, publish_run
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS
from voxlake.lake.storage import Storage
from voxlake.ringcentral.client import RingCentralClient

HOUR = timedelta(hours=1)
# The halves of the day, the whole day twice, and what a scheduled run of its end reads; a little of the next day each,
# where the last session goes on.
WINDOWS = [
    (DAY, DAY + 12 * HOUR),
    (DAY + 12 * HOUR, NEXT_DAY + HOUR),
    (DAY, NEXT_DAY + HOUR),
    (DAY, NEXT_DAY + HOUR),
    (NEXT_DAY - 4 * HOUR, NEXT_DAY + HOUR),
]


def test_runs_side_by_side_make_one_archive(sandbox: Sandbox, connect: Connect, storage: Storage) -> None:
    start = threading.Barrier(len(WINDOWS))

    def run(number: int) -> Published:
        client = connect(sandbox)
        start.wait()
        landed = land_window(client, storage, *WINDOWS[number])
        sessions = plan_sessions(storage, landed.sessions)
        for session in sessions:
            _download(client, storage, session, f"run {number}")
            merge_session(storage, session, f"run {number}")
        return publish_run(storage, sessions, f"run {number}")

    with ThreadPoolExecutor(len(WINDOWS)) as runs:
        reports = list(runs.map(run, range(len(WINDOWS))))

    assert [report.failed for report in reports] == [{}] * len(WINDOWS)
    truth = sandbox.truth(DAY, NEXT_DAY)
    assert Counter(content_requests(sandbox)) == Counter(ids(truth.recordings))
    calls = sandbox.truth(DAY, NEXT_DAY + HOUR).calls
    assert sorted(row["call_id"] for row in rows(storage, CALLS)) == sorted(ids(calls))
    assert sorted((row["call_id"], row["leg_index"]) for row in rows(storage, LEGS)) == sorted(
        (call.id, index) for call in calls for index in range(len(call.legs))
    )
    recordings = [row for row in rows(storage, RECORDINGS) if row["status"] == "downloaded"]
    assert sorted(row["recording_id"] for row in recordings) == sorted(ids(truth.recordings))
    sessions = {row["telephony_session_id"]: row for row in rows(storage, SESSIONS)}
    assert {name: row["recording_ids"] for name, row in sessions.items()} == {
        session.telephony_session_id: ids(session.recordings) for session in truth.sessions if session.recordings
    }
    assert len(rows(storage, SESSIONS)) == len(sessions)
    assert list(storage.list("audio/sessions")) == files_of(*sessions.values())
    assert [path for folder in ("leases", "outcomes") for path in storage.list(folder)] == []


def _download(client: RingCentralClient, storage: Storage, session: SessionRef, run_id: str) -> None:
    # As the task does, but for its waiting: what another run is fetching is there soon.
    again: datetime | None = DAY
    while again is not None:
        again = download_session(client, storage, session, run_id, 1, PATIENCE)
