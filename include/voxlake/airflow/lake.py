"""The lake of the settings, opened with Airflow's own AWS connection where it lies in S3."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from voxlake.lake.storage import Storage
from voxlake.settings import get_settings


def open_lake() -> Storage:
    """The lake at `VOXLAKE_LAKE_URL`.

    Raises:
        ValueError: The URL is neither a folder nor `s3://bucket/prefix`.
        AirflowNotFoundException: There is no connection `VOXLAKE_AWS_CONN_ID`.
    """
    settings = get_settings()
    url = urlsplit(settings.lake_url)
    if url.scheme == "s3" and url.netloc:
        # botocore alone takes longer to import than a local lake takes to open.
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        from voxlake.lake.s3 import S3Storage

        return S3Storage(S3Hook(settings.aws_conn_id).get_conn(), bucket=url.netloc, prefix=url.path)
    if url.scheme in ("", "file"):
        from voxlake.lake.local import LocalStorage

        return LocalStorage(Path(url.path))
    raise ValueError(f"VOXLAKE_LAKE_URL is {settings.lake_url!r}: expected a folder (/data/lake) or s3://bucket/prefix")
