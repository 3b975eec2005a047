"""The login, and one access token for all processes that use the same credential.

RingCentral allows five logins a minute and about five sessions for a user and app
(https://developers.ringcentral.com/guide/authentication/jwt-flow and …/basics/rate-limits), so one process logs in,
and all others find its token, encrypted, in what they share.
"""

import json
import logging
import math
from dataclasses import dataclass, field

import requests
from cryptography.fernet import InvalidToken
from pydantic import TypeAdapter, ValidationError
from requests.auth import AuthBase, HTTPBasicAuth

from voxlake.ringcentral import replies
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.errors import (
    BadReplyError,
    LoginRefusedError,
    RateLimitedError,
    RingCentralError,
    ServerError,
    TransportError,
)
from voxlake.ringcentral.shared_state import LockTimeoutError, SharedState, locked
from voxlake.ringcentral.sliding_window import LONGEST_PENALTY
from voxlake.ringcentral.transport import Transport

_log = logging.getLogger(__name__)

_TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105 - an address, no password
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

# A refused login is remembered for one window of the login's quota: long enough that the other tasks of a run do not
# use that quota up, short enough that a correction in the developer console works soon. A corrected secret works at
# once, because it leads to another name.
_REFUSAL_SECONDS = 60.0

# A login waits no longer for its turn: others wait for it.
_TURN_SECONDS = 10.0

# A process that waits for the login of another waits a little longer than that can take.
_SPARE_SECONDS = 10.0

# Nothing is sent while the login fails, and it is tried again so much later
# (https://developers.ringcentral.com/guide/basics/errors).
_FAILURE_SECONDS = 10.0

# A token younger than this is not thrown away for a missing permission, so that many refused requests make one login.
_YOUNG_SECONDS = 60.0


@dataclass(frozen=True)
class AccessToken:
    """A bearer token.

    Attributes:
        value: The token itself.
        obtained_at: When it was asked for, on the clock of the shared state.
        expires_at: When it ends.
        owner_id: Id of the extension that it was given to; empty if the reply named none.
    """

    value: str = field(repr=False)
    obtained_at: float
    expires_at: float
    owner_id: str = ""

    def is_fresh(self, now: float) -> bool:
        """Whether so much of its life is left that a request begun now ends before it: a minute and a tenth of it."""
        life = self.expires_at - self.obtained_at
        margin = min(max(60.0, life / 10), life / 2)
        # One of the future was obtained before the clock was set back.
        return self.obtained_at <= now < self.expires_at - margin


class Bearer(AuthBase):
    """Puts the token into the `Authorization` header."""

    def __init__(self, token: AccessToken) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by `requests` for every request that is sent."""
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


class _JwtGrant(AuthBase):
    """Makes a request the login of `credentials`.

    Secrets enter here and not as arguments of `send`, so that no variable of a traceback's frames holds them.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by `requests` before the login is sent."""
        request.prepare_body({"grant_type": _JWT_GRANT, "assertion": self._credentials.jwt}, None)
        HTTPBasicAuth(self._credentials.client_id, self._credentials.client_secret)(request)
        return request


@dataclass(frozen=True)
class _Failed:
    """A login that failed: all others raise the same error until then, and send nothing."""

    message: str
    status: int | None
    error_code: str | None
    until: float
    refused: bool


_STORED: TypeAdapter[AccessToken | _Failed] = TypeAdapter(AccessToken | _Failed)


class SharedToken:
    """The access token of one credential, kept encrypted in what all its processes share."""

    def __init__(self, credentials: Credentials, state: SharedState, transport: Transport) -> None:
        self._credentials = credentials
        self._cipher = credentials.token_cipher()
        self._state = state
        self._key = f"token-{credentials.token_name}"
        self._transport = transport
        # Its turn in the quota, a connection, a reply and its body. After that the lock of a process that was killed in
        # its login is free.
        self._login_seconds = _TURN_SECONDS + 2 * sum(transport.timeout)
        self._known: AccessToken | None = None

    def current(self) -> AccessToken:
        """A token with enough life left, from memory, from the shared state or from a login.

        Raises:
            LoginRefusedError: RingCentral refuses these credentials, or refused them within the last minute.
            RateLimitedError, ServerError, TransportError, BadReplyError: The login failed otherwise, now or within the
                last seconds; `retry_after` says how long nobody tries it again.
        """
        now = self._state.now()
        if self._known is not None and self._known.is_fresh(now):
            return self._known
        stored = self._stored()
        if not isinstance(stored, AccessToken) or not stored.is_fresh(now):
            stored = self._renewed(None)
        self._known = stored
        return stored

    def replaced(self, failed: AccessToken) -> AccessToken:
        """Another token after RingCentral has answered 401 to `failed`; raises as `current`.

        If another process has logged in meanwhile, its token is taken.
        """
        self._known = self._renewed(failed)
        return self._known

    def forget(self, token: AccessToken) -> None:
        """Makes the next request log in, because the token lacks a permission.

        A token keeps the permissions that the app had at the login; one granted later needs a new token.
        """
        if self._state.now() - token.obtained_at < _YOUNG_SECONDS:
            return

        def without_it(value: bytes | None, _: float) -> tuple[bytes | None, None]:
            return (None if self._opened(value) == token else value), None

        self._state.update(self._key, without_it)
        self._known = None

    def _renewed(self, failed: AccessToken | None) -> AccessToken:
        lease = self._login_seconds
        try:
            with locked(self._state, f"login-{self._key}", lease=lease, timeout=lease + _SPARE_SECONDS):
                stored = self._stored()
                now = self._state.now()
                if isinstance(stored, AccessToken) and stored.is_fresh(now) and stored != failed:
                    return stored
                if isinstance(stored, _Failed) and 0 < stored.until - now <= LONGEST_PENALTY:
                    raise _error_of(stored, now)
                return self._log_in()
        except LockTimeoutError:
            raise TransportError(
                f"Another process has tried to log in to {self._credentials.server_url} for {lease:g} s. Try again; if "
                "it stays, check the network."
            ) from None

    def _log_in(self) -> AccessToken:
        try:
            token = self._ask()
        except RateLimitedError:
            # The quota remembers it for all: nobody sends another login before its end.
            raise
        except (ServerError, TransportError, BadReplyError) as error:
            seconds = max(_FAILURE_SECONDS, error.retry_after or 0.0)
            until = self._state.now() + seconds
            self._store(_Failed(str(error), error.status, error.error_code, until, refused=False))
            error.retry_after = seconds
            raise
        self._store(token)
        _log.info(
            "Logged in to %s; the token lives %.0f s",
            self._credentials.origins[0],
            token.expires_at - token.obtained_at,
        )
        return token

    def _ask(self) -> AccessToken:
        server = self._credentials.origins[0]
        asked_at = self._state.now()
        response = self._transport.send(
            "POST", f"{server}{_TOKEN_PATH}", auth=_JwtGrant(self._credentials), max_wait=_TURN_SECONDS
        )
        with response:
            body = self._transport.body(response)
            status = response.status_code
            if status in {400, 401}:
                refused = self._refused(status, body.read())
                self._store(refused)
                raise _error_of(refused, asked_at)
            if status != 200:
                refusal = replies.Refusal("POST", _TOKEN_PATH, status, response.headers, body.read())
                raise replies.error_from(refusal, self._credentials.secrets)
            token = _token_from(body.read(), asked_at)
        if token is None:
            raise BadReplyError(
                f"{server} answered the login without a usable access_token and expires_in. Check that the host of "
                "the connection is a RingCentral server.",
                status=status,
                method="POST",
                url=_TOKEN_PATH,
            )
        return token

    def _refused(self, status: int, body: bytes) -> _Failed:
        code, said = replies.error_code_and_message(body, self._credentials.secrets)
        message = (
            f"{self._credentials.origins[0]} refused the login: {code or status} {said.rstrip('.')}. Check client id "
            "(login), client secret (password) and jwt (extra) of the connection: all three must belong to the same "
            "app, and the JWT must be neither expired nor revoked."
        )
        return _Failed(message, status, code, self._state.now() + _REFUSAL_SECONDS, refused=True)

    def _stored(self) -> AccessToken | _Failed | None:
        return self._opened(self._state.read(self._key))

    def _opened(self, value: bytes | None) -> AccessToken | _Failed | None:
        if value is None:
            return None
        try:
            return _STORED.validate_json(self._cipher.decrypt(value))
        except (InvalidToken, ValidationError):
            _log.warning("The shared token %s is unreadable; logging in anew", self._key)
            return None

    def _store(self, content: AccessToken | _Failed) -> None:
        value = self._cipher.encrypt(_STORED.dump_json(content))
        self._state.update(self._key, lambda _, __: (value, None))


def _error_of(failed: _Failed, now: float) -> RingCentralError:
    kind: type[RingCentralError] = LoginRefusedError if failed.refused else ServerError
    return kind(
        failed.message,
        status=failed.status,
        error_code=failed.error_code,
        method="POST",
        url=_TOKEN_PATH,
        retry_after=None if failed.refused else failed.until - now,
    )


def _token_from(body: bytes, asked_at: float) -> AccessToken | None:
    """The token of a login's reply, None if there is none that can be used."""
    try:
        content = json.loads(body)
        value, life = content["access_token"], float(content["expires_in"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        return None
    if not math.isfinite(life) or life <= 0:
        return None
    return AccessToken(value, asked_at, asked_at + life, str(content.get("owner_id") or ""))
