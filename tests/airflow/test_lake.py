from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from voxlake.airflow.lake import open_lake
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OpenAt = Callable[[str], Storage]


@pytest.fixture
def open_at(monkeypatch: pytest.MonkeyPatch) -> OpenAt:
    """Opens the lake at a `VOXLAKE_LAKE_URL`."""

    def opened(url: str) -> Storage:
        monkeypatch.setenv("VOXLAKE_LAKE_URL", url)
        get_settings.cache_clear()
        return open_lake()

    return opened


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("{}/lake", "lake"),
        ("{}/2026 #1?", "2026 #1?"),
        ("{}/a%20b", "a%20b"),
        ("file://{}/lake", "lake"),
        ("file://{}/a%20b", "a b"),
    ],
)
def test_a_folder_is_that_folder_whatever_its_name(open_at: OpenAt, tmp_path: Path, url: str, folder: str) -> None:
    lake = open_at(url.format(tmp_path))

    lake.put("raw/page", b"body")

    assert (tmp_path / folder / "raw" / "page").read_bytes() == b"body"
    assert lake.url == str(tmp_path / folder)


def test_a_bucket_is_opened_with_airflows_connection(
    monkeypatch: pytest.MonkeyPatch, open_at: OpenAt, s3_endpoint: str, s3_client: S3Client, s3_bucket: str
) -> None:
    connection = {"conn_type": "aws", "login": "test", "password": "test"}
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection | {"extra": extra}))

    lake = open_at(f"s3://{s3_bucket}/a/prefix")
    lake.put("raw/page", b"body")

    assert s3_client.get_object(Bucket=s3_bucket, Key="a/prefix/raw/page")["Body"].read() == b"body"
    assert lake.url == f"s3://{s3_bucket}/a/prefix"
    lake = open_at(f"s3://{s3_bucket}")
    assert list(lake.list("a")) == ["a/prefix/raw/page"]


def test_without_that_connection_the_machines_own_credentials_are_used(
    monkeypatch: pytest.MonkeyPatch, open_at: OpenAt, s3_endpoint: str, s3_client: S3Client, s3_bucket: str
) -> None:
    monkeypatch.setenv("VOXLAKE_AWS_CONN_ID", "no_such_connection")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)

    open_at(f"s3://{s3_bucket}/own").put("raw/page", b"body")

    assert s3_client.get_object(Bucket=s3_bucket, Key="own/raw/page")["Body"].read() == b"body"


@pytest.mark.parametrize(
    "url", ["gs://bucket/lake", "s3:///lake", "s3://", "s3:/bucket/lake", "s3a://bucket", "file://data/lake"]
)
def test_what_is_no_lake_is_refused_with_what_to_write(open_at: OpenAt, url: str) -> None:
    with pytest.raises(ValueError, match=f"^VOXLAKE_LAKE_URL is '{url}': expected a folder .* or s3://bucket/prefix"):
        open_at(url)
