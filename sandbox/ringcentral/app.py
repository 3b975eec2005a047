"""The two applications: the platform host and the media host."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.ringcentral import admin, call_log, extract_sync, media, oauth, subscription_api
from sandbox.ringcentral.errors import ApiError, invalid_uri
from sandbox.ringcentral.journal import JournalMiddleware
from sandbox.ringcentral.operations import Operation, endpoint_of, error_response, perform
from sandbox.ringcentral.state import State

_ACCOUNT = "/restapi/v1.0/account/{accountId}"

_CALL_LOG = Operation("call_log", call_log.list_records, "ReadCallLog", "FullCompanyCallLog")
_USER_CALL_LOG = Operation("call_log", call_log.list_records, "ReadCallLog", "ReadCallLog")
_EXTRACT_SYNC = Operation("call_log_extract_sync", extract_sync.extract_changes, "ReadCallLog", "ReadCallLog")
_CALL_RECORD = Operation("call_record", call_log.read_record, "ReadCallLog", "FullCompanyCallLog", "callRecordId")
_USER_CALL_RECORD = Operation("call_record", call_log.read_record, "ReadCallLog", "ReadCallLog", "callRecordId")
_RECORDING = Operation("recording", media.read_recording, "ReadCallRecording", "ReadCallRecording", "recordingId")
_DELETE_RECORDINGS = Operation(None, media.delete_recordings, "EditCallLog", "EditCompanyCallRecordings")
_CONTENT = Operation("content", media.read_content, "ReadCallRecording", None, "recordingId", media=True)

_SUBSCRIPTIONS = "/restapi/v1.0/subscription"
_SUBSCRIBE = "SubscriptionWebhook"
_LIST_SUBSCRIPTIONS = Operation(None, subscription_api.list_subscriptions, _SUBSCRIBE, None, group="light")
_CREATE_SUBSCRIPTION = Operation(None, subscription_api.create, _SUBSCRIBE, None, group="medium")
_RENEW_SUBSCRIPTION = Operation(None, subscription_api.renew, _SUBSCRIBE, None, group="light")
_DELETE_SUBSCRIPTION = Operation(None, subscription_api.delete, _SUBSCRIBE, None, group="medium")


def platform_app(state: State) -> ASGIApp:
    """What https://platform.ringcentral.com serves; recording contents too, as users report."""
    latency = state.config.latency

    def api(path: str, operation: Operation, method: str = "GET", root: str = _ACCOUNT) -> Route:
        return Route(f"{root}{path}", endpoint_of(partial(perform, state, operation), latency), methods=[method])

    api_routes = [
        Route("/restapi/oauth/token", endpoint_of(partial(oauth.issue_token, state), latency), methods=["POST"]),
        Route("/restapi/oauth/revoke", endpoint_of(partial(oauth.revoke_token, state), latency), methods=["POST"]),
        api("/call-log", _CALL_LOG),
        api("/call-log/{callRecordId}", _CALL_RECORD),
        api("/call-log-extract-sync", _EXTRACT_SYNC),
        api("/extension/{extensionId}/call-log", _USER_CALL_LOG),
        api("/extension/{extensionId}/call-log/{callRecordId}", _USER_CALL_RECORD),
        api("/recording/{recordingId}", _RECORDING),
        api("/recording/{recordingId}/content", _CONTENT),
        api("/call-recordings", _DELETE_RECORDINGS, method="DELETE"),
        api("", _LIST_SUBSCRIPTIONS, root=_SUBSCRIPTIONS),
        api("", _CREATE_SUBSCRIPTION, method="POST", root=_SUBSCRIPTIONS),
        api("/{subscriptionId}/renew", _RENEW_SUBSCRIPTION, method="POST", root=_SUBSCRIPTIONS),
        api("/{subscriptionId}", _DELETE_SUBSCRIPTION, method="DELETE", root=_SUBSCRIPTIONS),
    ]
    return JournalMiddleware(_app([*api_routes, *admin.routes(state)]), state.journal, "platform", state.clock)


def media_app(state: State) -> ASGIApp:
    """What https://media.ringcentral.com serves."""
    content = Route(
        f"{_ACCOUNT}/recording/{{recordingId}}/content",
        endpoint_of(partial(perform, state, _CONTENT), state.config.latency, on_media=True),
        methods=["GET"],
    )
    return JournalMiddleware(_app([content, *admin.routes(state)]), state.journal, "media", state.clock)


def _app(routes: list[Route]) -> Starlette:
    return Starlette(routes=routes, exception_handlers={HTTPException: _no_such_resource, Exception: _broken})


def _no_such_resource(_: Request, error: Exception) -> Response:
    """RingCentral's envelope for what the router refuses."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        return error_response(ApiError(405, "CMN-404", "Method not allowed", headers=error.headers or {}))
    return error_response(invalid_uri())


def _broken(_: Request, __: Exception) -> Response:
    """What a client sees of a defect of the sandbox itself, which the server logs."""
    return error_response(ApiError(500, "CMN-203", "Internal Server Error"))
