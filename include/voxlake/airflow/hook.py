"""The Airflow connection `ringcentral`, as a client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from voxlake.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from voxlake.ringcentral.client import RingCentralClient
    from voxlake.ringcentral.credentials import Credentials

DEFAULT_SERVER_URL = "https://platform.ringcentral.com"
DEFAULT_MEDIA_URL = "https://media.ringcentral.com"


class RingCentralHook(BaseHook):
    """Makes a client of a connection of type `ringcentral`.

    The connection's host is the server URL (https://platform.ringcentral.com where empty), its login the client id, its
    password the client secret; its extra holds `jwt` and `media_host` (https://media.ringcentral.com where empty).

    Args:
        ringcentral_conn_id: Which connection.
        max_wait: Seconds that a request may wait in place for its turn in the quota before it raises RateLimitedError.
    """

    conn_name_attr = "ringcentral_conn_id"
    default_conn_name = "ringcentral_default"
    conn_type = "ringcentral"
    hook_name = "RingCentral"

    def __init__(self, ringcentral_conn_id: str = default_conn_name, *, max_wait: float = 15.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ringcentral_conn_id = ringcentral_conn_id
        self.max_wait = max_wait

    def get_conn(self) -> RingCentralClient:
        """A client; it logs in when it first has to.

        Raises:
            ValueError: A field of the connection is missing or wrong; the text names both.
            AirflowNotFoundException: There is no such connection.
        """
        from voxlake.ringcentral.client import RingCentralClient

        try:
            credentials = self._credentials()
        except ValueError as error:
            raise ValueError(f"Connection {self.ringcentral_conn_id}: {error}") from None
        return RingCentralClient(credentials, get_settings().state_dir, max_wait=self.max_wait)

    def test_connection(self) -> tuple[bool, str]:
        """Logs in and reads one call-log record: what the archive needs first, by the permissions it needs."""
        from voxlake.ringcentral.call_log import iter_call_log_pages
        from voxlake.ringcentral.client import RingCentralClient
        from voxlake.ringcentral.errors import RingCentralError

        now = datetime.now(UTC)
        try:
            # Not by get_conn: its errors name the connection, and the one that Airflow tests has a name made up for it.
            with RingCentralClient(self._credentials(), get_settings().state_dir) as client:
                next(iter_call_log_pages(client, now - timedelta(hours=1), now, per_page=1))
        except (RingCentralError, ValueError, OSError) as error:
            return False, str(error)
        return True, "Logged in, and the company call log can be read."

    def _credentials(self) -> Credentials:
        from voxlake.ringcentral.credentials import Credentials

        connection: Connection = self.get_connection(self.ringcentral_conn_id)
        extra = connection.extra_dejson
        if not isinstance(extra, dict):
            raise ValueError('The field extra is no JSON object: expected {"jwt": "…"}.')
        jwt = _text(extra, "jwt")
        # Airflow masks passwords by itself, but does not know that this field of the extra is one.
        mask_secret(jwt)
        return Credentials(
            server_url=connection.host or DEFAULT_SERVER_URL,
            client_id=connection.login or "",
            client_secret=connection.password or "",
            jwt=jwt,
            media_url=_text(extra, "media_host") or DEFAULT_MEDIA_URL,
        )


def _text(extra: Mapping[str, Any], name: str) -> str:
    value = extra.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(f"{name} in the field extra is no text: put it in quotation marks.")
    return value
