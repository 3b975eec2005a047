from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.serialization.serialized_objects import DagSerialization

DAGS = Path(__file__).resolve().parents[2] / "dags"


def weights(dag_id: str, run_id: str) -> dict[str, int]:
    """What the scheduler orders the tasks of a run by, made as it makes them."""
    dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(DagBag(DAGS).dags[dag_id]))
    run = DagRun(dag_id=dag_id, run_id=run_id)
    rows = [TaskInstance.insert_mapping(run_id, task, -1, dag_version_id=None, dag_run=run) for task in dag.tasks]
    return {row["task_id"]: row["priority_weight"] for row in rows}


@pytest.mark.parametrize("dag_id", ["ringcentral_recordings", "ringcentral_reconcile"])
def test_scheduled_runs_go_before_backfills_and_begun_work_before_new(dag_id: str) -> None:
    scheduled = weights(dag_id, "scheduled__2026-11-20T00:00:00+00:00")
    by_hand = weights(dag_id, "manual__2026-11-20T00:00:00+00:00")
    backfill = weights(dag_id, "backfill__2026-11-20T00:00:00+00:00")

    assert scheduled == by_hand
    assert min(scheduled.values()) > max(backfill.values())
    for run in (scheduled, backfill):
        assert run["extract"] < run["land"] < run["session.download"] < run["session.merge"] < run["publish"]


def test_sessions_that_are_just_over_go_before_all_other_runs() -> None:
    events = weights("ringcentral_session_events", "asset_triggered__2026-11-20T00:00:00+00:00")
    scheduled = weights("ringcentral_recordings", "scheduled__2026-11-20T00:00:00+00:00")
    assert min(events.values()) > max(scheduled.values())
    assert events["extract"] < events["session.download"] < events["session.merge"] < events["publish"]
