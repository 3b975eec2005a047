"""Operators that start and stop the recording of a Sinch call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator

from voxlake.airflow.sinch_hook import SinchHook


class StartSinchRecordingOperator(BaseOperator):
    """Starts the recording of a call that is going on, into the destination of the connection.

    Args:
        call_id: Which call; templated.
        sinch_conn_id: The connection of type `sinch`.
    """

    template_fields: Sequence[str] = ("call_id",)

    def __init__(self, *, call_id: str, sinch_conn_id: str = SinchHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.call_id = call_id
        self.sinch_conn_id = sinch_conn_id

    def execute(self, context: Any) -> None:
        """See `SinchHook.start_recording`."""
        SinchHook(self.sinch_conn_id).start_recording(self.call_id)


class StopSinchRecordingOperator(BaseOperator):
    """Stops the recording of a call that is going on.

    Args:
        call_id: Which call; templated.
        sinch_conn_id: The connection of type `sinch`.
    """

    template_fields: Sequence[str] = ("call_id",)

    def __init__(self, *, call_id: str, sinch_conn_id: str = SinchHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.call_id = call_id
        self.sinch_conn_id = sinch_conn_id

    def execute(self, context: Any) -> None:
        """See `SinchHook.stop_recording`."""
        SinchHook(self.sinch_conn_id).stop_recording(self.call_id)
