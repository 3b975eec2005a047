"""Who goes first where more want to send than the quota admits. Pure functions of plain values.

Nobody is kept out by one who is not there: a place goes to the first of those who wait at that moment. Those who left
to come back later only tell how long the line is, so that each newcomer comes back at its own turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

# How long one may be late whose turn has come, before the line no longer counts on it: a task that was cleared does not
# come back.
_LATE_SECONDS = 300.0

# By how much one who waits in place may be late to look again: a busy machine wakes a process that late.
_SLACK_SECONDS = 2.0


@dataclass(frozen=True, order=True)
class Rank:
    """What decides who is first: the lower rank.

    Attributes:
        media: Whether a recording is asked for. The call log goes first: it says what there is to fetch.
        backfill: Whether the request is part of a backfill. What is new goes first.
        routine: Whether nobody waits for a recording. One that somebody does goes first; the call log's requests are
            all alike in this, so that none keeps others out.
        started: When the recording started, seconds since 1970. The provider deletes the oldest first.
    """

    media: bool = False
    backfill: bool = False
    routine: bool = True
    started: float = 0.0


@dataclass(frozen=True)
class Waiter:
    """One who waits.

    Attributes:
        rank: Its rank.
        since: When it came, seconds since 1970; among equals the first goes first.
        here_until: Until when it is known to wait in place; 0.0 if it left.
        expected: When it looks again or comes back.
    """

    rank: Rank
    since: float
    here_until: float
    expected: float


Line: TypeAlias = Mapping[str, Waiter]


def at(line: Line, now: float) -> dict[str, Waiter]:
    """The line without those who are not coming any more, or came before the clock was set back."""
    return {name: waiter for name, waiter in line.items() if waiter.since <= now < waiter.expected + _LATE_SECONDS}


def ahead(line: Line, name: str, rank: Rank, now: float, *, present: bool) -> int:
    """How many go before one.

    Args:
        line: Who waits, as of `now`.
        name: Who asks; it need not wait yet.
        rank: Its rank.
        now: The time.
        present: Count only those who wait in place.
    """
    mine = (rank, line[name].since if name in line else now, name)
    return sum(
        (waiter.rank, waiter.since, other) < mine
        for other, waiter in line.items()
        if other != name and (now < waiter.here_until or not present)
    )


def waiting(line: Line, name: str, rank: Rank, now: float, look_again: float) -> dict[str, Waiter]:
    """The line with one that waits in place and looks again at a time."""
    since = line[name].since if name in line else now
    return {**line, name: Waiter(rank, since, look_again + _SLACK_SECONDS, look_again)}


def away(line: Line, name: str, rank: Rank, now: float, back_at: float) -> dict[str, Waiter]:
    """The line with one that comes back at a time."""
    return {**line, name: replace(waiting(line, name, rank, now, back_at)[name], here_until=0.0)}


def gone(line: Line, name: str) -> dict[str, Waiter]:
    """The line without one."""
    return {other: waiter for other, waiter in line.items() if other != name}
