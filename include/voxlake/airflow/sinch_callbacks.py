"""What Airflow's API server proves and answers Sinch's callbacks with: connections of type `sinch`, and settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from voxlake.airflow.metrics import count_sinch_answer
from voxlake.airflow.sinch_hook import SinchHook
from voxlake.settings import get_settings

if TYPE_CHECKING:
    from voxlake.web.sinch_webhook import ConnectedApplication, SinchCallbacks

log = logging.getLogger(__name__)

_IN_ENVIRONMENT = "AIRFLOW_CONN_"


def sinch_callbacks(tell_airflow: Callable[[], None]) -> SinchCallbacks:
    """The parts of the endpoint.

    Args:
        tell_airflow: Tells Airflow that there are recordings.
    """
    from voxlake.sinch.answers import CallPolicy
    from voxlake.web.passing_on import PassingOn
    from voxlake.web.sinch_webhook import SinchCallbacks

    settings = get_settings()
    return SinchCallbacks(
        connected_applications,
        CallPolicy(settings.sinch_connect_to, settings.sinch_record_at, settings.sinch_record_conference),
        tell_airflow,
        count_sinch_answer,
        PassingOn(settings.sinch_callback_url) if settings.sinch_callback_url else None,
        stands_in=settings.sinch_callback_failure == "answer",
    )


def connected_applications() -> dict[str, ConnectedApplication]:
    """The applications of the connections of type `sinch`, by their keys; a broken connection is logged and left out.

    Airflow can list the connections of its database and of the environment; of a secrets backend only `sinch_default`
    is found.
    """
    from voxlake.web.sinch_webhook import ConnectedApplication

    applications = {}
    for conn_id in sorted(_connection_ids()):
        hook = SinchHook(conn_id)
        try:
            application = hook.application()
        except ValueError as error:
            log.error("callbacks of an application of Sinch are refused: %s", error)
            continue
        try:
            applications[application.key] = ConnectedApplication(application, hook.recording_options())
        except ValueError as error:
            applications[application.key] = ConnectedApplication(application, None, str(error))
    return applications


def _connection_ids() -> set[str]:
    from airflow.models.connection import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        ids = set(session.scalars(select(Connection.conn_id).where(Connection.conn_type == SinchHook.conn_type)))
    names = [name.removeprefix(_IN_ENVIRONMENT) for name in os.environ if name.startswith(_IN_ENVIRONMENT)]
    for conn_id in {SinchHook.default_conn_name, *(name.lower() for name in names)} - ids:
        try:
            if SinchHook.get_connection(conn_id).conn_type == SinchHook.conn_type:
                ids.add(conn_id)
        except AirflowNotFoundException:
            # Nobody has to have `sinch_default`; what the environment has is not always a connection.
            continue
    return ids
