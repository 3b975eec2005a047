"""What the source lists for a UTC day, from the raw pages of a run that read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from voxlake.archive.raw_pages import page_paths, read_body
from voxlake.lake.storage import Storage
from voxlake.ringcentral.call_log import account_id_of

_DAY = re.compile(r"/date=(\d{4}-\d{2}-\d{2})/")


@dataclass
class SourceDay:
    """The call-log records of a UTC day, as the source lists them.

    Attributes:
        account_id: Whose they are; None if the pages do not say, as of a day without calls.
        call_ids: The ids of those that are not deleted.
        deleted_ids: The ids of those that the source lists as deleted.
        nameless: Records without an id, so that nothing can be said of them but that they are there.
        raw_folders: Where they were read.
    """

    account_id: str | None = None
    call_ids: set[str] = field(default_factory=set)
    deleted_ids: set[str] = field(default_factory=set)
    nameless: int = 0
    raw_folders: list[str] = field(default_factory=list)


def source_days(storage: Storage, raw_folders: Sequence[str]) -> dict[date, SourceDay]:
    """What the raw pages of a run list, by the UTC day that a record started on.

    A record without a readable start belongs to the day that was read. One that stands on two pages counts once, and as
    deleted if one of them says so. What starts on a day that was not read is left out: whether a window includes its
    last moment is not documented.

    Args:
        storage: The lake.
        raw_folders: As `extract` returned them, all of the days that are to be compared.

    Raises:
        ValueError: A folder's name is not one that `extract` makes, or a page is not JSON with `records`.
    """
    days = {_day_of(folder): SourceDay() for folder in raw_folders}
    for folder in raw_folders:
        read = days[_day_of(folder)]
        read.raw_folders.append(folder)
        for page in _pages(storage, folder):
            read.account_id = read.account_id or account_id_of(page)
            for record in page["records"]:
                _add(record, read, days)
    for day in days.values():
        day.call_ids -= day.deleted_ids
    return days


def _add(record: Any, read: SourceDay, days: dict[date, SourceDay]) -> None:
    call_id = record.get("id") if isinstance(record, dict) else None
    if not isinstance(call_id, str | int) or isinstance(call_id, bool):
        read.nameless += 1
        return
    started = _started_on(record.get("startTime"))
    of = read if started is None else days.get(started)
    if of is not None:
        (of.deleted_ids if record.get("deleted") is True else of.call_ids).add(str(call_id))


def _pages(storage: Storage, folder: str) -> Iterator[dict[str, Any]]:
    for path in page_paths(storage, folder):
        page = json.loads(read_body(storage, path))
        if not isinstance(page, dict) or not isinstance(page.get("records"), list):
            raise ValueError(f"{path}: expected a JSON object with a list `records`")
        yield page


def _day_of(folder: str) -> date:
    found = _DAY.search(folder)
    if found is None:
        raise ValueError(f"{folder!r} is not a folder of raw call-log pages: it names no `date=`")
    return date.fromisoformat(found[1])


def _started_on(start_time: Any) -> date | None:
    try:
        start = datetime.fromisoformat(start_time)
        return None if start.tzinfo is None else start.astimezone(UTC).date()
    except (TypeError, ValueError, OverflowError):
        return None
