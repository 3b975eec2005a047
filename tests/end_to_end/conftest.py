"""Runs the DAG as it is shipped, by `dag.test()`: Airflow's own task runner in this process, without a scheduler."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.db import initdb

from sandbox.ringcentral import CallMix, QuotaLimit, Sandbox, SandboxConfig
from voxlake.airflow.lake import open_lake
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
def run_dag(airflow_db: None, lake: Storage, monkeypatch: pytest.MonkeyPatch) -> RunDag:
    """Runs `ringcentral_recordings` against a sandbox; its retries come at once.

    A run without `interval` is one that was triggered without a logical date.
    """

    def run(sandbox: Sandbox, *, connection: str | None = None, interval: bool = True, **conf: Any) -> Run:
        monkeypatch.setenv("AIRFLOW_CONN_RINGCENTRAL_DEFAULT", connection or sandbox.connection_json())
        dag = DagBag(PROJECT / "dags").dags["ringcentral_recordings"]
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
        # A logical date of its own: dag.test() clears the runs that had the same one.
        some_time = datetime(2026, 3, 4, 11, tzinfo=UTC) + timedelta(microseconds=uuid.uuid4().int % 10**12)
        dag_run = dag.test(logical_date=some_time if interval else None, run_conf=conf)
        instances = {(instance.task_id, instance.map_index): instance for instance in dag_run.get_task_instances()}
        return Run(str(dag_run.state), instances)

    return run


def rows(lake: Storage, table: Table, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """All rows of the days of a stretch of time."""
    days = [start.date() + timedelta(days=number) for number in range((end.date() - start.date()).days + 1)]
    found: pa.Table = tables.read(lake, table, days)
    listed: list[dict[str, Any]] = found.to_pylist()
    return listed
