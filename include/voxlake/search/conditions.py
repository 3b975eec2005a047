"""A query as SQL over the rows of the index: what a reader gave stands in parameters only, never in the text."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from voxlake.search.query import NUMBER_SORTS, QueryError, SearchQuery, digits

# An expression, and the values of its parameters.
Condition = tuple[str, dict[str, Any]]

_SORTED_BY = {
    "start": "start_ms",
    "duration": "duration_ms",
    "from_name": "from_key",
    "to_name": "to_key",
    "from_extension": "from_extension_number",
    "to_extension": "to_extension_number",
    "from_number": "from_phone_number",
    "to_number": "to_phone_number",
}


def check_sort(query: SearchQuery, *, numbers: bool) -> None:
    """Refuses the sorts that would give phone numbers away.

    Raises:
        QueryError: The query sorts by phone numbers, and the reader may not see them.
    """
    if query.sort in NUMBER_SORTS and not numbers:
        raise QueryError("sort", "you may not see phone numbers, so you cannot sort by them; sort by another column")


def condition(query: SearchQuery, *, numbers: bool) -> Condition:
    """What a row must be like to be found."""
    parts = ["start_ms >= $start", "start_ms < $end"]
    values: dict[str, Any] = {"start": _milliseconds(query.start), "end": _milliseconds(query.end)}
    if query.number:
        found = []
        for place, needle in enumerate(_needles(digits(query.number), whole=not numbers)):
            values[f"number_{place}"] = needle
            found.append(f"contains(digits, $number_{place})")
        parts.append(f"({' or '.join(found)})")
    for text, expression in (
        ("name", "contains(names, strip_accents(lower($name)))"),
        ("extension", "contains(extensions, chr(10) || lower($extension) || chr(10))"),
        ("direction", "direction = $direction"),
        ("result", "lower(result) = lower($result)"),
        ("status", "status = $status"),
    ):
        if value := getattr(query, text):
            values[text] = value
            parts.append(expression)
    if query.recorded is not None:
        parts.append("recordings > 0" if query.recorded else "recordings = 0")
    if query.min_seconds:
        values["least"] = query.min_seconds * 1000
        parts.append("duration_ms >= $least")
    return " and ".join(parts), values


def days_of(query: SearchQuery) -> tuple[date, date]:
    """The first and the last UTC day that the query's days have a part in."""
    return query.start.date(), (query.end - timedelta(milliseconds=1)).date()


def ordering(query: SearchQuery, *, backwards: bool = False) -> str:
    """The order of the rows; no two are alike in it.

    Args:
        query: What it asks for.
        backwards: The same order from its end.
    """
    column = _SORTED_BY.get(query.sort, query.sort)
    direction = ("asc", "desc")[(query.order == "desc") != backwards]
    nulls, ties = ("nulls first", "desc") if backwards else ("nulls last", "asc")
    return f"{column} {direction} {nulls}, start_ms {direction}, provider {ties}, id {ties}"


def _needles(number: str, *, whole: bool) -> list[str]:
    """What to look for among the numbers of a row, each of which stands on a line of its own."""
    end = "\n" if whole else ""
    needles = [f"\n{number}{end}" if whole else number]
    # As it is dialled abroad: the lake has `+44 …`.
    abroad = number.removeprefix("00")
    if abroad not in ("", number):
        needles.append(f"\n{abroad}{end}")
    return needles


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp()) * 1000
