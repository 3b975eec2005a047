"""An Airflow whose API server the look-alike tells of calls."""

from __future__ import annotations

import time
from pathlib import Path

from sandbox.airflow_standalone import AirflowStandalone, archive_environment
from sandbox.ringcentral import Sandbox

EVENTS, SUBSCRIPTION = "ringcentral_session_events", "ringcentral_subscription"


def listening_airflow(sandbox: Sandbox, folder: Path, environment: dict[str, str] | None = None) -> AirflowStandalone:
    """An Airflow that is prepared, and not started.

    Args:
        sandbox: Whose calls it archives.
        folder: Where its files and the lake shall lie.
        environment: Further variables.
    """
    airflow = AirflowStandalone(folder / "airflow", archive_environment(sandbox.connection_json(), folder))
    airflow.environment |= {
        "VOXLAKE_WEBHOOK_URL": f"{airflow.url}/voxlake-webhooks/ringcentral",
        # Assets start runs only where the schedule does. So the DAGs that read whole hours stay paused, and the others
        # too until the API server is up: a task that begins before that waits for its next try.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        **(environment or {}),
    }
    airflow.prepare()
    return airflow


def listen(airflow: AirflowStandalone, sandbox: Sandbox) -> None:
    """Starts the two DAGs of events, and returns when the look-alike knows where to tell of calls."""
    for dag_id in (EVENTS, SUBSCRIPTION):
        airflow.unpause(dag_id)
    airflow.send("POST", f"/dags/{SUBSCRIPTION}/dagRuns", {"logical_date": None})
    while not sandbox.subscriptions.current():
        time.sleep(0.5)


def merged_file(lake: Path, telephony_session_id: str) -> Path | None:
    """The merged file of a session; None if there is none yet."""
    found = [file for file in lake.glob(f"audio/sessions/*/*/{telephony_session_id}.*") if file.suffix != ".json"]
    return found[0] if found else None
