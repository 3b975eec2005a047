"""What the sandbox knows: its application, its calls, what it sent and what it recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Json = dict[str, Any]

# `once`, soon after the end; `late`, when told to; `twice`, each signed anew; `never`, and no DiCE either.
Notify = Literal["once", "late", "twice", "never"]


@dataclass(slots=True)
class SandboxCall:
    """A call: what the API says of it, and what it was told to do.

    Attributes:
        call_id: The call.
        facts: The reply to `GET`.
        ongoing: Whether it can be managed.
        answered_at: When the called party answered.
        instructions: Those of Manage Call.
        managed: Does what Manage Call asks for, if somebody is on the line.
    """

    call_id: str
    facts: Json
    ongoing: bool
    answered_at: datetime | None = None
    instructions: list[Json] = field(default_factory=list)
    managed: Callable[[Sequence[Json]], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Made:
    """A recording that was made.

    Attributes:
        call_id: The call; of the recording of a conference, the conference's id.
        bucket: The bucket.
        key: The key in it.
        started: When the recording began.
        seconds: How long it is.
        tone: Its pitch in Hz.
        uploaded: Whether the bucket took it.
    """

    call_id: str
    bucket: str
    key: str
    started: datetime
    seconds: float
    tone: float
    uploaded: bool

    @property
    def destination(self) -> str:
        """As `recording_available` names it."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Sent:
    """A callback that was sent.

    Attributes:
        body: What it said.
        content: The same, as it was sent.
        headers: With the signature.
        status: Of the answer; 0 if there was none.
        answer: The JSON object that was answered; empty if it was none, or an error.
    """

    body: Mapping[str, Any]
    content: bytes
    headers: Mapping[str, str]
    status: int
    answer: Json


@dataclass(slots=True)
class State:
    """What the sandbox knows.

    Attributes:
        key: The application key.
        secret: The application secret, in Base64.
        url: Where the API listens.
        s3_endpoint: Where buckets are; empty for Amazon's own.
        callback_url: The application's; empty if it has none.
        calls: By call id.
        recordings: In the order they ended.
        sent: Callbacks in the order they were sent.
        held_back: Callbacks that are late.
        failures: Status and headers of the API's next replies, instead of what would be said.
    """

    key: str
    secret: str
    url: str = ""
    s3_endpoint: str = ""
    callback_url: str = ""
    calls: dict[str, SandboxCall] = field(default_factory=dict)
    recordings: list[Made] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    held_back: list[Json] = field(default_factory=list)
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
