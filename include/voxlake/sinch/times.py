"""Times as Sinch writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator


def parse_time(text: str) -> datetime:
    """A time of Sinch's, in UTC.

    Some carry seven digits of a second, of which six are kept; the call resource has no zone, where UTC is meant:
    https://github.com/sinch/sinch-sdk-java (Mapper.java).

    Raises:
        ValueError: It is not in ISO 8601, with date and time.
    """
    if "T" not in text:
        raise ValueError(f"expected a time in ISO 8601 such as 2026-11-20T10:00:00Z, got {text[:40]!r}")
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


# Only text is read so: what is a time already has its zone.
SinchTime = Annotated[datetime, BeforeValidator(lambda value: parse_time(value) if isinstance(value, str) else value)]
