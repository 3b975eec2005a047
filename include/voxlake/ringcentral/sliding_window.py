"""The arithmetic of one quota group: how many requests fit into a sliding window. Pure functions of plain values.

RingCentral counts a request when it arrives there, at some moment between our sending it and our reading the reply.
A request therefore holds its place from the moment it is sent until one window after its reply came. Whatever the
delays on the way, RingCentral then never sees more than `limit` of our requests within one window.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# Replies are counted on a grid of this many steps per window, each rounded up to the next step. It bounds the state
# at that many entries however high the limit, at the price of a thousandth of the throughput.
_STEPS = 1000

# Seconds. RingCentral's are a minute; what a proxy on the way says may be anything.
LONGEST_PENALTY = 3600.0

# How soon to look again while the first reply, which brings the true limit, is still under way.
_FIRST_REPLY_SECONDS = 0.05

# Groups of an app that nobody has customised (https://developers.ringcentral.com/guide/basics/rate-limits). The
# first reply of a group brings the true numbers. A group of another name starts as the strictest of the API's.
_FIRST_GUESS = {"light": (50, 60.0), "medium": (40, 60.0), "heavy": (10, 60.0), "auth": (5, 60.0)}


@dataclass(frozen=True)
class QuotaHeaders:
    """The `X-Rate-Limit-*` headers of a reply.

    Attributes:
        group: Name of the group in lower case.
        limit: Requests allowed in one window, at least 1.
        remaining: Requests left in the present window.
        window: Length of the window in seconds, above 0.
    """

    group: str
    limit: int
    remaining: int
    window: float


@dataclass(frozen=True)
class SlidingWindow:
    """What is known of one group. All times are seconds on one clock that all processes share.

    Attributes:
        limit: Requests allowed in one window.
        window: Length of the window in seconds.
        learned: Whether a reply has stated limit and window; before that they are a guess.
        counted: Grid step -> number of requests whose reply came at that time.
        in_flight: Id -> time of sending, of requests whose reply has not come.
        blocked_until: No request before this time.
    """

    limit: int
    window: float
    learned: bool = False
    counted: Mapping[float, int] = field(default_factory=dict)
    in_flight: Mapping[str, float] = field(default_factory=dict)
    blocked_until: float = 0.0

    @property
    def used(self) -> int:
        """Places taken."""
        return sum(self.counted.values()) + len(self.in_flight)


def first_guess(group: str) -> SlidingWindow:
    """The window of a group of which no reply has come yet."""
    limit, window = _FIRST_GUESS.get(group, _FIRST_GUESS["heavy"])
    return SlidingWindow(limit, window)


def at(state: SlidingWindow, now: float, reply_within: float) -> SlidingWindow:
    """`state` without the places that have become free by `now`.

    A request whose reply has not come for `reply_within` seconds was sent by a process that is gone; it counts as
    arrived at the end of that time. Times ahead of `now` (the clock was set back) count as now.
    """
    latest = _grid(now, state.window)
    given_up = {key: time + reply_within for key, time in state.in_flight.items() if time + reply_within <= now}
    arrivals = [*state.counted.items(), *((_grid(time, state.window), 1) for time in given_up.values())]
    counted: dict[float, int] = {}
    for time, requests in arrivals:
        if time + state.window > now:
            step = min(time, latest)
            counted[step] = counted.get(step, 0) + requests
    in_flight = {key: min(time, now) for key, time in state.in_flight.items() if key not in given_up}
    return replace(state, counted=counted, in_flight=in_flight)


def wait_before(state: SlidingWindow, now: float, ahead: int = 0) -> float:
    """Seconds until one more request may be sent; 0.0 if it may now. `state` is as of `now`.

    Until a reply has stated the limit, requests go one at a time, since the guess may be too high. A later reply may
    free fewer places than this foresees: ask again after the wait.

    Args:
        state: The group.
        now: The time.
        ahead: How many requests are to be sent before this one.
    """
    blocked = penalty_left(state.blocked_until, now)
    if not state.learned and (state.in_flight or ahead):
        return max(blocked, _FIRST_REPLY_SECONDS)
    # Who takes a place leaves it to the next one window later.
    rounds, place = divmod(ahead, state.limit)
    return max(blocked, _wait_for_place(state, now, place) + rounds * state.window)


def _wait_for_place(state: SlidingWindow, now: float, place: int) -> float:
    """Seconds until more places than `place` are free; `place` is below the limit."""
    excess = state.used + place + 1 - state.limit
    if excess <= 0:
        return 0.0
    left = 0
    for time in sorted(state.counted):
        left += state.counted[time]
        if left >= excess:
            return time + state.window - now
    # The others are under way and leave one window after their replies, which may come at any moment.
    return state.window


def sent(state: SlidingWindow, request: str, now: float) -> SlidingWindow:
    """`state` after a request took a place."""
    return replace(state, in_flight={**state.in_flight, request: now})


def unsent(state: SlidingWindow, request: str) -> SlidingWindow:
    """`state` after a request turned out to belong to another group."""
    return replace(state, in_flight={key: time for key, time in state.in_flight.items() if key != request})


def replied(state: SlidingWindow, request: str, now: float) -> SlidingWindow:
    """`state` after the reply to a request came, or after it is certain that none will."""
    return _count(unsent(state, request), 1, now)


def learned(state: SlidingWindow, quota: QuotaHeaders, now: float) -> SlidingWindow:
    """`state` after a reply stated the group's limit and what remains of it.

    What RingCentral has counted beyond our own requests, another program with the same credential has sent; those
    places are taken as of now. `state` must hold the replied request already.
    """
    state = granted(state, quota)
    foreign = (quota.limit - quota.remaining) - state.used
    return _count(state, foreign, now) if foreign > 0 else state


def granted(state: SlidingWindow, quota: QuotaHeaders) -> SlidingWindow:
    """`state` after a reply stated the group's limit."""
    return replace(state, limit=quota.limit, window=quota.window, learned=True)


def penalty_left(until: float, now: float) -> float:
    """Seconds that are left of a penalty; 0.0 if it is over."""
    # One that ends later than any is of before the clock was set back.
    return max(0.0, until - now) if until - now <= LONGEST_PENALTY else 0.0


def blocked(state: SlidingWindow, until: float) -> SlidingWindow:
    """`state` during a penalty: nothing may be sent before `until`."""
    return replace(state, blocked_until=max(state.blocked_until, until))


def _count(state: SlidingWindow, requests: int, now: float) -> SlidingWindow:
    step = _grid(now, state.window)
    return replace(state, counted={**state.counted, step: state.counted.get(step, 0) + requests})


def _grid(time: float, window: float) -> float:
    step = window / _STEPS
    return math.ceil(time / step) * step
