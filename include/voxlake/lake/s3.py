"""A lake in an S3 bucket, or in anything that speaks S3 with conditional writes."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypedDict

from botocore.exceptions import ClientError

from voxlake.lake import layout
from voxlake.lake.scratch import SCRATCH_PREFIX, gone_afterwards, remove_old_scratch
from voxlake.lake.storage import ObjectMissingError, ObjectStatus, StoredObject, VersionConflictError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

# Each host has scratch files of its own, so that no sweep of the lake would come to all.
_OLD_SCRATCH = timedelta(days=1)

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
# 412: the condition does not hold. 409: a concurrent write or delete of the key is under way. 404: If-Match on a key
# that is gone. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_CONFLICT = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}) | _MISSING

# The first is AWS's, the second that of servers which do not have the request.
_REFUSED = frozenset({"AccessDenied", "NotImplemented"})


_PIECE = 256 * 1024


class EncryptionArguments(TypedDict, total=False):
    """Arguments of `put_object` and of uploads."""

    ServerSideEncryption: Literal["AES256", "aws:kms"]
    SSEKMSKeyId: str


@dataclass(frozen=True)
class Encryption:
    """Server-side encryption that every write asks for.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html

    Attributes:
        algorithm: `AES256` for keys of S3's own (SSE-S3), `aws:kms` for a key of KMS (SSE-KMS).
        kms_key_id: Which key, by id or ARN; empty for the account's `aws/s3`.
    """

    algorithm: Literal["AES256", "aws:kms"]
    kms_key_id: str = ""

    def arguments(self) -> EncryptionArguments:
        """What boto3's writes are given."""
        if self.kms_key_id:
            return {"ServerSideEncryption": self.algorithm, "SSEKMSKeyId": self.kms_key_id}
        return {"ServerSideEncryption": self.algorithm}


class S3Storage:
    """The `Storage` of a bucket and a prefix in it.

    Args:
        client: boto3's, as the caller configured it.
        bucket: Its name.
        prefix: What all keys begin with.
        encryption: How the bucket is to encrypt what is written; None leaves it to the bucket.
    """

    def __init__(
        self, client: S3Client, bucket: str, prefix: str = "", encryption: Encryption | None = None
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._written_with: EncryptionArguments = encryption.arguments() if encryption else {}
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def read(self, path: str) -> StoredObject:
        """See `Storage.read`."""
        with self._missing_named(path):
            reply = self._client.get_object(Bucket=self._bucket, Key=self._key(path))
            return StoredObject(reply["Body"].read(), reply["ETag"])

    def put(self, path: str, data: bytes) -> None:
        """See `Storage.put`."""
        self._client.put_object(Bucket=self._bucket, Key=self._key(path), Body=data, **self._written_with)

    def compare_and_swap(self, path: str, data: bytes, expected: str | None) -> None:
        """See `Storage.compare_and_swap`."""
        self._put_if(path, data, expected)

    def version(self, path: str) -> str | None:
        """See `Storage.version`."""
        try:
            return self.status(path).version
        except ObjectMissingError:
            return None

    def status(self, path: str) -> ObjectStatus:
        """See `Storage.status`."""
        with self._missing_named(path):
            head = self._client.head_object(Bucket=self._bucket, Key=self._key(path))
        return ObjectStatus(head["ContentLength"], head["LastModified"], head["ETag"])

    def read_range(self, path: str, first: int, last: int, version: str) -> Iterator[bytes]:
        """See `Storage.read_range`."""
        try:
            with self._missing_named(path):
                reply = self._client.get_object(
                    Bucket=self._bucket, Key=self._key(path), Range=f"bytes={first}-{last}", IfMatch=version
                )
        except ClientError as error:
            if error.response["Error"]["Code"] in _CONFLICT:
                raise VersionConflictError(f"{path} was replaced by another process") from error
            raise
        return reply["Body"].iter_chunks(_PIECE)

    def signed_url(self, path: str, seconds: int, content_type: str, content_disposition: str) -> str:
        """A URL that anybody may read the object with, for so long; it is a secret while it lasts.

        Args:
            path: Of the object; whether there is one is not looked at.
            seconds: From now on; no longer than the credentials last.
            content_type: What S3 is to call it.
            content_disposition: The header of that name.
        """
        return self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": self._key(path),
                "ResponseContentType": content_type,
                "ResponseContentDisposition": content_disposition,
            },
            ExpiresIn=seconds,
        )

    def list(self, prefix: str, before: datetime | None = None) -> Iterator[str]:
        """See `Storage.list`; S3 lists in the order of the keys."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._key(prefix.rstrip("/") + "/")
        )
        for page in pages:
            for entry in page.get("Contents", []):
                if before is None or entry["LastModified"] < before:
                    yield entry["Key"].removeprefix(self._prefix)

    def versions(self, folder: str, first: str, last: str) -> dict[str, str]:
        """See `Storage.versions`: one request for each thousand of them."""
        found: dict[str, str] = {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._key(f"{folder}/"),
            # After a key that is before all that begin with the first one.
            StartAfter=self._key(first[:-1]) if first else "",
        )
        for page in pages:
            for entry in page.get("Contents", []):
                path = entry["Key"].removeprefix(self._prefix)
                if path >= last:
                    return found
                if path >= first:
                    found[path] = entry["ETag"]
        return found

    def delete(self, path: str) -> None:
        """See `Storage.delete`."""
        self._client.delete_object(Bucket=self._bucket, Key=self._key(path))

    @contextmanager
    def scratch(self, suffix: str = "") -> Iterator[Path]:
        """See `Storage.scratch`: a file in the worker's own temporary folder, rid of what was left there a day ago."""
        remove_old_scratch(Path(tempfile.gettempdir()), datetime.now(UTC) - _OLD_SCRATCH)
        # Not NamedTemporaryFile: where its file is gone already, because a merge that failed removed what it had begun,
        # it hides that failure behind its own.
        descriptor, name = tempfile.mkstemp(suffix=suffix, prefix=SCRATCH_PREFIX)
        os.close(descriptor)
        with gone_afterwards(Path(name)) as file:
            yield file

    def publish(self, scratch: Path, path: str) -> None:
        """See `Storage.publish`: large files go up in parts, and are there when the last part is."""
        self._client.upload_file(
            str(scratch), self._bucket, self._key(path), ExtraArgs=dict(self._written_with)
        )

    def publish_if(self, scratch: Path, path: str, expected: str | None) -> None:
        """See `Storage.publish_if`; in one request, so up to the 5 GB that S3 takes in one."""
        with scratch.open("rb") as file:
            self._put_if(path, file, expected)

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """See `Storage.local_copy`: downloaded for as long as it is needed."""
        with self.scratch(Path(path).suffix) as file:
            with self._missing_named(path):
                self._client.download_file(self._bucket, self._key(path), str(file))
            yield file

    def sweep(self, before: datetime) -> int:
        """See `Storage.sweep`: uploads in parts that never got their last one.

        Whose credentials may not list or end these (`s3:ListBucketMultipartUploads`, `s3:AbortMultipartUpload`) is told
        so in the log: a rule of the bucket's lifecycle can end them as well.
        """
        try:
            # Not the whole bucket, where the lake is its root: it may have uploads of other programs too.
            return sum(self._end_uploads(f"{folder}/", before) for folder in layout.FOLDERS)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _REFUSED:
                raise
            log.warning(
                "uploads below %s that were never finished cannot be listed or ended: %s; give the credentials "
                "s3:ListBucketMultipartUploads and s3:AbortMultipartUpload, or the bucket a lifecycle rule for them",
                self.url,
                error,
            )
            return 0

    def _end_uploads(self, folder: str, before: datetime) -> int:
        ended = 0
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=self._key(folder)
        )
        for page in pages:
            for upload in page.get("Uploads", []):
                if upload["Initiated"] < before:
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    ended += 1
        return ended

    def _put_if(self, path: str, body: bytes | BinaryIO, expected: str | None) -> None:
        key = self._key(path)
        try:
            if expected is None:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*", **self._written_with)
            else:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfMatch=expected, **self._written_with)
        except ClientError as error:
            if error.response["Error"]["Code"] in _CONFLICT:
                raise VersionConflictError(f"{path} was replaced by another process") from error
            raise

    def _key(self, path: str) -> str:
        return self._prefix + path

    @contextmanager
    def _missing_named(self, path: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise ObjectMissingError(f"{path} is not in the lake {self.url}") from error
            raise
