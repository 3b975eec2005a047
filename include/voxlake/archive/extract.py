"""Extract: call-log pages into `raw/`, byte for byte as they came."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from voxlake.lake import layout
from voxlake.lake.storage import Storage
from voxlake.ringcentral.call_log import iter_call_log_pages
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
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise ValueError(f"expected start before end, both with their zone; got {start} and {end}")
    folders = []
    for day_start, day_end in _split_by_day(start.astimezone(UTC), end.astimezone(UTC)):
        folder = layout.raw_call_log_folder(day_start, day_end, extracted_at=datetime.now(UTC))
        records = 0
        for page in iter_call_log_pages(client, day_start, day_end):
            # mtime=0: the same page is the same file.
            storage.put(layout.raw_page(folder, page.number), gzip.compress(page.body, mtime=0))
            records += len(page.records)
            log.info("call log %s to %s: page %d, %d records so far", day_start, day_end, page.number, records)
        folders.append(folder)
    return folders


def _split_by_day(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    # High page numbers are slow at RingCentral, and a raw folder belongs to one day.
    while start < end:
        midnight = datetime.combine(start.date() + timedelta(days=1), time(), UTC)
        yield start, min(midnight, end)
        start = midnight
