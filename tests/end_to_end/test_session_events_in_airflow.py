"""A call ends, and Airflow archives it: its own API server, scheduler and DAG processor, some of which are killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.airflow_servers import AirflowServers
from sandbox.airflow_standalone import AirflowStandalone
from sandbox.listening_airflow import EVENTS, listen, listening_airflow, merged_file
from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig, Session, run_sandbox
from voxlake.lake import tables
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import SESSIONS

CONFIG = SandboxConfig(
    mix=CallMix(calls_per_day=96),
    quotas={"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)},
)
RECORDINGS_DAG = "ringcentral_recordings"
HOUR = timedelta(hours=1)
# Four others may use the machine.
PATIENCE = 300.0

# When the scheduler takes up what a killed one had: by default it looks every five minutes.
RECOVERY = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
}


@dataclass(frozen=True)
class Listening:
    """What runs, and sessions that are over and have not been told of."""

    sandbox: Sandbox
    airflow: AirflowStandalone
    servers: AirflowServers
    lake: Path
    sessions: Iterator[Session]


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder = tmp_path_factory.mktemp("listening")
    with run_sandbox(CONFIG) as sandbox:
        airflow = listening_airflow(sandbox, folder, RECOVERY)
        with AirflowServers(airflow) as servers:
            listen(airflow, sandbox)
            now = datetime.now(UTC)
            over = [one for one in sandbox.truth(now - 20 * HOUR, now).sessions if one.end_time < now]
            yield Listening(sandbox, airflow, servers, folder / "lake", iter(reversed(over)))


def test_a_call_that_ended_is_archived_soon_and_the_hourly_run_fetches_nothing_of_it(listening: Listening) -> None:
    session = next(listening.sessions)

    assert set(listening.sandbox.send_events(session)) == {200}
    told = time.monotonic()
    until(lambda: merged_file(listening.lake, session.telephony_session_id) is not None)
    took = time.monotonic() - told
    print(f"archived {took:.1f} s after its last event")
    # The first look is after 15 s; all else is Airflow's, on a machine that others may use too.
    assert took < 90

    until(lambda: bool(row_of(listening, session)))
    row = row_of(listening, session)
    assert (row["status"], row["recording_ids"]) == ("complete", [recording.id for recording in session.recordings])
    window = {
        "start": (session.start_time - timedelta(minutes=1)).isoformat(),
        "end": (session.start_time + timedelta(seconds=1)).isoformat(),
    }
    listening.airflow.unpause(RECORDINGS_DAG)
    run = listening.airflow.send("POST", f"/dags/{RECORDINGS_DAG}/dagRuns", {"logical_date": None, "conf": window})
    until(lambda: state_of(listening, RECORDINGS_DAG, run["dag_run_id"]) in ("success", "failed"))
    assert state_of(listening, RECORDINGS_DAG, run["dag_run_id"]) == "success"
    assert fetched(listening, session) == [1] * len(session.recordings)


def test_an_api_server_that_is_killed_before_it_told_airflow_loses_nothing(listening: Listening) -> None:
    session = next(listening.sessions)
    assert set(listening.sandbox.send_events(session)) == {200}
    # Airflow is told some seconds after the answer.
    listening.servers.kill("api-server", alone=False)
    until(lambda: is_up(listening))
    # What the schedule does every ten minutes.
    listening.airflow.send("POST", f"/dags/{EVENTS}/dagRuns", {"logical_date": None})
    until(lambda: bool(row_of(listening, session)))
    assert fetched(listening, session) == [1] * len(session.recordings)


def test_a_scheduler_that_is_killed_while_a_session_waits_loses_nothing(listening: Listening) -> None:
    session = next(listening.sessions)
    assert set(listening.sandbox.send_events(session)) == {200}
    until(lambda: "up_for_reschedule" in extracts(listening))
    listening.servers.kill("scheduler", alone=False)
    until(lambda: bool(row_of(listening, session)))
    assert fetched(listening, session) == [1] * len(session.recordings)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


def is_up(listening: Listening) -> bool:
    try:
        listening.airflow.get("/monitor/health")
    except OSError:
        return False
    return True


def row_of(listening: Listening, session: Session) -> dict[str, Any]:
    days = {session.start_time.date(), session.end_time.date()}
    found = tables.read(LocalStorage(listening.lake), SESSIONS, days).to_pylist()
    rows = [row for row in found if row["telephony_session_id"] == session.telephony_session_id]
    return rows[0] if rows else {}


def state_of(listening: Listening, dag_id: str, run_id: str) -> str:
    state: str = listening.airflow.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
    return state


def extracts(listening: Listening) -> set[str]:
    instances = listening.airflow.get(
        f"/dags/{EVENTS}/dagRuns/~/taskInstances", limit=50, order_by="-start_date", task_id="extract"
    )
    return {one["state"] for one in instances["task_instances"]}


def fetched(listening: Listening, session: Session) -> list[int]:
    """How often each recording of a session was fetched."""
    paths = [entry.path for entry in listening.sandbox.requests if entry.path.endswith("/content")]
    return [sum(f"/{recording.id}/" in path for path in paths) for recording in session.recordings]
