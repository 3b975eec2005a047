from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from voxlake import settings
from voxlake.settings import Settings, get_settings

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("VOXLAKE_")]:
        monkeypatch.delenv(name)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_the_defaults_lie_beside_dags_whatever_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert Settings() == Settings(
        lake_url=str(PROJECT / "lake"), aws_conn_id="aws_default", state_dir=PROJECT / ".voxlake"
    )


def test_an_installation_outside_the_project_is_beside_airflows_dags(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "lib" / "site-packages" / "voxlake" / "settings.py"))
    monkeypatch.setenv("AIRFLOW_HOME", "~/of-airflow")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Settings().lake_url == str(tmp_path / "of-airflow" / "lake")
    monkeypatch.delenv("AIRFLOW_HOME")
    assert Settings().state_dir == tmp_path / "airflow" / ".voxlake"


def test_the_environment_goes_before_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VOXLAKE_LAKE_URL", "s3://bucket/prefix")
    monkeypatch.setenv("VOXLAKE_AWS_CONN_ID", "aws_lake")
    monkeypatch.setenv("VOXLAKE_STATE_DIR", str(tmp_path))

    assert Settings() == Settings(lake_url="s3://bucket/prefix", aws_conn_id="aws_lake", state_dir=tmp_path)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"VOXLAKE_{name.upper()}", "")

    assert Settings().lake_url == str(PROJECT / "lake")
    assert Settings().state_dir == PROJECT / ".voxlake"


def test_settings_are_read_once_and_never_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    read = get_settings()
    monkeypatch.setenv("VOXLAKE_LAKE_URL", "s3://another")

    assert get_settings() is read
    with pytest.raises(ValidationError, match="lake_url"):
        read.lake_url = "s3://another"


def test_the_password_of_the_quotas_server_is_not_shown() -> None:
    assert "geheim" not in repr(Settings(quota_url="redis://:geheim@redis.example.com"))
