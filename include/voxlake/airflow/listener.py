"""Readies a scheduler when it starts: the pools that the DAGs name, and what their tasks import.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/listeners.html
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from airflow.listeners import hookimpl

from voxlake.settings import project_root

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: Any) -> None:
    """Called by Airflow when a process begins to run a job or a task.

    Args:
        component: A `Job`, before it knows of which kind it is, or the mark of a task.
    """
    from airflow.jobs.job import Job

    if isinstance(component, Job) and sys.argv[1:2] == ["scheduler"]:
        create_missing_pools(project_root() / "include" / "pools.json")
        import_for_tasks()


def create_missing_pools(file: Path) -> None:
    """Creates the pools of a file that `airflow pools import` takes; one that exists stays as its operator set it.

    A task in a pool that does not exist waits for ever, and Airflow only warns.

    Raises:
        OSError: The file cannot be read.
    """
    # Allowed here, as the scheduler has the metadata database; a task has not.
    from airflow.models.pool import Pool

    for name, pool in json.loads(file.read_text()).items():
        if Pool.get_pool(name) is None:
            Pool.create_or_update_pool(name, **pool)
            log.info("created the pool %s with %d slots", name, pool["slots"])


def import_for_tasks() -> None:
    """Imports what the tasks import, once.

    LocalExecutor forks a process for every task, and a fork has what its parent imported: a second a task is saved.
    """
    # pyarrow imports pandas when it makes its first array, if pandas is there.
    import pandas  # noqa: F401 - for its effect

    import voxlake.airflow.steps  # noqa: F401 - for its effect
