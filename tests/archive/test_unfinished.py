from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from voxlake.archive.reconcile import ReconciliationFailedError, raise_for_missing, reconcile_days
from voxlake.archive.source_days import SourceDay
from voxlake.archive.unfinished import recorded_sessions, unfinished_days
from voxlake.lake import tables
from voxlake.lake.schemas import RECONCILIATION, RECORDINGS
from voxlake.lake.storage import Storage

NOW = datetime(2026, 3, 20, 4, tzinfo=UTC)
OLD = datetime(2026, 3, 4, 12, tzinfo=UTC)
YESTERDAY = (NOW - timedelta(days=1)).date()
SINCE = NOW.date() - timedelta(days=90)
RETENTION = timedelta(days=90)


def recording(storage: Storage, status: str, *, number: str = "7", start: datetime = OLD) -> None:
    row = {
        "provider": "ringcentral",
        "account_id": "1",
        "recording_id": number,
        "telephony_session_id": f"s-{number}",
        "call_id": "a",
        "start_time": start,
        "status": status,
        "attempts": 1 if status == "failed" else 2,
    }
    tables.upsert(storage, RECORDINGS, tables.to_arrow(RECORDINGS, [row]))


def compare(storage: Storage) -> list[Any]:
    source = {YESTERDAY: SourceDay(account_id="1")}
    older = unfinished_days(storage, SINCE, YESTERDAY - timedelta(days=1))
    return list(reconcile_days(storage, [YESTERDAY], source, NOW, RETENTION, 100_000, older))


def row_of(storage: Storage, day: date) -> dict[str, Any]:
    (row,) = tables.read(storage, RECONCILIATION, [day]).to_pylist()
    return dict(row)


def test_what_is_missing_on_an_older_day_counts_until_it_is_there(storage: Storage) -> None:
    recording(storage, "failed")
    recording(storage, "downloaded", number="8", start=OLD - timedelta(days=1))

    assert unfinished_days(storage, SINCE, YESTERDAY) == {OLD.date()}
    assert recorded_sessions(storage, [OLD.date()]) == {"s-7": {OLD.date()}}
    with pytest.raises(ReconciliationFailedError, match=r"2026-03-04: recording 7 of session s-7 is failed"):
        raise_for_missing(compare(storage), 0)
    row = row_of(storage, OLD.date())
    assert (row["recordings_failed"], row["recordings_at_risk"], row["calls_in_source"]) == (1, 0, None)
    assert row["first_deletion_at"] == OLD + RETENTION

    recording(storage, "downloaded")
    # Held, but in no merged file: the day stays one to look at.
    assert row_of(storage, OLD.date())["recordings_failed"] == 1
    with pytest.raises(ReconciliationFailedError, match="session s-7: recordings are held"):
        raise_for_missing(compare(storage), 0)
    row = row_of(storage, OLD.date())
    assert (row["recordings_failed"], row["recordings_downloaded"], row["sessions_unmerged"]) == (0, 1, 1)
    assert unfinished_days(storage, SINCE, YESTERDAY) == {OLD.date()}


def test_the_calls_of_an_older_day_stay_as_they_were_compared(storage: Storage) -> None:
    recording(storage, "failed")
    compared = {"provider": "ringcentral", "account_id": "1", "day": OLD.replace(hour=0), "calls_in_source": 5}
    counts = {"calls_in_lake": 6, "calls_missing": 0, "calls_gone": 1, "reconciled_at": OLD}
    tables.upsert(storage, RECONCILIATION, tables.to_arrow(RECONCILIATION, [compared | counts]))
    compare(storage)
    row = row_of(storage, OLD.date())
    assert {name: row[name] for name in ("calls_in_source", "calls_in_lake", "calls_gone", "recordings_failed")} == {
        "calls_in_source": 5,
        "calls_in_lake": 6,
        "calls_gone": 1,
        "recordings_failed": 1,
    }
