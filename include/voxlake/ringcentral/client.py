"""A client of RingCentral's REST API that a task, a notebook or a test can hold.

One re-login after a 401 and permitted redirects are all it does by itself. It repeats nothing else: whoever schedules
the request decides whether and when to try again, guided by the type of the error and its `retry_after`.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self, TypeAlias
from urllib.parse import urlencode

from voxlake.ringcentral import replies
from voxlake.ringcentral.addresses import allowed_url, shown_url
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import BadReplyError
from voxlake.ringcentral.grants import Grant
from voxlake.ringcentral.lane import Lane, Request
from voxlake.ringcentral.lanes import Lanes
from voxlake.ringcentral.quota import SharedQuota
from voxlake.ringcentral.shared_state import SharedState
from voxlake.ringcentral.transport import Body, Session, Tally, Transport
from voxlake.ringcentral.waiting_line import Rank

_JSON = {"Accept": "application/json"}

Parameter: TypeAlias = str | int | bool | datetime | Sequence[str]


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
    """Talks to RingCentral with the tokens and the quotas that all processes share.

    Args:
        credentials: The connection. Several of one account (of different users) add up their quotas: each request goes
            by the one that has room first, and one that is refused drops out with a warning.
        state: The shared tokens and quotas.
        timeout: Seconds to wait for a connection, and for each next piece of a reply.
        max_wait: Seconds that a request may wait in place for the quota.
        waiter: Who waits: the same name keeps its place in the line when it comes back, also in another process.
        backfill: Whether others that are no backfill go first.
        awaited: Whether somebody waits for the recordings, so that they go before others.

    Attributes:
        tally: What its requests came to.

    Every request may raise LoginRefusedError, RateLimitedError, PermissionDeniedError, NotFoundError, RequestError,
    ServerError, TransportError, BadReplyError or ForeignHostError, all of them RingCentralError; and
    StateUnavailableError.
    """

    def __init__(
        self,
        credentials: Credentials | Sequence[Credentials],
        state: SharedState,
        *,
        timeout: tuple[float, float] = (10, 60),
        max_wait: float = 15.0,
        waiter: str | None = None,
        backfill: bool = False,
        awaited: bool = False,
    ) -> None:
        all_credentials = [credentials] if isinstance(credentials, Credentials) else list(credentials)
        self.tally = Tally()
        self._origins = all_credentials[0].origins
        self._timeout = timeout
        self._backfill = backfill
        self._awaited = awaited
        lanes = []
        for one in all_credentials:
            session = Session()
            session.headers["User-Agent"] = f"Voxlake/{version('voxlake')}"
            reply_within = timeout[0] + timeout[1]
            quota = SharedQuota(state, one.quota_name, waiter=waiter, max_wait=max_wait, reply_within=reply_within)
            lanes.append(Lane(one, state, quota, Transport(session, quota, timeout, self.tally)))
        self._lanes = Lanes(lanes)

    def __enter__(self) -> Self:
        """Returns the client; leaving the block closes its connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the client's connections."""
        self.close()

    def close(self) -> None:
        """Closes the client's connections."""
        for lane in self._lanes:
            lane.close()

    @property
    def media_url(self) -> str:
        """Where recordings are fetched from, without a path."""
        return str(self._origins[1])

    def grants(self) -> list[Grant]:
        """What RingCentral grants these credentials, as far as replies have said."""
        return [grant for lane in self._lanes for grant in lane.grants()]

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
        request = Request(allowed_url(url, self._origins), _JSON, Rank(media=False, backfill=self._backfill))
        return self._json(request)

    def post_json(self, path: str, content: Mapping[str, Any] | None = None) -> JsonReply:
        """Has RingCentral make or change something, and reads the JSON object that it answers with.

        Args:
            path: On the connection's host.
            content: The JSON object that is sent; None for an empty body.

        Raises:
            RingCentralError: See the class.
        """
        body = None if content is None else json.dumps(content).encode()
        headers = _JSON if body is None else {**_JSON, "Content-Type": "application/json"}
        return self._json(Request(allowed_url(path, self._origins), headers, Rank(), method="POST", body=body))

    def delete(self, path: str) -> None:
        """Has RingCentral remove something.

        Args:
            path: On the connection's host.

        Raises:
            RingCentralError: See the class.
        """
        request = Request(allowed_url(path, self._origins), _JSON, Rank(), successes=(200, 204), method="DELETE")
        _, response = self._lanes.send(request)
        response.close()

    def _json(self, request: Request) -> JsonReply:
        lane, response = self._lanes.send(request)
        with response:
            body = Body(response, self._timeout, self.tally).read()
        data = _json_object(body)
        if data is None:
            shown = shown_url(response.url)
            raise BadReplyError(
                f"RingCentral answered {request.method} {shown} with {replies.describe(body, lane.secrets)} instead "
                "of a JSON object. Check the host of the connection and any proxy on the way.",
                status=response.status_code,
                method=request.method,
                url=shown,
            )
        return JsonReply(data, body, response.url, response.headers)

    @contextmanager
    def stream(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        started: datetime | None = None,
        max_wait: float | None = None,
    ) -> Iterator[MediaReply]:
        """Opens media and closes the connection's reply at the end of the block.

        Args:
            url: An absolute URL on the media host or the connection's host, such as a recording's `contentUri`.
            headers: Further request headers, such as `Range`.
            started: When the recording started: of those that wait for the quota the oldest goes first, as the provider
                deletes it first. One that is not known counts as started now.
            max_wait: Seconds that the request may wait for that; the client's own where None.

        Raises:
            RingCentralError: See the class. Only replies with status 200 and 206 are handed out.
        """
        since = started.timestamp() if started else time.time()
        rank = Rank(media=True, backfill=self._backfill, routine=not self._awaited, started=since)
        began, waited = time.monotonic(), self.tally.waited
        # A body in another encoding would have another length than Content-Length and Content-Range say.
        all_headers = {"Accept-Encoding": "identity", **(headers or {})}
        request = Request(allowed_url(url, self._origins), all_headers, rank, successes=(200, 206), max_wait=max_wait)
        lane, response = self._lanes.send(request)
        with response:
            body = Body(response, self._timeout, self.tally)
            yield MediaReply(response.status_code, response.url, response.headers, body)
        lane.took(url, time.monotonic() - began - (self.tally.waited - waited))


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
