"""moto's S3 server, with the one promise of S3 that it does not keep: a conditional write is atomic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class OneRequestAtATime:
    """A WSGI application around another, which handles one request at a time.

    moto's `put_object` compares the ETag first and stores the object some lines later, in threads without a lock: two
    writes may both find the version they expect (https://github.com/getmoto/moto, moto/s3/responses.py). S3 answers one
    of them 412: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            return list(self._application(environ, start_response))


class Refusing:
    """A WSGI application around another, which answers some requests itself with an error of S3's.

    Attributes:
        code: The error, such as `SlowDown`.
        status: Its HTTP status.
        left: How many requests it still answers so.
        only: Of which method, and with what in their path; empty for any.
        refused: Method and path of each of them.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self.code, self.status, self.left = "SlowDown", "503 Slow Down", 0
        self.only = ("", "")
        self.refused: list[tuple[str, str]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, part = self.only
        if not (self.left and method in ("", environ["REQUEST_METHOD"]) and part in environ["PATH_INFO"]):
            return self._application(environ, start_response)
        self.left -= 1
        self.refused.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        # A connection is used again only if the body of its last request was read.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{self.code}</Code><Message>Please reduce your request rate.</Message></Error>".encode()
        start_response(self.status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


class WithoutConditions:
    """A WSGI application around another, which has no conditional writes.

    Args:
        application: The other.
        headers: Which conditions it does not have: `If-Match`, `If-None-Match`.
        refusal: The code of S3's that it answers them with, such as `NotImplemented`; empty to ignore them, as servers
            do that do not know these headers.
    """

    def __init__(self, application: WSGIApplication, headers: Iterable[str], refusal: str = "") -> None:
        self._application = application
        self._keys = [f"HTTP_{header.upper().replace('-', '_')}" for header in headers]
        self._refusal = refusal

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        conditions = [environ.pop(key) for key in self._keys if key in environ]
        if not (conditions and self._refusal):
            return self._application(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{self._refusal}</Code><Message>A header is not implemented.</Message></Error>".encode()
        start_response("501 Not Implemented", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def s3_server(around: Callable[[WSGIApplication], WSGIApplication] = lambda application: application) -> Iterator[str]:
    """Runs the server, with `around` around it, in a thread of this process; its URL."""
    application = around(OneRequestAtATime(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
