"""What the tasks of `ringcentral_reconcile` run, where they differ from those of `ringcentral_recordings`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException

from voxlake.airflow import steps
from voxlake.airflow.lake import open_lake
from voxlake.airflow.window import Window, is_backfill, resolve_days
from voxlake.archive.deadlines import log_first_deletions
from voxlake.archive.land import land_call_log
from voxlake.archive.reconcile import raise_for_missing, reconcile_days
from voxlake.archive.run_notes import note_landed
from voxlake.archive.source_days import source_days
from voxlake.archive.unfinished import recorded_sessions, unfinished_days
from voxlake.lake.storage import Storage
from voxlake.lake.sweep import sweep as sweep_lake
from voxlake.settings import get_settings

log = logging.getLogger(__name__)

Context = Mapping[str, Any]


def extract(context: Context) -> list[str]:
    """Reads the call log of the run's days, once they are settled; returns the raw folders, one a day.

    Raises:
        AirflowRescheduleException: They are not yet: calls that began on the last day may still be under way.
    """
    window = _window(context)
    settled_at = window.end + get_settings().call_log_overlap
    if datetime.now(UTC) < settled_at:
        log.info("%s to %s is settled at %s: waiting for it without a slot", window.start, window.end, settled_at)
        raise AirflowRescheduleException(settled_at)
    return steps.extract_window(open_lake(), window, context)


def land(raw_folders: Sequence[str], max_batches: int, context: Context) -> list[list[dict[str, Any]]]:
    """Lands raw folders; returns the sessions to download or merge: of these days, and what is missing on older ones.

    In the order they began, which is the order in which the provider deletes them. A backfill keeps to its days.
    """
    settings, lake = get_settings(), open_lake()
    landed = land_call_log(lake, raw_folders)
    note_landed(lake, steps.run_of(context), landed)
    sessions = dict(landed.sessions)
    if not is_backfill(context):
        now = datetime.now(UTC)
        for session, days in recorded_sessions(lake, _older(lake, context)).items():
            sessions[session] = sessions.get(session, set()) | days
        log_first_deletions(lake, now, settings.recording_retention, settings.recording_limit)
    return steps.plan(lake, sessions, max_batches)


def compare(raw_folders: Sequence[str] | None, batches: Sequence[Any] | None, context: Context) -> None:
    """Writes a row a day into `reconciliation`, and fails the run if too much is missing.

    Older days that something is missing on count too, and their rows are brought up to date; a backfill keeps to its
    days.
    """
    if raw_folders is None or batches is None:
        raise AirflowFailException("extract or land failed, so there is nothing to compare; their logs say why")
    settings, lake = get_settings(), open_lake()
    reconciled = reconcile_days(
        lake,
        _days(_window(context)),
        source_days(lake, raw_folders),
        datetime.now(UTC),
        settings.recording_retention,
        settings.recording_limit,
        older=() if is_backfill(context) else _older(lake, context),
    )
    raise_for_missing(reconciled, settings.reconcile_missing_allowed)


def sweep() -> None:
    """Removes what killed processes left in the lake."""
    sweep_lake(open_lake(), datetime.now(UTC))


def _older(lake: Storage, context: Context) -> set[date]:
    """The days before the run's own that something is missing on, as far back as the provider keeps recordings."""
    last = _window(context).start.date() - timedelta(days=1)
    since = (datetime.now(UTC) - get_settings().recording_retention).date()
    return unfinished_days(lake, since, last)


def _window(context: Context) -> Window:
    return resolve_days(context, get_settings().reconcile_days)


def _days(window: Window) -> list[date]:
    return [window.start.date() + timedelta(days=number) for number in range((window.end - window.start).days)]
