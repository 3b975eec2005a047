from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.ringcentral.scripted_server import Answer, ScriptedServer
from voxlake.lake.lease import LeaseHeldError, lease
from voxlake.lake.local import LocalStorage
from voxlake.lake.s3 import S3Storage
from voxlake.lake.storage import Storage, StoredObject
from voxlake.lake.sweep import sweep

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
LEASE = "leases/ringcentral/recordings/7.json"
OUTCOME = "outcomes/ringcentral/run/download/s-1.parquet"


def killed_at(storage: Storage, path: str, duration: timedelta) -> None:
    """Leaves the lease of a process that was killed while it had it."""
    with lease(storage, path, "killed", duration):
        left = storage.read(path).data
    storage.put(path, left)


def age(file: Path, by: timedelta) -> None:
    then = (datetime.now(UTC) - by).timestamp()
    os.utime(file, (then, then))


def test_scratch_files_of_a_folder_go_when_nobody_wrote_to_them_for_a_day(tmp_path: Path) -> None:
    lake = LocalStorage(tmp_path)
    with lake.scratch(".mp3") as left, lake.scratch(".mp3") as used:
        age(left, DAY + HOUR)
        age(used, DAY - HOUR)
        assert sweep(lake, datetime.now(UTC)) == 1
        assert (left.exists(), used.exists()) == (False, True)


def test_scratch_files_of_a_worker_go_when_it_makes_another_a_day_later(
    s3_client: S3Client, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lake = S3Storage(s3_client, s3_bucket)
    other = tmp_path / "of-another-program"
    other.touch()
    with lake.scratch(".mp3") as left, lake.scratch(".mp3") as used:
        folder = tmp_path / f"{left.name}-folder"
        folder.mkdir()
        for file, by in ((left, DAY + HOUR), (used, DAY - HOUR), (other, 9 * DAY), (folder, 9 * DAY)):
            age(file, by)
        with lake.scratch():
            assert (left.exists(), used.exists(), other.exists(), folder.exists()) == (False, True, True, True)


def test_a_local_lake_without_scratch_files_is_swept(tmp_path: Path) -> None:
    assert sweep(LocalStorage(tmp_path / "none"), datetime.now(UTC)) == 0


def test_a_lease_goes_when_it_has_ended(storage: Storage) -> None:
    killed_at(storage, LEASE, 2 * HOUR)
    assert sweep(storage, datetime.now(UTC) + HOUR) == 0
    with pytest.raises(LeaseHeldError, match="killed is doing this"), lease(storage, LEASE, "another", HOUR):
        pytest.fail("the lease was given twice")
    assert sweep(storage, datetime.now(UTC) + 3 * HOUR) == 1
    assert list(storage.list("leases")) == []


def test_a_lease_that_another_takes_while_it_is_swept_stays(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_at(storage, LEASE, timedelta(0))
    read = storage.read

    def read_before_another_takes_it(path: str) -> StoredObject:
        found = read(path)
        monkeypatch.undo()
        killed_at(storage, LEASE, 2 * HOUR)
        return found

    monkeypatch.setattr(storage, "read", read_before_another_takes_it)
    assert sweep(storage, datetime.now(UTC) + HOUR) == 0
    with pytest.raises(LeaseHeldError), lease(storage, LEASE, "another", HOUR):
        pytest.fail("the lease was given twice")


def test_outcomes_stay_for_a_publish_of_the_next_weeks(storage: Storage) -> None:
    storage.put(OUTCOME, b"")
    assert sweep(storage, datetime.now(UTC) + 29 * DAY) == 0
    assert storage.version(OUTCOME) is not None
    assert sweep(storage, datetime.now(UTC) + 31 * DAY) == 1
    assert storage.version(OUTCOME) is None


def test_what_is_archived_stays(storage: Storage) -> None:
    archived = ["audio/recordings/a.mp3", "raw/page.json.gz", "tables/calls/calls.parquet"]
    for path in archived:
        storage.put(path, b"")
    sweep(storage, datetime.now(UTC) + 1000 * DAY)
    assert [path for folder in ("audio", "raw", "tables") for path in storage.list(folder)] == archived


@pytest.mark.parametrize(("prefix", "other"), [("lake", "other/audio/c.mp3"), ("", "other/c.mp3")])
def test_uploads_of_this_lake_that_were_never_finished_are_ended(
    s3_client: S3Client, s3_bucket: str, prefix: str, other: str
) -> None:
    ours = [f"{prefix}/audio/a.mp3".strip("/"), f"{prefix}/raw/b.mp3".strip("/")]
    for key in (*ours, other):
        upload = s3_client.create_multipart_upload(Bucket=s3_bucket, Key=key)["UploadId"]
        s3_client.upload_part(Bucket=s3_bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"half")
    lake = S3Storage(s3_client, s3_bucket, prefix)

    # The server says that every upload began then: moto/s3/responses.py, list_multipart_uploads.
    began = datetime(2010, 11, 10, 20, 48, 33, tzinfo=UTC)
    assert lake.sweep(began) == 0
    assert sweep(lake, began + DAY + timedelta(seconds=1)) == 2

    (left,) = s3_client.list_multipart_uploads(Bucket=s3_bucket)["Uploads"]
    assert left["Key"] == other


@pytest.fixture
def refusing() -> Iterator[tuple[ScriptedServer, S3Storage]]:
    """A server that answers each request as it is told to, and a lake there."""
    with ScriptedServer().running() as server:
        client = boto3.client(
            "s3",
            endpoint_url=server.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        yield server, S3Storage(client, "bucket", "lake")


def s3_error(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode(), {"Content-Type": "application/xml"})


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented")])
def test_who_may_not_list_uploads_is_told_what_to_do(
    refusing: tuple[ScriptedServer, S3Storage], status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    server, lake = refusing
    server.script("/bucket", s3_error(status, code))
    with caplog.at_level(logging.WARNING, logger="voxlake.lake.s3"):
        assert lake.sweep(datetime.now(UTC)) == 0
    (record,) = caplog.records
    assert "s3://bucket/lake" in record.getMessage()
    assert "s3:ListBucketMultipartUploads" in record.getMessage()


def test_another_error_of_s3_is_one(refusing: tuple[ScriptedServer, S3Storage]) -> None:
    server, lake = refusing
    server.script("/bucket", s3_error(404, "NoSuchBucket"))
    with pytest.raises(ClientError, match="NoSuchBucket"):
        lake.sweep(datetime.now(UTC))
