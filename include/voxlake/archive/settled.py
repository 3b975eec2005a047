"""Settled: whether a stretch of the call log was read when none of its calls could be under way any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow.compute as pc

from voxlake.lake import tables
from voxlake.lake.layout import RINGCENTRAL
from voxlake.lake.schemas import RECONCILIATION
from voxlake.lake.storage import Storage


def is_settled(storage: Storage, start: datetime, end: datetime, horizon: timedelta) -> bool:
    """Whether `ringcentral_reconcile` has read all of `[start, end)` at least `horizon` after its end.

    Nothing else proves it: an hourly run may have read those hours too early, or failed.

    Args:
        storage: The lake.
        start: With its zone.
        end: With its zone, after `start`.
        horizon: Longer than the longest calls.
    """
    last_day = (end - timedelta(microseconds=1)).astimezone(UTC).date()
    day = start.astimezone(UTC).date()
    days = {day + timedelta(days=number) for number in range((last_day - day).days + 1)}
    reconciled = tables.read(storage, RECONCILIATION, days, pc.field("provider") == RINGCENTRAL).to_pylist()
    # Of a day that was only looked at for what is missing, no call was compared.
    read = (row for row in reconciled if row["calls_in_source"] is not None)
    return days == {row["day"].date() for row in read if row["reconciled_at"] >= end + horizon}
