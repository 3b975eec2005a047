"""What can go wrong between Voxlake and RingCentral, one class for each thing a caller decides differently about.

Every error can be pickled (Airflow moves exceptions between processes), and none carries a token, a JWT, a secret or
the exception of the HTTP library, whose request object holds the `Authorization` header.
"""

from voxlake.ringcentral.sliding_window import QuotaHeaders


class RingCentralError(Exception):
    """A request to RingCentral did not do what was asked.

    Attributes:
        message: What happened, to which request, and what to do: one or two sentences.
        status: HTTP status of the reply, None if there was none.
        error_code: RingCentral's own code such as `CMN-301`
            (https://developers.ringcentral.com/guide/basics/errors), None if the reply named none.
        method: HTTP method of the request.
        url: Path and query of the request, without host, secrets and unknown parameters' values.
        retry_after: Seconds after which the request may be sent again, None if nobody said.
        quota: The quota headers of the reply, None if it carried none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_code: str | None = None,
        method: str | None = None,
        url: str | None = None,
        retry_after: float | None = None,
        quota: QuotaHeaders | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error_code = error_code
        self.method = method
        self.url = url
        self.retry_after = retry_after
        self.quota = quota


class LoginRefusedError(RingCentralError):
    """The token endpoint refused client id, client secret or JWT: permanent until someone corrects them."""


class PermissionDeniedError(RingCentralError):
    """403: the app or the user lacks a permission; permanent until someone grants it.

    Attributes:
        permission_name: RingCentral's name of the missing permission, None if the reply named none.
    """

    permission_name: str | None = None


class NotFoundError(RingCentralError):
    """404: the resource does not exist, does not exist yet, or has been deleted."""


class RateLimitedError(RingCentralError):
    """429, or our own count says that the quota is used up; `retry_after` is always set."""

    retry_after: float


class ServerError(RingCentralError):
    """5xx: RingCentral failed; `retry_after` is set if the reply named it."""


class RequestError(RingCentralError):
    """Another 4xx: RingCentral calls the request itself wrong, repeating it will not help."""


class SyncTokenRefusedError(RequestError):
    """The token that continues a read of modifications is not good any more; a read that begins anew gets another."""


class TransportError(RingCentralError):
    """No whole reply arrived: no connection, a time-out, or a body that broke off. Worth another try."""


class BadReplyError(RingCentralError):
    """A reply arrived but is not what the endpoint promises: HTML for audio, invalid JSON, a missing field."""


class ForeignHostError(RingCentralError):
    """An address leads to another host than the connection's; nothing was sent there."""
