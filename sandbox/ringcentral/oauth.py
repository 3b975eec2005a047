"""The token and revocation endpoints: https://developers.ringcentral.com/guide/authentication/jwt-flow ."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.responses import Response

from sandbox.ringcentral.directory import EXTENSIONS
from sandbox.ringcentral.errors import ApiError, invalid_parameter, rate_exceeded
from sandbox.ringcentral.operations import (
    ApiRequest,
    answer_with_faults,
    error_response,
    json_response,
)
from sandbox.ringcentral.quota import Verdict
from sandbox.ringcentral.sessions import OauthSession
from sandbox.ringcentral.state import State

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_OTHER_GRANTS = frozenset({"password", "authorization_code", "refresh_token", "client_credentials", "partner_jwt"})
_TOKEN_SECONDS = range(600, 3601)
_REFRESH_TOKEN_SECONDS = 604_800
# Refresh tokens are counted to the first user, whoever's they are.
_FIRST_OWNER = str(EXTENSIONS[0].id)


def issue_token(state: State, request: ApiRequest) -> tuple[Response, Verdict | None]:
    """POST /restapi/oauth/token.

    A request counts in the Auth group of the user once it has proved who the user is.
    """
    verdict = None
    try:
        form = _form(request)
        _check_client(state, request)
        grant = form.get("grant_type", "")
        _check_grant(state, grant)
        seconds = _token_seconds(state, form)
        owner_id = _owner(state, form) if grant == JWT_BEARER else _FIRST_OWNER
        verdict = state.quotas.count(owner_id, state.config.client_id, "auth")
        if verdict is not None and verdict.retry_after is not None:
            return error_response(rate_exceeded(verdict.headers())), verdict
        response = answer_with_faults(
            state, request, "token", None, lambda: json_response(_token_info(state, form, owner_id, seconds))
        )
    except ApiError as error:
        response = error_response(error)
    if verdict is not None:
        response.headers.update(verdict.headers())
    return response, verdict


def revoke_token(state: State, request: ApiRequest) -> tuple[Response, Verdict | None]:
    """POST /restapi/oauth/revoke: ends the session of the token in the body or the query."""
    try:
        form = _form(request)
        _check_client(state, request)
        token = form.get("token") or next(iter(request.values("token")), None)
        if not token:
            raise _oauth(invalid_parameter("token", ""), "invalid_request")
    except ApiError as error:
        return error_response(error), None
    state.sessions.revoke(token)
    return Response(status_code=200), None


def _form(request: ApiRequest) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise ApiError(415, "CMN-104", "Unsupported Media Type", oauth_error="invalid_request")
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _check_client(state: State, request: ApiRequest) -> None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        given = b""
    expected = f"{state.config.client_id}:{state.config.client_secret}".encode()
    if scheme.lower() != "basic" or not hmac.compare_digest(given, expected):
        raise ApiError(401, "OAU-146", "Invalid client credentials", oauth_error="invalid_client")


def _check_grant(state: State, grant: str) -> None:
    if grant == JWT_BEARER or (grant == "refresh_token" and state.config.refresh_tokens):
        return
    if grant in _OTHER_GRANTS:
        raise ApiError(
            400,
            "OAU-112",
            f"The client is unauthorized for the required grant type: [{grant}]",
            oauth_error="unauthorized_client",
        )
    raise ApiError(400, "OAU-251", "Unsupported grant type", oauth_error="unsupported_grant_type")


def _owner(state: State, form: Mapping[str, str]) -> str:
    """The extension id of the user whose JWT it is."""
    if "assertion" not in form:
        raise _oauth(invalid_parameter("assertion", ""), "invalid_request")
    for extension, jwt in zip(EXTENSIONS, state.config.jwts, strict=False):
        if hmac.compare_digest(form["assertion"].encode(), jwt.encode()):
            return str(extension.id)
    raise ApiError(400, "OAU-331", "Invalid JWT assertion", oauth_error="invalid_grant")


def _token_seconds(state: State, form: Mapping[str, str]) -> int:
    """The life of a new access token: what was asked for, but never more than the configured one."""
    asked = form.get("access_token_ttl", str(_TOKEN_SECONDS[-1]))
    if not asked.isdecimal() or int(asked) not in _TOKEN_SECONDS:
        raise _oauth(invalid_parameter("access_token_ttl", asked), "invalid_request")
    return min(int(asked), state.config.token_seconds)


def _oauth(error: ApiError, oauth_error: str) -> ApiError:
    error.oauth_error = oauth_error
    return error


def _token_info(state: State, form: Mapping[str, str], owner_id: str, seconds: int) -> dict[str, object]:
    config = state.config
    session: OauthSession | None
    if form["grant_type"] == "refresh_token":
        session = state.sessions.refresh(form.get("refresh_token", ""), config.client_id, seconds)
        if session is None:
            raise ApiError(400, "OAU-210", "Token not found", oauth_error="invalid_grant")
    else:
        session = state.sessions.login(config.client_id, owner_id, config.app_scopes, seconds, config.refresh_tokens)
    info: dict[str, object] = {
        "access_token": session.access_token,
        "token_type": "bearer",
        "expires_in": seconds,
        "scope": " ".join(session.scopes),
        "owner_id": session.owner_id,
        "endpoint_id": form.get("endpoint_id") or secrets.token_urlsafe(16),
        "session_id": session.id,
    }
    if session.refresh_token:
        info["refresh_token"] = session.refresh_token
        info["refresh_token_expires_in"] = _REFRESH_TOKEN_SECONDS
    return info
