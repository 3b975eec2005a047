"""Pages that change while they are read: calls come in, others are deleted, and none is lost to a shift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from end_to_end.conftest import CONFIG, AtSandboxTime, RunDag, rows
from end_to_end.truth import by_key, downloads

from sandbox.ringcentral import CallMix, Sandbox, SandboxConfig
from voxlake.lake.schemas import CALLS
from voxlake.lake.storage import Storage

StartSandbox = Callable[[SandboxConfig], Sandbox]

END = datetime(2026, 3, 4, 18, tzinfo=UTC)
START = END - timedelta(hours=3)


@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_no_call_is_lost_to_pages_that_shift(
    start_sandbox: StartSandbox,
    run_dag: RunDag,
    lake: Storage,
    at_sandbox_time: AtSandboxTime,
    order: Literal["descending", "ascending"],
) -> None:
    mix = CallMix(calls_per_day=200, long_share=0.5, long_seconds=(1800, 7200), recorded_share=0.1)
    sandbox = start_sandbox(replace(CONFIG, now=END, mix=mix, detailed_per_page_cap=5, call_log_order=order))
    at_sandbox_time(sandbox)
    listed = [call.id for call in sandbox.truth(START, END).calls]
    deleted: list[str] = []
    came: set[str] = set()

    def change(page: int) -> None:
        # Records of pages that have been read leave the list, which pulls those behind them up, and calls end.
        call_id = listed[-page] if order == "descending" else listed[page - 1]
        sandbox.delete_call(call_id)
        deleted.append(call_id)
        sandbox.clock.advance(600)
        came.update(call.id for call in sandbox.truth(START, END).calls)

    sandbox.between_pages(change)
    assert run_dag(sandbox, interval=(START, END), run_type="backfill").state == "success"
    sandbox.between_pages(None)

    calls = by_key([row for row in rows(lake, CALLS, START, END) if START <= row["start_time"] < END], "call_id")
    assert len(deleted) >= 3
    assert came - set(listed), "no call came in while the pages were read"
    assert set(listed) <= set(calls), "a call was lost to a shift"
    pages = [entry for entry in sandbox.requests if entry.path.endswith("/call-log") and entry.status == 200]
    assert len(pages) == len(deleted) + 1

    # What came in behind the reader's back is found by the next read, as are the deletions.
    assert run_dag(sandbox, interval=(START, END), run_type="backfill").state == "success"
    calls = by_key([row for row in rows(lake, CALLS, START, END) if START <= row["start_time"] < END], "call_id")
    assert set(calls) == {call.id for call in sandbox.truth(START, END).calls}
    assert {call_id for call_id, row in calls.items() if row["deleted"]} == set(deleted)
    fetched = downloads(sandbox)
    assert len(fetched) == len(set(fetched))
