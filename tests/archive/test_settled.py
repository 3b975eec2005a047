from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from voxlake.archive.settled import is_settled
from voxlake.lake import tables
from voxlake.lake.schemas import RECONCILIATION
from voxlake.lake.storage import Storage

MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC)
DAY = timedelta(days=1)
HORIZON = timedelta(hours=4)


def reconcile(storage: Storage, day: datetime, at: datetime, calls: int | None = 0) -> None:
    row = {"provider": "ringcentral", "account_id": "1", "day": day, "reconciled_at": at, "calls_in_source": calls}
    tables.upsert(storage, RECONCILIATION, tables.to_arrow(RECONCILIATION, [row]))


def settled(storage: Storage, start_hour: float, end_hour: float) -> bool:
    return is_settled(storage, MIDNIGHT + timedelta(hours=start_hour), MIDNIGHT + timedelta(hours=end_hour), HORIZON)


def test_nothing_is_settled_that_nobody_reconciled(storage: Storage) -> None:
    assert not settled(storage, 8, 12)
    reconcile(storage, MIDNIGHT, MIDNIGHT + timedelta(hours=60), calls=None)
    assert not settled(storage, 8, 12), "a day whose calls were never compared"


@pytest.mark.parametrize(("read_at", "expected"), [(15.9, False), (16, True), (28, True)])
def test_hours_are_settled_when_read_after_the_longest_call_could_have_ended(
    storage: Storage, read_at: float, expected: bool
) -> None:
    reconcile(storage, MIDNIGHT, MIDNIGHT + timedelta(hours=read_at))
    assert settled(storage, 8, 12) is expected


def test_hours_on_both_sides_of_midnight_take_both_days(storage: Storage) -> None:
    reconcile(storage, MIDNIGHT, MIDNIGHT + timedelta(hours=60))
    assert not settled(storage, 22, 26)
    reconcile(storage, MIDNIGHT + DAY, MIDNIGHT + timedelta(hours=60))
    assert settled(storage, 22, 26)


def test_hours_that_end_at_midnight_do_not_need_the_next_day(storage: Storage) -> None:
    reconcile(storage, MIDNIGHT, MIDNIGHT + timedelta(hours=28))
    assert settled(storage, 20, 24)
