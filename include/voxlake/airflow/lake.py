"""The lake of the settings, opened with Airflow's own AWS connection where it lies in S3."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from voxlake.lake.storage import Storage
from voxlake.settings import get_settings


def open_lake() -> Storage:
    """The lake at `VOXLAKE_LAKE_URL`.

    Where there is no connection `VOXLAKE_AWS_CONN_ID`, the machine's own AWS credentials open the bucket.

    Raises:
        ValueError: The URL is neither a folder nor `s3://bucket/prefix`.
    """
    settings = get_settings()
    # Not urlsplit: it would cut a folder or a prefix with a # or a ? in its name.
    scheme, _, rest = settings.lake_url.rpartition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme == "s3" and bucket:
        # botocore alone takes longer to import than a local lake takes to open.
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        from botocore.config import Config

        from voxlake.lake.s3 import S3Storage

        # "Please reduce your request rate" (503 SlowDown) is tried again with growing pauses, by random parts of 1, 2,
        # 4 and 8 seconds: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
        patient = Config(retries={"mode": "standard", "total_max_attempts": 5})
        # A hook that is given a configuration does not look for `config_kwargs` in the connection.
        config = patient.merge(S3Hook(settings.aws_conn_id).config)
        return S3Storage(S3Hook(settings.aws_conn_id, config=config).get_conn(), bucket, prefix)
    # file://data/lake would be the folder /lake of a machine named data, and s3:/bucket is a slip, not a folder.
    if (scheme == "file" and not bucket) or (not scheme and ":" not in bucket):
        from voxlake.lake.local import LocalStorage

        return LocalStorage(Path(unquote(rest) if scheme else rest))
    raise ValueError(
        f"VOXLAKE_LAKE_URL is {settings.lake_url!r}: expected a folder (/data/lake, file:///data/lake) or "
        "s3://bucket/prefix"
    )
