"""Bad answers that a test or a demonstration switches on."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.ringcentral.errors import ApiError, not_found

AnswerOf = Literal["token", "call_log", "call_log_extract_sync", "call_record", "recording", "content"]
AnswerKind = Literal[
    "html",
    "json",
    "empty",
    "wrong_type",
    "truncated",
    "reset",
    "stall",
    "silent",
    "partial",
    "corrupt",
    "unplayable",
    "redirect",
    "redirect_foreign",
    "not_found",
    "error",
    "unavailable",
]
RecordKind = Literal["no_start_time", "wrong_type", "unknown_field"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        on: The operation that answers badly, or `record` for a record of the call log.
        kind: Of an operation: `html` and `json` (200 with a page or an object instead of the content), `empty` (200
            without a body), `wrong_type` (the content as `application/octet-stream`), `truncated` (the connection ends
            in the middle of the body), `reset` (a TCP reset in the middle of the body), `stall` (the body stops in its
            middle and the connection stays open), `silent` (no answer; the connection stays open), `partial` (206 with
            the first half, which nobody asked for), `corrupt` (zeros for the second third of the body: an MP3 plays
            shorter than its header says), `unplayable` (zeros for all but the first 16 bytes), `redirect` (302 to the
            same host), `redirect_foreign` (302 to `location`), `not_found` (404 CMN-102), `error` (500 CMN-201),
            `unavailable` (503 with Retry-After).
            Of a record: `no_start_time`, `wrong_type` (of `field`), `unknown_field`.
        id: Of the recording or call-log record; None for any.
        times: Answers after which the fault is over; None for never.
        retry_after: Seconds in Retry-After of `unavailable`.
        location: Where `redirect_foreign` leads.
        field: Of the record whose type `wrong_type` changes.
    """

    on: AnswerOf | Literal["record"]
    kind: AnswerKind | RecordKind
    id: str | None = None
    times: int | None = None
    retry_after: int = 1
    location: str = "https://files.example.net/recording"
    field: str = "duration"

    def __post_init__(self) -> None:
        if self.on not in (*get_args(AnswerOf), "record"):
            raise ValueError(f"on must be one of {(*get_args(AnswerOf), 'record')}, got {self.on!r}")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times must be at least 1, or None for always, got {self.times}")
        kinds = get_args(RecordKind if self.on == "record" else AnswerKind)
        if self.kind not in kinds:
            raise ValueError(f"kind of a fault on {self.on} must be one of {kinds}, got {self.kind!r}")


class Faults:
    """The faults that are switched on; the first that fits is taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._active.append((fault, fault.times))

    def clear(self) -> None:
        with self._lock:
            self._active.clear()

    def active(self) -> tuple[Fault, ...]:
        with self._lock:
            return tuple(fault for fault, _ in self._active)

    def take(self, on: str, identifier: str | None) -> Fault | None:
        """The fault for one answer, which uses up one of its times."""
        with self._lock:
            for position, (fault, left) in enumerate(self._active):
                if fault.on == on and fault.id in {None, identifier}:
                    if left == 1:
                        del self._active[position]
                    elif left is not None:
                        self._active[position] = (fault, left - 1)
                    return fault
        return None


class _NoResponse(Response):
    """Waits until the client hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()


_BreakOff = Callable[[Scope, Receive, Send], Awaitable[None]]


class _BrokenResponse(Response):
    """Announces the whole length, sends half of the body, and breaks off."""

    def __init__(self, whole: Response, break_off: _BreakOff) -> None:
        super().__init__(bytes(whole.body), whole.status_code, dict(whole.headers))
        self._break_off = break_off

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._break_off(scope, receive, send)


async def _close(_: Scope, __: Receive, ___: Send) -> None:
    """Returning with more_body announced makes the server close the connection."""


async def _stall(_: Scope, receive: Receive, __: Send) -> None:
    # The next thing that a client does about a body that stops is to hang up.
    await receive()


async def _reset(scope: Scope, receive: Receive, send: Send) -> None:
    transport: asyncio.Transport = scope["state"]["transport"]
    # A reset drops what has not left yet. With this limit the next message waits until everything has.
    transport.set_write_buffer_limits(high=0)
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    # To linger for no time means to close with a reset: https://man7.org/linux/man-pages/man7/socket.7.html
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await receive()


def _partial(whole: Response) -> Response:
    half = bytes(whole.body)[: len(whole.body) // 2]
    headers = {"Content-Type": whole.headers["content-type"]}
    headers["Content-Range"] = f"bytes 0-{len(half) - 1}/{len(whole.body)}"
    return Response(half, 206, headers)


def _corrupt(whole: Response) -> Response:
    size = len(whole.body)
    return _blanked(whole, size // 3, 2 * size // 3)


def _unplayable(whole: Response) -> Response:
    # The first bytes are those that a file is told by.
    return _blanked(whole, 16, len(whole.body))


def _blanked(whole: Response, start: int, end: int) -> Response:
    """The same answer with zeros from byte `start` to byte `end` of its body."""
    body = bytes(whole.body)
    body = body[:start] + bytes(len(body[start:end])) + body[end:]
    return Response(body, whole.status_code, dict(whole.headers))


def bad_answer(fault: Fault, whole: Callable[[], Response], resource: str, same_host_url: str) -> Response:
    """The answer of a fault on an operation.

    Args:
        fault: Whose kind is one of an operation's.
        whole: Makes the answer that would have been given.
        resource: Path parameter that `not_found` names.
        same_host_url: Where `redirect` leads.

    Raises:
        ApiError: For the kinds that are errors.
    """
    if fault.kind == "not_found":
        raise not_found(resource)
    if fault.kind == "error":
        raise ApiError(500, "CMN-201", "Service Temporary Unavailable")
    if fault.kind == "unavailable":
        raise ApiError(503, "CMN-201", "Service Temporary Unavailable", headers={"Retry-After": str(fault.retry_after)})
    answers: Mapping[str, Callable[[], Response]] = {
        "html": lambda: HTMLResponse("<!doctype html><title>Maintenance</title><p>We will be back soon."),
        "json": lambda: Response('{"message":"Not what was asked for"}', media_type="application/json;charset=utf-8"),
        "empty": lambda: Response(b"", media_type=whole().headers["content-type"]),
        "wrong_type": lambda: Response(bytes(whole().body), media_type="application/octet-stream"),
        "truncated": lambda: _BrokenResponse(whole(), _close),
        "reset": lambda: _BrokenResponse(whole(), _reset),
        "stall": lambda: _BrokenResponse(whole(), _stall),
        "silent": _NoResponse,
        "partial": lambda: _partial(whole()),
        "corrupt": lambda: _corrupt(whole()),
        "unplayable": lambda: _unplayable(whole()),
        "redirect": lambda: RedirectResponse(same_host_url, 302),
        "redirect_foreign": lambda: RedirectResponse(fault.location, 302),
    }
    return answers[fault.kind]()


def spoiled_record(fault: Fault, record: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a record with a fault on it."""
    spoiled = dict(record)
    if fault.kind == "no_start_time":
        del spoiled["startTime"]
    elif fault.kind == "wrong_type":
        spoiled[fault.field] = 42 if isinstance(spoiled.get(fault.field), str) else "forty-two"
    else:
        spoiled["sandboxUnknownField"] = {"nested": [1, 2, 3]}
    return spoiled
