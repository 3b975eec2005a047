"""The signature that Sinch and its applications put on what they send each other, and whether one is good.

https://developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request/
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from voxlake.sinch.times import parse_time

# Sinch asks that a timestamp be "not too old" and says no more. AWS allows its clients' clocks as much:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
FRESHNESS = timedelta(minutes=5)

_AUTHORIZATION = re.compile(r"application +([^:\s]+):(\S+)", re.IGNORECASE)


class SignatureRefusedError(Exception):
    """A callback is not one that Sinch sent just now for a known application.

    Attributes:
        reason: `missing`, `malformed`, `unknown_application`, `stale` or `wrong`: what refusals are counted by.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        """What is wrong, in words."""
        return self.message


@dataclass(frozen=True)
class Application:
    """An application of the Sinch dashboard.

    Attributes:
        key: The application key.
        secret: The application secret, in Base64 as the dashboard shows it.
    """

    key: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Checks both.

        Raises:
            ValueError: One is missing or malformed; the text names it and never shows the secret.
        """
        if not re.fullmatch(r"[0-9A-Za-z-]+", self.key):
            raise ValueError("The application key is missing or has characters that no key has: copy it again.")
        if not self.secret:
            raise ValueError("The application secret is missing.")
        _ = self.secret_bytes

    @property
    def secret_bytes(self) -> bytes:
        """What signatures are made with."""
        try:
            return base64.b64decode(self.secret, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("The application secret is not Base64: copy it again from the Sinch dashboard.") from None


def string_to_sign(method: str, path: str, content_type: str, timestamp: str, body: bytes) -> str:
    """What is signed of a message.

    Args:
        method: HTTP method.
        path: Path of the URL as it was sent, without the query.
        content_type: The header as it was sent; empty where there is none.
        timestamp: The header `x-timestamp` as it was sent.
        body: As it was sent; never parsed and written anew.
    """
    # The protocol's own choice, which protects nothing by itself.
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() if body else ""
    return f"{method.upper()}\n{digest}\n{content_type}\nx-timestamp:{timestamp}\n{path}"


def sign(application: Application, method: str, path: str, content_type: str, timestamp: str, body: bytes) -> str:
    """The header `Authorization` of a message; the arguments as in `string_to_sign`."""
    signed = string_to_sign(method, path, content_type, timestamp, body)
    mac = hmac.digest(application.secret_bytes, signed.encode(), "sha256")
    return f"application {application.key}:{base64.b64encode(mac).decode()}"


def verify(
    applications: Mapping[str, Application],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> Application:
    """The application that a callback is for.

    Args:
        applications: The known ones, by key.
        method: HTTP method.
        path: Path of the URL as it was received, without the query.
        headers: Those received, by lower-case names.
        body: As it was received.
        now: With its zone; what was signed more than `FRESHNESS` before or after is refused.

    Raises:
        SignatureRefusedError: It is not from Sinch, not for a known application, or not from now.
    """
    if not (authorization := headers.get("authorization", "")):
        raise SignatureRefusedError("missing", "The request has no signature (header Authorization).")
    found = _AUTHORIZATION.fullmatch(authorization.strip())
    timestamp = headers.get("x-timestamp", "")
    try:
        sent = parse_time(timestamp)
    except ValueError:
        sent = None
    if found is None or sent is None:
        raise SignatureRefusedError(
            "malformed", "Expected are Authorization: application <key>:<signature>, and x-timestamp in ISO 8601."
        )
    application = applications.get(found[1])
    if application is None:
        raise SignatureRefusedError(
            "unknown_application", "The application key of the signature is of no connection of type sinch."
        )
    expected = sign(application, method, path, headers.get("content-type", ""), timestamp, body)
    # The signature before the time: to who cannot sign nothing is said of our clock.
    if not hmac.compare_digest(expected.partition(":")[2].encode(), found[2].encode()):
        raise SignatureRefusedError(
            "wrong",
            "The signature is not that of this body, path and time: the application secret of the connection is "
            "another one, or a proxy changes the path or the body.",
        )
    if abs(now - sent) > FRESHNESS:
        raise SignatureRefusedError(
            "stale", f"The request was signed more than {FRESHNESS.seconds} seconds from now; check this host's clock."
        )
    return application
