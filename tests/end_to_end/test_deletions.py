"""What the source deletes between two runs: rows keep what was known, with a status and a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from end_to_end.conftest import CONFIG, AtSandboxTime, RunDag, rows
from end_to_end.truth import by_key, downloads

from sandbox.ringcentral import Fault, Sandbox, SandboxConfig, Session
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage

StartSandbox = Callable[[SandboxConfig], Sandbox]

START = datetime(2026, 3, 3, 12, tzinfo=UTC)
END = START + timedelta(hours=24)
WINDOW = {"start": START.isoformat(), "end": END.isoformat()}


@pytest.fixture
def sandbox(start_sandbox: StartSandbox, at_sandbox_time: AtSandboxTime) -> Sandbox:
    started = start_sandbox(replace(CONFIG, now=END + timedelta(hours=4)))
    at_sandbox_time(started)
    return started


def row_by_id(lake: Storage, table: Table, key: str) -> dict[str, dict[str, Any]]:
    return by_key(rows(lake, table, START, END), key)


def sessions_of(sandbox: Sandbox, recordings: int) -> list[Session]:
    return [found for found in sandbox.truth(START, END).sessions if len(found.recordings) == recordings]


def test_what_was_downloaded_stays_when_the_source_deletes_it(sandbox: Sandbox, run_dag: RunDag, lake: Storage) -> None:
    assert run_dag(sandbox, **WINDOW).state == "success"
    before = {table.name: rows(lake, table, START, END) for table in (RECORDINGS, SESSIONS)}
    audio = {path: lake.version(path) for path in lake.list("audio")}
    legs_with_recording = {
        (leg["call_id"], leg["leg_index"]): leg["recording_id"] for leg in rows(lake, LEGS, START, END)
    }
    fetched = downloads(sandbox)
    calls = row_by_id(lake, CALLS, "call_id")
    first, second, third = sessions_of(sandbox, 1)[:3]
    sandbox.delete_recording(first.recordings[0].id)
    sandbox.delete_call(second.records[0].id)

    assert run_dag(sandbox, **WINDOW).state == "success"

    assert downloads(sandbox) == fetched
    assert {path: lake.version(path) for path in lake.list("audio")} == audio
    unstamped = {"extracted_at"}
    for table in (RECORDINGS, SESSIONS):
        after = rows(lake, table, START, END)
        assert [{**row, **dict.fromkeys(unstamped)} for row in after] == [
            {**row, **dict.fromkeys(unstamped)} for row in before[table.name]
        ]
    after_calls = row_by_id(lake, CALLS, "call_id")
    assert set(after_calls) == set(calls)
    for session, deleted in ((first, None), (second, True), (third, None)):
        call_id = session.records[0].id
        was, row = calls[call_id], after_calls[call_id]
        assert row["deleted"] is deleted
        changing = ("deleted", "extracted_at", "last_modified_time", "recording_seen_at", "extra")
        assert {**row, **dict.fromkeys(changing)} == {**was, **dict.fromkeys(changing)}, "what was known is kept"
        gone = session is not third
        assert (row["recording_seen_at"] == was["recording_seen_at"]) is gone
    assert {
        (leg["call_id"], leg["leg_index"]): leg["recording_id"] for leg in rows(lake, LEGS, START, END)
    } == legs_with_recording


def test_what_is_deleted_before_it_could_be_downloaded_says_why_it_is_not_there(
    sandbox: Sandbox, run_dag: RunDag, lake: Storage
) -> None:
    sandbox.faults.add(Fault("content", "error"))
    assert run_dag(sandbox, **WINDOW).state == "failed"
    sandbox.faults.clear()
    removed, deleted = sessions_of(sandbox, 1)[:2]
    partial = sessions_of(sandbox, 2)[0]
    sandbox.delete_recording(removed.recordings[0].id)
    sandbox.delete_call(deleted.records[0].id)
    sandbox.delete_recording(partial.recordings[0].id)

    assert run_dag(sandbox, **WINDOW).state == "success", "nobody can bring back what the source has deleted"

    recordings = row_by_id(lake, RECORDINGS, "recording_id")
    reasons = {name: row["unavailable_reason"] for name, row in recordings.items() if row["status"] == "unavailable"}
    assert reasons == {
        removed.recordings[0].id: "removed",
        deleted.recordings[0].id: "record_deleted",
        partial.recordings[0].id: "removed",
    }
    assert all("404" in recordings[name]["error"] for name in reasons)
    assert {row["status"] for name, row in recordings.items() if name not in reasons} == {"downloaded"}
    sessions = row_by_id(lake, SESSIONS, "telephony_session_id")
    assert removed.telephony_session_id not in sessions
    assert deleted.telephony_session_id not in sessions
    row = sessions[partial.telephony_session_id]
    assert (row["status"], row["recording_ids"]) == ("partial", [partial.recordings[1].id])

    asked = len([entry for entry in sandbox.requests if entry.path.endswith("/content")])
    assert run_dag(sandbox, **WINDOW).states("session.download") == ["skipped"]
    assert len([entry for entry in sandbox.requests if entry.path.endswith("/content")]) == asked


def test_what_is_past_the_retention_is_expired(
    sandbox: Sandbox, run_dag: RunDag, lake: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add(Fault("content", "not_found"))
    monkeypatch.setenv("VOXLAKE_RECORDING_RETENTION", "P1D")
    assert run_dag(sandbox, **WINDOW).state == "success"
    now = sandbox.clock.now()
    for row in rows(lake, RECORDINGS, START, END):
        expected = "expired" if row["start_time"] < now - timedelta(days=1) else "not_found"
        assert (row["status"], row["unavailable_reason"]) == ("unavailable", expected)
