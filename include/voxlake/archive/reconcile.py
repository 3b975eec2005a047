"""Reconcile: what the source claims beside what the archive holds, a row a day, and whether something is missing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from voxlake.archive.deadlines import AT_RISK, aligned, read_deadlines
from voxlake.archive.plan import days_around
from voxlake.archive.source_days import SourceDay
from voxlake.lake import tables
from voxlake.lake.schemas import CALLS, RECONCILIATION, RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage
from voxlake.ringcentral.records import PROVIDER

log = logging.getLogger(__name__)

Row = dict[str, Any]

_SHOWN = 20
_TO_COME = ("pending", "failed")
_REASONS = ("record_deleted", "removed", "expired", "not_found", "damaged")
_SUMMARY = {
    "calls_in_source": "calls",
    "calls_in_lake": "in lake",
    "calls_missing": "missing",
    "calls_gone": "gone",
    "recordings_claimed": "recordings",
    "recordings_downloaded": "held",
    "recordings_pending": "pending",
    "recordings_failed": "failed",
    "recordings_unavailable": "unavailable",
    "recordings_at_risk": "at risk",
    "sessions_recorded": "sessions",
    "sessions_complete": "complete",
    "sessions_partial": "partial",
    "sessions_unmerged": "unmerged",
}


class ReconciliationFailedError(RuntimeError):
    """More is missing than is allowed; the text says what, and what to do."""


@dataclass(frozen=True)
class ReconciledDay:
    """A day that was compared.

    Attributes:
        row: Its row in `reconciliation`.
        missing: What is missing in words, a line each: recordings, the first to be deleted first, calls and sessions.
    """

    row: Row
    missing: tuple[str, ...]

    @property
    def day(self) -> date:
        """The UTC day."""
        day: date = self.row["day"].date()
        return day

    @property
    def recordings_missing(self) -> int:
        """Recordings that the lake does not hold; those that the provider has no more do not count."""
        missing: int = self.row["recordings_pending"] + self.row["recordings_failed"]
        return missing


def reconcile_days(
    storage: Storage,
    days: Iterable[date],
    source: Mapping[date, SourceDay],
    now: datetime,
    retention: timedelta,
    limit: int,
    older: Iterable[date] = (),
) -> list[ReconciledDay]:
    """Compares UTC days with the source, and writes a row each into `reconciliation`.

    Args:
        storage: The lake.
        days: Which days.
        source: What the source lists for them, read just before.
        now: What counts as now.
        retention: How long the provider keeps a recording after its start.
        limit: How many recordings it keeps for an account.
        older: Further days, which the source was not read for: their calls stay as they were compared before.

    Returns:
        The days, in order.

    Raises:
        ValueError: `source` does not have one of the days, or no page of it names the account.
        VersionConflictError: Other processes kept replacing the table's file of a day.
    """
    days = sorted(set(days))
    if unread := [str(day) for day in days if day not in source]:
        raise ValueError(f"the source was not read for {', '.join(unread)}: nothing to compare with")
    accounts = [of_day.account_id for of_day in source.values() if of_day.account_id is not None]
    if days and not accounts:
        raise ValueError("no call-log page of the run names its account; expected /account/{id}/ in its uri")
    older = sorted(set(older) - set(days))
    reconciled = [_compare(storage, day, None, accounts[0], now) for day in older]
    reconciled += [_compare(storage, day, source[day], source[day].account_id or accounts[0], now) for day in days]
    if any(day.recordings_missing for day in reconciled):
        deadlines = read_deadlines(storage, [*older, *days], now, retention, limit)
        reconciled = [_with_deadlines(day, deadlines, now) for day in reconciled]
    tables.upsert(storage, RECONCILIATION, tables.to_arrow(RECONCILIATION, [day.row for day in reconciled]))
    log.info("compared %d days with the source\n%s", len(reconciled), summary(reconciled))
    return reconciled


def raise_for_missing(reconciled: Sequence[ReconciledDay], allowed: int) -> None:
    """Ends a run that leaves more missing than is allowed; what the provider has no more does not count.

    Raises:
        ReconciliationFailedError: More than `allowed` calls, recordings and sessions are missing.
    """
    calls = sum(day.row["calls_missing"] or 0 for day in reconciled)
    recordings = sum(day.recordings_missing for day in reconciled)
    sessions = sum(day.row["sessions_unmerged"] for day in reconciled)
    missing = calls + recordings + sessions
    if missing <= allowed:
        return
    lines = [f"  {day.day}: {line}" for day in reconciled for line in day.missing]
    if missing > _SHOWN:
        lines[_SHOWN:] = [f"  … and {missing - _SHOWN} more: see the tables recordings and reconciliation"]
    raise ReconciliationFailedError(
        f"{calls} calls, {recordings} recordings and {sessions} merged sessions are missing, and "
        f"VOXLAKE_RECONCILE_MISSING_ALLOWED is {allowed}. The next night tries again; to do so now, clear the failed "
        "download and merge tasks with downstream, or run these days again. A rejected call lands once Voxlake can "
        "read it.\n" + "\n".join(lines)
    )


def summary(reconciled: Sequence[ReconciledDay]) -> str:
    """The days as a table for people, and below it why the provider does not have recordings any more."""
    lines = [["day", *_SUMMARY.values(), "first deletion"]]
    for day in reconciled:
        deletion = day.row["first_deletion_at"]
        numbers = (str(day.row[name]) for name in _SUMMARY)
        lines.append([str(day.day), *numbers, "-" if deletion is None else str(deletion.date())])
    told = [line for day in reconciled if (line := _unavailable(day))]
    return "\n".join([aligned(lines), *told])


def _unavailable(day: ReconciledDay) -> str:
    numbers = {reason.replace("_", " "): day.row[f"unavailable_{reason}"] for reason in _REASONS}
    told = ", ".join(f"{number} {reason}" for reason, number in numbers.items() if number)
    return f"{day.day}: the provider cannot give: {told}" if told else ""


def _compare(storage: Storage, day: date, source: SourceDay | None, account: str, now: datetime) -> ReconciledDay:
    columns = ("recording_id", "telephony_session_id", "start_time", "status", "unavailable_reason", "size_bytes")
    recordings = read_around(storage, RECORDINGS, day, account, columns)
    calls, missing_calls = (
        _compare_calls(storage, day, source, account) if source else (_compared_before(storage, day, account), [])
    )
    sessions, unmerged = compare_sessions(storage, day, recordings, account)
    row = {
        "provider": PROVIDER,
        "account_id": account,
        "day": datetime.combine(day, time(), UTC),
        # When the calls were compared says what is settled; the rest may be newer.
        "reconciled_at": now,
        **calls,
        **count_recordings(of_day(recordings, day)),
        "recordings_at_risk": 0,
        "first_deletion_at": None,
        **sessions,
    }
    return ReconciledDay(row, (*missing_calls, *unmerged))


def _compare_calls(storage: Storage, day: date, source: SourceDay, account: str) -> tuple[Row, list[str]]:
    """The numbers of the calls, and a line for each that is missing."""
    calls = read_around(storage, CALLS, day, account, ("call_id", "start_time"))
    held = of_day(calls, day)
    listed = pc.is_in(held["call_id"], value_set=pa.array(source.call_ids, pa.string()))
    # Near midnight, the source may say another day now than when the call landed.
    missing = sorted(source.call_ids - set(calls["call_id"].to_pylist()))
    numbers = {
        "calls_in_source": len(source.call_ids) + source.nameless,
        "calls_in_lake": held.num_rows,
        "calls_missing": len(missing) + source.nameless,
        "calls_gone": held.num_rows - pc.sum(listed, min_count=0).as_py(),
    }
    named = ["a call without an id"] * source.nameless + [f"call {call_id}" for call_id in missing]
    why = " and ".join(f"{folder}/rejected/" for folder in source.raw_folders)
    return numbers, [f"{name} did not land: {why} says why" for name in named]


def _compared_before(storage: Storage, day: date, account: str) -> Row:
    """The numbers of the calls in the day's row; null where it has none."""
    columns = ["calls_in_source", "calls_in_lake", "calls_missing", "calls_gone"]
    rows = tables.read(storage, RECONCILIATION, [day], pc.field("account_id") == account, columns).to_pylist()
    return rows[0] if rows else dict.fromkeys(columns)


def count_recordings(recordings: pa.Table) -> Row:
    """The numbers of the recordings of a day, from their rows."""
    statuses = Counter(recordings["status"].to_pylist())
    reasons = Counter(recordings.filter(pc.field("status") == "unavailable")["unavailable_reason"].to_pylist())
    return {
        "recordings_claimed": recordings.num_rows,
        "recordings_downloaded": statuses["downloaded"],
        "recordings_pending": statuses["pending"],
        "recordings_failed": statuses["failed"],
        "recordings_unavailable": statuses["unavailable"],
        **{f"unavailable_{reason}": reasons[reason] for reason in _REASONS},
        "recordings_bytes": _sum(recordings.filter(pc.field("status") == "downloaded")["size_bytes"]),
    }


def compare_sessions(storage: Storage, day: date, recordings: pa.Table, account: str) -> tuple[Row, list[str]]:
    """The numbers of the sessions that begin on a day, and a line for each that is not merged with all that is held."""
    columns = ("telephony_session_id", "recording_ids", "status", "start_time", "size_bytes")
    rows = read_around(storage, SESSIONS, day, account, columns)
    merged: dict[str, set[str]] = {}
    partial: set[str] = set()
    for session, ids, status in zip(*(rows[name].to_pylist() for name in columns[:3]), strict=True):
        merged.setdefault(session, set()).update(ids)
        if status == "partial":
            partial.add(session)
    claimed: dict[str, set[str]] = {}
    held: dict[str, set[str]] = {}
    names = ("telephony_session_id", "recording_id", "status")
    by_start = recordings.sort_by("start_time")
    begun_on_day = dict.fromkeys(of_day(by_start, day)["telephony_session_id"].to_pylist())
    before = set(by_start.filter(_before(day))["telephony_session_id"].to_pylist())
    for session, recording, status in zip(*(by_start[name].to_pylist() for name in names), strict=True):
        claimed.setdefault(session, set()).add(recording)
        if status == "downloaded":
            held.setdefault(session, set()).add(recording)
    recorded = [session for session in begun_on_day if session not in before]
    states = {
        session: _state(
            claimed[session], held.get(session, set()), merged.get(session, set()), partial=session in partial
        )
        for session in recorded
    }
    counted = Counter(states.values())
    numbers = {
        "sessions_recorded": len(recorded),
        **{f"sessions_{state}": counted[state] for state in ("complete", "partial", "unmerged")},
        "sessions_bytes": _sum(of_day(rows, day)["size_bytes"]),
    }
    unmerged = [session for session, state in states.items() if state == "unmerged"]
    return numbers, [
        f"session {session}: recordings are held that its merged file does not have" for session in unmerged
    ]


def _state(claimed: set[str], held: set[str], merged: set[str], *, partial: bool) -> str | None:
    """What has become of a session; None if it has no recording to merge."""
    if held - merged:
        return "unmerged"
    if claimed <= merged and not partial:
        return "complete"
    return "partial" if merged else None


def _with_deadlines(reconciled: ReconciledDay, deadlines: Sequence[Row], now: datetime) -> ReconciledDay:
    row = reconciled.row
    ours = [
        recording
        for recording in deadlines
        if recording["status"] in _TO_COME
        and (recording["account_id"], recording["start_time"].date()) == (row["account_id"], reconciled.day)
    ]
    known = {
        "recordings_at_risk": sum(recording["deletes_at"] <= now + AT_RISK for recording in ours),
        "first_deletion_at": min((recording["deletes_at"] for recording in ours), default=None),
    }
    lines = [
        f"recording {recording['recording_id']} of session {recording['telephony_session_id']} is "
        f"{recording['status']}, deleted by the provider about {recording['deletes_at']:%Y-%m-%d}: "
        f"{recording['error'] or 'not tried yet'}"
        for recording in ours
    ]
    return replace(reconciled, row=row | known, missing=(*lines, *reconciled.missing))


def read_around(storage: Storage, table: Table, day: date, account: str, columns: Sequence[str]) -> pa.Table:
    """The rows of an account on a day and those around it."""
    return tables.read(storage, table, days_around([day]), pc.field("account_id") == account, columns)


def of_day(rows: pa.Table, day: date) -> pa.Table:
    """The rows that start on a UTC day."""
    return rows.filter(~_before(day) & _before(day + timedelta(days=1)))


def _before(day: date) -> pc.Expression:
    return pc.field("start_time") < pa.scalar(datetime.combine(day, time(), UTC), pa.timestamp("ms", "UTC"))


def _sum(sizes: pa.ChunkedArray) -> int:
    total: int = pc.sum(sizes, min_count=0).as_py()
    return total
