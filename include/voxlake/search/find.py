"""The search itself: one page of the conversations that a query asks for, and their totals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from voxlake.search.index import SearchIndex
from voxlake.search.query import SearchQuery


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
    raise NotImplementedError
