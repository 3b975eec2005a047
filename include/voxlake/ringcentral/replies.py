"""Reads what a reply of RingCentral says beside its content: quota, penalty and error."""

import codecs
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from voxlake.ringcentral.errors import (
    BadReplyError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestError,
    RingCentralError,
    ServerError,
)
from voxlake.ringcentral.sliding_window import LONGEST_PENALTY, QuotaHeaders

# The wait after a 429 without `Retry-After` (https://developers.ringcentral.com/guide/basics/rate-limits).
_PENALTY_SECONDS = 30.0

_LONGEST_EXCERPT = 300
# Of a body that is not what was asked for.
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Refusal:
    """A reply that is no success.

    Attributes:
        method: HTTP method of the request.
        url: Path and query of the request as an error may show them.
        status: HTTP status.
        headers: Reply headers, looked up without regard to case.
        body: Start of the body, enough to hold an error.
    """

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def quota_headers(headers: Mapping[str, str]) -> QuotaHeaders | None:
    """The `X-Rate-Limit-*` headers, None if one is absent or not a number that makes sense."""
    group = headers.get("X-Rate-Limit-Group", "").strip().lower()
    limit = _number(headers.get("X-Rate-Limit-Limit"))
    remaining = _number(headers.get("X-Rate-Limit-Remaining"))
    window = _number(headers.get("X-Rate-Limit-Window"))
    if not group or limit is None or remaining is None or window is None or limit < 1 or window <= 0:
        return None
    return QuotaHeaders(group, int(limit), int(remaining), window)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds named by `Retry-After`, which holds seconds or a date (RFC 9110, 10.2.3); None if it names none.

    At most an hour: then it does no harm to ask again.
    """
    text = headers.get("Retry-After", "").strip()
    seconds = _number(text)
    if seconds is not None:
        return min(seconds, LONGEST_PENALTY)
    if not text:
        return None
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone (`-0000`) is UTC too.
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), LONGEST_PENALTY)


def penalty(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds during which nobody may send after this reply; None unless it is a 429."""
    if status != 429:
        return None
    seconds = retry_after(headers)
    return _PENALTY_SECONDS if seconds is None else seconds


def error_code_and_message(body: bytes, secrets: Collection[str]) -> tuple[str | None, str]:
    """RingCentral's code and message from an error body, or None and what the body looks like.

    The token endpoint answers with `error` and `error_description` (RFC 6749, 5.2) beside `errors`, the others with
    `errors` and mostly `errorCode` and `message`. Any of `secrets` in the text is replaced by `***`.
    """
    error = _object(body)
    first = _first_error(error)
    code = first.get("errorCode") or error.get("errorCode") or error.get("error")
    message = first.get("message") or error.get("message") or error.get("error_description")
    if not isinstance(message, str):
        message = describe(body, secrets)
    return (_excerpt(code, secrets) if isinstance(code, str) else None), _excerpt(message, secrets)


def describe(body: bytes, secrets: Collection[str] = ()) -> str:
    """What the start of a body looks like, in a few words: `an HTML page: '<html>…'`."""
    # So far that a secret which begins in what is shown is there whole, to be found.
    start = body.lstrip()[: 4 * _SHOWN_CHARACTERS + max(map(len, secrets), default=0)]
    if not start:
        return "an empty body"
    try:
        # The cut may have gone through a character; an incremental decoder waits for the rest of it.
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        text = "\0"
    if not all(character.isprintable() or character.isspace() for character in text):
        return f"the bytes {body[:16].hex(' ')}"
    lowered = text.lower()
    kind = "text"
    if lowered.startswith(("<!doctype html", "<html", "<head", "<body")):
        kind = "an HTML page"
    elif lowered.startswith("<"):
        kind = "XML"
    elif lowered.startswith(("{", "[")):
        kind = "JSON"
    return f"{kind}: {_excerpt(text, secrets)[:_SHOWN_CHARACTERS]!r}"


def error_from(refusal: Refusal, secrets: Collection[str]) -> RingCentralError:
    """The typed error for a reply that is no success.

    Args:
        refusal: The reply and what was asked.
        secrets: Texts that must not appear in the error: token, JWT, client secret.
    """
    code, said = error_code_and_message(refusal.body, secrets)
    status = refusal.status
    what = f"RingCentral answered {status}{f' {code}' if code else ''} to {refusal.method} {refusal.url}: {said}"
    wait = penalty(status, refusal.headers) if status == 429 else retry_after(refusal.headers)
    kind, remedy = _kind_and_remedy(status, wait)
    permission = _permission(refusal.body, secrets) if kind is PermissionDeniedError else None
    if permission:
        remedy = (
            f"The permission {permission} is missing: in the developer console (https://developers.ringcentral.com) "
            "add it to the app's application permissions, or in the admin portal to the role of the user who "
            "created the JWT."
        )
    error = kind(
        f"{what.rstrip('.')}. {remedy}",
        status=status,
        error_code=code,
        method=refusal.method,
        url=refusal.url,
        retry_after=wait,
        quota=quota_headers(refusal.headers),
    )
    if isinstance(error, PermissionDeniedError):
        error.permission_name = permission
    return error


def _kind_and_remedy(status: int, wait: float | None) -> tuple[type[RingCentralError], str]:
    if status == 429:
        seconds = math.ceil(wait or 0)
        return RateLimitedError, f"Send nothing for {seconds} s: every request before that starts the wait again."
    if status == 404:
        return NotFoundError, "It does not exist, does not exist yet, or has been deleted."
    if status == 403:
        return PermissionDeniedError, "Check the permissions of the app and the role of the user who created the JWT."
    if status >= 500:
        return ServerError, "RingCentral failed; try again later."
    if status >= 400:
        return RequestError, "Repeating the same request will not help."
    return BadReplyError, "This status was not expected here; check the host of the connection."


def _permission(body: bytes, secrets: Collection[str]) -> str | None:
    error = _object(body)
    name = _first_error(error).get("permissionName") or error.get("permissionName")
    return _excerpt(name, secrets) if isinstance(name, str) else None


def _first_error(error: dict[str, Any]) -> dict[str, Any]:
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    return first if isinstance(first, dict) else {}


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _excerpt(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}…"


def _number(text: str | None) -> float | None:
    """A number of zero or more in decimal digits, None for anything else."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
