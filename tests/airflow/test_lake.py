from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.s3_server import Refusing, WithoutConditions, s3_server
from voxlake.airflow.lake import open_lake
from voxlake.lake.conditional_writes import ConditionalWritesError
from voxlake.lake.storage import Storage
from voxlake.settings import get_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
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


def _to_this_machine(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
    return socket.create_connection(("127.0.0.1", address[1]))


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


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize(
    ("refusal", "message"), [("", "ignores {}: "), ("NotImplemented", "refuses writes with {}: .*NotImplemented")]
)
def test_a_server_without_conditional_writes_is_named_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch,
    open_at: OpenAt,
    s3_client: S3Client,
    s3_bucket: str,
    header: str,
    refusal: str,
    message: str,
) -> None:
    with s3_server(lambda application: WithoutConditions(application, [header], refusal)) as url:
        connect_aws(monkeypatch, url)
        expected = rf"^s3://{s3_bucket}/lake {message.format(header)}.*lose each other's rows"
        for _ in range(2):
            with pytest.raises(ConditionalWritesError, match=expected):
                open_at(f"s3://{s3_bucket}/lake")

    assert "Contents" not in s3_client.list_objects_v2(Bucket=s3_bucket)


def test_a_bucket_that_refuses_every_write_is_no_matter_of_conditions(
    open_at: OpenAt, refusing_s3: Refusing, s3_bucket: str
) -> None:
    refusing_s3.code, refusing_s3.status, refusing_s3.left, refusing_s3.only = (
        "AccessDenied",
        "403 Forbidden",
        9,
        (
            "PUT",
            "",
        ),
    )

    with pytest.raises(ClientError, match=r"AccessDenied.*PutObject"):
        open_at(f"s3://{s3_bucket}/lake")


def test_a_good_bucket_is_tried_once_by_a_host(
    monkeypatch: pytest.MonkeyPatch, open_at: OpenAt, s3_bucket: str, tmp_path: Path
) -> None:
    methods: list[str] = []

    def counted(application: WSGIApplication) -> WSGIApplication:
        def count(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            methods.append(environ["REQUEST_METHOD"])
            return application(environ, start_response)

        return count

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with s3_server(counted) as url:
        connect_aws(monkeypatch, url)
        first = open_at(f"s3://{s3_bucket}/lake")
        tried = list(methods)
        open_at(f"s3://{s3_bucket}/lake")

        assert tried == methods == ["PUT", "HEAD", "PUT", "PUT", "PUT", "DELETE"]
        assert list(first.list("outcomes")) == []


@pytest.mark.parametrize(
    ("algorithm", "key"), [("AES256", ""), ("aws:kms", "arn:aws:kms:us-east-1:111122223333:key/k"), ("aws:kms", "")]
)
def test_every_write_asks_for_the_encryption_that_is_set(
    monkeypatch: pytest.MonkeyPatch,
    open_at: OpenAt,
    s3_endpoint: str,
    s3_client: S3Client,
    s3_bucket: str,
    tmp_path: Path,
    algorithm: str,
    key: str,
) -> None:
    connect_aws(monkeypatch, s3_endpoint)
    monkeypatch.setenv("VOXLAKE_S3_ENCRYPTION", algorithm)
    monkeypatch.setenv("VOXLAKE_S3_KMS_KEY_ID", key)
    lake = open_at(f"s3://{s3_bucket}/lake")
    large = tmp_path / "large"
    # In parts: https://boto3.amazonaws.com/v1/documentation/api/latest/reference/customizations/s3.html
    large.write_bytes(bytes(9 * 1024 * 1024))

    lake.put("raw/put", b"body")
    lake.compare_and_swap("raw/new", b"body", None)
    lake.compare_and_swap("raw/replaced", b"body", None)
    lake.compare_and_swap("raw/replaced", b"another", lake.version("raw/replaced"))
    lake.publish(large, "audio/large")
    lake.publish_if(large, "audio/conditional", None)

    for path in ("raw/put", "raw/new", "raw/replaced", "audio/large", "audio/conditional"):
        found = s3_client.head_object(Bucket=s3_bucket, Key=f"lake/{path}")
        assert found["ServerSideEncryption"] == algorithm, path
        assert found.get("SSEKMSKeyId", "") == key, path


def test_a_key_without_its_encryption_is_refused(monkeypatch: pytest.MonkeyPatch, open_at: OpenAt) -> None:
    monkeypatch.setenv("VOXLAKE_S3_KMS_KEY_ID", "key")

    with pytest.raises(ValueError, match="VOXLAKE_S3_KMS_KEY_ID is set, which goes with VOXLAKE_S3_ENCRYPTION=aws:kms"):
        open_at("s3://bucket/lake")


@pytest.mark.parametrize(("style", "host", "path"), [("path", "{}", "/{bucket}/lake"), ("virtual", "{bucket}.{}", "/")])
def test_the_connection_says_where_a_bucket_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, open_at: OpenAt, s3_bucket: str, style: str, host: str, path: str
) -> None:
    asked: list[tuple[str, str]] = []

    def noted(application: WSGIApplication) -> WSGIApplication:
        def note(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            asked.append((environ["HTTP_HOST"], environ["PATH_INFO"]))
            return application(environ, start_response)

        return note

    # Whatever it is called, it is this machine.
    monkeypatch.setattr("urllib3.util.connection.create_connection", _to_this_machine)
    with s3_server(noted) as url:
        server = url.removeprefix("http://").replace("127.0.0.1", "localhost")
        connect_aws(monkeypatch, f"http://{server}", s3={"addressing_style": style})
        open_at(f"s3://{s3_bucket}/lake").put("raw/page", b"body")

    assert {one for one, _ in asked} == {host.format(server, bucket=s3_bucket)}
    assert all(one.startswith(path.format(bucket=s3_bucket)) for _, one in asked)


@pytest.mark.parametrize(
    "url", ["gs://bucket/lake", "s3:///lake", "s3://", "s3:/bucket/lake", "s3a://bucket", "file://data/lake"]
)
def test_what_is_no_lake_is_refused_with_what_to_write(open_at: OpenAt, url: str) -> None:
    with pytest.raises(ValueError, match=f"^VOXLAKE_LAKE_URL is '{url}': expected a folder .* or s3://bucket/prefix"):
        open_at(url)
