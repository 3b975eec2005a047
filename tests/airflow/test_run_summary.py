"""What `publish` tells of a run, counted by the tasks, beside what the sandbox has counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from sandbox.ringcentral import Fault, QuotaLimit, Sandbox, SandboxConfig
from tests.airflow.conftest import Connect
from tests.airflow.test_steps import CONTEXT, MIX, QUOTAS, START, recordings_of
from tests.conftest import NOON, StartSandbox
from voxlake.airflow import steps
from voxlake.archive.download import RecordingsFailedError
from voxlake.archive.publish import SessionsFailedError

Told = Callable[[], dict[str, str]]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """The lines of the last table in the log, by their names."""
    caplog.set_level("INFO", "voxlake")

    def lines() -> dict[str, str]:
        *_, table = (text for text in caplog.messages if text.startswith("what the run came to:"))
        return dict(re.split(r"  +", line.strip(), maxsplit=1) for line in table.splitlines()[1:])

    return lines


def planned() -> list[dict[str, Any]]:
    [sessions] = steps.land(steps.extract(CONTEXT), 1, CONTEXT)
    return sessions


def size_of(sandbox: Sandbox, recordings: list[str]) -> str:
    return f"{sum(len(sandbox.content_of(recording)) for recording in recordings):,} bytes"


def test_the_table_counts_what_the_sandbox_counted_over_all_tries_and_runs(
    start_sandbox: StartSandbox, connect: Connect, told: Told, tmp_path: Path
) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas=QUOTAS))
    connect(sandbox.connection())
    sessions = planned()
    [gone], [broken], *others = (recordings_of(session) for session in sessions)
    held = [recording for [recording] in others]
    assert held
    sandbox.faults.add(Fault("content", "not_found", id=gone))
    sandbox.faults.add(Fault("content", "html", id=broken))
    for _ in range(2):
        with pytest.raises(RecordingsFailedError):
            steps.download(sessions, CONTEXT)
    steps.merge(sessions, CONTEXT)
    with pytest.raises(SessionsFailedError):
        steps.publish([sessions], CONTEXT)

    first = told()
    assert first["calls"] == f"{len(sandbox.truth(START, NOON).calls)} landed, 0 rejected"
    assert first["recordings of these"] == str(len(sessions))
    assert first["downloaded now"] == f"{len(held)} ({size_of(sandbox, held)})"
    assert first["held otherwise"].startswith("0 ")
    assert (first["unavailable"], first["failed"]) == ("1 (expired 1)", "1")
    assert first["sessions merged"] == f"{len(held)} ({len(held)} complete, 0 partial)"
    assert first["sessions not whole"] == "1"
    sent = len(sandbox.requests)
    assert first["requests"] == f"{sent}, 0 of them answered with 429"
    assert first["granted (heavy)"] == "6,000 in 60 s (100 a second)"
    assert first["next"].startswith("clear the failed tasks")
    assert not list((tmp_path / "lake" / "outcomes").rglob("*.json")), "what is told is not kept"

    sandbox.faults.clear()
    again = planned()
    steps.download(again, CONTEXT)
    steps.merge(again, CONTEXT)
    steps.publish([again], CONTEXT)
    assert told()["downloaded now"] == f"1 ({size_of(sandbox, [broken])})"
    assert told()["requests"] == f"{len(sandbox.requests) - sent}, 0 of them answered with 429"
    assert told()["next"].startswith("nothing")


def test_what_is_left_to_a_later_run_is_told_with_the_time_of_its_deletion(
    start_sandbox: StartSandbox, connect: Connect, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas=QUOTAS))
    connect(sandbox.connection())
    monkeypatch.setenv("VOXLAKE_RECORDING_RETENTION", "P3650D")
    steps.get_settings.cache_clear()
    planned()

    steps.publish([], CONTEXT)

    pending = sandbox.truth(START, NOON).recordings
    assert told()["still to fetch"] == f"{len(pending)} in all, 0 deleted within 14 days"
    assert re.match(
        rf"recording {pending[0].id} of session \S+ \(pending\), about 2036-03-01 ", told()["deleted first"]
    )
    assert told()["next"].startswith("the next ringcentral_reconcile")


def test_a_refusal_and_the_tries_that_gave_the_slot_back_are_counted(
    start_sandbox: StartSandbox, connect: Connect, told: Told
) -> None:
    sandbox = start_sandbox(SandboxConfig(now=NOON, mix=MIX, quotas={"heavy": QuotaLimit(2), "auth": QuotaLimit(50)}))
    connect(sandbox.connection())
    sessions = planned()
    for _ in range(2):
        with pytest.raises(AirflowRescheduleException):
            steps.download(sessions, CONTEXT)

    with pytest.raises(SessionsFailedError):
        steps.publish([sessions], CONTEXT)

    # The login, the call log and one recording.
    assert told()["requests"] == f"{len(sandbox.requests)}, 0 of them answered with 429"
    assert len(sandbox.requests) == 3
    assert told()["granted (heavy)"] == "2 in 60 s (0.0333 a second)"
