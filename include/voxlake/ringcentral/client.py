"""A client of RingCentral's REST API that a task, a notebook or a test can hold.

One re-login after a 401 and permitted redirects are all it does by itself. It repeats nothing else: whoever schedules
the request decides whether and when to try again, guided by the type of the error and its `retry_after`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TypeAlias
from urllib.parse import urlencode, urljoin

import requests

from voxlake.ringcentral import replies
from voxlake.ringcentral.addresses import allowed_url, shown_url
from voxlake.ringcentral.auth import AccessToken, Bearer, Credentials, SharedToken
from voxlake.ringcentral.errors import BadReplyError, PermissionDeniedError, RingCentralError
from voxlake.ringcentral.quota import SharedQuota
from voxlake.ringcentral.transport import Body, Transport

Parameter: TypeAlias = str | int | bool | datetime | Sequence[str]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


@dataclass(frozen=True)
class JsonReply:
    """A JSON object that RingCentral sent.

    Attributes:
        data: The parsed body.
        body: The body as received, after content decoding.
        url: The absolute URL that answered.
        headers: Reply headers, looked up without regard to case.
    """

    data: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    url: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class MediaReply:
    """The reply to a request for media, its body still to be read.

    Attributes:
        status: 200, or 206 if the body is a part of the content. The server may choose 206 without being asked
            (https://developers.ringcentral.com/guide/basics/media).
        url: The absolute URL that answered.
        headers: Reply headers, looked up without regard to case.
        body: The content.
    """

    status: int
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: Body


class RingCentralClient:
    """Reads from RingCentral with the token and the quota that all processes of this machine share.

    Args:
        credentials: The connection.
        state_dir: Directory of the shared token and quota; one for all processes, on a local disk. Created with
            access for its owner only if it does not exist.
        timeout: Seconds to wait for a connection, and for each next piece of a reply.
        max_wait: Seconds that a request may wait in place for the quota.

    Every request may raise LoginRefusedError, RateLimitedError, PermissionDeniedError, NotFoundError, RequestError,
    ServerError, TransportError, BadReplyError or ForeignHostError, all of them RingCentralError.
    """

    def __init__(
        self,
        credentials: Credentials,
        state_dir: Path,
        *,
        timeout: tuple[float, float] = (10, 60),
        max_wait: float = 15.0,
    ) -> None:
        self._credentials = credentials
        self._origins = credentials.origins
        session = requests.Session()
        session.headers["User-Agent"] = f"Voxlake/{version('voxlake')}"
        quota = SharedQuota(state_dir, credentials.quota_name, max_wait=max_wait, reply_within=timeout[0] + timeout[1])
        self._transport = Transport(session, quota, timeout)
        self._token = SharedToken(credentials, state_dir, self._transport)

    def __enter__(self) -> Self:
        """Returns the client; leaving the block closes its connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the client's connections."""
        self.close()

    def close(self) -> None:
        """Closes the client's connections."""
        self._transport.session.close()

    def get_json(self, path_or_url: str, params: Mapping[str, Parameter] | None = None) -> JsonReply:
        """Reads a JSON object.

        Args:
            path_or_url: A path on the connection's host (`/restapi/v1.0/account/~/call-log`), or an absolute URL on
                that host or the media host.
            params: Query parameters: a sequence becomes repeated keys, a datetime UTC with milliseconds.

        Raises:
            ValueError: A datetime of `params` has no time zone.
            RingCentralError: See the class.
        """
        url = path_or_url
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{_query(params)}"
        with self._get(url, {"Accept": "application/json"}) as response:
            body = self._body(response).read()
        data = _json_object(body)
        if data is None:
            shown = shown_url(response.url)
            raise BadReplyError(
                f"RingCentral answered GET {shown} with {replies.describe(body, self._credentials.secrets)} instead "
                "of a JSON object. Check the host of the connection and any proxy on the way.",
                status=response.status_code,
                method="GET",
                url=shown,
            )
        return JsonReply(data, body, response.url, response.headers)

    @contextmanager
    def stream(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[MediaReply]:
        """Opens media and closes the connection's reply at the end of the block.

        Args:
            url: An absolute URL on the media host or the connection's host, such as a recording's `contentUri`.
            headers: Further request headers, such as `Range`.

        Raises:
            RingCentralError: See the class. Only replies with status 200 and 206 are handed out.
        """
        # A body in another encoding would have another length than Content-Length and Content-Range say.
        with self._get(url, {"Accept-Encoding": "identity", **(headers or {})}, {200, 206}) as response:
            yield MediaReply(response.status_code, response.url, response.headers, self._body(response))

    def _get(
        self, path_or_url: str, headers: Mapping[str, str], successes: frozenset[int] | set[int] = frozenset({200})
    ) -> requests.Response:
        url = allowed_url(path_or_url, self._origins)
        token = self._token.current()
        response = self._follow(url, headers, token)
        if response.status_code == 401:
            # Expired early, revoked, or pushed out by another session: each is cured by another token
            # (https://developers.ringcentral.com/guide/authentication/tokens).
            response.close()
            token = self._token.replaced(token)
            response = self._follow(url, headers, token)
        if response.status_code in successes:
            return response
        with response:
            error = self._error(response, token)
        if isinstance(error, PermissionDeniedError):
            self._token.forget(token)
        raise error

    def _follow(self, url: str, headers: Mapping[str, str], token: AccessToken) -> requests.Response:
        """Sends a GET and follows its redirects as far as they stay on the allowed hosts."""
        asked = url
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._transport.send("GET", url, auth=Bearer(token), headers=headers)
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
            # Without Location the same address is to be asked again
            # (https://developers.ringcentral.com/guide/basics/formats/responses).
            url = allowed_url(urljoin(url, response.headers.get("Location", "")), self._origins)
        raise BadReplyError(
            f"GET {shown_url(asked)} was redirected more than {_MOST_REDIRECTS} times, last to {shown_url(url)}. "
            "Check the host of the connection.",
            status=response.status_code,
            method="GET",
            url=shown_url(asked),
        )

    def _error(self, response: requests.Response, token: AccessToken) -> RingCentralError:
        # An error's body is small; of anything else the start is enough.
        start = next(self._body(response).chunks(1 << 16), b"")
        refusal = replies.Refusal("GET", shown_url(response.url), response.status_code, response.headers, start)
        return replies.error_from(refusal, (*self._credentials.secrets, token.value))

    def _body(self, response: requests.Response) -> Body:
        return Body(response, self._transport.timeout)


def utc_text(moment: datetime) -> str:
    """`2026-11-21T08:30:00.000Z`, the form of a time in RingCentral's parameters.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"The time {moment.isoformat()} has no time zone; give it one, such as UTC.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _query(params: Mapping[str, Parameter]) -> str:
    return urlencode({name: _texts(value) for name, value in params.items()}, doseq=True)


def _texts(value: Parameter) -> list[str]:
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, datetime):
        return [utc_text(value)]
    if isinstance(value, str | int):
        return [str(value)]
    return list(value)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
