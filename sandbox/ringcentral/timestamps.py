"""Times as RingCentral writes and reads them: UTC with milliseconds and a Z."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """Such as 2023-04-10T23:58:47.594Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Reads ISO 8601 with a timezone.

    Raises:
        ValueError: If the text is no time, or has no timezone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no timezone")
    return moment.astimezone(UTC)
