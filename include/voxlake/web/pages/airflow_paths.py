"""Where things of a DAG run are in Airflow's own UI and REST API."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request


@dataclass(frozen=True)
class TaskRun:
    """A task of a DAG run, as the column made_by of sessions names it.

    Attributes:
        dag_id: Of the DAG.
        run_id: Of its run.
        task_id: With its group, as in `session.merge`.
        map_index: Of a mapped task; -1 of any other.
        path: Where Airflow shows it.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    path: str


def airflow_path(request: Request, path: str) -> str:
    """A path of Airflow, wherever it lies below its host: the app is mounted at one name below it."""
    root: str = request.scope.get("root_path", "")
    return root.rpartition("/")[0] + path


def task_run(request: Request, made_by: str | None) -> TaskRun | None:
    """The task that made something; None where nobody noted it, or what was noted is no task.

    Args:
        request: Says where Airflow lies.
        made_by: `dag_id/run_id/task_id/map_index`.
    """
    parts = made_by.split("/") if made_by else []
    if len(parts) != 4 or not parts[3].lstrip("-").isdecimal():
        return None
    dag_id, run_id, task_id, index = parts
    path = f"/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}/tasks/{quote(task_id, safe='')}"
    if int(index) >= 0:
        path += f"/mapped/{int(index)}"
    return TaskRun(dag_id, run_id, task_id, int(index), airflow_path(request, path))
