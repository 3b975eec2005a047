"""`ringcentral_reconcile` as it is shipped: what was missed is fetched, and what is held stands in a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from end_to_end.conftest import CONFIG, AtSandboxTime, Run, RunDag, rows
from end_to_end.truth import assert_lake_holds_the_truth, downloads

from sandbox.ringcentral import Fault, Sandbox, SandboxConfig
from voxlake.lake.schemas import RECONCILIATION, RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings

StartSandbox = Callable[[SandboxConfig], Sandbox]
Reconcile = Callable[..., Run]

DAY = datetime(2026, 3, 4, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
# Four hours after midnight all calls of the day are over.
NOW = DAY + timedelta(hours=28)


@pytest.fixture
def sandbox(start_sandbox: StartSandbox, at_sandbox_time: AtSandboxTime) -> Sandbox:
    started = start_sandbox(replace(CONFIG, now=NOW))
    at_sandbox_time(started)
    return started


@pytest.fixture
def reconcile(run_dag: RunDag, sandbox: Sandbox) -> Reconcile:
    """Runs it for one day, as a backfill does, or as the schedule."""
    return lambda run_type="backfill": run_dag(
        sandbox, dag_id="ringcentral_reconcile", interval=(DAY, DAY + ONE_DAY), run_type=run_type
    )


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how much may be missing."""

    def set_allowed(number: int) -> None:
        monkeypatch.setenv("VOXLAKE_RECONCILE_MISSING_ALLOWED", str(number))
        get_settings.cache_clear()

    return set_allowed


def row_of(lake: Storage, day: datetime = DAY) -> dict[str, Any]:
    (row,) = rows(lake, RECONCILIATION, day, day)
    return row


def test_what_no_run_has_read_is_made_up_and_a_second_time_nothing_is_fetched(
    sandbox: Sandbox, run_dag: RunDag, reconcile: Reconcile, lake: Storage
) -> None:
    noon = DAY + timedelta(hours=12)
    assert run_dag(sandbox, interval=(DAY, noon), run_type="backfill").state == "success"
    fetched = len(downloads(sandbox))
    truth = sandbox.truth(DAY, DAY + ONE_DAY)
    assert 0 < fetched < len(truth.recordings)

    assert reconcile().state == "success"

    assert_lake_holds_the_truth(lake, sandbox, DAY, DAY + ONE_DAY)
    everything = sorted(downloads(sandbox))
    assert len(everything) == len(set(everything))
    row = row_of(lake)
    held = [row for row in rows(lake, RECORDINGS, DAY, DAY) if row["start_time"] < DAY + ONE_DAY]
    assert row["calls_in_source"] == row["calls_in_lake"] == len(truth.calls)
    assert row["recordings_claimed"] == row["recordings_downloaded"] == len(held)
    assert row["recordings_bytes"] == sum(recording["size_bytes"] for recording in held)
    assert row["sessions_recorded"] == row["sessions_complete"]
    nothing = ("calls_missing", "calls_gone", "recordings_pending", "recordings_failed", "recordings_unavailable")
    nothing += ("recordings_at_risk", "sessions_partial", "sessions_unmerged")
    assert {name: row[name] for name in nothing} == dict.fromkeys(nothing, 0)
    assert row["first_deletion_at"] is None

    assert reconcile().state == "success"
    assert sorted(downloads(sandbox)) == everything
    again = row_of(lake)
    assert {**again, "reconciled_at": None} == {**row, "reconciled_at": None}


def test_what_is_missing_past_the_threshold_fails_the_run_and_says_what(
    sandbox: Sandbox,
    reconcile: Reconcile,
    lake: Storage,
    capfd: pytest.CaptureFixture[str],
    allow: Callable[[int], None],
) -> None:
    truth = sandbox.truth(DAY, DAY + ONE_DAY)
    session = next(session for session in truth.sessions if len(session.recordings) > 1)
    sandbox.faults.add(Fault("content", "html", id=session.recordings[0].id))
    sandbox.faults.add(Fault("record", "no_start_time", id=truth.calls[0].id))

    run = reconcile()

    assert run.state == "failed"
    assert (run.states("publish"), run.states("compare")) == (["failed"], ["failed"])
    row = row_of(lake)
    assert (row["calls_missing"], row["recordings_failed"], row["sessions_partial"]) == (1, 1, 1)
    told = "".join(capfd.readouterr())
    assert session.recordings[0].id in told
    assert DAY.date().isoformat() in told

    allow(2)
    assert reconcile().states("compare") == ["success"]
    allow(1)
    assert reconcile().states("compare") == ["failed"]

    sandbox.faults.clear()
    allow(0)
    assert reconcile().state == "success"
    assert_lake_holds_the_truth(lake, sandbox, DAY, DAY + ONE_DAY)


def test_the_schedule_reads_three_days_and_fetches_what_is_missing_on_older_ones_first(
    sandbox: Sandbox, run_dag: RunDag, reconcile: Reconcile, lake: Storage
) -> None:
    old = DAY - timedelta(days=20)
    sessions = sandbox.truth(old, old + ONE_DAY).sessions
    missed = {recording.id for session in sessions for recording in session.recordings}
    sandbox.faults.add(Fault("content", "error"))
    assert run_dag(sandbox, interval=(old, old + ONE_DAY), run_type="backfill").state == "failed"
    assert downloads(sandbox) == []
    sandbox.faults.clear()

    assert reconcile("backfill").state == "success"
    days_of_the_backfill = set(downloads(sandbox))
    assert days_of_the_backfill.isdisjoint(missed), "a backfill keeps to its days"

    run = reconcile("scheduled")
    assert run.state == "success"
    assert missed <= set(downloads(sandbox))
    # The scheduler starts them in the order of their map index.
    order = [one.rendered_map_index for (name, _), one in sorted(run.tasks.items()) if name == "session.download"]
    assert order[: len(sessions)] == [session.telephony_session_id for session in sessions]
    assert {row["status"] for row in rows(lake, RECORDINGS, old, old)} == {"downloaded"}
    assert rows(lake, RECONCILIATION, old, old) == [], "the day was whole again before it was compared"
    for day in (DAY - 2 * ONE_DAY, DAY - ONE_DAY, DAY):
        assert_lake_holds_the_truth(lake, sandbox, day, day + ONE_DAY)
        assert row_of(lake, day)["recordings_downloaded"] > 0
    assert rows(lake, RECONCILIATION, DAY - 3 * ONE_DAY, DAY - 3 * ONE_DAY) == []


def test_an_overlap_that_was_reconciled_is_not_read_again(
    sandbox: Sandbox, run_dag: RunDag, reconcile: Reconcile
) -> None:
    def read(run_type: str = "scheduled") -> list[datetime]:
        before = len(sandbox.requests)
        interval = (DAY + timedelta(hours=10), DAY + timedelta(hours=11))
        assert run_dag(sandbox, interval=interval, run_type=run_type).state == "success"
        asked = [entry.query for entry in sandbox.requests[before:] if entry.path.endswith("/call-log")]
        starts = [dict(pair.split("=") for pair in query.split("&"))["dateFrom"] for query in asked]
        return [datetime.fromisoformat(start.replace("%3A", ":")) for start in starts]

    assert read() == [DAY + timedelta(hours=6)]
    assert read("backfill") == [DAY + timedelta(hours=10)]
    assert reconcile().state == "success"
    assert read() == [DAY + timedelta(hours=10)]
