"""Every API request the sandbox answered, in the order of the answers; never a token."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.ringcentral.clock import Clock

_LOGGER = logging.getLogger("sandbox.ringcentral")
_KEPT_REQUESTS = 100_000
_SECRET_PARAMETERS = frozenset({"access_token", "token"})

Host = Literal["platform", "media"]


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One answered request.

    Attributes:
        time: Wall time of the sandbox at which it arrived.
        seconds: The sandbox's running seconds at that moment; they pass even where the wall time is fixed.
        host: Listener that it came to.
        method: HTTP method.
        path: Without the query.
        query: Without any token.
        status: HTTP status of the answer.
        group: Rate-limit group that it counted in; None if in none.
        user_agent: As sent.
    """

    time: datetime
    seconds: float
    host: Host
    method: str
    path: str
    query: str
    status: int
    group: str | None
    user_agent: str

    def json(self) -> dict[str, object]:
        return {**asdict(self), "time": self.time.isoformat()}


class Journal:
    """Keeps the latest 100,000 entries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[RequestEntry] = deque(maxlen=_KEPT_REQUESTS)

    def add(self, entry: RequestEntry) -> None:
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> tuple[RequestEntry, ...]:
        with self._lock:
            return tuple(self._entries)

    def reset(self) -> None:
        with self._lock:
            self._entries.clear()


class JournalMiddleware:
    """Writes one journal entry an answer, before its first byte leaves; the sandbox's own pages are left out."""

    def __init__(self, app: ASGIApp, journal: Journal, host: Host, clock: Clock) -> None:
        self._app = app
        self._journal = journal
        self._host = host
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/sandbox/"):
            await self._app(scope, receive, send)
            return
        arrived = self._clock.now(), self._clock.seconds()

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, arrived, message)
            await send(message)

        await self._app(scope, receive, send_noted)

    def _note(self, scope: Scope, arrived: tuple[datetime, float], start: Message) -> None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        entry = RequestEntry(
            time=arrived[0],
            seconds=arrived[1],
            host=self._host,
            method=scope["method"],
            path=scope["path"],
            query=urlencode([(key, value) for key, value in query if key not in _SECRET_PARAMETERS]),
            status=start["status"],
            group=scope.get("state", {}).get("rate_limit_group"),
            user_agent=headers.get(b"user-agent", ""),
        )
        self._journal.add(entry)
        _LOGGER.info(
            "%s %s %s%s -> %d %s",
            entry.host,
            entry.method,
            entry.path,
            f"?{entry.query}" if entry.query else "",
            entry.status,
            entry.group or "",
        )
