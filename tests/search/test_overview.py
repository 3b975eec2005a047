from __future__ import annotations

from datetime import date, timedelta

from tests.search.archive import (
    ACCOUNT,
    MIDNIGHT,
    NOON,
    NOW,
    Row,
    call,
    merged,
    put,
    put_calls,
    put_recordings,
    put_sessions,
    recording,
)
from voxlake.archive.deadlines import read_deadlines
from voxlake.lake.schemas import RECONCILIATION
from voxlake.ringcentral.grants import Grant
from voxlake.search.index import SearchIndex
from voxlake.search.overview import PENDING_SHOWN, ArchiveState, archive_state

RETENTION = timedelta(days=90)
GRANT = Grant("one", "heavy", 10, 60.0, 3, 0.0, 0.2)


def state(index: SearchIndex, since: date = date(2026, 11, 19), limit: int = 100_000) -> ArchiveState:
    return archive_state(
        index, since=since, until=date(2026, 11, 22), now=NOW, retention=RETENTION, limit=limit, grants=[GRANT]
    )


def compared(day: date, **columns: int) -> Row:
    midnight = NOON.replace(day=day.day, hour=0)
    return {
        "provider": "ringcentral",
        "account_id": ACCOUNT,
        "day": midnight,
        "reconciled_at": midnight + timedelta(days=1),
        **columns,
    }


def test_an_empty_lake(index: SearchIndex) -> None:
    found = state(index)

    assert [(day.day.day, day.state) for day in found.days] == [
        (19, "empty"),
        (20, "empty"),
        (21, "empty"),
        (22, "empty"),
    ]
    assert (found.pending, found.pending_total, found.at_risk, found.failures) == ((), 0, 0, ())
    assert found.grants == (GRANT,)


def test_what_is_claimed_held_and_merged(index: SearchIndex) -> None:
    put_calls(index.storage, call("whole"), call("part"), call("held"), call("plain"), call("next", MIDNIGHT))
    put_recordings(
        index.storage,
        recording("whole", "r1"),
        recording("part", "r2"),
        recording("part", "r3", status="unavailable", unavailable_reason="removed"),
        recording("held", "r4"),
        recording("next", "r5", MIDNIGHT),
    )
    put_sessions(
        index.storage,
        merged("whole", "r1"),
        merged("part", "r2", status="partial"),
        merged("next", "r5", start=MIDNIGHT),
    )
    put(index.storage, RECONCILIATION, compared(date(2026, 11, 20), calls_missing=0))

    day, after = state(index).days[1:3]

    assert (day.calls, day.recordings, day.held, day.pending, day.failed, day.unavailable) == (4, 4, 3, 0, 0, 1)
    assert (day.complete, day.partial, day.unmerged, day.state) == (1, 1, 1, "pending")
    assert day.reconciled_at == MIDNIGHT
    assert (after.calls, after.held, after.complete, after.state, after.reconciled_at) == (1, 1, 1, "well", None)


def test_the_worst_that_can_be_said_of_a_day(index: SearchIndex) -> None:
    put_calls(index.storage, *(call(f"s-{day}", NOON.replace(day=day)) for day in range(10, 17)))
    put_recordings(
        index.storage,
        recording("s-10", "r10", NOON.replace(day=10)),
        recording("s-11", "r11", NOON.replace(day=11), status="unavailable", unavailable_reason="expired"),
        recording("s-12", "r12", NOON.replace(day=12), status="pending"),
        recording("s-13", "r13", NOON.replace(day=13), status="failed"),
        recording("s-15", "r15", NOON.replace(day=15)),
    )
    put_sessions(
        index.storage,
        merged("s-10", "r10", start=NOON.replace(day=10)),
        merged("s-15", "r15", start=NOON.replace(day=15), status="partial"),
    )
    put(index.storage, RECONCILIATION, compared(date(2026, 11, 14), calls_missing=2))

    days = state(index, since=date(2026, 11, 9)).days[:8]

    states = ["empty", "well", "partial", "pending", "failed", "failed", "partial", "well"]
    assert [day.state for day in days] == states
    assert days[5].calls_missing == 2


def test_what_is_to_be_fetched_and_until_when(index: SearchIndex) -> None:
    starts = [NOW - timedelta(days=days) for days in (89, 80, 2, 1)]
    put_recordings(
        index.storage,
        recording("old", "r1", starts[0], status="pending"),
        recording("old", "r2", starts[1], status="failed", error="HTTP 500"),
        recording("new", "r3", starts[2], status="unavailable", unavailable_reason="not_found"),
        recording("gone", "r4", starts[1], status="unavailable", unavailable_reason="record_deleted"),
        recording("late", "r5", starts[3], status="pending"),
        recording("held", "r6", starts[3]),
    )

    found = state(index)

    pending = [(one.recording_id, one.deletes_at, one.at_risk) for one in found.pending if one.recording_id != "r3"]
    assert pending == [
        ("r1", NOW + timedelta(days=1), True),
        ("r2", NOW + timedelta(days=10), True),
        ("r5", NOW + timedelta(days=89), False),
    ]
    assert found.at_risk == 2
    assert (found.pending[1].telephony_session_id, found.pending[1].error) == ("old", "HTTP 500")


def test_deadlines_are_those_of_the_archive(index: SearchIndex) -> None:
    put_recordings(
        index.storage,
        *(
            recording(f"s-{n}", f"r{n}", NOW - timedelta(hours=5 * n), status=("downloaded", "pending")[n % 2])
            for n in range(1, 40)
        ),
        recording("s-0", "r0", NOW - timedelta(hours=3), status="failed", account_id="other"),
    )

    for limit in (10, 25, 100_000):
        expected = read_deadlines(index.storage, (), NOW, RETENTION, limit)
        found = state(index, limit=limit)
        assert [one.recording_id for one in found.pending] == [row["recording_id"] for row in expected]
        for one, row in zip(found.pending, expected, strict=True):
            # A column has milliseconds.
            assert abs(one.deletes_at - row["deletes_at"]) < timedelta(milliseconds=1)


def test_only_the_first_of_many_are_shown(local_index: SearchIndex) -> None:
    put_recordings(
        local_index.storage, *(recording(f"s-{n}", f"r{n}", status="pending") for n in range(PENDING_SHOWN + 5))
    )

    found = state(local_index)

    assert (len(found.pending), found.pending_total) == (PENDING_SHOWN, PENDING_SHOWN + 5)


def test_failures_by_reason(index: SearchIndex) -> None:
    put_recordings(
        index.storage,
        recording("s-1", "r1", status="failed", error="HTTP 500"),
        recording("s-1", "r2", MIDNIGHT, status="failed", error="disk full"),
        recording("s-2", "r3", NOON - timedelta(hours=20), status="failed"),
        recording("s-3", "r4", status="unavailable", unavailable_reason="expired", error="too old"),
        recording("s-4", "r5", status="pending"),
        recording("early", "r6", NOON - timedelta(days=30), status="failed"),
    )

    failed, expired = state(index).failures

    assert (failed.status, failed.reason, failed.recordings, failed.can_be_tried) == ("failed", "failed", 3, True)
    assert failed.sessions == (
        ("s-1", (date(2026, 11, 20), date(2026, 11, 21))),
        ("s-2", (date(2026, 11, 19),)),
    )
    assert failed.example == "disk full"
    assert failed.words == "It could not be downloaded; the next run tries again."
    assert (expired.status, expired.reason, expired.can_be_tried) == ("unavailable", "expired", False)
    assert expired.sessions == (("s-3", (date(2026, 11, 20),)),)
