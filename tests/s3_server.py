"""moto's S3 server, with the one promise of S3 that it does not keep: a conditional write is atomic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


@contextmanager
def s3_server() -> Iterator[str]:
    """Runs the server in a thread of this process; its URL."""
    application = OneRequestAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
