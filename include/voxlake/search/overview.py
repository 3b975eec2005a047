"""The state of the archive: day by day, what is still to come and until when, and what has failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from voxlake.archive.deadlines import AT_RISK, deletion_times
from voxlake.archive.plan import is_to_fetch
from voxlake.lake import layout
from voxlake.lake.days import read_day
from voxlake.lake.schemas import RECONCILIATION
from voxlake.lake.storage import Storage
from voxlake.ringcentral.grants import Grant
from voxlake.search import words
from voxlake.search.index import Database, Files, SearchIndex, paths
from voxlake.search.summaries import as_day, as_time

Row = dict[str, Any]

PENDING_SHOWN = 200
_READS_AT_ONCE = 16
_NEVER_COMPARED: Row = {"calls_missing": 0, "reconciled_at": None}

_COUNTED = ("calls", "recordings", "held", "pending", "failed", "unavailable", "complete", "partial", "unmerged")
_COUNTS = """
select day, sum(calls) as calls, sum(recordings) as recordings, sum(held) as held, sum(pending) as pending,
  sum(failed) as failed, sum(unavailable) as unavailable, count(*) filter (status = 'complete') as complete,
  count(*) filter (status = 'partial') as partial, count(*) filter (unmerged) as unmerged
from read_parquet($files) group by day
"""
_NOT_HELD = """
select provider, id, unnest(not_held, max_depth := 2) from read_parquet($files) where pending + failed + unavailable > 0
"""
_KEPT = "select unnest(kept, max_depth := 2) from read_parquet($files)"


@dataclass(frozen=True)
class DayState:
    """A UTC day: of the conversations that begin on it.

    Attributes:
        day: Which.
        calls: Call-log records in the lake.
        calls_missing: Records that the source lists and the lake does not have, as last compared.
        recordings: Recordings that they claim.
        held: Of these, held in the lake.
        pending: Of these, still to be fetched.
        failed: Of these, could not be downloaded; the next run tries again.
        unavailable: Of these, the source cannot give them.
        complete: Sessions merged with all their recordings.
        partial: Sessions merged, but something is missing.
        unmerged: Sessions with recordings held that no merged file has.
        reconciled_at: When the day was last compared with the source; None if never.
        state: The worst that can be said of it: `failed` (recordings failed, or calls are missing), `pending`
            (recordings are to come, or to be merged), `partial` (something cannot be had), `well`, or `empty`.
    """

    day: date
    calls: int
    calls_missing: int
    recordings: int
    held: int
    pending: int
    failed: int
    unavailable: int
    complete: int
    partial: int
    unmerged: int
    reconciled_at: datetime | None
    state: str


@dataclass(frozen=True)
class PendingRecording:
    """A recording that is still to be fetched, and when the provider deletes it, most likely."""

    recording_id: str
    telephony_session_id: str
    day: date
    start_time: datetime
    status: str
    error: str | None
    deletes_at: datetime
    at_risk: bool


@dataclass(frozen=True)
class FailureGroup:
    """Recordings of a provider that are not held for the same reason.

    Attributes:
        provider: `ringcentral` or `sinch`.
        status: `failed` or `unavailable`.
        reason: `failed`, or the unavailable_reason.
        words: The same in words that need no knowledge of Voxlake.
        recordings: How many.
        sessions: Their telephonySessionIds, each with the UTC days of its recordings, the newest first.
        can_be_tried: Whether a run for just these may bring something.
        example: What the latest of them says in its column error.
    """

    provider: str
    status: str
    reason: str
    words: str
    recordings: int
    sessions: tuple[tuple[str, tuple[date, ...]], ...]
    can_be_tried: bool
    example: str | None


@dataclass(frozen=True)
class ArchiveState:
    """The state of the archive.

    Attributes:
        days: Every day that was asked for, in order.
        pending: What is to be fetched in the whole lake, the first to be deleted first; at most `PENDING_SHOWN`.
        pending_total: How many there are.
        at_risk: How many of these the provider deletes within 14 days.
        failures: Of the days that were asked for, the largest group first.
        grants: What RingCentral grants each credential and what of it is used.
    """

    days: tuple[DayState, ...]
    pending: tuple[PendingRecording, ...]
    pending_total: int
    at_risk: int
    failures: tuple[FailureGroup, ...]
    grants: tuple[Grant, ...]


def archive_state(
    index: SearchIndex,
    *,
    since: date,
    until: date,
    now: datetime,
    retention: timedelta,
    limit: int,
    grants: Sequence[Grant],
) -> ArchiveState:
    """The state of the archive.

    Args:
        index: Of the lake.
        since: The first UTC day of the calendar.
        until: The last one, included.
        now: What counts as now.
        retention: The setting `recording_retention`.
        limit: The setting `recording_limit`.
        grants: As `voxlake.ringcentral.grants.read_grants(open_state(settings.quota_url, settings.state_dir))` has
            them, which asks RingCentral nothing.
    """
    pending = index.read(
        (now - retention).date() - timedelta(days=1),
        now.date(),
        lambda database, files: _pending(database, files, now, retention, limit),
    )
    counted, not_held = index.read(
        since, until, lambda database, files: (_counted(database, files), _not_held(database, files))
    )
    compared = _compared(index.storage, since, until)
    return ArchiveState(
        days=tuple(
            _day_state(day, counted.get(day, {}), compared.get(day, _NEVER_COMPARED)) for day in _days(since, until)
        ),
        pending=tuple(pending[:PENDING_SHOWN]),
        pending_total=len(pending),
        at_risk=sum(one.at_risk for one in pending),
        failures=_failures(not_held),
        grants=tuple(grants),
    )


def _counted(database: Database, files: Files) -> dict[date, Row]:
    """What the conversations of each day come to."""
    return {as_day(row["day"]): row for row in _query(database, files, _COUNTS)}


def _not_held(database: Database, files: Files) -> list[Row]:
    return list(_query(database, files, _NOT_HELD))


def _query(database: Database, files: Files, sql: str) -> Iterator[Row]:
    if not files:
        return
    result = database.execute(sql, {"files": paths(files)})
    names = [name for name, *_ in result.description or ()]
    for values in result.fetchall():
        yield dict(zip(names, values, strict=True))


def _pending(
    database: Database, files: Files, now: datetime, retention: timedelta, limit: int
) -> list[PendingRecording]:
    """What is to be fetched, the first to be deleted first; as `voxlake.archive.deadlines` reckons it."""
    starts: defaultdict[str, list[datetime]] = defaultdict(list)
    for row in _query(database, files, _KEPT):
        starts[row["account_id"]].append(as_time(row["start_ms"]))
    deleted = {
        account: dict(zip(times, deletion_times(times, now, retention, limit), strict=True))
        for account, times in starts.items()
    }
    rows = [row | {"start_time": as_time(row["start_ms"])} for row in _query(database, files, _NOT_HELD)]
    pending = [
        PendingRecording(
            recording_id=row["recording_id"],
            telephony_session_id=row["id"],
            day=row["start_time"].date(),
            start_time=row["start_time"],
            status=row["status"],
            error=row["error"],
            deletes_at=deletes_at,
            at_risk=deletes_at <= now + AT_RISK,
        )
        for row in rows
        if is_to_fetch(row) and (deletes_at := deleted[row["account_id"]][row["start_time"]])
    ]
    return sorted(pending, key=lambda one: (one.deletes_at, one.start_time, one.recording_id))


def _compared(storage: Storage, since: date, until: date) -> dict[date, Row]:
    """Of each day that was compared with the source, how many calls are missing, and when that was."""
    first, last = (layout.table_file(RECONCILIATION.name, day) for day in (since, until + timedelta(days=1)))
    listed = storage.versions(f"tables/{RECONCILIATION.name}", first, last)
    days = [day for day in _days(since, until) if layout.table_file(RECONCILIATION.name, day) in listed]

    def read(day: date) -> Row:
        rows, _ = read_day(storage, RECONCILIATION, day, columns=["calls_missing", "reconciled_at"])
        found = [] if rows is None else rows.to_pylist()
        return {
            "calls_missing": sum(row["calls_missing"] or 0 for row in found),
            "reconciled_at": max((row["reconciled_at"] for row in found), default=None),
        }

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return dict(zip(days, pool.map(read, days), strict=True))


def _days(since: date, until: date) -> list[date]:
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


def _day_state(day: date, counted: Row, compared: Row) -> DayState:
    numbers: Row = {name: int(counted.get(name) or 0) for name in _COUNTED}
    return DayState(day=day, **numbers, **compared, state=_state(numbers, compared["calls_missing"]))


def _state(numbers: Row, calls_missing: int) -> str:
    if numbers["failed"] or calls_missing:
        return "failed"
    if numbers["pending"] or numbers["unmerged"]:
        return "pending"
    if numbers["unavailable"] or numbers["partial"]:
        return "partial"
    return "well" if numbers["calls"] or numbers["recordings"] else "empty"


def _failures(not_held: Iterable[Row]) -> tuple[FailureGroup, ...]:
    by_reason: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in not_held:
        if row["status"] != "pending":
            by_reason[row["provider"], row["status"], row["unavailable_reason"] or row["status"]].append(row)
    groups = [_failure_group(*named, rows) for named, rows in by_reason.items()]
    return tuple(sorted(groups, key=lambda group: (-group.recordings, group.reason, group.provider)))


def _failure_group(provider: str, status: str, reason: str, rows: Iterable[Row]) -> FailureGroup:
    newest_first = sorted(rows, key=lambda row: (-row["start_ms"], row["recording_id"]))
    sessions: defaultdict[str, set[date]] = defaultdict(set)
    for row in newest_first:
        sessions[row["id"]].add(as_time(row["start_ms"]).date())
    return FailureGroup(
        provider=provider,
        status=status,
        reason=reason,
        words=words.not_there(reason),
        recordings=len(newest_first),
        sessions=tuple((session, tuple(sorted(days))) for session, days in sessions.items()),
        can_be_tried=any(is_to_fetch(row | {"start_time": as_time(row["start_ms"])}) for row in newest_first),
        example=next((row["error"] for row in newest_first if row["error"]), None),
    )
