"""A real HTTP server that answers by a script: for faults on the wire that the sandbox does not commit."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN_PATH = "/restapi/oauth/token"


@dataclass(frozen=True)
class Answer:
    """One answer. `headers` may lie about the body; the connection is closed after it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def json_answer(content: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **named})


def token_answer(token: str, expires_in: float = 3600) -> Answer:
    return json_answer({"access_token": token, "expires_in": expires_in, "token_type": "bearer"})


class ScriptedServer:
    """Answers the requests for a path with the answers put there, the last one again and again."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._answers: dict[str, list[Answer]] = defaultdict(lambda: [json_answer({}, 404)])
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.script(TOKEN_PATH, token_answer("first-token"), token_answer("second-token"))

    def script(self, path: str, *answers: Answer) -> None:
        self._answers[path] = list(answers)

    def requests_for(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path == path]

    @contextmanager
    def running(self) -> Iterator["ScriptedServer"]:
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            thread.join()
            self._http.server_close()

    def _answer_to(self, request: Received) -> Answer:
        with self._lock:
            self.received.append(request)
            answers = self._answers[request.path]
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = server._answer_to(Received(self.command, path, query, dict(self.headers), body))
                self.send_response(answer.status)
                headers = {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}
                for name, value in headers.items():
                    # An empty value takes a header away.
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = True

            do_GET = do_POST = answer  # noqa: N815 - the names that http.server looks for

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
                """Keeps the test output clean."""

        return Handler
