"""The Airflow connections `sinch`, as a client, and the recording that they ask for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from voxlake.airflow.connection_extra import text_of

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from voxlake.sinch.client import SinchClient
    from voxlake.sinch.destinations import Destination
    from voxlake.sinch.signature import Application
    from voxlake.sinch.svaml import RecordingOptions


class SinchHook(BaseHook):
    """Makes a client of a connection of type `sinch`, and starts and stops recordings with it.

    It looks the connection up once: make a new one where it may have changed.

    The connection's login is the application key, its password the application secret, its host the server URL; its
    extra holds `region` (instead of a host), `destination` (`s3://bucket/folder/`) and `recording_secret`
    (`<access key id>:<secret access key>:<region>`, what Sinch writes into the bucket with).

    Args:
        sinch_conn_id: Which connection.
    """

    conn_name_attr = "sinch_conn_id"
    default_conn_name = "sinch_default"
    conn_type = "sinch"
    hook_name = "Sinch"

    def __init__(self, sinch_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sinch_conn_id = sinch_conn_id

    def get_conn(self) -> SinchClient:
        """A client.

        Raises:
            ValueError: A field of the connection is missing or wrong; the text names both.
            AirflowNotFoundException: There is no such connection.
        """
        from voxlake.sinch.client import SinchClient
        from voxlake.sinch.regions import server_url_of

        application = self.application()
        try:
            return SinchClient(application, self._connection.host or server_url_of(text_of(self._extra, "region")))
        except ValueError as error:
            raise ValueError(f"Connection {self.sinch_conn_id}: {error}") from None

    def application(self) -> Application:
        """Key and secret of the application; raises as `get_conn`."""
        from voxlake.sinch.signature import Application

        try:
            return Application(self._connection.login or "", self._connection.password or "")
        except ValueError as error:
            raise ValueError(f"Connection {self.sinch_conn_id}: {error}") from None

    def destination(self) -> Destination:
        """Where the connection asks for recordings to be put; raises as `get_conn`."""
        from voxlake.sinch.destinations import parse_destination, refuse_fixed_name

        try:
            destination = parse_destination(text_of(self._extra, "destination"))
            refuse_fixed_name(destination)
        except ValueError as error:
            raise ValueError(f"Connection {self.sinch_conn_id}: {error}") from None
        return destination

    def recording_options(self) -> RecordingOptions:
        """How and where the connection asks calls to be recorded; raises as `get_conn`."""
        from voxlake.sinch.destinations import BucketCredentials, S3Destination
        from voxlake.sinch.svaml import RecordingOptions

        destination = self.destination()
        secret = text_of(self._extra, "recording_secret")
        mask_secret(secret)
        try:
            needs_credentials = isinstance(destination, S3Destination)
            credentials = BucketCredentials.parse(secret) if needs_credentials else None
        except ValueError as error:
            raise ValueError(f"Connection {self.sinch_conn_id}: {error}") from None
        if credentials is not None:
            mask_secret(credentials.secret_access_key)
        return RecordingOptions(destination, credentials)

    def start_recording(self, call_id: str) -> None:
        """Starts the recording of a call that is going on.

        Raises:
            NotFoundError: The call is over, or never was.
            SinchError: Another of its kinds.
            ValueError: A field of the connection is missing or wrong.
        """
        from voxlake.sinch.svaml import StartRecording

        options = self.recording_options()
        with self.get_conn() as client:
            client.manage_call(call_id, [StartRecording(options)])

    def stop_recording(self, call_id: str) -> None:
        """Stops the recording of a call that is going on; raises as `start_recording`."""
        from voxlake.sinch.svaml import StopRecording

        with self.get_conn() as client:
            client.manage_call(call_id, [StopRecording()])

    def test_connection(self) -> tuple[bool, str]:
        """Asks for a call that there is not: only who may read calls is told so."""
        from voxlake.sinch.errors import NotFoundError, SinchError

        try:
            with self.get_conn() as client:
                client.get_call(str(uuid.uuid4()))
        except NotFoundError:
            return True, "Sinch accepts the application key and secret."
        except (SinchError, ValueError) as error:
            return False, str(error)
        return False, "Sinch knows a call by an id that was made up just now: the host is not Sinch's."

    @cached_property
    def _connection(self) -> Connection:
        # A look-up is a request to the API server, and one task needs several fields.
        return self.get_connection(self.sinch_conn_id)

    @property
    def _extra(self) -> Mapping[str, Any]:
        extra = self._connection.extra_dejson
        if not isinstance(extra, dict):
            raise ValueError(
                f'Connection {self.sinch_conn_id}: the field extra is no JSON object such as {{"region": "euc1"}}.'
            )
        return extra
