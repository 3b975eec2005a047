"""What the tests of the Airflow corner share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.models.pool import Pool
from airflow.utils.db import initdb

from voxlake.settings import get_settings

Connect = Callable[[dict[str, Any]], None]

VARIABLE = "AIRFLOW_CONN_RINGCENTRAL_DEFAULT"


@pytest.fixture(autouse=True)
def settings_of_this_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A lake and a state folder of the test's own, whatever the machine's environment says."""
    monkeypatch.setenv("VOXLAKE_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setenv("VOXLAKE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv(VARIABLE, raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Makes a connection the `ringcentral_default` of the environment, as `make up` and the image are given it."""
    return lambda fields: monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "ringcentral", **fields}))


@pytest.fixture(scope="session")
def metadata_db() -> None:
    """Airflow's own database, new, in the tests' AIRFLOW_HOME."""
    initdb()


@pytest.fixture
def no_pools(metadata_db: None) -> Iterator[None]:
    """A metadata database that has only the pool that Airflow makes."""
    yield
    for name in slots_of_pools().keys() - {Pool.DEFAULT_POOL_NAME}:
        Pool.delete_pool(name)


def slots_of_pools() -> dict[str, int]:
    return {str(pool.pool): pool.slots for pool in Pool.get_pools()}
