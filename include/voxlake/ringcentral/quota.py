"""One count of requests, and one line, for all processes that use the same credential.

RingCentral counts per (user, app) and group of endpoints, call log and media together, and starts a penalty again
with every request sent during it (https://developers.ringcentral.com/guide/basics/rate-limits). A process that
counted alone could keep neither rule.

Not built on pyrate-limiter (4.5): its buckets take a place when a request is sent and give it back one interval later,
so what arrives late counts in another window there than here; their rates are fixed when they are made, where
RingCentral states them with each reply; and they have neither a penalty that all keep nor an order of who waits.
"""

import logging
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from voxlake.ringcentral import sliding_window, waiting_line
from voxlake.ringcentral.errors import RateLimitedError
from voxlake.ringcentral.quota_state import KEY, QuotaState, endpoint_of, group_of, parsed, serialized
from voxlake.ringcentral.shared_state import SharedState
from voxlake.ringcentral.sliding_window import QuotaHeaders
from voxlake.ringcentral.waiting_line import Rank

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

# One who waits in place looks again this often, as a better-placed one may have been killed.
_LOOK_AGAIN_SECONDS = 1.0

# The grant may rise, and who is ahead may not come: nobody stays away for longer.
_AWAY_SECONDS = 900.0

# How much the newest request counts in the mean time that a group's requests take.
_NEWEST = 0.1


@dataclass(frozen=True)
class Slot:
    """The right to send one request, given by `acquire` and given back by `observe`.

    Attributes:
        group: The group that it was given in.
        request: Names the request.
    """

    group: str
    request: str


@dataclass(frozen=True)
class Turn:
    """Seconds until it is one's turn.

    Attributes:
        here: With regard to those only who wait in place: what it takes to wait in place too.
        in_line: With regard to all in the line: when to come back.
    """

    here: float
    in_line: float


class SharedQuota:
    """The quota of one credential.

    Args:
        state: Where it is kept.
        name: What tells this credential from others; holds no secret.
        waiter: Who waits: the same name keeps its place in the line when it comes back, also in another process.
        max_wait: Seconds that `acquire` may wait in place.
        reply_within: Seconds after which a request without a reply has surely failed.
    """

    def __init__(
        self,
        state: SharedState,
        name: str,
        *,
        waiter: str | None = None,
        max_wait: float = 15.0,
        reply_within: float = 70.0,
    ) -> None:
        self._shared = state
        self._key = f"{KEY}{name}"
        self._waiter = waiter or uuid.uuid4().hex
        self._max_wait = max_wait
        self._reply_within = reply_within

    def group_of(self, url: str) -> str:
        """The group that the last reply of this endpoint named; before the first reply a guess.

        The guess is `heavy`, the strictest, for everything but the login: all that is read of calls and recordings
        is in that group.
        """
        return group_of(self._read(), url)

    def turn(self, url: str, rank: Rank) -> Turn:
        """How long a request of this rank to an endpoint would have to wait now; nothing is taken."""
        state = self._read()
        return self._turn(state, group_of(state, url), rank, self._shared.now())

    def acquire(self, group: str, rank: Rank = Rank(), max_wait: float | None = None) -> Slot:  # noqa: B008 - immutable
        """Waits until one more request of `group` may be sent.

        Args:
            group: The group.
            rank: The request's place in the line.
            max_wait: Seconds that it may wait in place; the quota's own where None.

        Raises:
            RateLimitedError: The wait would exceed that; `retry_after` says how long it would be. Who comes back
                by then has its place in the line.
        """
        began = time.monotonic()
        # Named outside of the change, which may be made twice: one request takes one place.
        request = uuid.uuid4().hex
        while True:
            left = (self._max_wait if max_wait is None else max_wait) - (time.monotonic() - began)
            turn = self._change(partial(self._try_acquire, group, rank, request, left))
            if turn.here == 0:
                return Slot(group, request)
            if turn.here > left:
                away = _away(turn)
                raise RateLimitedError(
                    f"The quota of RingCentral's group {group!r} is used up by all programs with this credential. "
                    f"Nothing was sent; try again in {math.ceil(away)} s.",
                    retry_after=away,
                )
            _log.debug("Waiting %.2f s for the quota of group %s", turn.here, group)
            time.sleep(min(turn.here, _LOOK_AGAIN_SECONDS))

    def observe(self, slot: Slot, url: str, quota: QuotaHeaders | None = None, penalty: float | None = None) -> None:
        """Counts the request of `slot` and learns from its reply. To be called once, also when no reply came.

        Args:
            slot: What `acquire` gave.
            url: The address asked; later requests to the same endpoint go by the group of this reply.
            quota: The quota headers of the reply, None if it carried none.
            penalty: After a 429 the seconds during which nobody may send: to the group that `quota` names, or to
                any group if it is None, because then another limit than a group's was hit.
        """
        group = quota.group if quota else slot.group
        if penalty is not None:
            _log.warning("RingCentral answered 429; nobody sends for %.0f s (%s)", penalty, group)

        def counted(state: QuotaState, now: float) -> tuple[QuotaState, None]:
            if group != slot.group:
                guessed = sliding_window.unsent(state.window(slot.group), slot.request)
                state = state.with_window(slot.group, guessed)
            window = sliding_window.at(state.window(group), now, self._reply_within)
            window = sliding_window.replied(window, slot.request, now)
            if quota and penalty is None:
                window = sliding_window.learned(window, quota, now)
            if quota and penalty is not None:
                # It may be the first to tell of a smaller grant. Nothing remains during a penalty, whoever used it.
                window = sliding_window.granted(window, quota)
            if penalty is not None:
                window = sliding_window.blocked(window, now + penalty)
            state = replace(state.with_window(group, window), used_at=now)
            if quota:
                state = replace(state, group_of={**state.group_of, endpoint_of(url): group})
            elif penalty is not None:
                state = replace(state, blocked_until=max(state.blocked_until, now + penalty))
            return state, None

        self._change(counted)

    def took(self, url: str, seconds: float) -> None:
        """Counts the time of a whole request to an endpoint, its body included, in the mean of its group."""

        def counted(state: QuotaState, _: float) -> tuple[QuotaState, None]:
            group = group_of(state, url)
            mean = state.seconds.get(group, seconds) * (1 - _NEWEST) + seconds * _NEWEST
            return replace(state, seconds={**state.seconds, group: mean}), None

        self._change(counted)

    def _try_acquire(
        self, group: str, rank: Rank, request: str, may_wait: float, state: QuotaState, now: float
    ) -> tuple[QuotaState, Turn]:
        """Takes a place if it is this one's turn, else joins the line: in place, or to come back."""
        line = state.line(group, now)
        turn = self._turn(state, group, rank, now)
        if turn.here == 0:
            window = sliding_window.at(state.window(group), now, self._reply_within)
            state = state.with_window(group, sliding_window.sent(window, request, now))
            line = waiting_line.gone(line, self._waiter)
        elif turn.here > may_wait:
            line = waiting_line.away(line, self._waiter, rank, now, now + _away(turn))
        else:
            look_again = now + min(turn.here, _LOOK_AGAIN_SECONDS)
            line = waiting_line.waiting(line, self._waiter, rank, now, look_again)
        return state.with_line(group, line), turn

    def _turn(self, state: QuotaState, group: str, rank: Rank, now: float) -> Turn:
        window = sliding_window.at(state.window(group), now, self._reply_within)
        line = state.line(group, now)

        def wait(*, present: bool) -> float:
            ahead = waiting_line.ahead(line, self._waiter, rank, now, present=present)
            return max(sliding_window.wait_before(window, now, ahead), state.blocked_for(now))

        return Turn(wait(present=True), wait(present=False))

    def _read(self) -> QuotaState:
        return parsed(self._shared.read(self._key), self._key)

    def _change(self, change: Callable[[QuotaState, float], tuple[QuotaState, Result]]) -> Result:
        def changed(value: bytes | None, now: float) -> tuple[bytes | None, Result]:
            state, result = change(parsed(value, self._key), now)
            return serialized(state), result

        return self._shared.update(self._key, changed)


def _away(turn: Turn) -> float:
    return min(turn.in_line, _AWAY_SECONDS)
