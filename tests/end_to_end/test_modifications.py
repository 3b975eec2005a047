"""The live edge read by modification time: the same tables as by windows, and windows where the source refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.utils.session import create_session
from end_to_end.conftest import CONFIG, AtSandboxTime, RunDag
from end_to_end.test_late_calls import END, HOUR, MIX, START
from end_to_end.truth import assert_lake_holds_the_truth, downloads
from sqlalchemy import delete

from sandbox.ringcentral import Sandbox, SandboxConfig
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings

StartSandbox = Callable[[SandboxConfig], Sandbox]

pytestmark = pytest.mark.usefixtures("legs_that_outlast_recordings")


@pytest.fixture(autouse=True)
def by_modifications(airflow_db: None, lake: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_session() as session:
        session.execute(delete(AssetStateStoreModel))
    monkeypatch.setenv("VOXLAKE_CALL_LOG_READ", "modifications")
    get_settings.cache_clear()


def reads(sandbox: Sandbox, since: int = 0) -> list[str]:
    """How the call log was read: by `FSync`, `ISync` or `window`, one word a request, `!` where it was refused."""
    found = []
    for entry in sandbox.requests[since:]:
        # The access token lives for an hour, and so passes away with each hour of these tests.
        if entry.status == 401:
            continue
        if entry.path.endswith("/call-log"):
            found.append("window")
        elif entry.path.endswith("/call-log-extract-sync"):
            kind = "ISync" if "syncType=ISync" in entry.query else "FSync"
            found.append(kind if entry.status == 200 else f"{kind}!")
    return found


def test_hourly_runs_end_with_what_the_source_has_in_the_end(
    start_sandbox: StartSandbox, run_dag: RunDag, lake: Storage, at_sandbox_time: AtSandboxTime
) -> None:
    sandbox = start_sandbox(replace(CONFIG, now=START, mix=MIX))
    at_sandbox_time(sandbox)
    hour = START
    while hour < END + 5 * HOUR:
        sandbox.clock.advance(HOUR.total_seconds())
        assert run_dag(sandbox, interval=(hour, hour + HOUR)).state == "success"
        hour += HOUR

    assert reads(sandbox) == ["FSync", *["ISync"] * 9]
    assert_lake_holds_the_truth(lake, sandbox, START, END)
    fetched = downloads(sandbox)
    assert len(fetched) == len(set(fetched))


def test_a_refused_token_lets_the_run_read_its_window_and_the_next_begin_anew(
    start_sandbox: StartSandbox, run_dag: RunDag, lake: Storage, at_sandbox_time: AtSandboxTime
) -> None:
    sandbox = start_sandbox(replace(CONFIG, now=START, mix=MIX, sync_token_seconds=5400))
    at_sandbox_time(sandbox)

    def next_hour(number: int, passed: timedelta) -> list[str]:
        before = len(sandbox.requests)
        sandbox.clock.advance(passed.total_seconds())
        interval = (START + number * HOUR, START + (number + 1) * HOUR)
        assert run_dag(sandbox, interval=interval).state == "success"
        return reads(sandbox, before)

    assert next_hour(0, HOUR) == ["FSync"]
    assert next_hour(1, HOUR) == ["ISync"]
    # An outage longer than the token lives, and after it the last hour of the outage.
    assert next_hour(4, 3 * HOUR) == ["ISync!", "window"]
    assert next_hour(5, HOUR) == ["FSync"]
    assert next_hour(6, HOUR) == ["ISync"]


def test_a_backfill_reads_windows(start_sandbox: StartSandbox, run_dag: RunDag, at_sandbox_time: AtSandboxTime) -> None:
    sandbox = start_sandbox(replace(CONFIG, now=END, mix=MIX))
    at_sandbox_time(sandbox)
    assert run_dag(sandbox, interval=(START, START + HOUR), run_type="backfill").state == "success"
    assert reads(sandbox) == ["window"]
