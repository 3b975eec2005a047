"""Takes Sinch's callbacks, at `/voxlake-webhooks/sinch`, and answers the calls that wait for instructions.

https://developers.sinch.com/docs/voice/api-reference/voice/tag/Callbacks/
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from voxlake.sinch.answers import CallPolicy, answer_call, waits
from voxlake.sinch.events import (
    AnsweredCall,
    Callback,
    CallbackBodyError,
    IncomingCall,
    Notification,
    parse_callback,
)
from voxlake.sinch.signature import Application, SignatureRefusedError, verify
from voxlake.sinch.svaml import RecordingOptions
from voxlake.web.fresh import FRESH_SECONDS, LEAST_SECONDS, Fresh
from voxlake.web.once import Once
from voxlake.web.passing_on import PassingOn
from voxlake.web.receiver import Receiver, RefusedError, read_body

log = logging.getLogger(__name__)

# So long a caller is kept waiting for the inbox.
KEEPING_SECONDS = 2.0


@dataclass(frozen=True)
class ConnectedApplication:
    """An application that there is a connection of.

    Attributes:
        application: Key and secret.
        recording: How and where its calls are recorded; None where the connection does not say so properly.
        problem: What is wrong there, without a secret.
    """

    application: Application
    recording: RecordingOptions | None
    problem: str = ""


@dataclass(frozen=True)
class SinchCallbacks:
    """What the endpoint works with.

    Attributes:
        applications: Reads the applications of all connections, by key.
        policy: How calls are answered.
        tell_airflow: Tells Airflow that there are recordings.
        count: Counts what became of the calls that waited: `recorded`, `not_recorded`, `not_kept`, and of what was
            passed on: `passed_on`, `not_passed_on`.
        passing_on: Asks the team's own program, whose answers go before the policy's; None if there is none.
        stands_in: Whether the policy answers where that program fails; else the failure is Sinch's to deal with, which
            asks the application's fallback URL.
    """

    applications: Callable[[], Mapping[str, ConnectedApplication]]
    policy: CallPolicy
    tell_airflow: Callable[[], None]
    count: Callable[[str], None]
    passing_on: PassingOn | None = None
    stands_in: bool = False


def sinch_router(receiver: Receiver, sinch: SinchCallbacks) -> APIRouter:
    """The endpoint.

    Args:
        receiver: Keeps the callbacks.
        sinch: What it works with.
    """
    router = APIRouter()
    applications = Fresh(sinch.applications)
    taken = Once()

    @router.post("/sinch")
    async def receive(request: Request) -> Response:
        try:
            body = await read_body(request)
            connected = await _prove(request, body, applications)
            callback = _parse(body)
            # Who had listened in could else have the bucket's credentials in the answer to ICE. What was not kept may
            # come again.
            with taken.taking(request.headers["authorization"].rpartition(":")[2].strip()) as new:
                if not new:
                    raise RefusedError(403, "replayed")
                await _keep(receiver, sinch, callback, body, connected.application.key)
        except RefusedError as error:
            receiver.refused(error)
            return Response(status_code=error.status)
        if isinstance(callback, Notification) and callback.type.endswith("_available"):
            receiver.tell_airflow()
        return await _passed_on(sinch, connected, request, body) or _answer(sinch, connected, callback)

    return router


async def _prove(
    request: Request, body: bytes, applications: Fresh[Mapping[str, ConnectedApplication]]
) -> ConnectedApplication:
    try:
        return _application_of(request, body, await applications.get(FRESH_SECONDS))
    except SignatureRefusedError as error:
        if error.reason not in ("unknown_application", "wrong"):
            raise _refusal(error) from error
    # The connection may be new, or its secret.
    try:
        return _application_of(request, body, await applications.get(LEAST_SECONDS))
    except SignatureRefusedError as error:
        raise _refusal(error) from error


def _application_of(
    request: Request, body: bytes, connected: Mapping[str, ConnectedApplication]
) -> ConnectedApplication:
    known = {key: one.application for key, one in connected.items()}
    # As it came: what the framework has as the path is decoded.
    path = request.scope["raw_path"].decode()
    return connected[verify(known, "POST", path, request.headers, body, datetime.now(UTC)).key]


def _refusal(error: SignatureRefusedError) -> RefusedError:
    log.warning("a callback of Sinch is refused: %s", error)
    if error.reason in ("unknown_application", "stale"):
        return RefusedError(403, error.reason)
    return RefusedError(401, "forged")


def _parse(body: bytes) -> Callback:
    try:
        return parse_callback(body)
    except CallbackBodyError as error:
        log.warning("a signed callback of Sinch is refused: %s", error)
        raise RefusedError(400, "malformed") from error


async def _keep(receiver: Receiver, sinch: SinchCallbacks, callback: Callback, body: bytes, key: str) -> None:
    if not waits(callback):
        await receiver.keep(body, key)
        return
    try:
        async with asyncio.timeout(KEEPING_SECONDS):
            await receiver.keep(body, key)
    except (RefusedError, TimeoutError):
        # Sinch disconnects a call that is not answered, and people must be able to talk.
        log.warning("call %s is answered, but its %s was not kept in time", callback.call_id, callback.event)
        sinch.count("not_kept")


async def _passed_on(
    sinch: SinchCallbacks, connected: ConnectedApplication, request: Request, body: bytes
) -> Response | None:
    if sinch.passing_on is None:
        return None
    reply = await sinch.passing_on.ask(connected.application, request.headers, body)
    if reply is not None and reply.status_code < 500:
        sinch.count("passed_on")
        return reply
    sinch.count("not_passed_on")
    if sinch.stands_in:
        return None
    return reply or Response(status_code=502)


def _answer(sinch: SinchCallbacks, connected: ConnectedApplication, callback: Callback) -> Response:
    if not isinstance(callback, IncomingCall | AnsweredCall):
        return Response(status_code=200)
    answer = answer_call(callback, sinch.policy, connected.recording)
    if answer.recording is False:
        problem = connected.problem or "Sinch does not record calls between its own clients (connectMxp)"
        log.error("call %s is connected, but is not recorded: %s", callback.call_id, problem)
    if answer.recording is not None:
        sinch.count("recorded" if answer.recording else "not_recorded")
    # It may hold the bucket's credentials.
    return JSONResponse(answer.svaml, headers={"Cache-Control": "no-store"})
