from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.s3_server import Refusing, s3_server
from voxlake.airflow.lake import open_lake
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
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


@pytest.fixture
def refusing_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refusing]:
    """An S3 server that can be made to refuse, as Airflow's connection."""
    made: list[Refusing] = []

    def around(application: WSGIApplication) -> WSGIApplication:
        made.append(Refusing(application))
        return made[0]

    with s3_server(around) as url:
        connect_aws(monkeypatch, url)
        yield made[0]


def connect_aws(monkeypatch: pytest.MonkeyPatch, url: str, **config: object) -> None:
    extra = {"endpoint_url": url, "region_name": "us-east-1"} | ({"config_kwargs": config} if config else {})
    connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))


@pytest.mark.parametrize(("code", "status"), [("SlowDown", "503 Slow Down"), ("InternalError", "500 Internal Error")])
def test_a_bucket_that_is_slow_or_down_for_seconds_is_asked_again(
    open_at: OpenAt, refusing_s3: Refusing, s3_bucket: str, code: str, status: str
) -> None:
    lake = open_at(f"s3://{s3_bucket}/lake")
    refusing_s3.code, refusing_s3.status, refusing_s3.left = code, status, 3

    lake.compare_and_swap("raw/page", b"body", None)

    assert refusing_s3.refused == [("PUT", f"/{s3_bucket}/lake/raw/page")] * 3
    assert lake.read("raw/page").data == b"body"


def test_a_bucket_that_stays_down_is_asked_five_times(open_at: OpenAt, refusing_s3: Refusing, s3_bucket: str) -> None:
    lake = open_at(f"s3://{s3_bucket}/lake")
    refusing_s3.left = 99

    with pytest.raises(ClientError, match="SlowDown"):
        lake.read("raw/page")

    assert refusing_s3.refused == [("GET", f"/{s3_bucket}/lake/raw/page")] * 5


def test_how_often_is_the_connections_to_say(
    monkeypatch: pytest.MonkeyPatch, open_at: OpenAt, refusing_s3: Refusing, s3_bucket: str
) -> None:
    url = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])["extra"]["endpoint_url"]
    connect_aws(monkeypatch, url, retries={"mode": "standard", "total_max_attempts": 1})
    lake = open_at(f"s3://{s3_bucket}/lake")
    refusing_s3.left = 99

    with pytest.raises(ClientError, match="SlowDown"):
        lake.put("raw/page", b"body")

    assert len(refusing_s3.refused) == 1


@pytest.mark.parametrize(
    "url", ["gs://bucket/lake", "s3:///lake", "s3://", "s3:/bucket/lake", "s3a://bucket", "file://data/lake"]
)
def test_what_is_no_lake_is_refused_with_what_to_write(open_at: OpenAt, url: str) -> None:
    with pytest.raises(ValueError, match=f"^VOXLAKE_LAKE_URL is '{url}': expected a folder .* or s3://bucket/prefix"):
        open_at(url)
