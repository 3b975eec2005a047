"""What every API call goes through before its own work: token, quota, permissions, account and faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from sandbox.ringcentral.config import Group
from sandbox.ringcentral.directory import ACCOUNT_ID
from sandbox.ringcentral.errors import (
    ApiError,
    app_permission_missing,
    not_found,
    rate_exceeded,
    unauthorized,
    user_permission_missing,
)
from sandbox.ringcentral.faults import AnswerOf, bad_answer
from sandbox.ringcentral.quota import Verdict
from sandbox.ringcentral.sessions import OauthSession
from sandbox.ringcentral.state import State

compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""JSON text without spaces."""

JSON_TYPE = "application/json;charset=utf-8"
# Marks the second request of a redirect, which is answered as if no fault were switched on.
_REDIRECTED = ("redirected", "true")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request, read whole."""

    method: str
    url_path: str
    path: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    headers: Headers
    body: bytes
    on_media: bool

    def values(self, name: str) -> list[str]:
        """Every value of a query parameter, in order."""
        return [value for key, value in self.query if key == name]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    Attributes:
        name: By which faults address it; None if they cannot.
        handler: Does the work of an admitted request.
        scope: Application permission that it takes.
        user_permission: User permission that it takes; None for none.
        resource: Path parameter that names the one thing it is about; None for a list.
        media: Whether it is the recording content, which counts in the media group.
        group: That any other operation counts in.
    """

    name: AnswerOf | None
    handler: Callable[[State, ApiRequest], Response]
    scope: str
    user_permission: str | None
    resource: str | None = None
    media: bool = False
    group: Group = "heavy"


def json_response(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as RingCentral sends it."""
    return Response(compact(content), status, headers, JSON_TYPE)


def text_response(text: str) -> Response:
    """JSON that is written already."""
    return Response(text, 200, media_type=JSON_TYPE)


def error_response(error: ApiError) -> Response:
    return json_response(error.body(), error.status, error.headers)


def answer_with_faults(
    state: State, request: ApiRequest, name: AnswerOf | None, resource: str | None, whole: Callable[[], Response]
) -> Response:
    """The answer of `whole`, or of the fault that is switched on for it."""
    fault = None
    if name is not None and _REDIRECTED not in request.query:
        fault = state.faults.take(name, request.path.get(resource) if resource else None)
    if fault is None:
        return whole()
    host = state.media_url if request.on_media else state.platform_url
    moved = f"{host}{request.url_path}?{urlencode([*request.query, _REDIRECTED])}"
    return bad_answer(fault, whole, resource or "accountId", moved)


def perform(state: State, operation: Operation, request: ApiRequest) -> tuple[Response, Verdict | None]:
    """Answers one authenticated API call, with the quota's verdict if it got that far."""
    try:
        session = _authenticate(state, request)
    except ApiError as error:
        return error_response(error), None
    group: Group = state.config.media_group if operation.media else operation.group
    verdict = state.quotas.count(session.owner_id, session.client_id, group)
    if verdict is not None and verdict.retry_after is not None:
        return error_response(rate_exceeded(verdict.headers())), verdict
    try:
        _authorize(state, operation, request, session)
        response = answer_with_faults(
            state, request, operation.name, operation.resource, lambda: operation.handler(state, request)
        )
    except ApiError as error:
        response = error_response(error)
    if verdict is not None and (state.config.media_rate_headers or not operation.media):
        response.headers.update(verdict.headers())
    return response, verdict


def _authenticate(state: State, request: ApiRequest) -> OauthSession:
    token = next(iter(request.values("access_token")), None) if request.on_media else None
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized("AGW-402", "Invalid Authorization header")
    if token is None:
        raise unauthorized("AGW-401", "Authorization header is not specified")
    return state.sessions.of(token.strip())


def _authorize(state: State, operation: Operation, request: ApiRequest, session: OauthSession) -> None:
    if operation.scope not in session.scopes:
        raise app_permission_missing(operation.scope)
    if operation.user_permission and operation.user_permission not in state.config.user_permissions:
        raise user_permission_missing(operation.user_permission)
    if request.path.get("accountId", "~") not in {"~", ACCOUNT_ID}:
        raise not_found("accountId")


async def _read(request: Request, on_media: bool) -> ApiRequest:
    return ApiRequest(
        method=request.method,
        url_path=request.url.path,
        path=dict(request.path_params),
        query=tuple(request.query_params.multi_items()),
        headers=request.headers,
        body=await request.body(),
        on_media=on_media,
    )


def endpoint_of(
    answer: Callable[[ApiRequest], tuple[Response, Verdict | None]], latency: float, on_media: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """The Starlette endpoint of what answers a request; the work is done in a thread.

    Args:
        answer: Gives the answer and the quota's verdict, which goes to the journal.
        latency: Seconds that the answer takes longer.
        on_media: Whether the endpoint belongs to the media host.
    """

    async def endpoint(request: Request) -> Response:
        read = await _read(request, on_media)
        response, verdict = await run_in_threadpool(answer, read)
        if latency:
            await asyncio.sleep(latency)
        if verdict is not None:
            request.state.rate_limit_group = verdict.group
        return response

    return endpoint
