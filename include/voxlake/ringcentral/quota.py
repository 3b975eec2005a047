"""One count of requests for all processes of this machine that use the same credential.

RingCentral counts per (user, app) and group of endpoints, call log and media together, and starts a penalty again
with every request sent during it (https://developers.ringcentral.com/guide/basics/rate-limits). A process that
counted alone could not keep either rule.
"""

import logging
import math
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from voxlake.ringcentral import sliding_window
from voxlake.ringcentral.errors import RateLimitedError
from voxlake.ringcentral.sliding_window import QuotaHeaders, SlidingWindow
from voxlake.ringcentral.state_files import StateFile

_log = logging.getLogger(__name__)

# An identifier in a path (`~`, `400151109008`, `VgLcd1KWffJVzUA`) is whatever is not a lower-case word.
_WORD = re.compile(r"v\d+\.\d+|[a-z]+(-[a-z]+)*")


@dataclass(frozen=True)
class Slot:
    """The right to send one request, given by `acquire` and given back by `observe`."""

    group: str
    request: str


@dataclass(frozen=True)
class _State:
    """What the file holds.

    Attributes:
        windows: Group -> its window.
        group_of: Endpoint -> group that a reply has named.
        blocked_until: No request of any group before this time.
    """

    windows: Mapping[str, SlidingWindow] = field(default_factory=dict)
    group_of: Mapping[str, str] = field(default_factory=dict)
    blocked_until: float = 0.0

    def window(self, group: str) -> SlidingWindow:
        return self.windows.get(group) or sliding_window.first_guess(group)

    def with_window(self, group: str, window: SlidingWindow) -> "_State":
        return replace(self, windows={**self.windows, group: window})


_STATE_JSON = TypeAdapter(_State)


class SharedQuota:
    """The quota of one credential, kept in a file.

    Args:
        state_dir: Directory that all processes of the machine share.
        name: What tells this credential from others; becomes part of a file name, so it holds no secret.
        max_wait: Seconds that `acquire` may wait in place.
        reply_within: Seconds after which a request without a reply has surely failed.
    """

    def __init__(self, state_dir: Path, name: str, *, max_wait: float = 15.0, reply_within: float = 70.0) -> None:
        self._file = StateFile(state_dir, f"quota-{name}.json")
        self._max_wait = max_wait
        self._reply_within = reply_within

    def group_of(self, url: str) -> str:
        """The group that the last reply of this endpoint named; before the first reply a guess.

        The guess is `heavy`, the strictest, for everything but the login: all that is read of calls and recordings
        is in that group.
        """
        endpoint = _endpoint(url)
        return self._read().group_of.get(endpoint) or ("auth" if "oauth" in endpoint else "heavy")

    def acquire(self, group: str) -> Slot:
        """Waits until one more request of `group` may be sent.

        Raises:
            RateLimitedError: The wait would exceed `max_wait`; `retry_after` says how long it would be.
        """
        deadline = time.monotonic() + self._max_wait
        while True:
            slot, wait = self._try_acquire(group)
            if slot is not None:
                return slot
            if time.monotonic() + wait > deadline:
                raise RateLimitedError(
                    f"The quota of RingCentral's group {group!r} is used up by all programs with this credential. "
                    f"Nothing was sent; try again in {math.ceil(wait)} s.",
                    retry_after=wait,
                )
            _log.debug("Waiting %.2f s for the quota of group %s", wait, group)
            time.sleep(wait)

    def observe(self, slot: Slot, url: str, quota: QuotaHeaders | None = None, penalty: float | None = None) -> None:
        """Counts the request of `slot` and learns from its reply. To be called once, also when no reply came.

        Args:
            slot: What `acquire` gave.
            url: The address asked; later requests to the same endpoint go by the group of this reply.
            quota: The quota headers of the reply, None if it carried none.
            penalty: After a 429 the seconds during which nobody may send: to the group that `quota` names, or to
                any group if it is None, because then another limit than a group's was hit.
        """
        with self._file.lock():
            now = time.time()
            state = self._read()
            group = quota.group if quota else slot.group
            if group != slot.group:
                guessed = sliding_window.unsent(state.window(slot.group), slot.request)
                state = state.with_window(slot.group, guessed)
            window = sliding_window.at(state.window(group), now, self._reply_within)
            window = sliding_window.replied(window, slot.request, now)
            if quota and penalty is None:
                window = sliding_window.learned(window, quota, now)
            if penalty is not None:
                _log.warning("RingCentral answered 429; nobody sends for %.0f s (%s)", penalty, group)
                window = sliding_window.blocked(window, now + penalty)
            state = state.with_window(group, window)
            if quota:
                state = replace(state, group_of={**state.group_of, _endpoint(url): group})
            elif penalty is not None:
                state = replace(state, blocked_until=max(state.blocked_until, now + penalty))
            self._write(state)

    def _try_acquire(self, group: str) -> tuple[Slot | None, float]:
        """A slot, or None and the seconds to wait."""
        with self._file.lock():
            now = time.time()
            state = self._read()
            window = sliding_window.at(state.window(group), now, self._reply_within)
            wait = max(sliding_window.wait_before(window, now), state.blocked_until - now)
            if wait > 0:
                return None, wait
            slot = Slot(group, uuid.uuid4().hex)
            self._write(state.with_window(group, sliding_window.sent(window, slot.request, now)))
            return slot, 0.0

    def _read(self) -> _State:
        content = self._file.read()
        if content is None:
            return _State()
        try:
            return _STATE_JSON.validate_json(content)
        except ValidationError as error:
            _log.warning("The count of requests in %s is unreadable and starts anew: %s", self._file.path, error)
            return _State()

    def _write(self, state: _State) -> None:
        self._file.replace(_STATE_JSON.dump_json(state))


def _endpoint(url: str) -> str:
    """The path of `url` with `*` for each identifier: `/restapi/v1.0/account/*/recording/*/content`."""
    segments = urlsplit(url).path.split("/")
    return "/".join(part if not part or _WORD.fullmatch(part) else "*" for part in segments)
