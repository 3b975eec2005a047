"""The state of the archive: day by day, what is still to come and until when, and what has failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from voxlake.lake.storage import Storage
from voxlake.ringcentral.grants import Grant


@dataclass(frozen=True)
class DayState:
    """A UTC day.

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
    """Recordings that are not held for the same reason.

    Attributes:
        status: `failed` or `unavailable`.
        reason: `failed`, or the unavailable_reason.
        words: The same in words that need no knowledge of Voxlake.
        recordings: How many.
        sessions: Their telephonySessionIds, each with the UTC days of its recordings, the newest first.
        can_be_tried: Whether a run for just these may bring something.
        example: What the latest of them says in its column error.
    """

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


PENDING_SHOWN = 200


def archive_state(
    storage: Storage,
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
        storage: The lake.
        since: The first UTC day of the calendar.
        until: The last one, included.
        now: What counts as now.
        retention: The setting `recording_retention`.
        limit: The setting `recording_limit`.
        grants: As `voxlake.ringcentral.grants.read_grants(open_state(settings.quota_url, settings.state_dir))` has
            them, which asks RingCentral nothing.
    """
    raise NotImplementedError
