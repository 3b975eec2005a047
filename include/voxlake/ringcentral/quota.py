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
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from voxlake.ringcentral import sliding_window, waiting_line
from voxlake.ringcentral.errors import RateLimitedError
from voxlake.ringcentral.shared_state import SharedState
from voxlake.ringcentral.sliding_window import QuotaHeaders, SlidingWindow
from voxlake.ringcentral.waiting_line import Line, Rank

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

_KEY = "quota-"

# An identifier in a path (`~`, `400151109008`, `VgLcd1KWffJVzUA`) is whatever is not a lower-case word.
_WORD = re.compile(r"v\d+\.\d+|[a-z]+(-[a-z]+)*")

# One who waits in place looks again this often, as a better-placed one may have been killed.
_LOOK_AGAIN_SECONDS = 1.0

# How much the newest request counts in the mean time that a group's requests take.
_NEWEST = 0.1


@dataclass(frozen=True)
class Slot:
    """The right to send one request, given by `acquire` and given back by `observe`.

    Attributes:
        group: The group that it was given in.
        request: Names the request.
        waited: Seconds that it was waited for.
    """

    group: str
    request: str
    waited: float = 0.0


@dataclass(frozen=True)
class Grant:
    """What RingCentral grants a credential in one group, and what is used of it.

    Attributes:
        credential: Names the user and app; holds no secret.
        group: The group's name.
        limit: Requests that one window takes.
        window: Length of the window in seconds.
        used: Places taken now, by this and by other programs.
        blocked_for: Seconds of a penalty that are left.
        seconds: Mean time of a request in the group, with its body; 0.0 before the first.
    """

    credential: str
    group: str
    limit: int
    window: float
    used: int
    blocked_for: float
    seconds: float


@dataclass(frozen=True)
class _Turn:
    """Seconds until it is one's turn.

    Attributes:
        here: With regard to those only who wait in place: what it takes to wait in place too.
        in_line: With regard to all in the line: when to come back.
    """

    here: float
    in_line: float


@dataclass(frozen=True)
class _State:
    """What is shared.

    Attributes:
        windows: Group -> its window.
        group_of: Endpoint -> group that a reply has named.
        blocked_until: No request of any group before this time.
        lines: Group -> who waits.
        seconds: Group -> mean time of its requests.
    """

    windows: Mapping[str, SlidingWindow] = field(default_factory=dict)
    group_of: Mapping[str, str] = field(default_factory=dict)
    blocked_until: float = 0.0
    lines: Mapping[str, Line] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def window(self, group: str) -> SlidingWindow:
        return self.windows.get(group) or sliding_window.first_guess(group)

    def with_window(self, group: str, window: SlidingWindow) -> "_State":
        return replace(self, windows={**self.windows, group: window})

    def line(self, group: str, now: float) -> dict[str, waiting_line.Waiter]:
        return waiting_line.at(self.lines.get(group, {}), now)

    def with_line(self, group: str, line: Line) -> "_State":
        return replace(self, lines={**self.lines, group: line})


_STATE_JSON = TypeAdapter(_State)


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
        self._key = f"{_KEY}{name}"
        self._waiter = waiter or uuid.uuid4().hex
        self.max_wait = max_wait
        self._reply_within = reply_within

    def group_of(self, url: str) -> str:
        """The group that the last reply of this endpoint named; before the first reply a guess.

        The guess is `heavy`, the strictest, for everything but the login: all that is read of calls and recordings
        is in that group.
        """
        return _group_of(_parsed(self._shared.read(self._key), self._key), url)

    def wait_before(self, url: str, rank: Rank) -> float:
        """Seconds that a request of this rank to an endpoint would have to wait now; nothing is taken."""
        state, now = _parsed(self._shared.read(self._key), self._key), self._shared.now()
        return self._turn(state, _group_of(state, url), rank, now).here

    def acquire(self, group: str, rank: Rank = Rank()) -> Slot:  # noqa: B008 - immutable
        """Waits until one more request of `group` may be sent.

        Raises:
            RateLimitedError: The wait would exceed `max_wait`; `retry_after` says how long it would be. Who comes back
                by then has its place in the line.
        """
        began = time.monotonic()
        # Named outside of the change, which may be made twice: one request takes one place.
        request = uuid.uuid4().hex
        while True:
            waited = time.monotonic() - began
            left = self.max_wait - waited
            turn = self._change(partial(self._try_acquire, group, rank, request, left))
            if turn.here == 0:
                return Slot(group, request, waited)
            if turn.here > left:
                raise RateLimitedError(
                    f"The quota of RingCentral's group {group!r} is used up by all programs with this credential. "
                    f"Nothing was sent; try again in {math.ceil(turn.in_line)} s.",
                    retry_after=turn.in_line,
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

        def counted(state: _State, now: float) -> tuple[_State, None]:
            if group != slot.group:
                guessed = sliding_window.unsent(state.window(slot.group), slot.request)
                state = state.with_window(slot.group, guessed)
            window = sliding_window.at(state.window(group), now, self._reply_within)
            window = sliding_window.replied(window, slot.request, now)
            if quota and penalty is None:
                window = sliding_window.learned(window, quota, now)
            if penalty is not None:
                window = sliding_window.blocked(window, now + penalty)
            state = state.with_window(group, window)
            if quota:
                state = replace(state, group_of={**state.group_of, _endpoint(url): group})
            elif penalty is not None:
                state = replace(state, blocked_until=max(state.blocked_until, now + penalty))
            return state, None

        self._change(counted)

    def took(self, url: str, seconds: float) -> None:
        """Counts the time of a whole request to an endpoint, its body included, in the mean of its group."""

        def counted(state: _State, _: float) -> tuple[_State, None]:
            group = _group_of(state, url)
            mean = state.seconds.get(group, seconds) * (1 - _NEWEST) + seconds * _NEWEST
            return replace(state, seconds={**state.seconds, group: mean}), None

        self._change(counted)

    def _try_acquire(
        self, group: str, rank: Rank, request: str, may_wait: float, state: _State, now: float
    ) -> tuple[_State, _Turn]:
        """Takes a place if it is this one's turn, else joins the line: in place, or to come back."""
        line = state.line(group, now)
        turn = self._turn(state, group, rank, now)
        if turn.here == 0:
            window = sliding_window.at(state.window(group), now, self._reply_within)
            state = state.with_window(group, sliding_window.sent(window, request, now))
            line = waiting_line.gone(line, self._waiter)
        elif turn.here > may_wait:
            line = waiting_line.away(line, self._waiter, rank, now, now + turn.in_line)
        else:
            look_again = now + min(turn.here, _LOOK_AGAIN_SECONDS)
            line = waiting_line.waiting(line, self._waiter, rank, now, look_again)
        return state.with_line(group, line), turn

    def _turn(self, state: _State, group: str, rank: Rank, now: float) -> _Turn:
        window = sliding_window.at(state.window(group), now, self._reply_within)
        line = state.line(group, now)

        def wait(*, present: bool) -> float:
            ahead = waiting_line.ahead(line, self._waiter, rank, now, present=present)
            return max(sliding_window.wait_before(window, now, ahead), state.blocked_until - now)

        return _Turn(wait(present=True), wait(present=False))

    def _change(self, change: Callable[[_State, float], tuple[_State, Result]]) -> Result:
        def changed(value: bytes | None, now: float) -> tuple[bytes | None, Result]:
            state, result = change(_parsed(value, self._key), now)
            return _STATE_JSON.dump_json(state), result

        return self._shared.update(self._key, changed)


def read_grants(state: SharedState, name: str = "") -> list[Grant]:
    """What is granted in each group that a reply has named.

    Args:
        state: Where the quotas are kept.
        name: Of one credential; of all that the state knows, where empty.
    """
    grants = []
    for key in [f"{_KEY}{name}"] if name else state.keys(_KEY):
        quota, now = _parsed(state.read(key), key), state.now()
        for group, window in sorted(quota.windows.items()):
            if not window.learned:
                continue
            # What is under way counts for its longest time here: that tells more of the present than of the past.
            window = sliding_window.at(window, now, window.window)
            blocked_for = max(0.0, window.blocked_until - now, quota.blocked_until - now)
            seconds = quota.seconds.get(group, 0.0)
            grants.append(
                Grant(key.removeprefix(_KEY), group, window.limit, window.window, window.used, blocked_for, seconds)
            )
    return grants


def _parsed(value: bytes | None, key: str) -> _State:
    if value is None:
        return _State()
    try:
        return _STATE_JSON.validate_json(value)
    except ValidationError as error:
        _log.warning("The count of requests %s is unreadable and starts anew: %s", key, error)
        return _State()


def _group_of(state: _State, url: str) -> str:
    endpoint = _endpoint(url)
    return state.group_of.get(endpoint) or ("auth" if "oauth" in endpoint else "heavy")


def _endpoint(url: str) -> str:
    """The path of `url` with `*` for each identifier: `/restapi/v1.0/account/*/recording/*/content`."""
    segments = urlsplit(url).path.split("/")
    return "/".join(part if not part or _WORD.fullmatch(part) else "*" for part in segments)
