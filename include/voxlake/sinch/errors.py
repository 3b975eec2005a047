"""What can go wrong between Voxlake and Sinch, one class for each thing a caller decides differently about.

Every error can be pickled (Airflow moves exceptions between processes), and none carries a secret or the exception of
the HTTP library, whose request object holds the signature and the bucket's credentials.
"""

from __future__ import annotations


class SinchError(Exception):
    """A request to Sinch did not do what was asked.

    Attributes:
        message: What happened, to which request, and what to do.
        status: HTTP status of the reply, None if there was none.
        error_code: Sinch's own code such as 40400, whose first digits are the status; None if the reply named none.
        reference: What Sinch's support finds the request by, None if the reply named none.
        retry_after: Seconds after which the request may be sent again, None if nobody said.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_code: int | None = None,
        reference: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error_code = error_code
        self.reference = reference
        self.retry_after = retry_after


class ApplicationRefusedError(SinchError):
    """401 or 403: key, secret or this host's clock is wrong, or the application may not do this; nothing to retry."""


class NotFoundError(SinchError):
    """404: there is no such call; of Manage Call: it is over, or never was."""


class RateLimitedError(SinchError):
    """429: too many requests; `retry_after` is set if the reply named it."""


class RequestError(SinchError):
    """Another 4xx: Sinch calls the request itself wrong, repeating it will not help."""


class ServerError(SinchError):
    """5xx: Sinch failed."""


class TransportError(SinchError):
    """No whole reply arrived. Worth another try."""


class BadReplyError(SinchError):
    """A reply arrived but is not what the API promises."""


class ForeignHostError(SinchError):
    """An address leads to another host than the connection's or a region of Sinch's; nothing was sent there."""
