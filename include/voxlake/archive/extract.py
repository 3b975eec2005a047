"""Extract: call-log pages into `raw/`, byte for byte as they came."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta

from voxlake.lake import layout
from voxlake.lake.storage import Storage
from voxlake.ringcentral.call_log import CallLogPage, iter_call_log_pages, iter_session_pages
from voxlake.ringcentral.call_log_sync import SyncPage, iter_modified_pages
from voxlake.ringcentral.client import RingCentralClient

log = logging.getLogger(__name__)


def extract_call_log(client: RingCentralClient, storage: Storage, start: datetime, end: datetime) -> list[str]:
    """Reads the company call log of `[start, end)` into raw folders, one a UTC day.

    Args:
        client: Whose credentials read the call log.
        storage: The lake.
        start: With its zone.
        end: With its zone, after `start`.

    Returns:
        The raw folders, each complete; a read that fails leaves its folder behind, but returns it to nobody.

    Raises:
        ValueError: A time has no zone, or `start` is not before `end`.
        RingCentralError: The call log could not be read.
    """
    _check(start, end)
    folders = []
    for day_start, day_end in _split_by_day(start.astimezone(UTC), end.astimezone(UTC)):
        folder = layout.raw_call_log_folder(day_start, day_end, extracted_at=datetime.now(UTC))
        _keep(storage, folder, iter_call_log_pages(client, day_start, day_end))
        folders.append(folder)
    return folders


def extract_modified(
    client: RingCentralClient, storage: Storage, sync_token: str | None, since: datetime, until: datetime
) -> str:
    """Reads what was modified in the company call log into one raw folder, of any number of pages.

    Args:
        client: Whose credentials read the call log.
        storage: The lake.
        sync_token: Where the last read ended: it is in the last page of that read's folder. None begins at `since`.
        since: First moment of modification that is asked for without a token, with its zone.
        until: Together with `since` it names the folder, whatever is read: up to now; with its zone, after `since`.

    Returns:
        The raw folder, complete; a read that fails leaves it behind, but returns it to nobody.

    Raises:
        ValueError: A time has no zone, or `since` is not before `until`.
        SyncTokenRefusedError: The token is not good any more.
        RingCentralError: The modifications could not be read.
    """
    _check(since, until)
    folder = layout.raw_call_log_folder(since, until, extracted_at=datetime.now(UTC))
    _keep(storage, folder, iter_modified_pages(client, sync_token=sync_token, since=since))
    return folder


def extract_session(
    client: RingCentralClient,
    storage: Storage,
    since: datetime,
    *,
    telephony_session_id: str = "",
    session_id: str = "",
) -> str:
    """Reads the calls of one telephony session into a raw folder.

    Args:
        client: Whose credentials read the call log.
        storage: The lake.
        since: Before the session began, with its zone.
        telephony_session_id: Which session, such as `s-…`.
        session_id: Or its numeric id.

    Returns:
        The raw folder, complete; its page is empty if the call log does not list the session.

    Raises:
        ValueError: Not exactly one of the two ids is given.
        RingCentralError: The call log could not be read.
    """
    now = datetime.now(UTC)
    _check(since, now)
    folder = layout.raw_call_log_folder(since, now, extracted_at=now)
    pages = iter_session_pages(client, since, telephony_session_id=telephony_session_id, session_id=session_id)
    _keep(storage, folder, pages)
    return folder


def _check(start: datetime, end: datetime) -> None:
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise ValueError(f"expected start before end, both with their zone; got {start} and {end}")


def _keep(storage: Storage, folder: str, pages: Iterable[CallLogPage | SyncPage]) -> None:
    records = 0
    for page in pages:
        # mtime=0: the same page is the same file.
        storage.put(layout.raw_page(folder, page.number), gzip.compress(page.body, mtime=0))
        records += len(page.records)
        log.info("%s: page %d, %d records so far", folder, page.number, records)


def _split_by_day(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    # High page numbers are slow at RingCentral, and a raw folder belongs to one day.
    while start < end:
        midnight = datetime.combine(start.date() + timedelta(days=1), time(), UTC)
        yield start, min(midnight, end)
        start = midnight
