from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from end_to_end.conftest import CONFIG, RunDag, rows

from sandbox.ringcentral import Sandbox, SandboxConfig
from voxlake.airflow.lake import open_lake
from voxlake.lake.schemas import CALLS, LEGS, RECORDINGS, SESSIONS, Table
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings

END = datetime(2026, 3, 4, 12, tzinfo=UTC)
START = END - timedelta(hours=24)

# When something was done and by which run, not what.
OF_THE_RUN = {"extracted_at", "recording_seen_at", "downloaded_at", "merged_at", "made_by"}


def content(lake: Storage, table: Table) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in OF_THE_RUN} for row in rows(lake, table, START, END)
    ]


def test_a_lake_in_s3_gets_the_same_tables_and_the_same_audio(
    start_sandbox: Callable[[SandboxConfig], Sandbox],
    run_dag: RunDag,
    lake: Storage,
    s3_endpoint: str,
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox = start_sandbox(CONFIG)
    window = {"start": START.isoformat(), "end": END.isoformat()}
    assert run_dag(sandbox, **window).state == "success"

    connection = {"conn_type": "aws", "login": "test", "password": "test"}
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection | {"extra": extra}))
    monkeypatch.setenv("VOXLAKE_LAKE_URL", f"s3://{s3_bucket}/archive")
    get_settings.cache_clear()
    in_s3 = open_lake()
    assert in_s3.url == f"s3://{s3_bucket}/archive"
    assert run_dag(sandbox, **window).state == "success"

    for table in (CALLS, LEGS, RECORDINGS, SESSIONS):
        local = content(lake, table)
        assert local, table.name
        assert content(in_s3, table) == local, table.name
    audio = list(lake.list("audio"))
    assert list(in_s3.list("audio")) == audio
    assert all(in_s3.read(path).data == lake.read(path).data for path in audio)
