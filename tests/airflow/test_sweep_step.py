"""The task `sweep`, on the lake of the settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from voxlake.airflow import reconcile_steps
from voxlake.lake.lease import lease
from voxlake.lake.local import LocalStorage


def test_what_a_killed_process_left_is_removed_from_the_lake(tmp_path: Path) -> None:
    lake = LocalStorage(tmp_path / "lake")
    path = "leases/ringcentral/recordings/7.json"
    with lease(lake, path, "killed", timedelta(0)):
        left = lake.read(path).data
    lake.put(path, left)

    reconcile_steps.sweep()

    assert lake.version(path) is None
