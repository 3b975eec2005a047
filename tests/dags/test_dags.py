from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError

PROJECT = Path(__file__).resolve().parents[2]

# Every DAG by its file: one that nobody lists here is one that nobody meant to ship.
DAGS = {
    "ringcentral_recordings.py": "ringcentral_recordings",
    "ringcentral_reconcile.py": "ringcentral_reconcile",
    "sinch_recordings.py": "sinch_recordings",
    "sinch_reconcile.py": "sinch_reconcile",
    "ringcentral_session_events.py": "ringcentral_session_events",
    "ringcentral_subscription.py": "ringcentral_subscription",
}
ARCHIVING_DAGS = ("ringcentral_recordings", "ringcentral_reconcile", "ringcentral_session_events")

HEAVY = ("pyarrow", "pandas", "numpy", "av", "boto3", "duckdb", "cryptography")


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    bag = DagBag(PROJECT / "dags")
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture(scope="module")
def pools() -> dict[str, Any]:
    named: dict[str, Any] = json.loads((PROJECT / "include" / "pools.json").read_text())
    return named


def test_every_dag_is_listed(dags: dict[str, Any]) -> None:
    assert {Path(dag.fileloc).name: dag_id for dag_id, dag in dags.items()} == DAGS
    assert {file.name for file in (PROJECT / "dags").glob("*.py")} == set(DAGS)


def test_every_pool_that_a_task_names_is_created(dags: dict[str, Any], pools: dict[str, Any]) -> None:
    # A task in a pool that is not there stays scheduled for ever: Airflow only warns.
    named = {task.pool for dag in dags.values() for task in dag.tasks}
    assert named <= {"default_pool", *pools}
    assert set(pools) <= named, "a pool that no task uses"


def test_every_pool_has_what_airflow_imports(pools: dict[str, Any]) -> None:
    for name, pool in pools.items():
        assert set(pool) == {"slots", "description", "include_deferred"}, name
        assert pool["slots"] >= 1, name


@pytest.mark.parametrize("dag_id", DAGS.values())
def test_a_dag_documents_itself_and_begins_with_what_to_do_when_it_fails(dags: dict[str, Any], dag_id: str) -> None:
    summary, _, card = dags[dag_id].doc_md.partition("\n")
    assert summary.endswith(".")
    assert card.lstrip().startswith("**When it fails**")
    for line in ("Source", "Rate limit", "Schedule", "Output", "Run again"):
        assert f"| {line} |" in card


@pytest.mark.parametrize("dag_id", ARCHIVING_DAGS)
def test_a_card_says_what_to_do_about_each_step(dags: dict[str, Any], dag_id: str) -> None:
    for task_id in ("publish", "extract", "land"):
        assert f"`{task_id}`" in dags[dag_id].doc_md


@pytest.mark.parametrize(
    ("dag_id", "cron"),
    [("ringcentral_recordings", "0 * * * *"), ("ringcentral_reconcile", "0 0 * * *"), ("sinch_reconcile", "0 0 * * *")],
)
def test_it_runs_by_data_interval_and_never_catches_up_by_itself(dags: dict[str, Any], dag_id: str, cron: str) -> None:
    dag = dags[dag_id]
    assert type(dag.timetable).__name__ == "CronDataIntervalTimetable"
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == (cron, "UTC")
    assert dag.catchup is False
    assert {task.retries for task in dag.tasks} == {3}
    assert {type(task.retry_policy).__name__ for task in dag.tasks} == {"ArchiveRetryPolicy"}


ARCHIVING = {
    "extract": "ringcentral_api",
    "land": "default_pool",
    "session.download": "ringcentral_media",
    "session.merge": "audio",
    "publish": "default_pool",
}
WITHOUT_LAND = {task_id: pool for task_id, pool in ARCHIVING.items() if task_id != "land"}


@pytest.mark.parametrize(
    ("dag_id", "pools"),
    [
        ("ringcentral_recordings", ARCHIVING),
        ("ringcentral_reconcile", {**ARCHIVING, "sweep": "default_pool", "compare": "default_pool"}),
        ("ringcentral_session_events", {**WITHOUT_LAND, "look_again": "default_pool"}),
        ("sinch_recordings", {"take_in": "sinch_media", "merge": "audio", "publish": "default_pool"}),
        ("sinch_reconcile", {"compare": "default_pool", "sweep": "default_pool"}),
    ],
)
def test_media_and_audio_work_waits_in_pools_of_its_own(
    dags: dict[str, Any], dag_id: str, pools: dict[str, str]
) -> None:
    assert {task.task_id: task.pool for task in dags[dag_id].tasks} == pools


@pytest.mark.parametrize(
    ("dag_id", "last"),
    [("ringcentral_recordings", "publish"), ("ringcentral_reconcile", "compare"), ("sinch_recordings", "publish")],
)
def test_one_task_in_the_end_says_whether_the_run_failed(dags: dict[str, Any], dag_id: str, last: str) -> None:
    assert [task.task_id for task in dags[dag_id].leaves] == [last]
    assert dags[dag_id].get_task(last).trigger_rule == "all_done"


def test_events_wake_their_dag_and_time_does_too(dags: dict[str, Any]) -> None:
    dag = dags["ringcentral_session_events"]
    assert type(dag.timetable).__name__ == "AssetOrTimeSchedule"
    assert dag.timetable.timetable.expression == "*/10 * * * *"
    assert [asset.name for asset in dag.timetable.asset_condition.objects] == ["ringcentral_session_events"]
    assert dag.catchup is False
    # Two that take events in would look for the same sessions.
    assert dag.get_task("extract").max_active_tis_per_dag == 1
    assert [asset.name for asset in dag.get_task("look_again").outlets] == ["ringcentral_session_events"]


def test_a_file_of_sinch_wakes_its_dag_which_has_intervals_to_backfill(dags: dict[str, Any]) -> None:
    dag = dags["sinch_recordings"]
    assert type(dag.timetable).__name__ == "AssetOrTimeSchedule"
    assert type(dag.timetable.timetable).__name__ == "CronDataIntervalTimetable"
    assert (dag.timetable.timetable.expression, dag.catchup) == ("0 * * * *", False)
    assert [asset.name for asset in dag.timetable.asset_condition.objects] == ["sinch_events"]


@pytest.mark.parametrize("dag_id", ["ringcentral_session_events", "ringcentral_subscription", "sinch_recordings"])
def test_what_runs_by_events_and_by_the_clock_is_retried_alike(dags: dict[str, Any], dag_id: str) -> None:
    assert {task.retries for task in dags[dag_id].tasks} == {3}
    assert {type(task.retry_policy).__name__ for task in dags[dag_id].tasks} == {"ArchiveRetryPolicy"}


@pytest.mark.parametrize("wrong", ["../x", "a b", "", "x" * 129, 5, "<script>"])
def test_what_is_no_session_id_is_refused_when_a_run_is_triggered(dags: dict[str, Any], wrong: Any) -> None:
    # A copy, as it keeps the value that it resolves, and all DAGs of a process share it.
    param = copy.copy(dags["ringcentral_recordings"].params.get_param("telephony_session_ids"))
    assert param.resolve(["s-a0d1"]) == ["s-a0d1"]
    with pytest.raises(ParamValidationError):
        param.resolve(["s-a0d1", wrong])


def test_a_merge_links_to_its_conversation_and_no_other_task_does(dags: dict[str, Any]) -> None:
    for dag_id in ARCHIVING_DAGS:
        linked = {task.task_id for task in dags[dag_id].tasks if task.operator_extra_links}
        assert linked == {"session.merge"}


@pytest.mark.parametrize("file", DAGS)
def test_parsing_a_dag_imports_nothing_heavy(file: str) -> None:
    program = (
        f"import sys; import airflow.sdk; before = set(sys.modules); sys.path.insert(0, {str(PROJECT / 'dags')!r})\n"
        f"import {file.removesuffix('.py')}\n"
        f"print(sorted((set(sys.modules) - before) & set({HEAVY!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
