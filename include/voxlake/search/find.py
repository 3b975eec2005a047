"""The search itself: one page of the conversations that a query asks for, and their totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from voxlake.search.conditions import Condition, check_sort, condition, days_of, ordering
from voxlake.search.index import Database, Files, SearchIndex, paths
from voxlake.search.masking import masked
from voxlake.search.query import PAGE_SIZE, SearchQuery
from voxlake.search.summaries import as_day, as_time

Row = dict[str, Any]
Key = tuple[int, str, str]

_SHOWN = (
    *("provider", "id", "start_ms", "duration_ms", "direction", "result"),
    *("from_phone_number", "from_name", "from_extension_number"),
    *("to_phone_number", "to_name", "to_extension_number"),
    *("calls", "legs", "recordings", "status", "has_audio"),
)


@dataclass(frozen=True)
class FoundConversation:
    """A conversation in a list: all that shares a provider and a telephonySessionId.

    Direction, result and parties are those of its earliest call.

    Attributes:
        provider: `ringcentral`, `sinch`.
        telephony_session_id: With the provider, its key.
        day: The UTC day of its start: where to look for it first.
        start_time: Start of its first call, in UTC.
        duration_ms: From there to the end of its last call.
        direction: `Inbound`, `Outbound` or None.
        result: As the call log has it.
        from_phone_number: Masked where the reader may not see it, as `to_phone_number`, and as names that are a number.
        from_name: Of the caller.
        from_extension_number: Of the caller.
        to_phone_number: Of the called party.
        to_name: Of the called party.
        to_extension_number: Of the called party.
        calls: How many call-log records.
        legs: How many legs they have.
        recordings: How many recordings, held or not.
        status: `complete` or `partial` (merged, with all recordings or not); `pending` (some are still to come, or to
            be merged), `failed`, `unavailable` (none is held); None if it was not recorded.
        has_audio: Whether there is a merged file.
    """

    provider: str
    telephony_session_id: str
    day: date
    start_time: datetime
    duration_ms: int
    direction: str | None
    result: str | None
    from_phone_number: str | None
    from_name: str | None
    from_extension_number: str | None
    to_phone_number: str | None
    to_name: str | None
    to_extension_number: str | None
    calls: int
    legs: int
    recordings: int
    status: str | None
    has_audio: bool


@dataclass(frozen=True)
class Found:
    """A page of what was found.

    Attributes:
        conversations: At most `PAGE_SIZE`.
        total: How many there are on all pages.
        total_ms: How long they lasted together.
        page: The number of this page; the last one where the query asks for one beyond it.
        pages: How many pages there are, at least 1.
    """

    conversations: tuple[FoundConversation, ...]
    total: int
    total_ms: int
    page: int
    pages: int


def search(index: SearchIndex, query: SearchQuery, *, numbers: bool) -> Found:
    """One page of a search.

    Conversations of the same value come by start and id, so that pages do not overlap.

    Args:
        index: Of the lake.
        query: What is asked for.
        numbers: Whether the reader may see phone numbers. If not, they are masked, found only when given whole, and
            cannot be sorted by.

    Raises:
        QueryError: The query sorts by phone numbers, and the reader may not see them.
    """
    check_sort(query, numbers=numbers)
    where = condition(query, numbers=numbers)

    def read(database: Database, files: Files) -> Found:
        days = _totals(database, files, where)
        total = sum(count for count, _ in days.values())
        pages = max(1, -(-total // PAGE_SIZE))
        page = min(query.page, pages)
        part = _Part(files, (page - 1) * PAGE_SIZE, min(page * PAGE_SIZE, total), total)
        if query.sort == "start":
            part = _narrowed(part, {day: count for day, (count, _) in days.items()}, newest_first=query.order == "desc")
        found = _rows(database, files, _keys(database, query, part, where)) if total else []
        return Found(
            conversations=tuple(_conversation(row, numbers=numbers) for row in found),
            total=total,
            total_ms=sum(milliseconds for _, milliseconds in days.values()),
            page=page,
            pages=pages,
        )

    return index.read(*days_of(query), read)


@dataclass(frozen=True)
class _Part:
    """A part of the rows of some files that are found, in order: from `first` up to before `end`, of `total`."""

    files: Files
    first: int
    end: int
    total: int


def _totals(database: Database, files: Files, where: Condition) -> dict[date, tuple[int, int]]:
    """How many conversations of each day are found, and how long they lasted together."""
    if not files:
        return {}
    expression, values = where
    counted = database.execute(
        f"select day, count(*), sum(duration_ms) from read_parquet($files) where {expression} group by day",
        {**values, "files": paths(files)},
    ).fetchall()
    return {as_day(day): (count, int(milliseconds)) for day, count, milliseconds in counted}


def _narrowed(part: _Part, counts: dict[date, int], *, newest_first: bool) -> _Part:
    """The same rows of the files of their own days only, where the order is that of the days."""
    files: dict[date, Path] = {}
    before = within = 0
    for day in sorted(counts, reverse=newest_first):
        if before + within >= part.end:
            break
        if not files and before + counts[day] <= part.first:
            before += counts[day]
            continue
        files[day] = part.files[day]
        within += counts[day]
    return _Part(files, part.first - before, part.end - before, within)


def _keys(database: Database, query: SearchQuery, part: _Part, where: Condition) -> list[Key]:
    """Day, provider and id of the rows of a part."""
    # From the nearer end: the database keeps as many rows as come before those that are asked for.
    backwards = part.first > part.total - part.end
    expression, values = where
    found = database.execute(
        f"select day, provider, id from read_parquet($files) where {expression} "
        f"order by {ordering(query, backwards=backwards)} limit $limit offset $offset",
        {
            **values,
            "files": paths(part.files),
            "limit": part.end - part.first,
            "offset": part.total - part.end if backwards else part.first,
        },
    ).fetchall()
    return found[::-1] if backwards else found


def _rows(database: Database, files: Files, keys: Sequence[Key]) -> list[Row]:
    """The rows of some keys, in their order."""
    of_days = {day: files[day] for day in {as_day(number) for number, _, _ in keys}}
    result = database.execute(
        f"select day, {', '.join(_SHOWN)} from read_parquet($files) where id in (select unnest($ids))",
        {"files": paths(of_days), "ids": [identifier for _, _, identifier in keys]},
    )
    names = [name for name, *_ in result.description or ()]
    rows = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
    by_key = {(row["day"], row["provider"], row["id"]): row for row in rows}
    return [by_key[key] for key in keys]


def _conversation(row: Row, *, numbers: bool) -> FoundConversation:
    shown = row if numbers else masked(row)
    return FoundConversation(
        telephony_session_id=shown["id"],
        day=as_day(shown["day"]),
        start_time=as_time(shown["start_ms"]),
        **{name: shown[name] for name in _SHOWN if name not in ("id", "start_ms")},
    )
