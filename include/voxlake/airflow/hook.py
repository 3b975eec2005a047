"""The Airflow connections `ringcentral`, as a client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from voxlake.airflow.connection_extra import text_of
from voxlake.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from voxlake.ringcentral.client import RingCentralClient
    from voxlake.ringcentral.credentials import Credentials
    from voxlake.ringcentral.shared_state import SharedState

DEFAULT_SERVER_URL = "https://platform.ringcentral.com"
DEFAULT_MEDIA_URL = "https://media.ringcentral.com"


class RingCentralHook(BaseHook):
    """Makes a client of a connection of type `ringcentral`.

    The connection's host is the server URL (https://platform.ringcentral.com where empty), its login the client id, its
    password the client secret; its extra holds `jwt` and `media_host` (https://media.ringcentral.com where empty).

    Connections `<id>__2`, `<id>__3`, … of further users of the same account add their quotas to it.

    Args:
        ringcentral_conn_id: Which connection.
        max_wait: Seconds that a request may wait in place for its turn in the quota before it raises RateLimitedError.
        waiter: Who waits, see `RingCentralClient`.
        backfill: Whether others that are no backfill go first.
        awaited: Whether somebody waits for the recordings, so that they go before others.
    """

    conn_name_attr = "ringcentral_conn_id"
    default_conn_name = "ringcentral_default"
    conn_type = "ringcentral"
    hook_name = "RingCentral"

    def __init__(
        self,
        ringcentral_conn_id: str = default_conn_name,
        *,
        max_wait: float = 15.0,
        waiter: str | None = None,
        backfill: bool = False,
        awaited: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ringcentral_conn_id = ringcentral_conn_id
        self.max_wait = max_wait
        self.waiter = waiter
        self.backfill = backfill
        self.awaited = awaited

    def get_conn(self, *, spread: bool = True) -> RingCentralClient:
        """A client; it logs in when it first has to.

        Args:
            spread: Whether requests may go by the further connections too.

        Raises:
            ValueError: A field of a connection is missing or wrong; the text names both.
            AirflowNotFoundException: There is no such connection.
        """
        from voxlake.ringcentral.client import RingCentralClient

        return RingCentralClient(
            self.credentials(spread=spread),
            shared_state(),
            max_wait=self.max_wait,
            waiter=self.waiter,
            backfill=self.backfill,
            awaited=self.awaited,
        )

    def credentials(self, *, spread: bool = True) -> list[Credentials]:
        """What the connection and, with `spread`, its further ones hold; raises as `get_conn`."""
        credentials = [self._named(self.ringcentral_conn_id)]
        if spread:
            credentials += self._further()
        for one in credentials[1:]:
            if one.origins != credentials[0].origins:
                raise ValueError(
                    f"Connection {one.connection}: host and media_host must be those of {self.ringcentral_conn_id}, as "
                    "both are to read one account."
                )
        return credentials

    def test_connection(self) -> tuple[bool, str]:
        """Logs in and reads one call-log record: what the archive needs first, by the permissions it needs."""
        from voxlake.ringcentral.call_log import iter_call_log_pages
        from voxlake.ringcentral.client import RingCentralClient
        from voxlake.ringcentral.errors import RingCentralError
        from voxlake.ringcentral.shared_state import StateUnavailableError

        now = datetime.now(UTC)
        try:
            # Not by get_conn: its errors name the connection, and the one that Airflow tests has a name made up for it.
            credentials = self._credentials(self.get_connection(self.ringcentral_conn_id))
            with RingCentralClient(credentials, shared_state()) as client:
                next(iter_call_log_pages(client, now - timedelta(hours=1), now, per_page=1))
        except (RingCentralError, StateUnavailableError, ValueError) as error:
            return False, str(error)
        return True, "Logged in, and the company call log can be read."

    def _named(self, conn_id: str) -> Credentials:
        try:
            return self._credentials(self.get_connection(conn_id))
        except ValueError as error:
            raise ValueError(f"Connection {conn_id}: {error}") from None

    def _further(self) -> Iterator[Credentials]:
        for number in count(2):
            try:
                yield self._named(f"{self.ringcentral_conn_id}__{number}")
            except AirflowNotFoundException:
                return

    @staticmethod
    def _credentials(connection: Connection) -> Credentials:
        from voxlake.ringcentral.credentials import Credentials

        extra = connection.extra_dejson
        if not isinstance(extra, dict):
            raise ValueError('The field extra is no JSON object: expected {"jwt": "…"}.')
        jwt = text_of(extra, "jwt")
        # Airflow masks passwords by itself, but does not know that this field of the extra is one.
        mask_secret(jwt)
        return Credentials(
            server_url=connection.host or DEFAULT_SERVER_URL,
            client_id=connection.login or "",
            client_secret=connection.password or "",
            jwt=jwt,
            media_url=text_of(extra, "media_host") or DEFAULT_MEDIA_URL,
            connection=connection.conn_id,
            at_rest_key=_fernet_key(),
        )


def _fernet_key() -> str:
    key: str = conf.get("core", "fernet_key", fallback="")
    # Where nobody has set one, the Task SDK gives the template of Airflow's own configuration file.
    return "" if key == "{FERNET_KEY}" else key


def shared_state(patience: float = 30.0) -> SharedState:
    """What the processes of the settings share.

    Args:
        patience: Seconds to wait for a state that does not answer.

    Raises:
        ValueError: `VOXLAKE_QUOTA_URL` is no URL of a Redis server.
    """
    from voxlake.ringcentral.shared_state import open_state

    settings = get_settings()
    return open_state(settings.quota_url, settings.state_dir, patience)
