"""Usage plans: sliding windows with a penalty that every further request starts again.

https://developers.ringcentral.com/guide/basics/rate-limits
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.ringcentral.config import Group, QuotaLimit


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a quota says about one request.

    Attributes:
        group: That the request counts in.
        limit: The plan of the group.
        remaining: Requests left in the window after this one.
        retry_after: Whole seconds until the penalty ends; None for an admitted request.
    """

    group: Group
    limit: QuotaLimit
    remaining: int
    retry_after: int | None

    def headers(self) -> dict[str, str]:
        """The X-Rate-Limit headers, and Retry-After for a rejected request."""
        headers = {
            "X-Rate-Limit-Group": self.group,
            "X-Rate-Limit-Limit": str(self.limit.limit),
            "X-Rate-Limit-Remaining": str(self.remaining),
            "X-Rate-Limit-Window": str(math.ceil(self.limit.window)),
        }
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers


@dataclass(slots=True)
class _Usage:
    admitted: deque[float] = field(default_factory=deque)
    shut_until: float = -math.inf


class Quotas:
    """Counts requests by user, application and group.

    Args:
        limits: By group; a missing group is not limited, None limits nothing.
        seconds: The running clock.
    """

    def __init__(self, limits: Mapping[Group, QuotaLimit] | None, seconds: Callable[[], float]) -> None:
        self._limits = dict(limits or {})
        self._seconds = seconds
        self._lock = threading.Lock()
        self._usages: dict[tuple[str, str, Group], _Usage] = {}

    def count(self, user: str, app: str, group: Group) -> Verdict | None:
        """Counts one request; None if its group is not limited."""
        limit = self._limits.get(group)
        if limit is None:
            return None
        with self._lock:
            now = self._seconds()
            usage = self._usages.setdefault((user, app, group), _Usage())
            while usage.admitted and usage.admitted[0] <= now - limit.window:
                usage.admitted.popleft()
            if now < usage.shut_until or len(usage.admitted) >= limit.limit:
                usage.shut_until = now + limit.penalty
                # Ceiling, and at least one: a client that waits as told must find the group open.
                return Verdict(group, limit, remaining=0, retry_after=max(1, math.ceil(limit.penalty)))
            usage.admitted.append(now)
            return Verdict(group, limit, remaining=limit.limit - len(usage.admitted), retry_after=None)

    def reset(self) -> None:
        """Forgets every request and penalty."""
        with self._lock:
            self._usages.clear()
