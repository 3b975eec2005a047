"""What the DAGs have alike: their settings, and the way from planned sessions to published ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, Param, TriggerRule, XComArg, get_current_context, task, task_group

from voxlake.airflow.conversation_link import merge_task
from voxlake.airflow.retries import ArchiveRetryPolicy

# [core] max_map_length: a longer list fails the task that returns it.
MAX_MAPPED = 1024

# What has landed of the call log; its state holds how far modifications have been read.
CALL_LOG = Asset("ringcentral_call_log")

# What wakes the DAG that archives sessions as soon as they are over.
SESSION_EVENTS = Asset("ringcentral_session_events")

# What wakes the DAG that takes in Sinch's recordings as soon as one is in the bucket.
SINCH_EVENTS = Asset("sinch_events")

DEFAULT_ARGS: dict[str, Any] = {
    # By name: a DAG file is not to import the metadata database's models, which the class needs.
    "weight_rule": "voxlake.airflow.priority.ScheduledFirst",
    "retries": 3,
    "retry_delay": timedelta(minutes=2),
    # A factor: True would be 1.
    "retry_exponential_backoff": 2,
    "retry_policy": ArchiveRetryPolicy(),
}

WINDOW_PARAMS = {
    "start": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Start",
        description="First moment to archive; for runs by hand (others have their interval).",
    ),
    "end": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="End",
        description="Where to stop: calls that start before this moment are archived.",
    ),
}

SESSION_PARAMS = {
    "telephony_session_ids": Param(
        [],
        type="array",
        items={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"},
        maxItems=MAX_MAPPED,
        title="Telephony session ids",
        description="For a run by hand that archives just these sessions, whose calls have landed; reads no call log.",
    ),
}

ONE_SESSION_PARAMS = {
    "telephony_session_id": Param(
        None,
        type=["null", "string"],
        pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$",
        title="Telephony session id",
        description="For a run by hand that reads and archives this one session, such as `s-…`.",
    ),
    "session_id": Param(
        None,
        type=["null", "string"],
        pattern="^[0-9]{1,32}$",
        title="Session id",
        description="Or the session by its numeric id.",
    ),
}

_SESSION_IDS = "{{ task.op_kwargs['sessions'] | map(attribute='telephony_session_id') | join(', ') | truncate(200) }}"


# What could be downloaded is merged, also where a recording of the session failed.
@merge_task(task_id="merge", pool="audio", map_index_template=_SESSION_IDS, trigger_rule=TriggerRule.ALL_DONE)
def _merge(sessions: list[dict[str, Any]]) -> list[str]:
    from voxlake.airflow import steps

    return steps.merge(sessions, get_current_context())


@task(task_id="publish", trigger_rule=TriggerRule.ALL_DONE)
def _publish(batches: list[list[dict[str, Any]]]) -> None:
    from voxlake.airflow import steps

    steps.publish(batches, get_current_context())


def archive_sessions(batches: XComArg) -> XComArg:
    """Downloads and merges each batch of sessions in a mapped group `session`, and publishes what came of it.

    Args:
        batches: At most `MAX_MAPPED` batches, as a task returns them: lists of sessions in the form of
            `SessionRef.to_json`.

    Returns:
        The task `publish`, which fails if a session is not whole.
    """

    @task(pool="ringcentral_media", map_index_template=_SESSION_IDS)
    def download(sessions: list[dict[str, Any]]) -> None:
        from voxlake.airflow import steps

        steps.download(sessions, get_current_context())

    @task_group
    def session(sessions: list[dict[str, Any]]) -> None:
        # By keyword: the template above looks there.
        download(sessions=sessions) >> _merge(sessions=sessions)

    published = _publish(batches)  # type: ignore[arg-type] # TaskFlow hands over the list itself
    session.expand(sessions=batches) >> published
    return published


def merge_sessions(batches: XComArg) -> XComArg:
    """Merges each batch of sessions whose recordings are in the lake, and publishes what came of it.

    Args:
        batches: As in `archive_sessions`.

    Returns:
        The task `publish`, which fails if a session is not whole.
    """
    published = _publish(batches)  # type: ignore[arg-type] # TaskFlow hands over the list itself
    _merge.expand(sessions=batches) >> published
    return published
