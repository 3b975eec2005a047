"""What Airflow itself loads of Voxlake. Registration only: the code is in the package."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from voxlake.airflow import listener
from voxlake.airflow.masking import hide_jwt
from voxlake.airflow.priority import ScheduledFirst


class VoxlakePlugin(AirflowPlugin):
    """Registers the listener, the order of tasks, and the name of the connection's secret field."""

    name = "voxlake"
    # Both in the form that Airflow asks for.
    listeners = [listener]  # noqa: RUF012
    priority_weight_strategies = [ScheduledFirst]  # noqa: RUF012

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called by Airflow once it has loaded the plugin."""
        hide_jwt()
