"""Sends signed callbacks to the application, once each: what nobody takes is thrown away, as Sinch does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from sandbox.sinch.state import Json, Sent, State

CONTENT_TYPE = "application/json; charset=utf-8"
# Sinch does not say how long it waits. Longer than any test machine is busy.
_TIMEOUT = 60.0


def signed_headers(state: State, url: str, content: bytes, *, at: datetime | None = None) -> dict[str, str]:
    """The headers of a callback, signed now or at another time.

    Computed from the documents, and not by Voxlake's own code, which is tested with it:
    https://developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request/
    """
    timestamp = (at or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
    digest = base64.b64encode(hashlib.md5(content).digest()).decode() if content else ""  # noqa: S324 - the protocol's
    text = f"POST\n{digest}\n{CONTENT_TYPE}\nx-timestamp:{timestamp}\n{urlsplit(url).path}"
    mac = hmac.new(base64.b64decode(state.secret), text.encode(), hashlib.sha256).digest()
    return {
        "Content-Type": CONTENT_TYPE,
        "x-timestamp": timestamp,
        "Authorization": f"application {state.key}:{base64.b64encode(mac).decode()}",
    }


def send(state: State, body: Mapping[str, Any]) -> Sent | None:
    """Sends a callback, if the application has a URL for them."""
    if not state.callback_url:
        return None
    content = json.dumps(body).encode()
    headers = signed_headers(state, state.callback_url, content)
    try:
        reply = requests.post(state.callback_url, data=content, headers=headers, timeout=_TIMEOUT)
    except requests.RequestException:
        sent = Sent(body, content, headers, 0, {})
    else:
        sent = Sent(body, content, headers, reply.status_code, _answer(reply))
    state.sent.append(sent)
    return sent


def _answer(reply: requests.Response) -> Json:
    if not reply.ok:
        return {}
    try:
        value = reply.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
