from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from voxlake.archive.unavailable import why_unavailable
from voxlake.lake import tables
from voxlake.lake.schemas import CALLS, LEGS
from voxlake.lake.storage import Storage

LATE = datetime(2026, 3, 4, 23, 50, tzinfo=UTC)
READ = LATE + timedelta(hours=1)
READ_AGAIN = READ + timedelta(hours=5)
LONG_AGO = LATE - timedelta(days=90)

# Its leg began after midnight, its record before.
RECORDING = {"recording_id": "7", "call_id": "a", "start_time": LATE + timedelta(minutes=20)}


def land(
    storage: Storage, read: datetime, named_by: str = "", *, call_id: str = "a", deleted: bool | None = None
) -> None:
    """A record with one leg, as a page told of it that was read at `read`; `named_by` holds who names recording 7."""
    common = {"account_id": "1", "call_id": call_id, "start_time": LATE, "extracted_at": read}
    named = {"recording_id": "7", "recording_seen_at": read}
    call = common | {"deleted": deleted} | (named if "call" in named_by else {})
    leg = common | {"leg_index": 0, "call_start_time": LATE} | (named if "leg" in named_by else {})
    tables.upsert(storage, CALLS, tables.to_arrow(CALLS, [call]))
    tables.upsert(storage, LEGS, tables.to_arrow(LEGS, [leg]))


@pytest.mark.parametrize("named_by", ["call", "leg", "call and leg"])
def test_the_call_log_names_it_still(storage: Storage, named_by: str) -> None:
    land(storage, READ, named_by)
    assert why_unavailable(storage, RECORDING, LONG_AGO) == "not_found"
    land(storage, READ_AGAIN, named_by)
    assert why_unavailable(storage, RECORDING, LONG_AGO) == "not_found"


def test_a_read_that_began_later_but_saw_an_older_version_hides_nothing(storage: Storage) -> None:
    land(storage, READ_AGAIN, "call")
    row = {"account_id": "1", "call_id": "a", "start_time": LATE, "extracted_at": READ, "last_modified_time": READ}
    tables.upsert(storage, CALLS, tables.to_arrow(CALLS, [row | {"recording_id": "7", "recording_seen_at": READ}]))
    assert why_unavailable(storage, RECORDING, LONG_AGO) == "not_found"


@pytest.mark.parametrize("named_by", ["call", "leg", "call and leg"])
def test_the_call_log_names_it_no_more(storage: Storage, named_by: str) -> None:
    land(storage, READ, named_by)
    land(storage, READ_AGAIN)
    assert why_unavailable(storage, RECORDING, LONG_AGO) == "removed"


def test_another_record_names_it_still(storage: Storage) -> None:
    land(storage, READ, "call and leg")
    land(storage, READ_AGAIN)
    land(storage, READ_AGAIN, "call", call_id="b")
    assert why_unavailable(storage, RECORDING, LONG_AGO) == "not_found"


@pytest.mark.parametrize("named_by", ["call", "leg", "call and leg"])
def test_the_record_was_deleted(storage: Storage, named_by: str) -> None:
    land(storage, READ, named_by)
    land(storage, READ_AGAIN, deleted=True)
    assert why_unavailable(storage, RECORDING, LONG_AGO) == "record_deleted"


def test_of_two_records_one_was_deleted(storage: Storage) -> None:
    land(storage, READ, "call")
    land(storage, READ, "call", call_id="b")
    land(storage, READ_AGAIN, deleted=True)
    assert why_unavailable(storage, RECORDING, LONG_AGO) == "not_found"


def test_it_is_past_the_retention(storage: Storage) -> None:
    land(storage, READ, "call")
    assert why_unavailable(storage, RECORDING, RECORDING["start_time"]) == "not_found"
    assert why_unavailable(storage, RECORDING, RECORDING["start_time"] + timedelta(milliseconds=1)) == "expired"


def test_a_lake_that_knows_no_record_of_it_does_not_guess(storage: Storage) -> None:
    assert why_unavailable(storage, RECORDING, LONG_AGO) == "not_found"
