"""Starts and stops a sandbox of Sinch in a thread of its own."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from sandbox.sinch.app import SandboxCall, State, application


@dataclass(frozen=True, slots=True)
class SinchSandbox:
    """A running sandbox, as tests use it.

    Attributes:
        url: Where it listens.
    """

    url: str
    _state: State

    @property
    def key(self) -> str:
        """The application key."""
        return self._state.key

    @property
    def secret(self) -> str:
        """The application secret."""
        return self._state.secret

    def add_call(self, facts: Mapping[str, Any] | None = None, *, ongoing: bool = True) -> SandboxCall:
        """A call that the API knows, with what it says of it beside the id and the status."""
        call_id = str(uuid.uuid4())
        status = "ONGOING" if ongoing else "FINAL"
        call = SandboxCall(call_id, {"callId": call_id, "status": status} | dict(facts or {}), ongoing)
        self._state.calls[call_id] = call
        return call

    def fail_next(self, status: int, **headers: str) -> None:
        """Has the next request answered with a status and an empty body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._state.failures.append((status, named))

    def connection(self, **extra: str) -> dict[str, Any]:
        """The Airflow connection to this sandbox."""
        return {"conn_type": "sinch", "host": self.url, "login": self.key, "password": self.secret, "extra": extra}

    def connection_json(self, **extra: str) -> str:
        """The connection as AIRFLOW_CONN_SINCH_DEFAULT takes it."""
        return json.dumps(self.connection(**extra))


@contextmanager
def run_sinch_sandbox() -> Iterator[SinchSandbox]:
    """Runs a sandbox for the length of a `with` block; it accepts connections when it begins."""
    state = State(key=str(uuid.uuid4()), secret=base64.b64encode(secrets.token_bytes(16)).decode())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application(state), lifespan="off", access_log=False, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="sinch-sandbox", daemon=True)
        thread.start()
        try:
            yield SinchSandbox(f"http://127.0.0.1:{listener.getsockname()[1]}", state)
        finally:
            server.should_exit = True
            thread.join()
