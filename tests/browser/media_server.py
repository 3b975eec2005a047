"""An HTTP server of a folder, with byte ranges, that counts what it sends and can hold a file's rest back."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import uvicorn
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Metered:
    """An ASGI application around another, which counts the bytes of the bodies that it sends.

    What a server has written may wait unread in the buffers of two sockets, megabytes of it, so counting alone does
    not say what the browser needed. A server that sends no more does.

    Attributes:
        sent: Bytes of bodies by path, of all requests together.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._loop: asyncio.AbstractEventLoop | None = None
        self._at_most: int | None = None
        self._more = asyncio.Event()
        self.sent: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        path = scope["path"]

        async def metered(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Every page asks for itself, whatever an earlier one has got.
                message = {**message, "headers": [*message["headers"], (b"cache-control", b"no-store")]}
            body = message.get("body", b"")
            while self._at_most is not None and self.sent[path] + len(body) > self._at_most:
                room = max(0, self._at_most - self.sent[path])
                self.sent[path] += room
                if room:
                    await send({**message, "body": body[:room], "more_body": True})
                body = body[room:]
                await self._more.wait()
            self.sent[path] += len(body)
            await send({**message, "body": body} if "body" in message else message)

        await self._application(scope, receive, metered)

    @contextmanager
    def sending_at_most(self, size: int) -> Iterator[None]:
        """Within the block no path gets more than so many bytes in all; what was held back is sent behind it."""
        self._more.clear()
        self._at_most = size
        try:
            yield
        finally:
            self._at_most = None
            # Without a loop there was no request yet, so nothing is held back.
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._more.set)


@contextmanager
def media_server(folder: Path) -> Iterator[tuple[str, Metered]]:
    """Serves a folder from a thread of this process: its URL, and its meter."""
    meter = Metered(StaticFiles(directory=folder))
    config = uvicorn.Config(
        meter, lifespan="off", access_log=False, log_config=None, log_level="warning", timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", meter
        finally:
            server.should_exit = True
            thread.join()
