"""Runs the DAG as it is shipped, by `dag.test()`: Airflow's own task runner in this process, without a scheduler."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.db import initdb
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig
from voxlake.airflow import reconcile_steps
from voxlake.airflow.lake import open_lake
from voxlake.archive import download, plan
from voxlake.lake import tables
from voxlake.lake.schemas import Table
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings

PROJECT = Path(__file__).resolve().parents[2]

# Ten requests a second: these tests are about the way of the data, not about waiting for the quota.
CONFIG = SandboxConfig(
    now=datetime(2026, 3, 4, 12, tzinfo=UTC),
    quotas={"heavy": QuotaLimit(6000), "auth": QuotaLimit(50)},
    mix=CallMix(calls_per_day=24),
    audio_format="mixed",
)


@dataclass(frozen=True)
class Run:
    """What a DAG run came to."""

    state: str
    tasks: Mapping[tuple[str, int], Any] = field(repr=False)

    def states(self, task_id: str) -> list[str]:
        """The states of a task's instances, by map index."""
        return [str(instance.state) for (name, _), instance in sorted(self.tasks.items()) if name == task_id]


RunDag = Callable[..., Run]
AtSandboxTime = Callable[[Sandbox], None]
Interval = tuple[datetime, datetime]


@pytest.fixture(scope="session")
def airflow_db() -> None:
    initdb()


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """An empty local lake, which the DAG's tasks open too."""
    monkeypatch.setenv("VOXLAKE_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setenv("VOXLAKE_STATE_DIR", str(tmp_path / "state"))
    get_settings.cache_clear()
    yield open_lake()
    get_settings.cache_clear()


@pytest.fixture
def legs_that_outlast_recordings(lake: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sandbox has legs of hours with recordings of half a minute, lest it encode hours of sound."""
    monkeypatch.setenv("VOXLAKE_RECORDING_TOLERANCE", "PT4H")
    get_settings.cache_clear()


@pytest.fixture
def run_dag(airflow_db: None, lake: Storage, monkeypatch: pytest.MonkeyPatch) -> RunDag:
    """Runs a DAG against a sandbox; its retries come at once.

    A run with an `interval` is one that the schedule or a backfill made (`run_type`); any other was triggered by hand,
    without a logical date, with `conf` as its params.
    """

    def run(
        sandbox: Sandbox,
        *,
        dag_id: str = "ringcentral_recordings",
        connection: str | None = None,
        interval: Interval | None = None,
        run_type: str = "scheduled",
        **conf: Any,
    ) -> Run:
        monkeypatch.setenv("AIRFLOW_CONN_RINGCENTRAL_DEFAULT", connection or sandbox.connection_json())
        dag = DagBag(PROJECT / "dags").dags[dag_id]
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
        with monkeypatch.context() as patch:
            if interval is not None:
                patch.setattr("airflow.models.dagrun.get_or_create_dagrun", _creating(interval, run_type))
            dag_run = dag.test(logical_date=None, run_conf=conf)
        instances = {(instance.task_id, instance.map_index): instance for instance in dag_run.get_task_instances()}
        return Run(str(dag_run.state), instances)

    return run


@pytest.fixture
def at_sandbox_time(monkeypatch: pytest.MonkeyPatch) -> AtSandboxTime:
    """Lets the steps go by a sandbox's clock: what may still come, what is settled, is a matter of time."""

    def at(sandbox: Sandbox) -> None:
        class SandboxTime(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return sandbox.clock.now().astimezone(tz)

        for module in (plan, download, reconcile_steps):
            monkeypatch.setattr(module, "datetime", SandboxTime)

    return at


def _creating(interval: Interval, run_type: str) -> Callable[..., Any]:
    """What creates the run of `dag.test()`, which else makes manual runs only."""

    def create(*, dag: Any, run_id: str, session: Any, **values: Any) -> Any:
        # A logical date of its own, as a range may be run twice; the tasks go by the interval.
        some_time = interval[0] + timedelta(microseconds=uuid.uuid4().int % 10**6)
        return dag.create_dagrun(
            run_id=f"{run_type}__{some_time.isoformat()}",
            run_type=DagRunType(run_type),
            state=DagRunState.RUNNING,
            session=session,
            **values | {"logical_date": some_time, "data_interval": interval},
        )

    return create


def rows(lake: Storage, table: Table, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """All rows of the days of a stretch of time."""
    days = [start.date() + timedelta(days=number) for number in range((end.date() - start.date()).days + 1)]
    found: pa.Table = tables.read(lake, table, days)
    listed: list[dict[str, Any]] = found.to_pylist()
    return listed
