"""Readies a scheduler when it starts, and keeps the pool of the downloads as large as the quota asks for.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/listeners.html
"""

from __future__ import annotations

import sys
from typing import Any

from airflow.listeners import hookimpl


@hookimpl
def on_starting(component: Any) -> None:
    """Called by Airflow when a process begins to run a job or a task.

    Args:
        component: A `Job`, before it knows of which kind it is, or the mark of a task.
    """
    from airflow.jobs.job import Job

    if isinstance(component, Job) and sys.argv[1:2] == ["scheduler"]:
        from voxlake.airflow.pools import create_missing_pools

        create_missing_pools()
        import_for_tasks()


@hookimpl
def on_dag_run_running(dag_run: Any, msg: str) -> None:
    """Called by Airflow, in its scheduler, when a run of any DAG begins."""
    _size_media_pool(dag_run)


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """Called by Airflow, in its scheduler, when a run of any DAG has ended well."""
    _size_media_pool(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Called by Airflow, in its scheduler, when a run of any DAG has failed."""
    _size_media_pool(dag_run)


def _size_media_pool(dag_run: Any) -> None:
    if not dag_run.dag_id.startswith("ringcentral_"):
        return
    from sqlalchemy.orm import object_session

    from voxlake.airflow.hook import shared_state
    from voxlake.airflow.pools import size_media_pool
    from voxlake.ringcentral.grants import read_grants

    # The scheduler's own session: SQLite would not let another write before the scheduler has committed.
    session = object_session(dag_run)
    if session is not None:
        # Each run may have brought another grant. All DAGs wait for the scheduler meanwhile, so a state that does not
        # answer is left alone. Airflow logs what a listener raises, and goes on.
        size_media_pool(read_grants(shared_state(patience=1.0)), session)


def import_for_tasks() -> None:
    """Imports what the tasks import, once.

    LocalExecutor forks a process for every task, and a fork has what its parent imported: a second a task is saved.
    """
    # pyarrow imports pandas when it makes its first array, if pandas is there.
    import pandas  # noqa: F401 - for its effect

    import voxlake.airflow.steps  # noqa: F401 - for its effect
