"""What the tasks of the Sinch DAGs run: the archive's steps with connection, bucket and context of Airflow."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from voxlake.airflow.lake import open_lake
from voxlake.airflow.sinch_hook import SinchHook
from voxlake.airflow.steps import run_of
from voxlake.airflow.window import is_scheduled, is_woken, resolve_days, resolve_window
from voxlake.archive.plan import batch
from voxlake.archive.sinch_reconcile import raise_for_unrecorded, read_records, reconcile_records
from voxlake.archive.sinch_round import take_in_round
from voxlake.archive.sinch_take_in import Source
from voxlake.lake.lease import LeaseHeldError
from voxlake.settings import get_settings
from voxlake.sinch.destinations import S3Destination, parse_destination
from voxlake.sinch.errors import ApplicationRefusedError, RateLimitedError
from voxlake.sinch.landing import BucketRefusedError, LandedFile, Landing

log = logging.getLogger(__name__)

Context = Mapping[str, Any]

_LOOK_AGAIN = timedelta(seconds=30)
# Sinch writes the file of a day once it is over, and does not say when; a file that comes later is read the next night.
_RECORDS_WRITTEN = timedelta(hours=6)
_WRITTEN_WITHIN = timedelta(days=2)


def take_in(max_batches: int, context: Context) -> list[list[dict[str, Any]]]:
    """Takes in what Sinch told and delivered; returns the conversations to merge, in batches.

    A run that a callback woke goes by what callbacks told of. A scheduled one looks at all that lies in the bucket too,
    whenever it was written: nothing else tells of what an earlier hour has missed. Any other is about its window.

    Raises:
        AirflowRescheduleException: Another run is at it, or Sinch asks to wait: the task comes back.
        AirflowFailException: Sinch or the bucket refuses; the text says what to change.
    """
    settings, lake, hook, now = get_settings(), open_lake(), SinchHook(), datetime.now(UTC)
    landing, woken = open_landing(), is_woken(context)
    files = () if woken else _files(landing, hook)
    if not woken and not is_scheduled(context):
        window = resolve_window(context)
        files = (file for file in files if window.start <= file.written_at < window.end)
    with _in_airflow_terms(hook.sinch_conn_id), hook.get_conn() as client:
        source = Source(landing, client, hook.application().key)
        wait = None if woken else settings.sinch_delivery_wait
        sessions = take_in_round(lake, source, run_of(context), files, now, wait)
    log.info("%d conversations are to be merged", len(sessions))
    return [[session.to_json() for session in group] for group in batch(sessions, max_batches)]


def open_landing() -> Landing:
    """The buckets that `VOXLAKE_SINCH_AWS_CONN_ID` may read."""
    # botocore alone takes longer to import than most of this.
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return Landing(S3Hook(get_settings().sinch_aws_conn_id).get_conn())


def _files(landing: Landing, hook: SinchHook) -> Iterable[LandedFile]:
    """What lies at the destination of the connection, without the files of call detail records."""
    destination = hook.destination()
    if not isinstance(destination, S3Destination):
        return ()
    records = get_settings().sinch_cdr_url
    files = landing.files(destination.bucket, destination.folder)
    return (file for file in files if not (records and file.destination.startswith(records)))


@contextmanager
def _in_airflow_terms(conn_id: str) -> Iterator[None]:
    try:
        yield
    except LeaseHeldError as error:
        log.info("%s", error)
        raise AirflowRescheduleException(min(error.expires_at, datetime.now(UTC) + _LOOK_AGAIN)) from error
    except RateLimitedError as error:
        wait = timedelta(seconds=error.retry_after) if error.retry_after else _LOOK_AGAIN
        raise AirflowRescheduleException(datetime.now(UTC) + wait) from error
    except (ApplicationRefusedError, BucketRefusedError) as error:
        raise AirflowFailException(f"Connection {conn_id}: {error}") from error


def compare(context: Context) -> None:
    """Writes a row an application and day into `reconciliation`, and fails the run if recordings are missing.

    Raises:
        AirflowSkipException: Nobody has said where the call detail records are.
        AirflowRescheduleException: The last day's file is not to be expected yet.
        ReconciliationFailedError: More is missing than is allowed.
    """
    settings, lake, landing = get_settings(), open_lake(), open_landing()
    if not settings.sinch_cdr_url:
        raise AirflowSkipException("VOXLAKE_SINCH_CDR_URL is not set: there is nothing to compare with")
    place = parse_destination(settings.sinch_cdr_url)
    if not isinstance(place, S3Destination) or place.file:
        raise ValueError(f"VOXLAKE_SINCH_CDR_URL is {settings.sinch_cdr_url!r}: expected s3://bucket/folder/")
    window = resolve_days(context, settings.reconcile_days)
    if datetime.now(UTC) < (written_by := window.end + _RECORDS_WRITTEN):
        log.info("the file of the last day is to be expected by %s: waiting for it without a slot", written_by)
        raise AirflowRescheduleException(written_by)
    with _in_airflow_terms(SinchHook.default_conn_name):
        files = (
            file
            for file in landing.files(place.bucket, place.folder)
            if window.start <= file.written_at < window.end + _WRITTEN_WITHIN
        )
        records = read_records(lake, landing, files)
    days = [window.start.date() + timedelta(days=number) for number in range((window.end - window.start).days)]
    reconciled = reconcile_records(lake, records, days, settings.sinch_recorded, datetime.now(UTC))
    raise_for_unrecorded(reconciled, settings.reconcile_missing_allowed)
