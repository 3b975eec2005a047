"""How lengths, sizes and times are written on the pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from markupsafe import Markup

_SECOND, _MINUTE, _HOUR = 1000, 60_000, 3_600_000


def clock(milliseconds: int) -> str:
    """A place in a recording, or its length, as a player shows it: `0:07`, `12:34`, `1:02:03`."""
    minutes, seconds = divmod(milliseconds // _SECOND, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def length(milliseconds: int | None) -> str:
    """A length in words: `450 ms`, `7 s`, `12 min 34 s`, `1 h 02 min`; a dash where it is not known."""
    if milliseconds is None:
        return "–"
    if milliseconds < _SECOND:
        return f"{milliseconds} ms"
    if milliseconds < _MINUTE:
        return f"{milliseconds // _SECOND} s"
    if milliseconds < _HOUR:
        return f"{milliseconds // _MINUTE} min {milliseconds % _MINUTE // _SECOND:02} s"
    return f"{milliseconds // _HOUR} h {milliseconds % _HOUR // _MINUTE:02} min"


def hours(milliseconds: int) -> str:
    """A sum of lengths in hours, with one decimal where there are few: `0.4`, `1,234`."""
    value = milliseconds / _HOUR
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def size(count: int | None) -> str:
    """A size in bytes for people: `812 bytes`, `4.2 MB`; a dash where it is not known."""
    if count is None:
        return "–"
    if count < 1000:
        return f"{count} bytes"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:,.1f} TB"


def number(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}"


def moment(time: datetime | None) -> str:
    """A `<time>` in UTC, which the script of the pages writes anew in the reader's zone; a dash where there is none."""
    if time is None:
        return "–"
    time = time.astimezone(UTC)
    # All of it is digits and what stands between them, so nothing is to be escaped.
    return Markup(
        '<time datetime="{:%Y-%m-%dT%H:%M:%S}Z" title="{:%Y-%m-%d %H:%M:%S} UTC">{:%Y-%m-%d %H:%M} UTC</time>'
    ).format(time, time, time)


def weekday(day: date) -> str:
    """A day with its name: `Fri 20 Nov 2026`."""
    return f"{day:%a} {day.day} {day:%b %Y}"


FILTERS: Mapping[str, Any] = {
    "clock": clock,
    "length_in_words": length,
    "hours": hours,
    "size": size,
    "number": number,
    "moment": moment,
    "weekday": weekday,
}
