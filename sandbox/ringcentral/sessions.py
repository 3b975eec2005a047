"""OAuth sessions: which access tokens are good, and what is wrong with the others.

https://developers.ringcentral.com/guide/authentication/tokens
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.ringcentral.errors import ApiError, unauthorized


@dataclass(frozen=True, slots=True)
class OauthSession:
    """One login with its current tokens; times are running seconds."""

    id: str
    client_id: str
    owner_id: str
    scopes: tuple[str, ...]
    access_token: str = field(repr=False)
    expires_at: float
    refresh_token: str | None = field(repr=False)


def expired() -> ApiError:
    return unauthorized("OAU-128", "Access token expired", top_code="TokenExpired")


def corrupted() -> ApiError:
    return unauthorized("OAU-129", "Access token corrupted", top_code="TokenInvalid")


def ended() -> ApiError:
    return unauthorized("OAU-213", "Token not found", top_code="TokenInvalid")


def unknown() -> ApiError:
    return unauthorized("OAU-149", "OAuth token is invalid", top_code="TokenInvalid")


class Sessions:
    """Opens, finds and ends sessions.

    Args:
        parallel: Sessions that a user may have in an application; a further login ends the oldest.
        seconds: The running clock.
    """

    def __init__(self, parallel: int, seconds: Callable[[], float]) -> None:
        self._parallel = parallel
        self._seconds = seconds
        self._lock = threading.Lock()
        self._open: list[OauthSession] = []
        self._dead: dict[str, Callable[[], ApiError]] = {}

    def login(
        self, client_id: str, owner_id: str, scopes: tuple[str, ...], seconds: int, refreshable: bool
    ) -> OauthSession:
        """Opens a session whose access token lives for `seconds`."""
        session = self._fresh(secrets.token_hex(12), client_id, owner_id, scopes, seconds, refreshable)
        with self._lock:
            for idle in [known for known in self._open if not known.refresh_token and self._is_over(known)]:
                self._end(idle, expired)
            same = [known for known in self._open if (known.client_id, known.owner_id) == (client_id, owner_id)]
            for oldest in same[: max(0, len(same) - self._parallel + 1)]:
                self._end(oldest, ended)
            self._open.append(session)
        return session

    def refresh(self, refresh_token: str, client_id: str, seconds: int) -> OauthSession | None:
        """Replaces both tokens of a session; the old access token is corrupted at once. None for an unknown token."""
        with self._lock:
            old = next(
                (known for known in self._open if known.refresh_token and known.refresh_token == refresh_token), None
            )
            if old is None or old.client_id != client_id:
                return None
            self._end(old, corrupted)
            session = self._fresh(old.id, client_id, old.owner_id, old.scopes, seconds, refreshable=True)
            self._open.append(session)
        return session

    def revoke(self, token: str) -> None:
        """Ends the session of an access or refresh token; an unknown token is no error (RFC 7009)."""
        with self._lock:
            for session in [known for known in self._open if token in {known.access_token, known.refresh_token}]:
                self._end(session, ended)

    def issued(self) -> tuple[str, ...]:
        """Every access token issued so far, whether it is still good or not."""
        with self._lock:
            return (*self._dead, *(session.access_token for session in self._open))

    def of(self, access_token: str) -> OauthSession:
        """The session of a good access token.

        Raises:
            ApiError: 401 with the reason for which the token is no good.
        """
        with self._lock:
            for session in self._open:
                if session.access_token == access_token:
                    if self._is_over(session):
                        raise expired()
                    return session
            raise self._dead.get(access_token, unknown)()

    def _fresh(
        self, identifier: str, client_id: str, owner_id: str, scopes: tuple[str, ...], seconds: int, refreshable: bool
    ) -> OauthSession:
        return OauthSession(
            id=identifier,
            client_id=client_id,
            owner_id=owner_id,
            scopes=scopes,
            access_token=secrets.token_urlsafe(36),
            expires_at=self._seconds() + seconds,
            refresh_token=secrets.token_urlsafe(36) if refreshable else None,
        )

    def _is_over(self, session: OauthSession) -> bool:
        return session.expires_at <= self._seconds()

    def _end(self, session: OauthSession, reason: Callable[[], ApiError]) -> None:
        self._open.remove(session)
        self._dead[session.access_token] = reason
