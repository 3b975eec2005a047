"""What somebody searches for, as it stands in the URL of the search page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from voxlake.search.masking import NUMBER_IN_TEXT

PAGE_SIZE = 50
STATUSES = ("complete", "partial", "pending", "unavailable", "failed")
DIRECTIONS = ("Inbound", "Outbound")
# By these a reader who may not see phone numbers cannot sort: the order would give them away.
NUMBER_SORTS = ("from_number", "to_number")
SORTS = (
    *("start", "duration", "direction", "result", "status", "legs", "recordings"),
    *("from_name", "to_name", "from_extension", "to_extension", *NUMBER_SORTS),
)
ORDERS = ("desc", "asc")

_DEFAULT_DAYS = 30
_LONGEST_TEXT = 100
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
_MOST_SECONDS = 7 * 24 * 3600
_MOST_PAGES = 10_000_000


class QueryError(ValueError):
    """A search that cannot be made.

    Attributes:
        field: The param that is wrong, as in the URL.
        remedy: What is wrong and what is expected, in words; holds nothing of what was given but what is printable.
    """

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")
        self.field = field
        self.remedy = remedy


@dataclass(frozen=True)
class SearchQuery:
    """A search. Text that is empty, and None, ask for nothing.

    Attributes:
        since: The first day, in `tz`; a conversation counts to the day on which its first call started.
        until: The last day, included.
        tz: IANA name of the reader's zone.
        number: Part of a phone number of any party, in any formatting; only its digits count.
        name: Part of the name of any party; case and accents do not count. Phone numbers in names count as numbers.
        extension: The extension number of any party, whole.
        direction: Of the first call, as in the table calls.
        result: Of the first call, whole; case does not count.
        recorded: Whether there is a recording, held or not.
        status: One of `STATUSES`.
        min_seconds: The least length of the conversation.
        sort: One of `SORTS`.
        order: `asc` or `desc`; what has no value comes last in both.
        page: From 1.
    """

    since: date
    until: date
    tz: str = "UTC"
    number: str = ""
    name: str = ""
    extension: str = ""
    direction: str = ""
    result: str = ""
    recorded: bool | None = None
    status: str = ""
    min_seconds: int = 0
    sort: str = "start"
    order: str = "desc"
    page: int = 1

    @property
    def start(self) -> datetime:
        """The first moment, in UTC."""
        return datetime.combine(self.since, time(), ZoneInfo(self.tz)).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first moment after the last day, in UTC."""
        return datetime.combine(self.until + timedelta(days=1), time(), ZoneInfo(self.tz)).astimezone(UTC)


def parse_query(params: Mapping[str, str], now: datetime) -> SearchQuery:
    """The search that the params of a URL ask for: of the last 30 days where they name none.

    Params that are empty count as left out, and unknown ones are ignored.

    Args:
        params: As decoded from the URL.
        now: With its zone; the last day is the reader's today, where `to` is left out.

    Raises:
        QueryError: A value is not one that its param takes.
    """
    given = {name: value.strip() for name, value in params.items() if value.strip()}
    values: dict[str, Any] = {}
    for name, (attribute, parse) in _PARAMS.items():
        if name in given:
            values[attribute] = parse(name, given[name])
    today = now.astimezone(ZoneInfo(values.get("tz", "UTC"))).date()
    until = values.setdefault("until", max(today, values.get("since", today)))
    values.setdefault("since", until - timedelta(days=_DEFAULT_DAYS - 1))
    query = SearchQuery(**values)
    if query.since > query.until:
        raise QueryError("from", f"{query.since} lies after the last day, {query.until}; exchange the two")
    return query


def query_params(query: SearchQuery, **changes: Any) -> dict[str, str]:
    """The params that `parse_query` makes this search of, without those that say what holds anyway.

    Args:
        query: The search.
        changes: Attributes of it that are to be others, such as `page=2`.
    """
    params = {}
    for name, (attribute, _) in _PARAMS.items():
        value = changes.get(attribute, getattr(query, attribute))
        if value != _DEFAULTS.get(attribute):
            params[name] = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return params


_DEFAULTS = {field.name: field.default for field in fields(SearchQuery)}


def _day(name: str, value: str) -> date:
    # Not fromisoformat alone: it takes 20261120 and 2026-W47-5 too.
    try:
        day = date.fromisoformat(value) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_DAY <= day <= _LAST_DAY:
        raise QueryError(name, f"expected a day of 2000 to 2099 such as 2026-11-20, got {_shown(value)}")
    return day


def _zone(name: str, value: str) -> str:
    try:
        return ZoneInfo(value).key
    # What is no name of a zone may also be the name of a folder or of any file.
    except (ValueError, OSError, LookupError):
        raise QueryError(name, f"expected a time zone such as Europe/Berlin, got {_shown(value)}") from None


def _text(name: str, value: str) -> str:
    text = " ".join(value.split())
    if len(text) > _LONGEST_TEXT:
        raise QueryError(name, f"expected at most {_LONGEST_TEXT} characters, got {len(text)}")
    if not text.isprintable():
        raise QueryError(name, f"expected text without control characters, got {_shown(text)}")
    return text


def _name(name: str, value: str) -> str:
    text = _text(name, value)
    if re.search(NUMBER_IN_TEXT, text):
        raise QueryError(name, "a phone number stands here, even where it is shown as a name: search for it as number")
    return text


def _number(name: str, value: str) -> str:
    text = _text(name, value)
    if not digits(text):
        raise QueryError(name, f"expected some digits of a phone number, got {_shown(text)}")
    return text


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def parse(name: str, value: str) -> str:
        if value not in allowed:
            raise QueryError(name, f"expected one of {', '.join(allowed)}, got {_shown(value)}")
        return value

    return parse


def _yes_or_no(name: str, value: str) -> bool:
    return _one_of("yes", "no")(name, value) == "yes"


def _integer(least: int, most: int) -> Callable[[str, str], int]:
    def parse(name: str, value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise QueryError(name, f"expected a whole number from {least} to {most}, got {_shown(value)}")
        return int(value)

    return parse


def digits(text: str) -> str:
    """The decimal digits of a phone number, ASCII, without what stands between them."""
    return "".join(str(int(character)) for character in text if character.isdecimal())


def _shown(value: str) -> str:
    return repr(value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}…")


_PARAMS: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "from": ("since", _day),
    "to": ("until", _day),
    "tz": ("tz", _zone),
    "number": ("number", _number),
    "name": ("name", _name),
    "extension": ("extension", _text),
    "direction": ("direction", _one_of(*DIRECTIONS)),
    "result": ("result", _text),
    "recorded": ("recorded", _yes_or_no),
    "status": ("status", _one_of(*STATUSES)),
    "min_seconds": ("min_seconds", _integer(0, _MOST_SECONDS)),
    "sort": ("sort", _one_of(*SORTS)),
    "order": ("order", _one_of(*ORDERS)),
    "page": ("page", _integer(1, _MOST_PAGES)),
}
