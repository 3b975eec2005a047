"""Starts and stops a sandbox: two listeners on one event loop in a thread of their own."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.ringcentral.app import media_app, platform_app
from sandbox.ringcentral.calls import Session
from sandbox.ringcentral.clock import Clock
from sandbox.ringcentral.config import SandboxConfig
from sandbox.ringcentral.faults import Faults
from sandbox.ringcentral.journal import RequestEntry
from sandbox.ringcentral.state import State, build_state
from sandbox.ringcentral.subscriptions import Subscriptions
from sandbox.ringcentral.telephony_events import TelephonyEvent, events_of
from sandbox.ringcentral.world import Truth

_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox, as tests and demonstrations use it."""

    _state: State

    @property
    def config(self) -> SandboxConfig:
        return self._state.config

    @property
    def platform_url(self) -> str:
        return self._state.platform_url

    @property
    def media_url(self) -> str:
        return self._state.media_url

    @property
    def client_id(self) -> str:
        return self._state.config.client_id

    @property
    def client_secret(self) -> str:
        return self._state.config.client_secret

    @property
    def jwt(self) -> str:
        return self._state.config.jwt

    @property
    def jwts(self) -> tuple[str, ...]:
        """Of all users that may log in, the first one's first."""
        return self._state.config.jwts

    @property
    def access_tokens(self) -> tuple[str, ...]:
        """Every one issued so far, whether it is still good or not."""
        return self._state.sessions.issued()

    @property
    def clock(self) -> Clock:
        """Its time, which tests move forward instead of waiting."""
        return self._state.clock

    @property
    def faults(self) -> Faults:
        """What goes wrong: `sandbox.faults.add(Fault("content", "html", times=1))`."""
        return self._state.faults

    @property
    def requests(self) -> tuple[RequestEntry, ...]:
        """Every API request answered so far, in order."""
        return self._state.journal.entries()

    def truth(self, date_from: datetime, date_to: datetime) -> Truth:
        """What an archive of [date_from, date_to) must hold, as of the sandbox's time."""
        return self._state.world.truth(date_from, date_to, self.clock.now())

    def content_of(self, recording_id: str) -> bytes:
        """The file of a recording, without a request.

        Raises:
            KeyError: If no recording has this id.
        """
        found = self._state.world.find_recording(recording_id)
        if found is None:
            raise KeyError(recording_id)
        return self._state.audio.content(found[0])

    def sessions(self, date_from: datetime, date_to: datetime) -> tuple[Session, ...]:
        """The telephony sessions with a record that starts in a range, also those that have not begun yet."""
        return self._state.world.sessions(date_from, date_to)

    def send_events(
        self, session: Session, *, order: Callable[[list[TelephonyEvent]], list[TelephonyEvent]] | None = None
    ) -> list[int]:
        """Tells all subscriptions of a session, at once.

        Args:
            session: Of which.
            order: Given all events in order, what is sent: in another order, some twice, some not.

        Returns:
            The statuses of the receivers' answers; 0 where there was none.
        """
        events = events_of(session)
        sent = events if order is None else order(events)
        # The same event has the same name, however often it is sent.
        names = {event.sequence: uuid.uuid4().hex for event in events}
        return [status for event in sent for status in self._state.subscriptions.send(event, names[event.sequence])]

    @property
    def subscriptions(self) -> Subscriptions:
        """What is subscribed to."""
        return self._state.subscriptions

    def delete_call(self, call_id: str) -> None:
        """Deletes a call-log record with its recordings, as a user would; showDeleted still lists it.

        Raises:
            KeyError: If no record has this id.
        """
        self._state.delete_call(call_id)

    def delete_recording(self, recording_id: str) -> None:
        """Deletes the media of a recording; its call-log records stay, without the reference.

        Raises:
            KeyError: If no recording has this id.
        """
        self._state.delete_recording(recording_id)

    def between_pages(self, action: Callable[[int], None] | None) -> None:
        """Has `action` run before every page of a call log but the first is answered, with the number of the page.

        It deletes calls, or moves the clock so that others appear: `sandbox.between_pages(lambda page:
        sandbox.clock.advance(60))`. None ends it.
        """
        self._state.between_pages.action = action

    def expire_sync_tokens(self) -> None:
        """Ends every token of the extract of changes issued so far, as when RingCentral resets its log."""
        self._state.sync_tokens.expire()

    def reset(self) -> None:
        """Forgets requests, quotas, faults, deletions and sync tokens; logins and time stay."""
        self._state.reset()

    def connection(self, user: int = 0) -> dict[str, Any]:
        """The Airflow connection to this sandbox as one of its users: `ringcentral_default` as the first."""
        return {
            "conn_type": "ringcentral",
            "host": self.platform_url,
            "login": self.client_id,
            "password": self.client_secret,
            "extra": {"jwt": self.jwts[user], "media_host": self.media_url},
        }

    def connection_json(self) -> str:
        """The connection as AIRFLOW_CONN_RINGCENTRAL_DEFAULT takes it."""
        return json.dumps(self.connection())


@contextmanager
def run_sandbox(config: SandboxConfig | None = None) -> Iterator[Sandbox]:
    """Runs a sandbox for the length of a `with` block; both listeners accept connections when it begins.

    Args:
        config: Its knobs; the defaults without one.

    Raises:
        OSError: If a port cannot be bound.
    """
    config = config or SandboxConfig()
    with _listening(config.host, config.port) as platform, _listening(config.host, config.media_port) as media:
        state = build_state(config, _url(platform), _url(media))
        servers = [
            (_server(platform_app(state)), platform),
            (_server(media_app(state)), media),
        ]
        thread = threading.Thread(target=_serve, args=(servers,), name="ringcentral-sandbox", daemon=True)
        thread.start()
        try:
            yield Sandbox(state)
        finally:
            for server, _ in servers:
                server.should_exit = True
            thread.join()


def _listening(host: str, port: int) -> socket.socket:
    """A socket that already queues connections, so that nobody has to wait for the server to come up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named does asyncio switch Nagle's algorithm off, which else adds 40 ms to an answer:
    # https://github.com/python/cpython/blob/3.11/Lib/asyncio/base_events.py (_set_nodelay).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Protocol(HttpToolsProtocol):
    """Hands the connection to the application, for faults that lie below HTTP: `scope["state"]["transport"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def _server(app: ASGIApp) -> uvicorn.Server:
    # The applications need no start-up, and the journal is the log. Connections outlive a wait for the quota.
    config = uvicorn.Config(
        app,
        http=_Protocol,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )
    return uvicorn.Server(config)


def _serve(servers: list[tuple[uvicorn.Server, socket.socket]]) -> None:
    async def serve_all() -> None:
        await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))

    asyncio.run(serve_all())
