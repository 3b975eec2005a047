from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.ringcentral import Sandbox
from tests.archive.archived_day import DAY, NEXT_DAY, Row, ids, land_window, session_across_midnight, upsert
from voxlake.archive.plan import SessionRef, batch, find_sessions, plan_sessions
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import RECORDINGS, SESSIONS
from voxlake.ringcentral.client import RingCentralClient


def recording(session: str, number: int, status: str, **values: object) -> Row:
    """Recording `number` of a session, which starts as many minutes into the day."""
    return {
        "provider": "ringcentral",
        "account_id": "1",
        "recording_id": f"{session}-{number}",
        "telephony_session_id": session,
        "start_time": DAY + timedelta(minutes=number),
        "status": status,
        **values,
    }


def merged(session: str, *numbers: int) -> Row:
    return {
        "provider": "ringcentral",
        "account_id": "1",
        "telephony_session_id": session,
        "start_time": DAY + timedelta(minutes=numbers[0]),
        "recording_ids": [f"{session}-{number}" for number in numbers],
    }


def refs(count: int) -> list[SessionRef]:
    return [SessionRef(f"s-{number}", (DAY.date(),), ()) for number in range(count)]


@pytest.mark.parametrize(
    ("statuses", "in_the_file"),
    [
        (["downloaded"], [0]),
        (["downloaded", "downloaded"], [0, 1]),
        (["downloaded", "unavailable"], [0]),
        (["unavailable", "unavailable"], []),
    ],
)
def test_a_session_that_is_whole_is_not_planned(
    lake: LocalStorage, statuses: Sequence[str], in_the_file: Sequence[int]
) -> None:
    upsert(lake, RECORDINGS, *(recording("s-1", number, status) for number, status in enumerate(statuses)))
    if in_the_file:
        upsert(lake, SESSIONS, merged("s-1", *in_the_file))

    assert plan_sessions(lake, {"s-1": [DAY.date()]}) == []


@pytest.mark.parametrize(
    ("statuses", "in_the_file"),
    [
        (["pending"], []),
        (["failed"], []),
        (["downloaded", "pending"], [0]),
        (["unavailable", "failed"], []),
        (["downloaded"], []),
        (["downloaded", "downloaded"], [0]),
        (["downloaded", "downloaded"], [1, 0]),
    ],
    ids=str,
)
def test_a_session_that_is_not_whole_is_planned_with_all_its_recordings(
    lake: LocalStorage, statuses: Sequence[str], in_the_file: Sequence[int]
) -> None:
    recordings = [recording("s-1", number, status) for number, status in enumerate(statuses)]
    upsert(lake, RECORDINGS, *recordings, recording("s-2", 0, "pending"))
    if in_the_file:
        upsert(lake, SESSIONS, merged("s-1", *in_the_file))

    planned = plan_sessions(lake, {"s-1": [DAY.date()]})

    assert planned == [SessionRef("s-1", (DAY.date(),), tuple(row["recording_id"] for row in recordings))]


@pytest.mark.parametrize(
    ("reason", "hours", "planned"),
    [
        ("not_found", 71, True),
        ("not_found", 73, False),
        ("damaged", 71, True),
        ("damaged", 73, False),
        ("removed", 1, False),
        ("record_deleted", 1, False),
        ("expired", 1, False),
    ],
)
def test_what_the_provider_may_still_bring_is_looked_for_for_three_days(
    lake: LocalStorage, reason: str, hours: int, planned: bool
) -> None:
    start = datetime.now(UTC) - timedelta(hours=hours)
    row = recording("s-1", 0, "unavailable", unavailable_reason=reason) | {"start_time": start}
    upsert(lake, RECORDINGS, row)

    assert bool(plan_sessions(lake, {"s-1": [start.date()]})) is planned


def test_recordings_are_planned_in_the_order_they_happened(lake: LocalStorage) -> None:
    upsert(lake, RECORDINGS, *(recording("s-1", number, "pending") for number in (10, 2, 1)))

    (planned,) = plan_sessions(lake, {"s-1": [DAY.date()]})

    assert planned.recording_ids == ("s-1-1", "s-1-2", "s-1-10")


def test_sessions_are_planned_in_the_order_they_began(lake: LocalStorage) -> None:
    upsert(
        lake,
        RECORDINGS,
        recording("s-c", 1, "pending"),
        recording("s-b", 2, "pending"),
        recording("s-a", 2, "pending"),
        recording("s-d", 0, "downloaded"),
        recording("s-d", 5, "pending"),
    )

    planned = plan_sessions(lake, {session: {DAY.date()} for session in ("s-a", "s-b", "s-c", "s-d")})

    assert [session.telephony_session_id for session in planned] == ["s-d", "s-c", "s-a", "s-b"]


@pytest.mark.parametrize("told", [DAY, NEXT_DAY])
def test_a_session_across_midnight_has_both_days_whichever_we_are_told_of(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, told: datetime
) -> None:
    session = session_across_midnight(sandbox)
    land_window(client, lake, session.start_time, NEXT_DAY + timedelta(minutes=30))

    planned = plan_sessions(lake, {session.telephony_session_id: [told.date()]})

    assert planned == [
        SessionRef(session.telephony_session_id, (DAY.date(), NEXT_DAY.date()), tuple(ids(session.recordings)))
    ]


def test_a_session_whose_merged_rows_lie_on_two_days_counts_as_the_longer_one(lake: LocalStorage) -> None:
    # A row stays on its day when a recording that began on the day before lands later.
    upsert(lake, RECORDINGS, recording("s-1", 0, "downloaded"))
    upsert(lake, RECORDINGS, recording("s-1", 1, "downloaded", start_time=NEXT_DAY))
    upsert(lake, SESSIONS, merged("s-1", 0, 1))
    upsert(lake, SESSIONS, merged("s-1", 1) | {"start_time": NEXT_DAY})

    assert plan_sessions(lake, {"s-1": [NEXT_DAY.date()]}) == []


def test_nothing_landed_plans_nothing(lake: LocalStorage) -> None:
    assert plan_sessions(lake, {}) == []
    assert plan_sessions(lake, {"s-1": [DAY.date()]}) == []


def test_a_session_passes_through_json() -> None:
    session = SessionRef("s-1", (DAY.date(), NEXT_DAY.date()), ("7", "8"))

    assert SessionRef.from_json(json.loads(json.dumps(session.to_json()))) == session


@pytest.mark.parametrize(
    ("count", "groups", "sizes"),
    [(0, 0, set()), (1, 1, {1}), (1024, 1024, {1}), (1025, 256, {4, 5}), (3000, 256, {11, 12})],
)
def test_batches_at_the_limit_of_mapped_tasks(count: int, groups: int, sizes: set[int]) -> None:
    batches = batch(refs(count), 1024)

    assert len(batches) == groups
    assert {len(group) for group in batches} == sizes


@given(count=st.integers(0, 3000), limit=st.integers(1, 1100))
def test_batches_hold_every_session_once_in_order_and_differ_by_one_at_most(count: int, limit: int) -> None:
    sessions = refs(count)

    batches = batch(sessions, limit)

    assert [session for group in batches for session in group] == sessions
    assert len(batches) == (count if count <= limit else min(limit, 256))
    sizes = [len(group) for group in batches]
    assert not sizes or (min(sizes) >= 1 and max(sizes) - min(sizes) <= 1)


def test_sessions_are_found_on_whatever_day_they_lie(lake: LocalStorage) -> None:
    old = DAY - timedelta(days=300)
    upsert(lake, RECORDINGS, recording("s-1", 0, "failed"), recording("s-2", 0, "failed", start_time=old))
    upsert(lake, RECORDINGS, recording("s-3", 0, "downloaded", start_time=NEXT_DAY))

    assert find_sessions(lake, ["s-1", "s-2", "s-4"]) == {"s-1": {DAY.date()}, "s-2": {old.date()}}
    assert find_sessions(lake, []) == {}


def test_of_a_session_that_was_found_all_recordings_are_planned(lake: LocalStorage) -> None:
    midnight = [
        recording("s-1", number, "failed", start_time=NEXT_DAY + timedelta(minutes=number)) for number in (-1, 1)
    ]
    upsert(lake, RECORDINGS, *midnight)
    [planned] = plan_sessions(lake, find_sessions(lake, ["s-1"]))
    assert planned.recording_ids == ("s-1--1", "s-1-1")
    assert planned.days == (DAY.date(), NEXT_DAY.date())
