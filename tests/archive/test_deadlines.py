from __future__ import annotations

import logging
from bisect import insort
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.archived_day import Row, upsert
from voxlake.archive.deadlines import (
    Backlog,
    deletion_times,
    log_first_deletions,
    pending_sessions,
    read_backlog,
    read_deadlines,
)
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import RECORDINGS
from voxlake.lake.storage import Storage

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RETENTION = timedelta(days=90)


def ago(days: float) -> datetime:
    return NOW - days * DAY


def recording(number: int, start: datetime, status: str = "pending", **values: Any) -> Row:
    return {
        "provider": "ringcentral",
        "account_id": "1",
        "recording_id": f"r-{number}",
        "telephony_session_id": f"s-{number}",
        "start_time": start,
        "status": status,
        **values,
    }


def test_few_recordings_are_deleted_when_the_retention_is_over() -> None:
    starts = [ago(1), ago(89), ago(91), ago(30)]

    assert deletion_times(starts, NOW, RETENTION, 100_000) == [start + RETENTION for start in starts]


def test_more_than_the_limit_push_the_oldest_out_as_they_come() -> None:
    # One each day for 30 days; 20 are kept, so the first ten went when the one that is 20 newer came.
    starts = [ago(29 - number) for number in range(30)]

    times = deletion_times(starts, NOW, RETENTION, 20)

    assert times[:10] == [start + 20 * DAY for start in starts[:10]]
    # One more comes each day from now on.
    assert times[10:] == [NOW + number * DAY for number in range(1, 21)]


def test_the_rate_is_that_of_the_last_seven_days() -> None:
    # 14 in the last week, a thousand in the week before: two a day.
    starts = [ago(8)] * 1000 + [ago(6.9 - number / 2) for number in range(14)]

    times = deletion_times(starts, NOW, RETENTION, 1024)

    assert times[0] == NOW + 5.5 * DAY
    assert times[999] == ago(8) + RETENTION


def test_without_new_ones_nothing_is_pushed_out() -> None:
    assert deletion_times([ago(10), ago(9)], NOW, RETENTION, 2) == [ago(10) + RETENTION, ago(9) + RETENTION]


def test_no_recordings_have_no_times() -> None:
    assert deletion_times([], NOW, RETENTION, 100_000) == []


moments = st.lists(st.integers(0, 120 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes)), max_size=60)


def simulated(starts: Sequence[datetime], limit: int) -> dict[datetime, datetime]:
    """When each start leaves a box of `limit` places that new ones keep coming into."""
    came = sum(start > NOW - 7 * DAY for start in starts)
    coming = [NOW + number * 7 * DAY / came for number in range(1, came * 13 + 1)] if came else []
    box: list[datetime] = []
    left: dict[datetime, datetime] = {}
    for start in [*sorted(starts), *coming]:
        insort(box, start)
        if len(box) > limit:
            left[box.pop(0)] = start
    return {start: min(left.get(start, start + RETENTION), start + RETENTION) for start in starts}


@settings(max_examples=200, deadline=None)
@given(starts=moments.map(lambda found: sorted(set(found))), limit=st.integers(1, 70), seed=st.randoms())
def test_they_leave_as_from_a_box_with_so_many_places(starts: list[datetime], limit: int, seed: Any) -> None:
    seed.shuffle(starts)
    wanted = simulated(starts, limit)

    times = deletion_times(starts, NOW, RETENTION, limit)

    for start, time in zip(starts, times, strict=True):
        assert abs(time - wanted[start]) < timedelta(seconds=1)


@given(starts=moments, limit=st.integers(1, 70))
def test_an_older_one_is_never_deleted_later(starts: list[datetime], limit: int) -> None:
    times = deletion_times(starts, NOW, RETENTION, limit)

    ordered = [time for _, time in sorted(zip(starts, times, strict=True))]
    assert ordered == sorted(ordered)
    assert all(time <= start + RETENTION for start, time in zip(starts, times, strict=True))


def test_what_is_missing_comes_in_the_order_in_which_it_is_deleted(storage: Storage) -> None:
    upsert(
        storage,
        RECORDINGS,
        recording(1, ago(2)),
        recording(2, ago(50), "downloaded"),
        recording(3, ago(80), "failed", error="500"),
        recording(4, ago(60), "unavailable", unavailable_reason="not_found"),
        recording(5, ago(89), "unavailable", unavailable_reason="removed"),
        recording(6, ago(89), "unavailable", unavailable_reason="expired"),
        recording(7, ago(89), "unavailable", unavailable_reason="record_deleted"),
        recording(8, ago(300)),
    )

    rows = read_deadlines(storage, [], NOW, RETENTION, 100_000)

    assert [(row["recording_id"], row["deletes_at"]) for row in rows] == [
        ("r-3", ago(80) + RETENTION),
        ("r-4", ago(60) + RETENTION),
        ("r-1", ago(2) + RETENTION),
    ]
    assert rows[0]["error"] == "500"
    older = read_deadlines(storage, [ago(300).date()], NOW, RETENTION, 100_000)
    assert [row["recording_id"] for row in older] == ["r-8", "r-3", "r-4", "r-1"]


def test_what_is_still_to_be_fetched_is_counted_with_its_age_and_what_is_at_risk(storage: Storage) -> None:
    gone = {"status": "unavailable", "unavailable_reason": "expired"}
    upsert(
        storage,
        RECORDINGS,
        recording(1, ago(75.5)),
        recording(2, ago(76.5), "failed"),
        recording(3, ago(30)),
        recording(4, ago(80), "downloaded"),
        recording(5, ago(85)) | gone,
    )

    backlog = read_backlog(storage, NOW, RETENTION, 100_000)

    assert (backlog.recordings, backlog.at_risk, backlog.oldest) == (3, 1, ago(76.5))
    assert backlog.first is not None
    assert (backlog.first["recording_id"], backlog.first["deletes_at"]) == ("r-2", ago(76.5) + RETENTION)


def test_a_lake_that_holds_everything_has_no_backlog(lake: LocalStorage) -> None:
    upsert(lake, RECORDINGS, recording(1, ago(1), "downloaded"))
    assert read_backlog(lake, NOW, RETENTION, 100_000) == Backlog(0, 0, None, None)


def test_each_account_has_a_limit_of_its_own(lake: LocalStorage) -> None:
    ours = [recording(number, ago(10 - number)) for number in range(4)]
    theirs = [recording(number, ago(20), "downloaded", account_id="2") for number in range(4, 8)]
    upsert(lake, RECORDINGS, *ours, *theirs)

    times = {row["recording_id"]: row["deletes_at"] for row in read_deadlines(lake, [], NOW, RETENTION, 3)}

    assert times["r-0"] == ago(7)
    assert set(times) == {"r-0", "r-1", "r-2", "r-3"}


def test_the_sessions_with_something_to_fetch_have_the_days_of_that(lake: LocalStorage) -> None:
    upsert(
        lake,
        RECORDINGS,
        recording(1, ago(3)),
        recording(2, ago(2), "failed", telephony_session_id="s-1"),
        recording(3, ago(1), "downloaded", telephony_session_id="s-1"),
        recording(4, ago(3), "unavailable", unavailable_reason="removed"),
        recording(5, ago(3), "downloaded"),
        recording(6, ago(4)),
    )

    found = pending_sessions(lake, ago(3).date(), NOW.date())

    assert found == {"s-1": {ago(3).date(), ago(2).date()}}
    assert pending_sessions(lake, ago(4).date(), ago(4).date()) == {"s-6": {ago(4).date()}}


def test_the_log_says_which_are_deleted_first(lake: LocalStorage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    upsert(lake, RECORDINGS, *(recording(number, ago(80 - number)) for number in range(25)))

    log_first_deletions(lake, NOW, RETENTION, 100_000)

    first, header, *lines = caplog.messages[-1].splitlines()
    assert first.startswith("25 recordings are to be fetched")
    assert header.split() == ["deleted", "about", "started", "status", "recording", "session"]
    assert [line.split()[-2] for line in lines] == [f"r-{number}" for number in range(20)]
    assert lines[0].split() == ["2026-03-14", "12:00", "2025-12-14", "12:00", "pending", "r-0", "s-0"]


def test_the_log_says_when_there_is_nothing_to_fetch(lake: LocalStorage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    upsert(lake, RECORDINGS, recording(1, ago(80), "downloaded"))

    log_first_deletions(lake, NOW, RETENTION, 100_000)

    assert caplog.messages[-1] == "no recording is to be fetched"
