"""One conversation, gathered from all tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from voxlake.archive.plan import days_around
from voxlake.archive.transfers import SESSION_OF_CALL
from voxlake.lake import layout, tables
from voxlake.lake.schemas import CALLS, CONVERSATIONS, LEGS, RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage
from voxlake.lake.versions import merge_versions
from voxlake.search import words
from voxlake.search.facts import (
    Call,
    Conversation,
    Leg,
    LinkedSession,
    Missing,
    Party,
    Recording,
)
from voxlake.search.index import Database, Files, SearchIndex, paths
from voxlake.search.masking import masked
from voxlake.search.merged_audio import merged_audio
from voxlake.search.raw_source import find_raw_pages
from voxlake.search.summaries import as_day

Row = dict[str, Any]

_ANY_DAY = (date(2000, 1, 1), date(2099, 12, 31))
_RINGCENTRAL = "ringcentral"


class ConversationMissingError(LookupError):
    """The lake has no conversation of this id."""


def read_conversation(
    index: SearchIndex,
    provider: str,
    telephony_session_id: str,
    *,
    day: date | None,
    tolerance: timedelta,
    numbers: bool,
) -> Conversation:
    """All of one conversation.

    Args:
        index: Of the lake.
        provider: `ringcentral`, `sinch`.
        telephony_session_id: Which.
        day: Where to look first. If it is not there, nor on the days around, the index says where it is; that takes
            as long as a search over everything.
        tolerance: The setting `recording_tolerance`.
        numbers: Whether the reader may see phone numbers; if not, they are masked.

    Raises:
        ConversationMissingError: There is none, or the id is none that a conversation can have.
    """
    missing = ConversationMissingError(f"{telephony_session_id!r} of {provider!r} is not in the archive")
    if not layout.is_safe_id(telephony_session_id):
        raise missing
    rows = _gather(index.storage, provider, telephony_session_id, {day}) if day else None
    if rows is None:
        known = _days_in_index(index, provider, telephony_session_id)
        rows = _gather(index.storage, provider, telephony_session_id, known) if known else None
    if rows is None:
        raise missing
    return _conversation(index.storage, provider, telephony_session_id, rows, tolerance, numbers=numbers)


@dataclass(frozen=True)
class _Rows:
    """The rows of a conversation, in order; `session` is None where nothing was merged."""

    calls: Sequence[Row]
    legs: Sequence[Row]
    recordings: Sequence[Row]
    session: Row | None


def _gather(storage: Storage, provider: str, session_id: str, days: set[date]) -> _Rows | None:
    """What the days and those around have of a conversation, and wherever it goes on from there; None if nothing."""
    looked = days_around(days)
    named = pc.field("telephony_session_id") == session_id
    while True:
        calls = _read(storage, CALLS, looked, pc.coalesce(SESSION_OF_CALL, pc.field("call_id")) == session_id, provider)
        recordings = _read(storage, RECORDINGS, looked, named, provider)
        sessions = _read(storage, SESSIONS, looked, named, provider)
        there = {row["start_time"].date() for row in (*calls, *recordings, *sessions)}
        if not there:
            return None
        if days_around(there) <= looked:
            break
        looked |= days_around(there)
    legs = _read(storage, LEGS, looked, pc.field("call_id").isin([row["call_id"] for row in calls]), provider)
    return _Rows(calls, legs, recordings, max(sessions, key=lambda row: len(row["recording_ids"] or []), default=None))


def _read(storage: Storage, table: Table, days: set[date], where: pc.Expression | None, provider: str) -> list[Row]:
    """Rows of a provider, once each, by time: one that moves over midnight may be met on both days."""
    found = merge_versions(table, tables.read(storage, table, days, where))
    if "provider" in table.schema.names:
        found = found.filter(pc.coalesce(pc.field("provider"), pa.scalar(_RINGCENTRAL)) == provider)
    elif provider != _RINGCENTRAL:
        return []
    rows: list[Row] = found.to_pylist()
    return rows


def _days_in_index(index: SearchIndex, provider: str, session_id: str) -> set[date]:
    def read(database: Database, files: Files) -> set[date]:
        if not files:
            return set()
        found = database.execute(
            "select day from read_parquet($files) where id = $id and provider = $provider",
            {"files": paths(files), "id": session_id, "provider": provider},
        ).fetchall()
        return {as_day(day) for (day,) in found}

    return index.read(*_ANY_DAY, read)


def _conversation(
    storage: Storage, provider: str, session_id: str, rows: _Rows, tolerance: timedelta, *, numbers: bool
) -> Conversation:
    start, duration_ms = _extent(rows)
    pages = find_raw_pages(storage, rows.calls) if provider == _RINGCENTRAL else {}
    shown = rows if numbers else _masked(rows)
    first = next(iter(shown.calls), shown.session or {})
    return Conversation(
        provider=provider,
        telephony_session_id=session_id,
        day=start.date(),
        start_time=start,
        duration_ms=duration_ms,
        direction=first.get("direction"),
        result=first.get("result"),
        caller=_party(first, "from"),
        called=_party(first, "to"),
        status=status_of(rows.recordings, rows.session),
        calls=tuple(_call(call, shown.legs, pages.get(call["call_id"])) for call in shown.calls),
        recordings=tuple(_recording(row) for row in rows.recordings),
        audio=merged_audio(shown.session, shown.recordings, shown.calls, shown.legs, tolerance),
        missing=_missing(rows),
        linked=_linked(storage, provider, session_id, start.date(), numbers=numbers),
    )


def _masked(rows: _Rows) -> _Rows:
    return _Rows(
        [masked(row) for row in rows.calls],
        [masked(row) for row in rows.legs],
        rows.recordings,
        rows.session and masked(rows.session) | {"chapters": [masked(each) for each in rows.session["chapters"] or ()]},
    )


def _extent(rows: _Rows) -> tuple[datetime, int]:
    """When it started, and how many milliseconds it lasted, as the index has it."""
    starts = [row["start_time"] for row in (*rows.calls, *rows.recordings)]
    ends = [_end(row["start_time"], row["duration_ms"]) for row in rows.calls]
    if rows.session:
        starts.append(rows.session["start_time"])
    if not ends:
        ends = [_end(row["start_time"], row["duration_ms"] or row["claimed_ms"]) for row in rows.recordings]
        ends += [rows.session["end_time"]] if rows.session and rows.session["end_time"] else []
    return min(starts), round((max(ends) - min(starts)) / timedelta(milliseconds=1))


def _end(start: datetime, duration_ms: int | None) -> datetime:
    return start + timedelta(milliseconds=duration_ms or 0)


def status_of(recordings: Iterable[Row], session: Row | None) -> str | None:
    """The status of a conversation, from its rows of recordings and sessions; see `FoundConversation.status`."""
    statuses = {row["status"] for row in recordings}
    if session is not None:
        claimed = {row["recording_id"] for row in recordings}
        whole = session["status"] == "complete" and claimed <= set(session["recording_ids"] or ())
        return "complete" if whole else "partial"
    if "failed" in statuses:
        return "failed"
    if statuses & {"pending", "downloaded"}:
        return "pending"
    return "unavailable" if statuses else None


def _party(row: Mapping[str, Any], side: str) -> Party:
    return Party(
        phone_number=row.get(f"{side}_phone_number"),
        name=row.get(f"{side}_name"),
        extension_number=row.get(f"{side}_extension_number"),
        location=row.get(f"{side}_location"),
    )


def _call(row: Row, legs: Iterable[Row], raw_page: str | None) -> Call:
    ours = (leg for leg in legs if (leg["account_id"], leg["call_id"]) == (row["account_id"], row["call_id"]))
    return Call(
        **{name: row[name] for name in ("call_id", "start_time", "duration_ms", "direction", "type", "action")},
        **{name: row[name] for name in ("result", "reason_description", "recording_id", "extracted_at")},
        caller=_party(row, "from"),
        called=_party(row, "to"),
        deleted=bool(row["deleted"]),
        legs=tuple(_leg(leg) for leg in sorted(ours, key=lambda leg: leg["leg_index"])),
        raw_page=raw_page,
    )


def _leg(row: Row) -> Leg:
    return Leg(
        **{name: row[name] for name in ("leg_index", "leg_type", "start_time", "duration_ms", "direction", "action")},
        **{name: row[name] for name in ("result", "reason_description", "recording_id")},
        **{name: row[name] for name in ("transfer_target_session_id", "transferee_session_id")},
        caller=_party(row, "from"),
        called=_party(row, "to"),
    )


def _recording(row: Row) -> Recording:
    why: str | None = None
    if row["status"] != "downloaded":
        why = words.not_there(row["unavailable_reason"] or row["status"])
    elif row["defect"]:
        why = words.not_whole(row["defect"])
    return Recording(
        **{name: row[name] for name in ("recording_id", "call_id", "leg_index", "type", "start_time", "status")},
        **{name: row[name] for name in ("unavailable_reason", "defect", "audio_path", "content_type", "size_bytes")},
        **{name: row[name] for name in ("sha256", "duration_ms", "claimed_ms", "downloaded_at")},
        day=row["start_time"].date(),
        why=why,
    )


def _missing(rows: _Rows) -> tuple[Missing, ...]:
    """What the merged file lacks, as noted when it was made, and what became known since."""
    merged = set(rows.session["recording_ids"] or ()) if rows.session else set()
    noted = (rows.session["missing"] or []) if rows.session else []
    found = [
        Missing(
            each["recording_id"],
            each["reason"],
            (words.not_whole if each["recording_id"] in merged else words.not_there)(each["reason"]),
            each["detail"],
        )
        for each in noted
    ]
    known = merged | {each["recording_id"] for each in noted}
    for row in rows.recordings:
        if row["recording_id"] not in known and (rows.session or row["status"] != "downloaded"):
            why: str = row["unavailable_reason"] or row["status"]
            found.append(Missing(row["recording_id"], why, words.not_there(why), row["error"]))
    return tuple(found)


def _linked(storage: Storage, provider: str, session_id: str, day: date, *, numbers: bool) -> tuple[LinkedSession, ...]:
    # The first session of a conversation may have begun the day before, and its row lies there.
    for row in _read(storage, CONVERSATIONS, days_around([day]), None, provider):
        if session_id in row["telephony_session_ids"]:
            return tuple(_linked_session(each if numbers else masked(each), row["links"]) for each in row["sessions"])
    return ()


def _linked_session(member: Row, links: Iterable[Row]) -> LinkedSession:
    session_id, start = member["telephony_session_id"], member["start_time"]
    return LinkedSession(
        telephony_session_id=session_id,
        day=start.date() if start else None,
        start_time=start,
        end_time=member["end_time"],
        caller=_party(member, "from"),
        called=_party(member, "to"),
        transferred_to=tuple(link["to_session_id"] for link in links if link["from_session_id"] == session_id),
    )
