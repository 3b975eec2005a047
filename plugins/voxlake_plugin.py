"""What Airflow itself loads of Voxlake. Registration only: the code is in the package."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from voxlake.airflow import listener
from voxlake.airflow.masking import hide_jwt


class VoxlakePlugin(AirflowPlugin):
    """Registers the listener that readies a scheduler for the DAGs, and the name of the connection's secret field."""

    name = "voxlake"
    listeners = [listener]  # noqa: RUF012 - the form that Airflow asks for

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called by Airflow once it has loaded the plugin."""
        hide_jwt()
