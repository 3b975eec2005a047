from __future__ import annotations

import errno
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.taskinstance import TaskInstance
from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException
from airflow.serialization.serialized_objects import DagSerialization
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from voxlake.airflow.retries import ArchiveRetryPolicy, connection_errors_in_airflow_terms
from voxlake.archive.download import RecordingsFailedError
from voxlake.archive.publish import SessionsFailedError
from voxlake.audio.probe import NotAudioError
from voxlake.lake.storage import VersionConflictError
from voxlake.ringcentral.errors import (
    BadReplyError,
    ForeignHostError,
    LoginRefusedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestError,
    RingCentralError,
    ServerError,
    TransportError,
)

DAGS = Path(__file__).resolve().parents[2] / "dags"


def decision(exception: BaseException, policy: ArchiveRetryPolicy | None = None) -> RetryDecision:
    return (policy or ArchiveRetryPolicy()).evaluate(exception=exception, try_number=1, max_tries=3, context=None)


@pytest.mark.parametrize("kind", [SessionsFailedError, ValueError, NotAudioError])
def test_what_only_a_person_can_help_fails_at_once_and_says_why(kind: type[Exception]) -> None:
    assert decision(kind("the reason")) == RetryDecision.fail(reason="the reason")


@pytest.mark.parametrize("kind", [ServerError, RateLimitedError])
def test_a_wait_that_the_provider_names_is_kept(kind: type[RingCentralError]) -> None:
    assert decision(kind("busy", retry_after=90.5)) == RetryDecision.retry(timedelta(seconds=90.5), reason="busy")


@pytest.mark.parametrize(
    ("exception", "seconds"),
    [
        (ServerError("busy", retry_after=600), 600),
        (RecordingsFailedError("busy", retry_after=600), 600),
        (
            ExceptionGroup("busy", [RecordingsFailedError("x", 300), ValueError("y"), RecordingsFailedError("z", 600)]),
            600,
        ),
        # The task's own first wait is longer.
        (ServerError("busy", retry_after=1), 120),
        (RecordingsFailedError("busy", retry_after=0), 120),
    ],
)
def test_a_named_wait_is_never_shorter_than_the_tasks_first(exception: Exception, seconds: int) -> None:
    task = DagBag(DAGS).dags["ringcentral_recordings"].get_task("extract")
    context: Any = {"ti": SimpleNamespace(task=task)}

    decided = ArchiveRetryPolicy().evaluate(exception=exception, try_number=1, max_tries=3, context=context)

    assert (decided.action, decided.retry_delay) == (RetryAction.RETRY, timedelta(seconds=seconds))
    assert str(decided.reason).startswith("busy")


def test_a_task_is_tried_again_after_two_minutes_then_four_then_eight_and_up_to_twice_that() -> None:
    for dag in DagBag(DAGS).dags.values():
        for task in dag.tasks:
            instances: list[Any] = [
                SimpleNamespace(
                    task=task,
                    try_number=number,
                    retry_delay_override=None,
                    end_date=datetime(2026, 11, 21, tzinfo=UTC),
                    dag_id=dag.dag_id,
                    task_id=task.task_id,
                    logical_date=None,
                )
                for number in (1, 2, 3)
            ]
            waits = [TaskInstance.next_retry_datetime(each) - each.end_date for each in instances]
            assert task.retries == len(waits)
            for wait, minutes in zip(waits, (2, 4, 8), strict=True):
                assert timedelta(minutes=minutes) <= wait <= timedelta(minutes=2 * minutes)


@pytest.mark.parametrize(
    "exception",
    [
        *(kind("x") for kind in (ServerError, TransportError, BadReplyError, NotFoundError, RequestError)),
        ForeignHostError("x"),
        RecordingsFailedError("x"),
        VersionConflictError("x"),
        OSError("x"),
        OSError(errno.ENOSPC, "No space left on device"),
        ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"),
        S3UploadFailedError("x"),
        # One of several may be cured by another try.
        ExceptionGroup("2 of 3 sessions failed", [ValueError("x"), TransportError("y")]),
    ],
    ids=lambda exception: type(exception).__name__,
)
def test_all_else_is_left_to_the_tasks_own_retries(exception: Exception) -> None:
    assert decision(exception) == RetryDecision.default()


def test_the_policy_survives_its_own_serialization() -> None:
    again = ArchiveRetryPolicy.deserialize(json.loads(json.dumps(ArchiveRetryPolicy().serialize())))

    assert decision(ValueError("x"), again).action is RetryAction.FAIL


def test_every_task_keeps_its_policy_through_airflows_serialization_of_the_dag() -> None:
    dags = DagBag(DAGS).dags
    assert dags

    for dag in dags.values():
        read = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
        # Of a policy the scheduler learns only that there is one; the worker has it of the DAG file.
        assert {task.task_id: task.has_retry_policy for task in read.tasks} == dict.fromkeys(dag.task_ids, True)


@pytest.mark.parametrize(("wait", "away"), [(42, 32), (10.5, 1), (3, 1)])
def test_a_used_up_quota_sends_the_task_back_until_shortly_before_its_turn(wait: float, away: float) -> None:
    before = datetime.now(UTC)

    with pytest.raises(AirflowRescheduleException) as raised, connection_errors_in_airflow_terms("ringcentral_default"):
        raise RateLimitedError(f"Send nothing for {wait} s", retry_after=wait)

    back = timedelta(seconds=away)
    assert before + back <= raised.value.reschedule_date <= datetime.now(UTC) + back


@pytest.mark.parametrize("kind", [LoginRefusedError, PermissionDeniedError])
def test_a_refused_connection_fails_the_task_and_is_named(kind: type[RingCentralError]) -> None:
    with (
        pytest.raises(AirflowFailException, match=r"^Connection the_other: refused, OAU-146$"),
        connection_errors_in_airflow_terms("the_other"),
    ):
        raise kind("refused, OAU-146")


@pytest.mark.parametrize("error", [TransportError("x"), NotFoundError("x"), ValueError("x"), OSError("x")])
def test_an_error_that_is_not_about_the_connection_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, connection_errors_in_airflow_terms("ringcentral_default"):
        raise error

    assert raised.value is error
