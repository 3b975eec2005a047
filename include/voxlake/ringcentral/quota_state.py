"""What all processes of a credential know of its quota, as it is kept in the shared state."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from voxlake.ringcentral import sliding_window, waiting_line
from voxlake.ringcentral.sliding_window import SlidingWindow
from voxlake.ringcentral.waiting_line import Line

_log = logging.getLogger(__name__)

# Begins the keys of the shared state; the credential's name follows.
KEY = "quota-"

# An identifier in a path (`~`, `400151109008`, `VgLcd1KWffJVzUA`) is whatever is not a lower-case word.
_WORD = re.compile(r"v\d+\.\d+|[a-z]+(-[a-z]+)*")


@dataclass(frozen=True)
class QuotaState:
    """What is shared.

    Attributes:
        windows: Group -> its window.
        group_of: Endpoint -> group that a reply has named.
        blocked_until: No request of any group before this time.
        lines: Group -> who waits.
        seconds: Group -> mean time of its requests.
        used_at: When the last reply came.
    """

    windows: Mapping[str, SlidingWindow] = field(default_factory=dict)
    group_of: Mapping[str, str] = field(default_factory=dict)
    blocked_until: float = 0.0
    lines: Mapping[str, Line] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    used_at: float = 0.0

    def blocked_for(self, now: float) -> float:
        """Seconds of a penalty for all groups that are left."""
        return sliding_window.penalty_left(self.blocked_until, now)

    def window(self, group: str) -> SlidingWindow:
        """The window of a group; a guess before its first reply."""
        return self.windows.get(group) or sliding_window.first_guess(group)

    def with_window(self, group: str, window: SlidingWindow) -> "QuotaState":
        """The state with a group's window."""
        return replace(self, windows={**self.windows, group: window})

    def line(self, group: str, now: float) -> dict[str, waiting_line.Waiter]:
        """Who waits in a group as of `now`."""
        return waiting_line.at(self.lines.get(group, {}), now)

    def with_line(self, group: str, line: Line) -> "QuotaState":
        """The state with a group's line."""
        return replace(self, lines={**self.lines, group: line})


_JSON = TypeAdapter(QuotaState)


def parsed(value: bytes | None, key: str) -> QuotaState:
    """The state of a value; a new one where there is none, or none that can be read."""
    if value is None:
        return QuotaState()
    try:
        return _JSON.validate_json(value)
    except ValidationError as error:
        _log.warning("The count of requests %s is unreadable and starts anew: %s", key, error)
        return QuotaState()


def serialized(state: QuotaState) -> bytes:
    """The value of a state."""
    return _JSON.dump_json(state)


def group_of(state: QuotaState, url: str) -> str:
    """The group that the last reply of this endpoint named; before the first reply a guess."""
    endpoint = endpoint_of(url)
    return state.group_of.get(endpoint) or ("auth" if "oauth" in endpoint else "heavy")


def endpoint_of(url: str) -> str:
    """The path of `url` with `*` for each identifier: `/restapi/v1.0/account/*/recording/*/content`."""
    segments = urlsplit(url).path.split("/")
    return "/".join(part if not part or _WORD.fullmatch(part) else "*" for part in segments)
