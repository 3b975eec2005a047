"""A small archive to search in, written by the project's own upserts, and short ways to its rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage
from voxlake.search.find import Found, search
from voxlake.search.index import SearchIndex
from voxlake.search.query import parse_query

Row = dict[str, Any]

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
ACCOUNT = "37439510"
ANA, BEN, CUSTOMER = "+16505550101", "+16505550102", "+442079460018"


def call(session: str, start: datetime = NOON, number: int = 0, **columns: Any) -> Row:
    """A call-log record of a session: a customer calls Ana, who accepts and speaks for a minute."""
    return {
        "account_id": ACCOUNT,
        "call_id": f"{session}-call-{number}",
        "telephony_session_id": session,
        "start_time": start,
        "duration_ms": 60_000,
        "direction": "Inbound",
        "result": "Accepted",
        "from_phone_number": CUSTOMER,
        "from_name": "Zoë Müller",
        "to_phone_number": ANA,
        "to_name": "Ana Abel",
        "to_extension_number": "101",
        "extracted_at": start + timedelta(hours=1),
    } | columns


def leg(record: Row, index: int = 0, **columns: Any) -> Row:
    """A leg of a record: Ben's telephone rings too."""
    return {
        "account_id": ACCOUNT,
        "call_id": record["call_id"],
        "leg_index": index,
        "telephony_session_id": record["telephony_session_id"],
        "start_time": record["start_time"],
        "call_start_time": record["start_time"],
        "duration_ms": record["duration_ms"],
        "result": "Accepted",
        "from_phone_number": CUSTOMER,
        "to_phone_number": BEN,
        "to_name": "Ben Brandt",
        "to_extension_number": "102",
        "extracted_at": record["extracted_at"],
    } | columns


def recording(session: str, recording_id: str, start: datetime = NOON, **columns: Any) -> Row:
    """A recording that the lake holds, of the session's first record."""
    return {
        "provider": "ringcentral",
        "account_id": ACCOUNT,
        "recording_id": recording_id,
        "telephony_session_id": session,
        "call_id": f"{session}-call-0",
        "type": "Automatic",
        "start_time": start,
        "claimed_ms": 60_000,
        "duration_ms": 60_000,
        "status": "downloaded",
        "audio_path": layout.recording_audio(recording_id, start.date(), "audio/mpeg"),
        "content_type": "audio/mpeg",
    } | columns


def merged(session: str, *recording_ids: str, start: datetime = NOON, **columns: Any) -> Row:
    """The merged file of some recordings of a minute each, one behind the other."""
    return {
        "provider": "ringcentral",
        "account_id": ACCOUNT,
        "telephony_session_id": session,
        "conversation_id": session,
        "start_time": start,
        "end_time": start + timedelta(minutes=len(recording_ids)),
        "direction": "Inbound",
        "from_phone_number": CUSTOMER,
        "to_phone_number": ANA,
        "recording_ids": list(recording_ids),
        "chapters": [
            {
                "recording_id": one,
                "start_ms": number * 60_000,
                "end_ms": (number + 1) * 60_000,
                "from_name": CUSTOMER,
                "to_name": "Ana Abel",
            }
            for number, one in enumerate(recording_ids)
        ],
        "status": "complete",
        "missing": [],
        "audio_path": layout.session_audio(session, start.date(), "audio/mpeg"),
        "content_type": "audio/mpeg",
        "size_bytes": 1,
        "sha256": "00",
        "duration_ms": 60_000 * len(recording_ids),
        "merged_at": start + timedelta(hours=2),
    } | columns


def put(storage: Storage, table: Table, *rows: Row) -> None:
    tables.upsert(storage, table, tables.to_arrow(table, rows))


def put_calls(storage: Storage, *rows: Row) -> None:
    put(storage, CALLS, *rows)


def put_legs(storage: Storage, *rows: Row) -> None:
    put(storage, LEGS, *rows)


def put_recordings(storage: Storage, *rows: Row) -> None:
    put(storage, RECORDINGS, *rows)


def put_sessions(storage: Storage, *rows: Row) -> None:
    put(storage, SESSIONS, *rows)


def find(index: SearchIndex, *, numbers: bool = True, **params: str) -> Found:
    """What the params of a URL find; `from` is given as `since`."""
    if "since" in params:
        params["from"] = params.pop("since")
    return search(index, parse_query(params, NOW), numbers=numbers)


def ids(found: Found) -> list[str]:
    return [conversation.telephony_session_id for conversation in found.conversations]
