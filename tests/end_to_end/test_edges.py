"""Sessions that cross the edges of runs, hours and days: one session, wherever its legs lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from end_to_end.conftest import CONFIG, AtSandboxTime, RunDag, rows
from end_to_end.truth import assert_lake_holds_the_truth, downloads

from sandbox.ringcentral import CallMix, Sandbox, SandboxConfig
from voxlake.lake.schemas import CONVERSATIONS, SESSIONS
from voxlake.lake.storage import Storage

StartSandbox = Callable[[SandboxConfig], Sandbox]

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 3, 5, tzinfo=UTC)
START, END = MIDNIGHT - 2 * HOUR, MIDNIGHT + 2 * HOUR
HOURS = [(START + number * HOUR, START + (number + 1) * HOUR) for number in range(4)]

# Transfers whose second part is a record of its own up to an hour later, recordings that other records repeat, and
# consultations that lead to another session.
MIX = CallMix(
    calls_per_day=1500,
    recorded_share=1,
    transferred_share=0.6,
    split_transfer_share=1,
    repeated_record_share=0.5,
    conversation_share=0.5,
    leg_seconds=(30, 40),
    linked_seconds=(300, 3600),
)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)], ids=str)
def test_the_order_in_which_hours_are_read_does_not_matter(
    start_sandbox: StartSandbox,
    run_dag: RunDag,
    lake: Storage,
    at_sandbox_time: AtSandboxTime,
    order: tuple[int, ...],
) -> None:
    sandbox = start_sandbox(replace(CONFIG, seed=12, now=END + 4 * HOUR, mix=MIX))
    at_sandbox_time(sandbox)
    truth = sandbox.truth(START, END)
    split = [found for found in truth.sessions if len({_hour(record.start_time) for record in found.records}) > 1]
    assert split, "no session lies in two hours"
    assert any(found.start_time < MIDNIGHT <= found.records[-1].start_time for found in split), "none crosses midnight"

    for number in order:
        assert run_dag(sandbox, interval=HOURS[number], run_type="backfill").state == "success"
    # Of sessions that go on after the last hour.
    assert run_dag(sandbox, interval=(END, END + 2 * HOUR), run_type="backfill").state == "success"

    assert_lake_holds_the_truth(lake, sandbox, START, END)
    fetched = downloads(sandbox)
    assert len(fetched) == len(set(fetched))
    assert_conversations_are_the_truth(lake, sandbox)


def assert_conversations_are_the_truth(lake: Storage, sandbox: Sandbox) -> None:
    expected = {min(sessions): list(sessions) for sessions in sandbox.truth(START, END).conversations}
    assert expected, "no conversation has two sessions"
    found = {row["conversation_id"]: row["telephony_session_ids"] for row in rows(lake, CONVERSATIONS, START, END)}
    assert {name: found.get(name) for name in expected} == expected
    named = {session: name for name, sessions in found.items() for session in sessions}
    for row in rows(lake, SESSIONS, START, END):
        session = row["telephony_session_id"]
        assert row["conversation_id"] == named.get(session, session)


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
