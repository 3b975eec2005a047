"""What stands before every path of the app: nobody gets behind it who may not find recordings."""

from __future__ import annotations

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from voxlake.web.errors import error_reply
from voxlake.web.rights import Right, RightsUnknownError, read_reader, refusal


class Guard:
    """Middleware that finds out who sent a request, and leaves the reader in `request.state.reader`.

    Not a dependency of the routes: those of a route that somebody adds without it, a folder of files that is mounted,
    and paths that there are not, would be open.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            reader = await read_reader(request)
        except RightsUnknownError as error:
            await error_reply(request, 503, str(error))(scope, receive, send)
            return
        if reader is None:
            reply = error_reply(request, 401, "You are not logged in to Airflow.")
            await reply(scope, receive, send)
        elif not reader.may(Right.FIND):
            await error_reply(request, 403, refusal(Right.FIND))(scope, receive, send)
        else:
            request.state.reader = reader
            await self._app(scope, receive, send)
