"""Starts and stops a sandbox of Sinch in a thread of its own."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sandbox.served import served
from sandbox.sinch.app import application
from sandbox.sinch.callbacks import send, signed_headers
from sandbox.sinch.cdr import write_cdr
from sandbox.sinch.conferences import Conferences
from sandbox.sinch.phone import CallPlan, PlacedCall
from sandbox.sinch.state import Made, SandboxCall, Sent, State


@dataclass(frozen=True, slots=True)
class SinchSandbox:
    """A running sandbox, as tests use it.

    Attributes:
        url: Where it listens.
    """

    url: str
    _state: State
    _conferences: Conferences

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

    @property
    def recordings(self) -> list[Made]:
        """What was recorded, in the order in which it ended."""
        return self._state.recordings

    @property
    def sent(self) -> list[Sent]:
        """The callbacks that were sent, in their order, with what they were answered."""
        return self._state.sent

    def call_back_to(self, url: str) -> None:
        """Sets the application's callback URL, as its dashboard does; empty for none."""
        self._state.callback_url = url

    def open_call(self, **plan: Any) -> PlacedCall:
        """Places a call and leaves it on the line; the arguments are the fields of `CallPlan`."""
        call = PlacedCall(self._state, self._conferences, CallPlan(**plan))
        call.place()
        return call

    def place_call(self, seconds: float = 5.0, **plan: Any) -> PlacedCall:
        """Places a call, which ends after so many seconds of talk; the other arguments as in `open_call`."""
        call = self.open_call(**plan)
        call.talk(seconds)
        call.hang_up()
        return call

    def send(self, body: Mapping[str, Any]) -> Sent:
        """Sends one callback; there must be a callback URL."""
        sent = send(self._state, body)
        assert sent is not None
        return sent

    def sign(self, content: bytes, at: datetime | None = None) -> dict[str, str]:
        """The headers of a callback with this content, signed now or at another time."""
        return signed_headers(self._state, self._state.callback_url, content, at=at)

    def send_late(self) -> None:
        """Sends what calls with `notify="late"` held back."""
        while self._state.held_back:
            send(self._state, self._state.held_back.pop(0))

    def write_cdr(self, day: date, folder_url: str, credentials: str) -> str:
        """Writes the call detail records of a UTC day into a bucket's folder; `s3://bucket/key` of the file."""
        return write_cdr(self._state, day, folder_url, credentials)

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
def run_sinch_sandbox(s3_endpoint: str = "", callback_url: str = "") -> Iterator[SinchSandbox]:
    """Runs a sandbox for the length of a `with` block; it accepts connections when it begins.

    Args:
        s3_endpoint: The S3 server with the buckets that recordings are written into.
        callback_url: The application's, see `SinchSandbox.call_back_to`.
    """
    secret = base64.b64encode(secrets.token_bytes(16)).decode()
    state = State(str(uuid.uuid4()), secret, s3_endpoint=s3_endpoint, callback_url=callback_url)
    with served(application(state)) as url:
        state.url = url
        yield SinchSandbox(url, state, Conferences(state))
