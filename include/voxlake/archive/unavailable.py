"""Why the provider does not have a recording: what the call log says of it now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from voxlake.archive.plan import days_around
from voxlake.lake import tables
from voxlake.lake.schemas import CALLS, LEGS
from voxlake.lake.storage import Storage

Row = dict[str, Any]


def why_unavailable(storage: Storage, recording: Row, kept_since: datetime) -> str:
    """The `unavailable_reason` of a recording that the media host answers with 404.

    RingCentral removes `recording` from a call-log record once its media is deleted, so a record that was read again
    since and names none tells that it is not worth waiting
    (https://developers.ringcentral.com/guide/voice/call-log/recordings).

    Args:
        storage: The lake.
        recording: Its row in `recordings`.
        kept_since: The start of the oldest recordings that the provider still keeps.
    """
    days = days_around([recording["start_time"].date()])
    claims = pc.field("recording_id") == recording["recording_id"]
    legs = tables.read(storage, LEGS, days, claims)
    call_ids = {recording["call_id"], *legs["call_id"].to_pylist()}
    calls = tables.read(storage, CALLS, days, claims | pc.field("call_id").isin(call_ids)).to_pylist()
    there = {call["call_id"] for call in calls if not call["deleted"]}
    if calls and not there:
        return "record_deleted"
    if recording["start_time"] < kept_since:
        return "expired"
    claiming = [row for row in calls if row["recording_id"] == recording["recording_id"]] + legs.to_pylist()
    named = any(row["recording_seen_at"] >= row["extracted_at"] for row in claiming if row["call_id"] in there)
    return "not_found" if named or not claiming else "removed"
