"""In which order Airflow gives its slots to tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy, get_airflow_priority_weight_strategies
from airflow.utils.types import DagRunType

from voxlake.airflow.window import SESSION_EVENTS_DAG

if TYPE_CHECKING:
    # Four seconds to import, and every process of Airflow loads the plugin.
    from airflow.models.taskinstance import TaskInstance

# Each more than the tasks of a DAG add up to.
_BEFORE_BACKFILLS = 1000
_AWAITED = 1000


class ScheduledFirst(PriorityWeightStrategy):
    """Sessions that are just over go first, then runs of the schedule and by hand, then backfills.

    In a run goes first what was begun.

    A session is merged before the next is downloaded, and a run is published before the next: the weight of a task is
    that of all tasks before it, as with Airflow's rule `upstream`.
    """

    def get_weight(self, ti: TaskInstance) -> int:
        """See `PriorityWeightStrategy.get_weight`."""
        weight = get_airflow_priority_weight_strategies()["upstream"]().get_weight(ti)
        # The run itself is not at hand here, but its id says of what type it is.
        backfill = DagRunType.from_run_id(ti.run_id) == DagRunType.BACKFILL_JOB
        if ti.dag_id == SESSION_EVENTS_DAG:
            weight += _AWAITED
        return weight if backfill else weight + _BEFORE_BACKFILLS
