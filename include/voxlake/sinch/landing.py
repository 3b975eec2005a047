"""The bucket that Sinch writes into: which files it holds, version by version, and their bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Of an object that was written while its bucket had no versions: the next one takes its place.
_NO_VERSION = "null"

_REFUSED = frozenset({"403", "AccessDenied", "Forbidden"})
_GONE = frozenset({"404", "412", "NoSuchKey", "NoSuchVersion", "PreconditionFailed"})


class BucketRefusedError(Exception):
    """The bucket cannot be read; the text names it, and what is missing."""


class FileReplacedError(Exception):
    """Another file has the name by now, and the bucket has no versions: nobody has the bytes any more."""


@dataclass(frozen=True)
class LandedFile:
    """A version of an object.

    Attributes:
        bucket: The bucket.
        key: The key in it.
        version: The version's id; None where the bucket had no versions when it was written.
        etag: Tells its bytes from others under the key.
        size: Bytes.
        written_at: When, with its zone.
    """

    bucket: str
    key: str
    version: str | None
    etag: str
    size: int
    written_at: datetime

    @property
    def destination(self) -> str:
        """`s3://bucket/key`, as callbacks name it."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def uri(self) -> str:
        """The same, with the version."""
        return f"{self.destination}?versionId={self.version}" if self.version else self.destination


class Landing:
    """What a client of S3 may read.

    Args:
        client: boto3's, as the caller configured it.
    """

    def __init__(self, client: S3Client) -> None:
        self._client = client

    def files(self, bucket: str, prefix: str) -> Iterator[LandedFile]:
        """Every version of every object below a prefix, by key; also of objects that were deleted since.

        Raises:
            BucketRefusedError: There is no such bucket, or its versions may not be listed.
        """
        with _refusals(bucket, "s3:ListBucketVersions"):
            # A bucket without versions lists its objects here all the same.
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
            for page in pages:
                for found in page.get("Versions", ()):
                    # What a console makes to show an empty folder.
                    if not found["Key"].endswith("/"):
                        yield _file(bucket, found)

    def fetch(self, file: LandedFile, target: Path) -> None:
        """Writes a file's bytes to `target`.

        Raises:
            FileReplacedError: It is not there any more.
            BucketRefusedError: It may not be read.
        """
        which: dict[str, Any] = {"VersionId": file.version} if file.version else {"IfMatch": file.etag}
        permission = "s3:GetObjectVersion" if file.version else "s3:GetObject"
        try:
            with _refusals(file.bucket, permission):
                reply = self._client.get_object(Bucket=file.bucket, Key=file.key, **which)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                raise FileReplacedError(
                    f"{file.uri} of {file.written_at:%Y-%m-%d %H:%M:%S} UTC was replaced or removed before it was "
                    "copied; switch versioning of the bucket on"
                ) from error
            raise
        with target.open("wb") as copy:
            shutil.copyfileobj(reply["Body"], copy)


@contextmanager
def _refusals(bucket: str, permission: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            raise BucketRefusedError(f"There is no bucket {bucket}: see the destination of the connection.") from None
        if code in _REFUSED:
            raise BucketRefusedError(
                f"Bucket {bucket} refuses {permission}: grant it to the user of the AWS connection "
                "VOXLAKE_SINCH_AWS_CONN_ID. (What Sinch writes with need not be allowed it.)"
            ) from None
        raise


def _file(bucket: str, found: Any) -> LandedFile:
    version = found.get("VersionId", _NO_VERSION)
    return LandedFile(
        bucket,
        found["Key"],
        None if version == _NO_VERSION else version,
        found["ETag"],
        found["Size"],
        found["LastModified"],
    )
