"""What Airflow does about an error: try again, when, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException

if TYPE_CHECKING:
    from airflow.sdk import Context


class ArchiveRetryPolicy(RetryPolicy):
    """Fails at once where only a person can help, waits as long as the provider says, else leaves it to the task.

    Which error is which stands in docs/operations.md.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """See `RetryPolicy.evaluate`."""
        # Runs in the task's process, which has imported all this by the time something fails.
        from voxlake.archive.publish import SessionsFailedError
        from voxlake.archive.reconcile import ReconciliationFailedError

        if isinstance(exception, SessionsFailedError | ReconciliationFailedError | ValueError):
            return RetryDecision.fail(reason=str(exception))
        wait = _named_wait(exception)
        if wait is None:
            return RetryDecision.default()
        # A provider that is down for minutes may name seconds: the few tries would be over before it is up again.
        least = context["ti"].task.retry_delay if context else timedelta()
        return RetryDecision.retry(delay=max(timedelta(seconds=wait), least), reason=str(exception))

    def serialize(self) -> dict[str, Any]:
        """It has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> ArchiveRetryPolicy:
        """The reverse of `serialize`."""
        return cls()


def _named_wait(exception: BaseException) -> float | None:
    """Seconds that the provider asked for, the longest where several of its answers did; None if none did."""
    from voxlake.archive.download import RecordingsFailedError
    from voxlake.ringcentral.errors import RingCentralError

    if isinstance(exception, BaseExceptionGroup):
        return max((wait for one in exception.exceptions if (wait := _named_wait(one)) is not None), default=None)
    return exception.retry_after if isinstance(exception, RingCentralError | RecordingsFailedError) else None


# Airflow takes some seconds to start a task again. So one that waits for the quota comes back before its turn and waits
# the rest in place: a place that nobody is there to take is lost.
_EARLY_SECONDS = 10.0


@contextmanager
def connection_errors_in_airflow_terms(conn_id: str) -> Iterator[None]:
    """Says to Airflow what RingCentral says about a connection as a whole.

    Raises:
        AirflowRescheduleException: The quota is used up: the task comes back when there is room, without its slot
            meanwhile and without a try lost. A plain task may raise this, as sensors do:
            https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/sensors.html
        AirflowFailException: The login or a permission is refused: no further try would fare better.
    """
    from voxlake.ringcentral.errors import LoginRefusedError, PermissionDeniedError, RateLimitedError

    try:
        yield
    except RateLimitedError as error:
        wait = max(1.0, error.retry_after - _EARLY_SECONDS)
        raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=wait)) from error
    except (LoginRefusedError, PermissionDeniedError) as error:
        raise AirflowFailException(f"Connection {conn_id}: {error}") from error
