"""Reconcile Sinch: its daily call detail records beside what the archive holds, a row an application and day."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Literal

from voxlake.archive.reconcile import (
    ReconciledDay,
    ReconciliationFailedError,
    compare_sessions,
    count_recordings,
    of_day,
    read_around,
    summary,
)
from voxlake.archive.sinch_calls import PROVIDER
from voxlake.lake import tables
from voxlake.lake.schemas import CALLS, RECONCILIATION, RECORDINGS
from voxlake.lake.storage import Storage
from voxlake.sinch.cdr import CallRecord, parse_records
from voxlake.sinch.landing import LandedFile, Landing

log = logging.getLogger(__name__)

Row = dict[str, Any]

# Which calls are to have a recording: those that Sinch told of one of, or every answered one.
Recorded = Literal["told", "answered"]

_SHOWN = 20
_RECORDING_COLUMNS = ("recording_id", "call_id", "telephony_session_id", "start_time", "status", "unavailable_reason")


def read_records(storage: Storage, landing: Landing, files: Iterable[LandedFile]) -> list[CallRecord]:
    """The calls in some files of call detail records.

    Raises:
        RecordFileError: A file is none.
        BucketRefusedError: It may not be read.
    """
    records: list[CallRecord] = []
    for file in files:
        with storage.scratch() as scratch:
            landing.fetch(file, scratch)
            parsed, rejected = parse_records(scratch.read_bytes(), file.uri)
        records += parsed
        for line in rejected:
            log.warning("a call detail record is left out: %s", line)
    return records


def reconcile_records(
    storage: Storage, records: Sequence[CallRecord], days: Iterable[date], recorded: Recorded, now: datetime
) -> list[ReconciledDay]:
    """Compares UTC days with the records of their calls, and writes a row an application and day.

    Args:
        storage: The lake.
        records: Of these days and others, in any order, with repetitions or not.
        days: Which days; one without a record is left out, as its file has not come.
        recorded: Which calls are to have a recording.
        now: What counts as now.
    """
    wanted = set(days)
    by_day: defaultdict[tuple[str, date], dict[str, CallRecord]] = defaultdict(dict)
    for record in records:
        if record.day in wanted and record.application_key:
            by_day[record.application_key, record.day][record.call_id] = record
    for day in sorted(wanted - {day for _, day in by_day}):
        log.warning("no call detail record of %s was found: the day is not compared", day)
    reconciled = [
        _compare(storage, account, day, calls, recorded, now) for (account, day), calls in sorted(by_day.items())
    ]
    tables.upsert(storage, RECONCILIATION, tables.to_arrow(RECONCILIATION, [day.row for day in reconciled]))
    log.info("compared %d days with Sinch's call detail records\n%s", len(reconciled), summary(reconciled))
    return reconciled


def _compare(
    storage: Storage, account: str, day: date, source: dict[str, CallRecord], recorded: Recorded, now: datetime
) -> ReconciledDay:
    calls = read_around(storage, CALLS, day, account, ("call_id", "start_time"))
    in_lake = set(calls["call_id"].to_pylist())
    on_day = set(of_day(calls, day)["call_id"].to_pylist())
    recordings = read_around(storage, RECORDINGS, day, account, (*_RECORDING_COLUMNS, "size_bytes"))
    known = set(recordings["call_id"].to_pylist()) | set(recordings["telephony_session_id"].to_pylist())
    expected = {call_id for call_id, call in source.items() if call.answered} if recorded == "answered" else set()
    unheard_of = sorted(expected - known)
    numbers = count_recordings(of_day(recordings, day))
    sessions, unmerged = compare_sessions(storage, day, recordings, account)
    row = {
        "provider": PROVIDER,
        "account_id": account,
        "day": datetime.combine(day, time(), UTC),
        "reconciled_at": now,
        "calls_in_source": len(source),
        "calls_in_lake": len(on_day),
        "calls_missing": len(source.keys() - in_lake),
        "calls_gone": len(on_day - source.keys()),
        **numbers,
        "recordings_claimed": numbers["recordings_claimed"] + len(unheard_of),
        "recordings_pending": numbers["recordings_pending"] + len(unheard_of),
        "recordings_at_risk": 0,
        "first_deletion_at": None,
        **sessions,
    }
    failed = [
        f"recording {found['recording_id']} of call {found['call_id']} failed: see error in the table recordings"
        for found in of_day(recordings, day).to_pylist()
        if found["status"] == "failed"
    ]
    lines = [f"call {call_id} was answered, and no recording of it came" for call_id in unheard_of]
    return ReconciledDay(row, (*lines, *failed, *unmerged))


def raise_for_unrecorded(reconciled: Sequence[ReconciledDay], allowed: int) -> None:
    """Ends a run that leaves more missing than is allowed: recordings, and conversations to merge.

    Calls do not count: of one that nobody recorded and no callback told of there is nothing to archive.

    Raises:
        ReconciliationFailedError: More than `allowed` are missing.
    """
    missing = sum(day.recordings_missing + day.row["sessions_unmerged"] for day in reconciled)
    if missing <= allowed:
        return
    lines = [f"  {day.day}: {line}" for day in reconciled for line in day.missing]
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"  … and {len(lines) - _SHOWN} more: see the tables recordings and reconciliation"]
    raise ReconciliationFailedError(
        f"{missing} recordings and merged conversations of Sinch are missing, and VOXLAKE_RECONCILE_MISSING_ALLOWED is "
        f"{allowed}. Run sinch_recordings for these days; if no file is in the bucket, look whether the calls were "
        "recorded and whether the bucket credentials of the connection are good.\n" + "\n".join(lines)
    )
