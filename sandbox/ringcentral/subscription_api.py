"""The operations of subscriptions: made with the receiver's consent, listed, renewed, ended.

https://developers.ringcentral.com/guide/notifications/webhooks/creating-webhooks
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import requests
from starlette.responses import Response

from sandbox.ringcentral.errors import ApiError
from sandbox.ringcentral.operations import ApiRequest, json_response
from sandbox.ringcentral.state import State
from sandbox.ringcentral.subscriptions import FILTER, Subscription

# Of a user and an app.
MOST = 30
_CONSENT_SECONDS = 3.0
_CONSENT_BYTES = 1024
_DEFAULT_SECONDS = 604_800
_MOST_SECONDS = 315_360_000


def list_subscriptions(state: State, _: ApiRequest) -> Response:
    """GET /restapi/v1.0/subscription."""
    records = [_shown(state, one) for one in state.subscriptions.current()]
    return json_response({"uri": f"{state.platform_url}/restapi/v1.0/subscription", "records": records})


def create(state: State, request: ApiRequest) -> Response:
    """POST /restapi/v1.0/subscription, with the question to the receiver whether it agrees."""
    filters, mode, seconds = _wanted(request)
    if len(state.subscriptions.current()) >= MOST:
        raise ApiError(400, "SUB-505", "Subscriptions limit exceeded")
    _ask_consent(mode["address"])
    now = state.clock.now()
    made = Subscription(
        id=str(uuid.uuid4()),
        event_filters=filters,
        address=mode["address"],
        verification_token=mode.get("verificationToken"),
        seconds=seconds,
        created=now,
        expires=now + timedelta(seconds=seconds),
    )
    state.subscriptions.put(made)
    return json_response(_shown(state, made))


def renew(state: State, request: ApiRequest) -> Response:
    """POST /restapi/v1.0/subscription/{subscriptionId}/renew."""
    found = state.subscriptions.find(request.path["subscriptionId"])
    if found.blacklisted_at is not None:
        raise ApiError(400, "SUB-512", "Subscription is blacklisted")
    renewed = replace(found, expires=state.clock.now() + timedelta(seconds=found.seconds))
    state.subscriptions.put(renewed)
    return json_response(_shown(state, renewed))


def delete(state: State, request: ApiRequest) -> Response:
    """DELETE /restapi/v1.0/subscription/{subscriptionId}."""
    state.subscriptions.remove(state.subscriptions.find(request.path["subscriptionId"]).id)
    return Response(status_code=204)


def _shown(state: State, subscription: Subscription) -> dict[str, Any]:
    return subscription.json(state.platform_url, state.clock.now())


def _wanted(request: ApiRequest) -> tuple[tuple[str, ...], dict[str, Any], int]:
    try:
        content = json.loads(request.body)
        filters, mode = tuple(content["eventFilters"]), dict(content["deliveryMode"])
        seconds = int(content.get("expiresIn", _DEFAULT_SECONDS))
    except (ValueError, KeyError, TypeError):
        raise ApiError(400, "CMN-104", "Cannot parse request") from None
    if not filters or not all(isinstance(one, str) and FILTER.fullmatch(one) for one in filters):
        raise ApiError(400, "SUB-521", "Event filter is invalid")
    if mode.get("transportType") != "WebHook" or not isinstance(mode.get("address"), str):
        raise ApiError(400, "CMN-101", "Parameter [deliveryMode.address] value is invalid")
    if not 0 < seconds <= _MOST_SECONDS:
        raise ApiError(400, "CMN-101", "Parameter [expiresIn] value is invalid")
    return filters, mode, seconds


def _ask_consent(address: str) -> None:
    challenge = str(uuid.uuid4())
    headers = {"Validation-Token": challenge, "Content-Type": "application/json"}
    try:
        answer = requests.post(address, headers=headers, timeout=_CONSENT_SECONDS, allow_redirects=False)
    except requests.RequestException:
        answer = None
    size = 0 if answer is None else len(answer.content) + sum(len(f"{k}: {v}\r\n") for k, v in answer.headers.items())
    if (
        answer is None
        or answer.status_code != 200
        or answer.headers.get("Validation-Token") != challenge
        or size > _CONSENT_BYTES
    ):
        raise ApiError(400, "SUB-525", "WebHook server response is invalid")
