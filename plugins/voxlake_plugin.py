"""What Airflow itself loads of Voxlake. Registration only: the code is in the package."""

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from voxlake.airflow import listener
from voxlake.airflow.masking import hide_jwt
from voxlake.airflow.priority import ScheduledFirst


class VoxlakePlugin(AirflowPlugin):
    """Registers the listener, the order of tasks, the name of the connection's secret field, the FastAPI apps."""

    name = "voxlake"
    # Both in the form that Airflow asks for.
    listeners = [listener]  # noqa: RUF012
    priority_weight_strategies = [ScheduledFirst]  # noqa: RUF012

    # Every process of Airflow loads this file, but only the API server asks for these two.
    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The Recordings page, and the receiver of what providers tell by themselves."""
        from voxlake.airflow.lake import open_lake
        from voxlake.airflow.recordings_page import PREFIX
        from voxlake.airflow.webhooks import webhooks
        from voxlake.web.app import create_app

        return [
            {"app": create_app(open_lake), "url_prefix": PREFIX, "name": "Voxlake Recordings"},
            webhooks(),
        ]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:
        """Its entry in the navigation."""
        from voxlake.airflow.recordings_page import navigation_entry

        return [navigation_entry()]

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called by Airflow once it has loaded the plugin."""
        hide_jwt()
