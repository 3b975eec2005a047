"""The call resource: `GET` and `PATCH /calling/v1/calls/id/{callId}`, for who signs or uses Basic authentication."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.sinch.state import SandboxCall, State

_NOT_TOO_OLD = timedelta(minutes=5)


def application(state: State) -> Starlette:
    """The API of one region."""

    async def call(request: Request) -> Response:
        body = await request.body()
        with state.lock:
            failure = state.failures.pop(0) if state.failures else None
        if failure is not None:
            return Response(status_code=failure[0], headers=failure[1])
        if (refused := _refused(state, request, body)) is not None:
            return refused
        found = state.calls.get(request.path_params["callId"])
        if request.method == "GET":
            return JSONResponse(found.facts) if found else _error(404, 40400, "Call not found")
        if found is None or not found.ongoing:
            return _error(404, 40400, "Call not found")
        return _manage(found, body)

    return Starlette(routes=[Route("/calling/v1/calls/id/{callId}", call, methods=["GET", "PATCH"])])


def _manage(call: SandboxCall, body: bytes) -> Response:
    try:
        svaml = json.loads(body)
    except ValueError:
        return _error(400, 40003, "Invalid request")
    if svaml.get("action", {}).get("name") not in ("hangup", "continue", "park"):
        return _error(400, 40001, "Only hangup, continue, and park actions are valid")
    instructions = svaml.get("instructions", [])
    call.instructions += instructions
    call.managed(instructions)
    return Response(status_code=204)


def _refused(state: State, request: Request, body: bytes) -> Response | None:
    """What is answered to who is not the application; the signature is computed here anew, from the documents."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        known = base64.b64encode(f"{state.key}:{state.secret}".encode()).decode()
        return None if value == known else _error(401, 40108, "Invalid credentials")
    timestamp = request.headers.get("x-timestamp", "")
    try:
        age = abs(datetime.now(UTC) - datetime.fromisoformat(timestamp))
    except (ValueError, TypeError):
        age = None
    if age is None or age > _NOT_TOO_OLD:
        return _error(401, 40101, "Invalid timestamp")
    digest = base64.b64encode(hashlib.md5(body).digest()).decode() if body else ""  # noqa: S324 - the protocol's
    path = request.scope["raw_path"].decode()
    content_type = request.headers.get("content-type", "")
    text = "\n".join([request.method, digest, content_type, f"x-timestamp:{timestamp}", path])
    mac = hmac.new(base64.b64decode(state.secret), text.encode(), hashlib.sha256).digest()
    if scheme.lower() == "application" and value == f"{state.key}:{base64.b64encode(mac).decode()}":
        return None
    return _error(401, 40102, "Invalid Signature")


def _error(status: int, code: int, message: str) -> Response:
    return JSONResponse(
        {"errorCode": code, "message": message, "reference": "38188074-abcd-56ab-ab64-daf82fada8e8"}, status
    )
