"""A provider that is busy for a moment: the retry policy in Airflow's own task runner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from end_to_end.conftest import CONFIG, RunDag
from end_to_end.truth import assert_lake_holds_the_truth

from sandbox.ringcentral import Fault, Sandbox, SandboxConfig
from sandbox.ringcentral.faults import AnswerOf
from voxlake.lake.storage import Storage

END = datetime(2026, 3, 4, 12, tzinfo=UTC)
START = END - timedelta(hours=6)


@pytest.mark.parametrize("operation", ["call_log", "content"])
def test_what_was_refused_is_asked_for_again_by_the_next_try_after_the_wait_that_was_named(
    start_sandbox: Callable[[SandboxConfig], Sandbox], run_dag: RunDag, lake: Storage, operation: AnswerOf
) -> None:
    sandbox = start_sandbox(CONFIG)
    refused = sandbox.truth(START, END).recordings[0].id if operation == "content" else None
    sandbox.faults.add(Fault(operation, "unavailable", id=refused, times=1, retry_after=3))

    run = run_dag(sandbox, start=START.isoformat(), end=END.isoformat())

    assert run.state == "success"
    assert_lake_holds_the_truth(lake, sandbox, START, END)
    path = f"/{refused}/content" if refused else "/call-log"
    first, second = [entry for entry in sandbox.requests if entry.path.endswith(path)][:2]
    assert (first.status, second.status) == (503, 200)
    assert second.seconds - first.seconds >= 3
