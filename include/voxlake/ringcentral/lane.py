"""One credential's way to RingCentral: its connections, its quota, its token."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import requests

from voxlake.ringcentral import replies
from voxlake.ringcentral.addresses import redirected_url, shown_url
from voxlake.ringcentral.auth import AccessToken, Bearer, SharedToken
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import BadReplyError, PermissionDeniedError, RingCentralError
from voxlake.ringcentral.grants import Grant, read_grants
from voxlake.ringcentral.quota import SharedQuota, Turn
from voxlake.ringcentral.shared_state import SharedState
from voxlake.ringcentral.transport import Transport
from voxlake.ringcentral.waiting_line import Rank

# One record of the last day: the cheapest reply that names the account, by the permission that is needed anyhow.
_WHOSE = "/restapi/v1.0/account/~/call-log?perPage=1"
_ACCOUNT = re.compile(r"/account/(\w+)/")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        url: An address on one of the credential's hosts.
        headers: Request headers.
        rank: Its place in the line for the quota.
        successes: Statuses that are none of an error.
        max_wait: Seconds that it may wait in the line; the quota's own where None.
        method: The HTTP method.
        body: What it sends.
    """

    url: str
    headers: Mapping[str, str]
    rank: Rank
    successes: Collection[int] = (200,)
    max_wait: float | None = None
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)


class Lane:
    """Sends the requests of one credential.

    Args:
        credentials: The credential.
        state: What all its processes share.
        quota: Its quota in `state`.
        transport: Sends with that quota.
    """

    def __init__(self, credentials: Credentials, state: SharedState, quota: SharedQuota, transport: Transport) -> None:
        self.name = credentials.connection or credentials.client_id
        self._credentials = credentials
        self._state = state
        self._quota = quota
        self._transport = transport
        self._token = SharedToken(credentials, state, transport)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that no error may show."""
        return self._credentials.secrets

    def close(self) -> None:
        """Closes its connections."""
        self._transport.session.close()

    def turn(self, url: str, rank: Rank) -> Turn:
        """How long a request would have to wait now."""
        return self._quota.turn(url, rank)

    def owner_id(self) -> str:
        """Id of the user whose credential it is; empty if RingCentral did not say. Raises as a login."""
        return self._token.current().owner_id

    def took(self, url: str, seconds: float) -> None:
        """Counts the time of a whole request in the mean of its group."""
        self._quota.took(url, seconds)

    def grants(self) -> list[Grant]:
        """What is granted to the credential, by group."""
        return read_grants(self._state, self._credentials.quota_name)

    def account(self) -> str:
        """The id of the account that the credential reads; asked once, by one Heavy request, and shared.

        Raises:
            RingCentralError: It cannot be read.
        """
        key = f"account-{self._credentials.token_name}"
        known = self._state.read(key)
        if known is None:
            url = f"{self._credentials.origins[0]}{_WHOSE}"
            with self.send(Request(url, {"Accept": "application/json"}, Rank())) as response:
                body = self._transport.body(response).read()
            known = _account_in(body)
            if known is None:
                raise BadReplyError(
                    f"RingCentral answered GET {_WHOSE} with {replies.describe(body, self.secrets)} instead of a call "
                    "log. Check the host of the connection and any proxy on the way.",
                    status=200,
                    method="GET",
                    url=_WHOSE,
                )
            self._state.update(key, lambda _, __: (known, None))
        return known.decode()

    def send(self, request: Request) -> requests.Response:
        """The reply, its body not yet read, after a new login if the token turned out dead.

        Raises:
            RingCentralError: The reply has another status than `request.successes`, or there is none.
        """
        token = self._token.current()
        response = self._follow(request, token)
        if response.status_code == 401:
            # Expired early, revoked, or pushed out by another session: each is cured by another token
            # (https://developers.ringcentral.com/guide/authentication/tokens).
            response.close()
            token = self._token.replaced(token)
            response = self._follow(request, token)
        if response.status_code in request.successes:
            return response
        with response:
            error = self._error(request.method, response, token)
        if isinstance(error, PermissionDeniedError):
            self._token.forget(token)
        raise error

    def _follow(self, request: Request, token: AccessToken) -> requests.Response:
        """Sends a request and follows the redirects of a GET as far as they stay on the allowed hosts."""
        url = request.url
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._transport.send(
                request.method,
                url,
                auth=Bearer(token),
                headers=request.headers,
                body=request.body,
                rank=request.rank,
                max_wait=request.max_wait,
            )
            if response.status_code not in _REDIRECTS or request.method != "GET":
                return response
            response.close()
            # Without Location the same address is to be asked again
            # (https://developers.ringcentral.com/guide/basics/formats/responses).
            url = redirected_url(url, response.headers.get("Location", ""), self._credentials.origins)
        raise BadReplyError(
            f"GET {shown_url(request.url)} was redirected more than {_MOST_REDIRECTS} times, last to {shown_url(url)}. "
            "Check the host of the connection.",
            status=response.status_code,
            method="GET",
            url=shown_url(request.url),
        )

    def _error(self, method: str, response: requests.Response, token: AccessToken) -> RingCentralError:
        # An error's body is small; of anything else the start is enough.
        start = next(self._transport.body(response).chunks(1 << 16), b"")
        refusal = replies.Refusal(method, shown_url(response.url), response.status_code, response.headers, start)
        return replies.error_from(refusal, (*self.secrets, token.value))


def _account_in(body: bytes) -> bytes | None:
    """The account id in the `uri` of a call-log reply, which has it in the place of `~`."""
    try:
        found = _ACCOUNT.search(json.loads(body)["uri"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found[1].encode() if found else None
