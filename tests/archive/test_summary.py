from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from voxlake.archive.deadlines import Backlog
from voxlake.archive.publish import Published
from voxlake.archive.run_notes import RunNotes
from voxlake.archive.summary import run_summary
from voxlake.ringcentral.transport import Tally

REPORT = Published(
    sessions=1200,
    recordings={"downloaded": 1300, "unavailable": 3, "failed": 2},
    merged=1199,
    failed={"s-1": "why", "s-2": "why"},
    downloaded=1250,
    downloaded_bytes=2_345_678_901,
    unavailable={"removed": 1, "expired": 2},
    partial=2,
)
TWO_USERS = (("one", "heavy", 10, 60.0), ("two", "heavy", 20, 60.0))
NOTES = RunNotes(4321, 1, Tally(1300, 1, 7384.4, 2_400_000_000), TWO_USERS, [])
FIRST = {
    "recording_id": "99",
    "telephony_session_id": "s-1",
    "status": "failed",
    "deletes_at": datetime(2026, 12, 1, 10, 30, tzinfo=UTC),
}
BACKLOG = Backlog(recordings=40, at_risk=4, oldest=datetime(2026, 9, 2, tzinfo=UTC), first=FIRST)
NO_BACKLOG = Backlog(0, 0, None, None)


def test_a_run_is_told_line_by_line() -> None:
    assert run_summary(REPORT, NOTES, BACKLOG, timedelta(hours=2, minutes=3, seconds=4)).splitlines() == [
        "calls                4,321 landed, 1 rejected",
        "sessions to archive  1,200",
        "recordings of these  1,305",
        "  downloaded now     1,250 (2,345.7 MB)",
        "  held otherwise     50 (from before, or from another run)",
        "  unavailable        3 (expired 2, removed 1)",
        "  failed             2",
        "sessions merged      1,199 (1,197 complete, 2 partial)",
        "sessions not whole   2",
        "requests             1,300, 1 of them answered with 429",
        "received             2,400.0 MB",
        "waited               2 h 3 min for the quota, all tasks together",
        "granted (heavy)      10 in 60 s + 20 in 60 s (0.5 a second)",
        "still to fetch       40 in all, 4 deleted within 14 days",
        "deleted first        recording 99 of session s-1 (failed), about 2026-12-01 10:30 UTC",
        "next                 clear the failed tasks, or run the interval again; the next ringcentral_reconcile tries "
        "them too",
        "took                 2 h 3 min",
    ]


@pytest.mark.parametrize(
    ("failed", "backlog", "told"),
    [
        ({"s-1": "why"}, NO_BACKLOG, "clear the failed tasks"),
        ({}, BACKLOG, "the next ringcentral_reconcile looks for"),
        ({}, NO_BACKLOG, "nothing: all that is known is held"),
    ],
)
def test_what_comes_next_depends_on_what_is_missing(failed: dict[str, str], backlog: Backlog, told: str) -> None:
    text = run_summary(Published(1, {}, 0, failed), NOTES, backlog, timedelta(seconds=1))
    assert f"\nnext                 {told}" in text


@pytest.mark.parametrize(
    ("took", "told"),
    [(timedelta(seconds=4.21), "4.2 s"), (timedelta(seconds=60), "1 min 0 s"), (timedelta(days=2), "48 h 0 min")],
)
def test_times_are_as_exact_as_they_need_to_be(took: timedelta, told: str) -> None:
    notes = RunNotes(None, 0, Tally(), (), [])
    lines = run_summary(Published(0, {}, 0, {}), notes, NO_BACKLOG, took).splitlines()
    assert lines[0].startswith("sessions to archive")
    assert lines[-1].split("  ")[-1].strip() == told
