"""The lake of the settings, opened with Airflow's own AWS connection where it lies in S3."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from voxlake.lake.storage import Storage
from voxlake.settings import Settings, get_settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def open_lake() -> Storage:
    """The lake at `VOXLAKE_LAKE_URL`.

    Where there is no connection `VOXLAKE_AWS_CONN_ID`, the machine's own AWS credentials open the bucket.

    The first time that a host opens a bucket, its conditional writes are tried.

    Raises:
        ValueError: The URL is neither a folder nor `s3://bucket/prefix`, or the settings of the encryption do not go
            together.
        ConditionalWritesError: The bucket refuses or ignores conditional writes.
    """
    settings = get_settings()
    # Not urlsplit: it would cut a folder or a prefix with a # or a ? in its name.
    scheme, _, rest = settings.lake_url.rpartition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme == "s3" and bucket:
        return _open_bucket(bucket, prefix, settings)
    # file://data/lake would be the folder /lake of a machine named data, and s3:/bucket is a slip, not a folder.
    if (scheme == "file" and not bucket) or (not scheme and ":" not in bucket):
        from voxlake.lake.local import LocalStorage

        return LocalStorage(Path(unquote(rest) if scheme else rest))
    raise ValueError(
        f"VOXLAKE_LAKE_URL is {settings.lake_url!r}: expected a folder (/data/lake, file:///data/lake) or "
        "s3://bucket/prefix"
    )


def _open_bucket(bucket: str, prefix: str, settings: Settings) -> Storage:
    # botocore alone takes longer to import than a local lake takes to open.
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    from voxlake.lake.conditional_writes import check_conditional_writes
    from voxlake.lake.s3 import Encryption, S3Storage

    if settings.s3_kms_key_id and settings.s3_encryption != "aws:kms":
        raise ValueError("VOXLAKE_S3_KMS_KEY_ID is set, which goes with VOXLAKE_S3_ENCRYPTION=aws:kms only: set both")
    # "Please reduce your request rate" (503 SlowDown) is tried again with growing pauses, by random parts of 1, 2,
    # 4 and 8 seconds: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    # Signed URLs are of version 4 only where it is asked for, and buckets with KMS take no other:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    patient = Config(retries={"mode": "standard", "total_max_attempts": 5}, signature_version="s3v4")
    # A hook that is given a configuration does not look for `config_kwargs` in the connection.
    config = patient.merge(S3Hook(settings.aws_conn_id).config)
    client: S3Client = S3Hook(settings.aws_conn_id, config=config).get_conn()
    encryption = Encryption(settings.s3_encryption, settings.s3_kms_key_id) if settings.s3_encryption else None
    lake = S3Storage(client, bucket, prefix, encryption)
    # What has been found good is not asked again by each task of this host, or of its container.
    found_good = Path(tempfile.gettempdir()) / f"voxlake-s3-{_name(client.meta.endpoint_url, lake.url)}"
    if not found_good.exists():
        check_conditional_writes(lake)
        found_good.touch()
    return lake


def _name(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
