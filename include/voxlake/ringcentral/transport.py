"""Sends one request: counted by the quota, never redirected by the HTTP library, its failures made safe to show."""

import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ReadTimeoutError

from voxlake.ringcentral import replies
from voxlake.ringcentral.addresses import shown_url
from voxlake.ringcentral.errors import RateLimitedError, TransportError
from voxlake.ringcentral.quota import SharedQuota
from voxlake.ringcentral.waiting_line import Rank


@dataclass
class Tally:
    """What requests came to.

    Attributes:
        requests: How many were sent.
        refused: How many of them were answered with 429.
        waited: Seconds that they waited for their turn in the quota.
        received: Bytes of the bodies that were read.
    """

    requests: int = 0
    refused: int = 0
    waited: float = 0.0
    received: int = 0


class Session(requests.Session):
    """A pool of connections that leaves redirects alone.

    The library itself would prepare the next request even where it is told not to follow: it reads the whole body of
    the redirect, and some addresses make it raise an error that shows them.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Called by `requests` for every reply."""
        return


@dataclass(frozen=True)
class Transport:
    """A pool of connections and the quota that every request on them counts against.

    Attributes:
        session: The pool.
        quota: The quota of the credential.
        timeout: Seconds to wait for a connection, and for each next piece of a reply.
        tally: What is counted here.
    """

    session: requests.Session
    quota: SharedQuota
    timeout: tuple[float, float]
    tally: Tally

    def send(
        self,
        method: str,
        url: str,
        *,
        auth: AuthBase,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        rank: Rank = Rank(),  # noqa: B008 - immutable
        max_wait: float | None = None,
    ) -> requests.Response:
        """Sends one request and returns its reply of whatever status, the body not yet read.

        Args:
            method: HTTP method.
            url: Absolute URL, already checked to lead to an allowed host.
            auth: What authorises the request. Always given: without it `requests` would look into `~/.netrc`.
            headers: Further headers.
            body: What it sends.
            rank: Its place in the line for the quota.
            max_wait: Seconds that it may wait for that; the quota's own where None.

        Raises:
            RateLimitedError: The quota would have to be waited for too long; nothing was sent.
            TransportError: No reply.
        """
        began = time.monotonic()
        try:
            slot = self.quota.acquire(self.quota.group_of(url), rank, max_wait)
        except RateLimitedError as error:
            error.method, error.url = method, shown_url(url)
            raise
        finally:
            self.tally.waited += time.monotonic() - began
        self.tally.requests += 1
        try:
            response = self.session.request(
                method,
                url,
                auth=auth,
                headers=headers,
                data=body,
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            failure = _transport_error(error, method, url, self.timeout)
        else:
            quota = replies.quota_headers(response.headers)
            self.tally.refused += response.status_code == 429
            self.quota.observe(slot, url, quota, replies.penalty(response.status_code, response.headers))
            return response
        self.quota.observe(slot, url)
        # Raised here and not above: inside `except` it would carry the library's exception as its context.
        raise failure

    def body(self, response: requests.Response) -> "Body":
        """The body of a reply."""
        return Body(response, self.timeout, self.tally)


@dataclass(frozen=True)
class Body:
    """The body of a reply, read piece by piece."""

    response: requests.Response = field(repr=False)
    timeout: tuple[float, float]
    tally: Tally

    def chunks(self, size: int) -> Iterator[bytes]:
        """The body after content decoding in pieces of at most `size` bytes.

        Raises:
            TransportError: The connection broke or fell silent, or the body is shorter than announced.
        """
        pieces = self.response.iter_content(size)
        while True:
            try:
                piece = next(pieces, None)
            except requests.RequestException as error:
                request = self.response.request
                failure = _transport_error(error, request.method or "GET", self.response.url, self.timeout)
            else:
                if piece is None:
                    return
                self.tally.received += len(piece)
                yield piece
                continue
            raise failure

    def read(self) -> bytes:
        """The whole body; raises as `chunks`."""
        return b"".join(self.chunks(1 << 16))


def _transport_error(
    error: requests.RequestException, method: str, url: str, timeout: tuple[float, float]
) -> TransportError:
    shown = shown_url(url)
    return TransportError(
        f"No whole reply to {method} {shown}: {_reason(error, timeout)}. Try again; if it stays, check the host of "
        "the connection and the network between.",
        method=method,
        url=shown,
    )


def _reason(error: requests.RequestException, timeout: tuple[float, float]) -> str:
    """What failed, without the text of the library's exceptions, which hold the full URL."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {timeout[0]:g} s"
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, requests.ReadTimeout | ReadTimeoutError):
            return f"no data for {timeout[1]:g} s"
        if isinstance(link, ssl.SSLError):
            return f"TLS failed ({link.reason})"
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
        link = link.__cause__ or link.__context__
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the body broke off"
    return type(error).__name__
