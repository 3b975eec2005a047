"""Who speaks in a recording, and when it was made: from the call-log records and legs that carry it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from voxlake.lake import tables
from voxlake.lake.schemas import CALLS, LEGS
from voxlake.lake.storage import Storage

Row = dict[str, Any]


@dataclass(frozen=True)
class CallLog:
    """What the call log says of a session.

    Attributes:
        calls: its records, by start.
        legs: the legs of those records that carry its recordings, as the records have them.
    """

    calls: Sequence[Row]
    legs: Sequence[Row]


def read_call_log(storage: Storage, session_id: str, recordings: Sequence[Row]) -> CallLog:
    """The records of a session, and the legs of those that its recordings are of."""
    # A recording may start on the day after its call did.
    days = {row["start_time"].date() - timedelta(days=shift) for row in recordings for shift in (0, 1)}
    call_ids = [row["call_id"] for row in recordings]
    of_session = (pc.field("telephony_session_id") == session_id) | pc.field("call_id").isin(call_ids)
    calls = tables.read(storage, CALLS, days, of_session).to_pylist()
    legs = tables.read(storage, LEGS, days, pc.field("call_id").isin(call_ids)).to_pylist()
    calls.sort(key=lambda call: (call["start_time"], call["call_id"]))
    legs.sort(key=lambda leg: (leg["call_id"], leg["leg_index"]))
    return CallLog(calls, legs)


def speaker(recording: Row, call_log: CallLog) -> Row:
    """Who spoke with whom: the leg that carries the recording, else its call-log record."""
    call_id, index = recording["call_id"], recording["leg_index"]
    sources = [leg for leg in call_log.legs if (leg["call_id"], leg["leg_index"]) == (call_id, index)]
    sources += [call for call in call_log.calls if call["call_id"] == call_id]
    source = sources[0] if sources else {}
    return {
        "extension_id": source.get("extension_id"),
        "from_name": source.get("from_name") or source.get("from_phone_number"),
        "to_name": source.get("to_name") or source.get("to_phone_number"),
    }


def title(speaker: Row) -> str:
    """Who spoke with whom, as the title of a chapter."""
    return f"{speaker['from_name'] or 'unknown'} → {speaker['to_name'] or 'unknown'}"


def began(recording: Row, duration_ms: int, call_log: CallLog, tolerance: timedelta) -> datetime:
    """When the sound of a recording began, as well as the call log tells.

    The call log says when legs began, which is when they began to ring, and how long they lasted. An automatic
    recording lasts from the answer to the end of its leg, and one on demand begins later. So a recording ends with its
    leg; of several legs that carry it, with the one that is nearest to it in length. An automatic one that is shorter
    by more than any ringing lacks its end, and begins with the leg.

    Args:
        recording: Its row.
        duration_ms: How long it plays.
        call_log: Of its session.
        tolerance: What ringing takes at most.
    """
    start: datetime = recording["start_time"]
    carriers = [
        row
        for row in (*call_log.legs, *call_log.calls)
        if row["recording_id"] == recording["recording_id"] and row["duration_ms"] and row["start_time"]
    ]
    if not carriers:
        return start
    nearest = min(carriers, key=lambda row: abs(row["duration_ms"] - duration_ms))
    before = timedelta(milliseconds=max(0, nearest["duration_ms"] - duration_ms))
    start = nearest["start_time"]
    return start + before if before <= tolerance or recording["type"] == "OnDemand" else start
