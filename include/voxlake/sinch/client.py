"""Calls Sinch's Voice API with signed requests: reads calls, and manages the recording of those that are going on.

https://developers.sinch.com/docs/voice/api-reference/voice/tag/Calls/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote, urlsplit

import requests
from pydantic import ValidationError
from requests.auth import AuthBase

from voxlake.sinch.calls import Call
from voxlake.sinch.errors import (
    ApplicationRefusedError,
    BadReplyError,
    ForeignHostError,
    NotFoundError,
    RateLimitedError,
    RequestError,
    ServerError,
    SinchError,
    TransportError,
)
from voxlake.sinch.regions import DEFAULT_SERVER_URL
from voxlake.sinch.signature import Application, sign
from voxlake.sinch.svaml import RecordingInstruction

# Where the notifications in Sinch's documents say that recordings of Sinch Drive are.
_DRIVE = "https://www.sinch.com"
_SINCH_HOST = re.compile(r"calling(-[a-z0-9]+)?\.api\.sinch\.com")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TIMEOUT = (10.0, 30.0)
_CALLS = "/calling/v1/calls/id/"


class SinchClient:
    """The Voice API for one application; to be used in a `with` statement.

    Args:
        application: Key and secret.
        server_url: `https://calling-<region>.api.sinch.com`, see `regions.server_url_of`; http for this machine only.

    Raises:
        ValueError: `server_url` is not of that form.
    """

    def __init__(self, application: Application, server_url: str = DEFAULT_SERVER_URL) -> None:
        self._server_url = server_url.rstrip("/")
        address = urlsplit(self._server_url)
        loopback = address.hostname in _LOOPBACK
        if not address.hostname or address.path or address.username or not (address.scheme == "https" or loopback):
            raise ValueError("host of the Sinch connection: expected https://<host>, without a path")
        self._auth = _Signed(application)
        self._session = requests.Session()

    def __enter__(self) -> Self:
        """The client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes its connections."""
        self._session.close()

    def get_call(self, call_id: str, call_resource_url: str | None = None) -> Call:
        """What became of a call.

        Args:
            call_id: Which.
            call_resource_url: Where its `ice` said that it is; else it is asked for at the connection's host.

        Raises:
            NotFoundError: There is no such call.
            ForeignHostError: The address is not one of Sinch's.
            SinchError: Another of its kinds.
        """
        url = self._call_url(call_id, call_resource_url)
        reply = self._send("GET", url)
        try:
            return Call.model_validate(json.loads(reply, parse_float=Decimal))
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, part["loc"])) for part in error.errors())
            raise BadReplyError(f"GET {urlsplit(url).path}: not a call, see {fields}.") from None
        except ValueError:
            raise BadReplyError(f"GET {urlsplit(url).path}: the reply is no JSON.") from None

    def manage_call(
        self, call_id: str, instructions: Sequence[RecordingInstruction], call_resource_url: str | None = None
    ) -> None:
        """Starts or stops the recording of a call that is going on, PSTN or SIP, and lets it go on.

        Args:
            call_id: Which.
            instructions: What is to be done.
            call_resource_url: See `get_call`.

        Raises:
            NotFoundError: The call is over, or never was.
            ForeignHostError: The address is not one of Sinch's.
            SinchError: Another of its kinds.
        """
        body = {
            "instructions": [instruction.to_json() for instruction in instructions],
            "action": {"name": "continue"},
        }
        self._send("PATCH", self._call_url(call_id, call_resource_url), body)

    def download(self, address: str, target: BinaryIO) -> None:
        """Writes what an address gives that a callback named: the recordings of Sinch Drive lie at such.

        Args:
            address: `https://…` at a host of Sinch's, or at the connection's own.
            target: Open for writing.

        Raises:
            NotFoundError: There is nothing.
            ForeignHostError: The address is at another host, or no `https` one: nothing was sent.
            SinchError: Another of its kinds.
        """
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in (self._server_url, _DRIVE) and not (
            parts.scheme == "https" and _SINCH_HOST.fullmatch(parts.netloc)
        ):
            raise ForeignHostError(
                f"{origin}: recordings are fetched from s3:// and from Sinch's own https addresses, from nowhere else."
            )
        target.write(self._send("GET", f"{origin}{parts.path}"))

    def _call_url(self, call_id: str, call_resource_url: str | None) -> str:
        if call_resource_url is None:
            return f"{self._server_url}{_CALLS}{quote(call_id, safe='')}"
        address = urlsplit(call_resource_url)
        origin = f"{address.scheme}://{address.netloc}"
        # Whoever could name another host would get signed requests, and credentials of the bucket.
        if origin != self._server_url and not (address.scheme == "https" and _SINCH_HOST.fullmatch(address.netloc)):
            raise ForeignHostError(f"callResourceUrl leads to {origin}, which is no host of Sinch's; nothing was sent.")
        return f"{origin}{quote(address.path, safe='/%')}"

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> bytes:
        shown = f"{method} {urlsplit(url).path}"
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"} if content is not None else {}
        failure: SinchError | None = None
        try:
            response = self._session.request(
                method, url, data=content, headers=headers, auth=self._auth, timeout=_TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            failure = TransportError(f"{shown}: no whole reply ({type(error).__name__}). Try again.")
        # Raised here and not above: inside `except` it would carry the library's exception as its context.
        if failure is not None:
            raise failure
        if 300 <= response.status_code < 400:
            raise RequestError(
                f"{shown}: Sinch points to another host; set the region of the connection to that of the call.",
                status=response.status_code,
            )
        if not response.ok:
            raise _error_of(shown, response)
        return response.content


class _Signed(AuthBase):
    """Signs each request as it is about to be sent."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by `requests`."""
        timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = request.body or b""
        request.headers["x-timestamp"] = timestamp
        request.headers["Authorization"] = sign(
            self._application,
            request.method or "GET",
            urlsplit(request.url or "").path,
            request.headers.get("Content-Type", ""),
            timestamp,
            body if isinstance(body, bytes) else body.encode(),
        )
        return request


_REMEDIES = {
    401: "Check application key and secret of the connection, and the clock of this host.",
    403: "The application may not do this.",
    404: "There is no such call (any more).",
    429: "Try again later.",
}


def _error_of(shown: str, response: requests.Response) -> SinchError:
    status = response.status_code
    try:
        value = response.json()
    except ValueError:
        value = None
    reply: Mapping[str, Any] = value if isinstance(value, dict) else {}
    code, reference = reply.get("errorCode"), reply.get("reference")
    said = f" {code}: {str(reply.get('message', ''))[:200]}" if code else ""
    remedy = _REMEDIES.get(status, "Try again later." if status >= 500 else "The request is wrong.")
    retry_after = response.headers.get("Retry-After", "")
    return _kind_of(status)(
        f"{shown}: Sinch answered {status}{said}. {remedy}",
        status=status,
        error_code=code if isinstance(code, int) else None,
        reference=reference if isinstance(reference, str) else None,
        retry_after=float(retry_after) if retry_after.isdecimal() else None,
    )


def _kind_of(status: int) -> type[SinchError]:
    if status >= 500:
        return ServerError
    known = {401: ApplicationRefusedError, 403: ApplicationRefusedError, 404: NotFoundError, 429: RateLimitedError}
    return known.get(status, RequestError)
