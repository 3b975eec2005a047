"""The headers that keep the pages safe: what a browser may load, who may frame it, what may be kept."""

from __future__ import annotations

import secrets

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Airflow shows the pages in an iframe of its own origin.
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; connect-src 'self'; "
    "font-src 'self'; img-src 'self'; media-src 'self'{media}; script-src 'self'; style-src 'self' 'nonce-{nonce}'"
)


class SecurityHeaders:
    """Middleware that puts `secure` on every response, and makes the nonce of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, and its response back with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        # A player that draws itself needs a style element, which is allowed by this alone.
        request.state.csp_nonce = secrets.token_urlsafe(16)

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                secure(request, MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_secured)


def secure(request: Request, headers: MutableHeaders) -> None:
    """Adds the headers that a response does not have yet."""
    # Where audio is given out by the bucket itself (`dependencies.open_once`).
    origin = getattr(request.app.state, "media_origin", None)
    policy = _POLICY.format(media=f" {origin}" if origin else "", nonce=request.state.csp_nonce)
    headers.setdefault("Content-Security-Policy", policy)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Cache-Control", "private, no-store")
