"""Deadlines: when the provider deletes the recordings that the archive does not hold yet."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from voxlake.archive.plan import is_to_fetch
from voxlake.lake import tables
from voxlake.lake.layout import RINGCENTRAL
from voxlake.lake.schemas import RECORDINGS
from voxlake.lake.storage import Storage

log = logging.getLogger(__name__)

Row = dict[str, Any]

# A recording is at risk so long before the provider deletes it.
AT_RISK = timedelta(days=14)

_SHOWN = 20

# A week has all its days once: a shorter time would take a weekend for the end of all calls.
_RATE_OVER = timedelta(days=7)

# With any other reason it may still be there, and takes a place among those that are kept.
DROPPED = ("record_deleted", "removed", "expired")
_COLUMNS = (
    "provider",
    "account_id",
    "recording_id",
    "telephony_session_id",
    "start_time",
    "status",
    "unavailable_reason",
    "error",
)


@dataclass(frozen=True)
class Backlog:
    """The recordings of the whole lake that are still to be fetched.

    Attributes:
        recordings: How many.
        at_risk: How many of them the provider deletes within `AT_RISK`, or has deleted since, most likely.
        oldest: When the oldest started; None if there is none.
        first: The row of `read_deadlines` that is deleted first; None if there is none.
    """

    recordings: int
    at_risk: int
    oldest: datetime | None
    first: Row | None


def read_backlog(storage: Storage, now: datetime, retention: timedelta, limit: int) -> Backlog:
    """What is still to be fetched; the arguments are those of `read_deadlines`."""
    rows = [row for row in read_deadlines(storage, (), now, retention, limit) if is_to_fetch(row)]
    return Backlog(
        recordings=len(rows),
        at_risk=sum(row["deletes_at"] <= now + AT_RISK for row in rows),
        oldest=min((row["start_time"] for row in rows), default=None),
        first=rows[0] if rows else None,
    )


def deletion_times(starts: Sequence[datetime], now: datetime, retention: timedelta, limit: int) -> list[datetime]:
    """When RingCentral deletes each recording of an account.

    It keeps a recording for 90 days, and 100,000 of an account: with one more, the oldest goes
    (https://developers.ringcentral.com/guide/voice/call-log/recordings). A recording goes by number when the one comes
    that is `limit` newer. If that one is there already, its start is the time; if not, new ones are taken to come
    evenly, as many in a time as came in the last seven days.

    Args:
        starts: When the recordings that the provider may still hold started, in any order.
        now: What counts as now.
        retention: How long a recording is kept after its start.
        limit: How many recordings are kept for the account.

    Returns:
        A time for each of `starts`, in their order; one that is past says that it has been deleted, most likely.
    """
    by_age = sorted(range(len(starts)), key=starts.__getitem__)
    came = sum(now - _RATE_OVER < start <= now for start in starts)
    times = list(starts)
    for place, number in enumerate(by_age):
        times[number] += retention
        newer = place + limit
        if newer < len(starts):
            times[number] = min(times[number], starts[by_age[newer]])
        # Nobody is interested in the time that a number takes to come which never comes.
        elif came and (wait := (newer - len(starts) + 1) / came * _RATE_OVER) < retention:
            times[number] = min(times[number], now + wait)
    return times


def read_deadlines(
    storage: Storage, days: Iterable[date], now: datetime, retention: timedelta, limit: int
) -> list[Row]:
    """The recordings of RingCentral that are not in the lake and may still be there, the first to be deleted first.

    All recordings of the retention are read (some columns of their rows), as they all count.

    Args:
        storage: The lake.
        days: Further UTC days to look at.
        now: What counts as now.
        retention: How long the provider keeps a recording after its start.
        limit: How many recordings it keeps for an account.

    Returns:
        Rows with `provider`, `account_id`, `recording_id`, `telephony_session_id`, `start_time`, `status`,
        `unavailable_reason`, `error` and, not a column of the table, `deletes_at`.
    """
    dropped = (pc.field("status") == "unavailable") & pc.field("unavailable_reason").isin(DROPPED)
    kept = {(now - retention).date() + timedelta(days=number) for number in range(retention.days + 2)}
    ours = pc.field("provider") == RINGCENTRAL
    recordings = tables.read(storage, RECORDINGS, {*kept, *days}, ours, _COLUMNS)
    recordings = recordings.filter(~pc.coalesce(dropped, pc.scalar(False)))
    rows: list[Row] = []
    for account in recordings["account_id"].unique().to_pylist():
        of_account = recordings.filter(pc.field("account_id") == account)
        times = deletion_times(of_account["start_time"].to_pylist(), now, retention, limit)
        of_account = of_account.append_column("deletes_at", pa.array(times, pa.timestamp("ms", "UTC")))
        rows += of_account.filter(pc.field("status") != "downloaded").to_pylist()
    return sorted(rows, key=lambda row: (row["deletes_at"], row["start_time"], row["recording_id"]))


def pending_sessions(storage: Storage, since: date, until: date) -> dict[str, set[date]]:
    """The sessions with recordings to fetch, each with the UTC days that these start on.

    Args:
        storage: The lake.
        since: The first day to look at.
        until: The last one.
    """
    days = {since + timedelta(days=number) for number in range((until - since).days + 1)}
    sessions: dict[str, set[date]] = {}
    for row in tables.read(storage, RECORDINGS, days, pc.field("status") != "downloaded", _COLUMNS).to_pylist():
        if is_to_fetch(row):
            sessions.setdefault(row["telephony_session_id"], set()).add(row["start_time"].date())
    return sessions


def log_first_deletions(storage: Storage, now: datetime, retention: timedelta, limit: int) -> None:
    """Writes the recordings to fetch that the provider deletes first into the task's log.

    Args:
        storage: The lake.
        now: What counts as now.
        retention: How long the provider keeps a recording after its start.
        limit: How many recordings it keeps for an account.
    """
    rows = [row for row in read_deadlines(storage, (), now, retention, limit) if is_to_fetch(row)]
    if not rows:
        log.info("no recording is to be fetched")
        return
    lines = [("deleted about", "started", "status", "recording", "session")]
    lines += [
        (
            f"{row['deletes_at']:%Y-%m-%d %H:%M}",
            f"{row['start_time']:%Y-%m-%d %H:%M}",
            row["status"],
            row["recording_id"],
            row["telephony_session_id"],
        )
        for row in rows[:_SHOWN]
    ]
    log.info("%d recordings are to be fetched; the provider deletes first:\n%s", len(rows), aligned(lines))


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as text in columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
