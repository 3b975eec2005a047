"""A Sinch application of a team: takes callbacks over real HTTP, and answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listening:
    """The application.

    Attributes:
        url: Its callback URL.
        answers: To the next of ICE, ACE and PIE; else it connects the call, and lets it continue.
        status: Of its answers.
        callbacks: What came.
        headers: Of each of them, by lower-case names.
        contents: Each as it came.
    """

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    status: int = 200
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Listening]:
    """Runs an application while the block does."""
    application = Listening()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            application.contents.append(content)
            application.callbacks.append(json.loads(content))
            application.headers.append({name.lower(): value for name, value in self.headers.items()})
            event = application.callbacks[-1]["event"]
            answer = {"action": {"name": "connectPstn" if event == "ice" else "continue"}}
            if application.answers and event in ("ice", "ace", "pie"):
                answer = application.answers.pop(0)
            body = json.dumps(answer).encode()
            self.send_response(application.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing, which would be on the standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    application.url = f"http://127.0.0.1:{server.server_port}/sinch/callback"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield application
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
