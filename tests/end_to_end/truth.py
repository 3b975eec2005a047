"""What the lake must hold: what the sandbox says is true."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from end_to_end.conftest import rows
from end_to_end.listening import decoded_ms

from sandbox.ringcentral import Sandbox
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage

Row = dict[str, Any]


def downloads(sandbox: Sandbox) -> list[str]:
    """The ids of the recordings that were downloaded, in order, as often as they were."""
    entries = (entry for entry in sandbox.requests if entry.path.endswith("/content") and entry.status == 200)
    return [entry.path.split("/")[-2] for entry in entries]


def assert_lake_holds_the_truth(lake: Storage, sandbox: Sandbox, start: datetime, end: datetime) -> None:
    """Every call, leg, recording and session of `[start, end)` once, as the source has it, and nothing else.

    What belongs to a session that began before is left out, as no run has read all of it.
    """
    truth = sandbox.truth(start, end)
    assert truth.recordings, "a sandbox without recordings proves nothing"
    before = {session.telephony_session_id for session in sandbox.truth(start - timedelta(days=1), start).sessions}

    def inside(table: Table) -> list[Row]:
        days = rows(lake, table, start, end + timedelta(days=1))
        time = table.day_column
        return [row for row in days if start <= row[time] < end and row["telephony_session_id"] not in before]

    calls = by_key(inside(CALLS), "call_id")
    expected = [call for call in truth.calls if call.telephony_session_id not in before]
    assert set(calls) == {call.id for call in expected}
    for call in expected:
        assert (calls[call.id]["start_time"], calls[call.id]["duration_ms"]) == (call.start_time, call.duration_ms)
        assert (calls[call.id]["result"], calls[call.id]["direction"]) == (call.master.result, call.master.direction)
    assert sorted((leg["call_id"], leg["leg_index"]) for leg in inside(LEGS)) == sorted(
        (call.id, index) for call in expected for index in range(len(call.legs))
    )
    sessions = by_key(inside(SESSIONS), "telephony_session_id")
    assert {session: row["recording_ids"] for session, row in sessions.items()} == {
        session.telephony_session_id: [recording.id for recording in session.recordings]
        for session in truth.sessions
        if session.recordings
    }
    assert {row["status"] for row in sessions.values()} == {"complete"}
    found = [row for row in _around(lake, RECORDINGS, start, end) if row["telephony_session_id"] in sessions]
    recordings = by_key(found, "recording_id")
    assert set(recordings) == {recording.id for recording in truth.recordings}
    assert {row["status"] for row in recordings.values()} == {"downloaded"}
    for row in sessions.values():
        parts = [recordings[recording_id] for recording_id in row["recording_ids"]]
        with lake.local_copy(row["audio_path"]) as file:
            # A frame of 16 kHz MP3 is 36 ms; a merged file is off by half of one at most, whatever its length.
            assert decoded_ms(file) == pytest.approx(sum(part["duration_ms"] for part in parts), abs=20)
        assert [chapter["recording_id"] for chapter in row["chapters"]] == row["recording_ids"]
    around = _around(lake, SESSIONS, start, end)
    days = {f"date={row['start_time'].date()}" for row in around}
    files = {path for path in lake.list("audio/sessions") if path.split("/")[3] in days}
    named = {row[name] for row in around for name in ("audio_path", "peaks_path")}
    assert files == named, "a file that no row has, or a row without its file"


def by_key(found: list[Row], key: str) -> dict[str, Row]:
    """The rows by an id that none of them shares."""
    named = {row[key]: row for row in found}
    assert len(named) == len(found), f"{key} occurs twice"
    return named


def _around(lake: Storage, table: Table, start: datetime, end: datetime) -> list[Row]:
    return rows(lake, table, start - timedelta(days=1), end + timedelta(days=1))
