"""What Airflow itself loads of Voxlake. Registration only: the code is in the package."""

from airflow.plugins_manager import AirflowPlugin

from voxlake.airflow import listener


class VoxlakePlugin(AirflowPlugin):
    """Registers the listener that readies a scheduler for the DAGs."""

    name = "voxlake"
    listeners = [listener]  # noqa: RUF012 - the form that Airflow asks for
