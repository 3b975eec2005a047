"""Hour by hour, as the schedule runs it: calls that are listed late, and calls that are rewritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from end_to_end.conftest import CONFIG, AtSandboxTime, RunDag
from end_to_end.truth import assert_lake_holds_the_truth, downloads

from sandbox.ringcentral import CallMix, Sandbox, SandboxConfig
from voxlake.lake.storage import Storage

StartSandbox = Callable[[SandboxConfig], Sandbox]

pytestmark = pytest.mark.usefixtures("legs_that_outlast_recordings")

HOUR = timedelta(hours=1)
# The day begins with sessions that began on the day before; those at its end are over before the last run.
START = datetime(2026, 3, 4, 15, tzinfo=UTC)
END = START + 5 * HOUR
# Half of the calls last for hours, and half are rewritten up to half an hour after their end.
MIX = CallMix(
    calls_per_day=60,
    recorded_share=1,
    long_share=0.5,
    long_seconds=(1800, 9000),
    rewritten_share=0.5,
    rewrite_seconds=(60, 1800),
    transferred_share=0.3,
    leg_seconds=(30, 40),
)


def test_hourly_runs_end_with_what_the_source_has_in_the_end(
    start_sandbox: StartSandbox, run_dag: RunDag, lake: Storage, at_sandbox_time: AtSandboxTime
) -> None:
    sandbox = start_sandbox(replace(CONFIG, now=START, mix=MIX))
    at_sandbox_time(sandbox)
    seen_by_one_run: set[str] = set()
    hour = START
    while hour < END + 5 * HOUR:
        sandbox.clock.advance(HOUR.total_seconds())
        if hour < END:
            seen_by_one_run |= {call.id for call in sandbox.truth(hour, hour + HOUR).calls}
        assert run_dag(sandbox, interval=(hour, hour + HOUR)).state == "success"
        hour += HOUR

    truth = sandbox.truth(START, END)
    late = {call.id for call in truth.calls} - seen_by_one_run
    rewritten = [call for call in truth.calls if call.snapshot is not None]
    assert late, "no call is listed late"
    assert rewritten, "no call is rewritten"
    assert_lake_holds_the_truth(lake, sandbox, START, END)
    fetched = downloads(sandbox)
    assert len(fetched) == len(set(fetched))
