"""Which part of a file a request asks for, and whether it has it already (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

# Case does not matter in the name of the unit. A number of more digits than this is no place in any file.
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)
_TAG = re.compile(r'(?:W/)?("[^"]*")')


@dataclass(frozen=True)
class ByteRange:
    """Bytes of a file, from `first` to `last`, both included."""

    first: int
    last: int


class RangeNotSatisfiableError(ValueError):
    """The range lies behind the end of the file (416)."""


def asked_range(headers: Mapping[str, str], size: int, tag: str, modified: datetime) -> ByteRange | None:
    """The range that a GET asks for; None for the whole file.

    What is no range is answered with the whole file, as RFC 9110 wants it; so are several ranges at once, as it allows,
    and a range of another version of the file (`If-Range`).

    Args:
        headers: Of the request, by lower-case name.
        size: Of the file, in bytes.
        tag: The file's entity tag, with its quotes.
        modified: When the file was written.

    Raises:
        RangeNotSatisfiableError: No byte of the file is in the range.
    """
    match = _RANGE.fullmatch(headers.get("range", ""))
    if match is None or match.groups() == ("", "") or not _is_same(headers.get("if-range"), tag, modified):
        return None
    first, last = match.groups()
    if not first:
        # So many bytes at the end.
        found = ByteRange(max(size - int(last), 0), size - 1)
    else:
        found = ByteRange(int(first), min(int(last), size - 1) if last else size - 1)
        if last and int(last) < int(first):
            return None
    if found.first >= size:
        raise RangeNotSatisfiableError(f"the file has {size} bytes")
    return found


def has_it_already(headers: Mapping[str, str], tag: str, modified: datetime) -> bool:
    """Whether the client has this version of the file (304); see `asked_range` for the arguments."""
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or tag in _TAG.findall(tags)
    since = _parse_date(headers.get("if-modified-since", ""))
    return since is not None and modified.replace(microsecond=0) <= since


def http_date(time: datetime) -> str:
    """A time as headers have it."""
    return format_datetime(time.astimezone(UTC), usegmt=True)


def _is_same(if_range: str | None, tag: str, modified: datetime) -> bool:
    # A weak tag (W/"…") is never the same here, so it is compared as it stands.
    return if_range is None or if_range.strip() in {tag, http_date(modified)}


def _parse_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
