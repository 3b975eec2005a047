"""Which raw page a call-log record was read from."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from voxlake.archive.raw_pages import page_paths, read_body
from voxlake.lake import layout
from voxlake.lake.storage import Storage

log = logging.getLogger(__name__)

Row = Mapping[str, Any]


def find_raw_pages(storage: Storage, calls: Iterable[Row]) -> dict[str, str]:
    """The path of the raw page that each row comes from, by call_id; rows whose page is not found are left out.

    Args:
        storage: The lake.
        calls: Rows of the table calls, RingCentral's.
    """
    by_time: dict[datetime, list[Row]] = {}
    for call in calls:
        if call["extracted_at"] is not None:
            by_time.setdefault(call["extracted_at"], []).append(call)
    found: dict[str, str] = {}
    for read_at, rows in by_time.items():
        wanted = {row["call_id"] for row in rows}
        for path, body in _pages(storage, read_at, rows):
            here = {call_id for call_id in wanted if f'"{call_id}"'.encode() in body}
            found |= dict.fromkeys(here, path)
            wanted -= here
            if not wanted:
                break
    return found


def _pages(storage: Storage, read_at: datetime, rows: Iterable[Row]) -> Iterator[tuple[str, bytes]]:
    """The pages of the reads that began at a time; two parts of a long read may have begun in the same millisecond."""
    # A read of a window lies on the day of its calls, one of what was modified on its own day or the one before.
    days = {row["start_time"].date() for row in rows} | {read_at.date(), read_at.date() - timedelta(days=1)}
    ending = f"--{layout.format_timestamp(read_at)}"
    for day in sorted(days):
        folders = {path.rpartition("/")[0] for path in storage.list(layout.raw_call_log_day(day))}
        for folder in sorted(folder for folder in folders if folder.endswith(ending)):
            for path in page_paths(storage, folder):
                try:
                    yield path, read_body(storage, path)
                except ValueError as error:
                    log.warning("not looked at for the source of a call: %s", error)
