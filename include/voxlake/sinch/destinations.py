"""Where Sinch is told to put recordings, and with which credentials.

https://developers.sinch.com/docs/voice/api-reference/recording/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class DestinationError(ValueError):
    """A destination or its credentials are not as Sinch takes them; the text never shows a secret."""


@dataclass(frozen=True)
class S3Destination:
    """`s3://bucket/[folder/][file]`.

    Attributes:
        bucket: Name of the bucket.
        folder: Path in the bucket, with `/` at its end; empty for its root.
        file: A fixed file name; empty where Sinch names each file by itself.
    """

    bucket: str
    folder: str = ""
    file: str = ""

    def __str__(self) -> str:
        """As Sinch takes it."""
        return f"s3://{self.bucket}/{self.folder}{self.file}"


@dataclass(frozen=True)
class DriveDestination:
    """`sdrive://[file]`: Sinch's own storage, which newer accounts do not have.

    Attributes:
        file: A fixed file name; empty where Sinch names each file by itself.
    """

    file: str = ""

    def __str__(self) -> str:
        """As Sinch takes it."""
        return f"sdrive://{self.file}"


Destination = S3Destination | DriveDestination


def parse_destination(url: str) -> Destination:
    """The destination of an address.

    Raises:
        DestinationError: It is not one of the two forms.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sdrive":
        # Folders are ignored there.
        return DriveDestination(rest.rpartition("/")[2])
    bucket, _, key = rest.partition("/")
    if not separator or scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise DestinationError(f"destination {url!r}: expected s3://bucket/folder/ or sdrive://")
    folder, slash, file = key.rpartition("/")
    return S3Destination(bucket, folder + slash, file)


def refuse_fixed_name(destination: Destination) -> None:
    """Lets only destinations pass at which Sinch gives every recording a name of its own.

    Raises:
        DestinationError: The address names a file: Sinch does not look whether there is one, and the next call's
            recording takes its place.
    """
    if not destination.file:
        return
    reason = f"destination {destination}: each recording would be named {destination.file} and overwrite the one before"
    if isinstance(destination, DriveDestination):
        raise DestinationError(f"{reason}. Put sdrive:// there.")
    raise DestinationError(f"{reason}. If that is to be a folder, put / at its end; else leave it out.")


@dataclass(frozen=True)
class BucketCredentials:
    """What Sinch writes into the bucket with: of a user who may do `s3:PutObject` there and nothing else.

    Attributes:
        access_key_id: The access key id.
        secret_access_key: The secret access key.
        region: The region of the bucket, such as `eu-central-1`.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str

    @classmethod
    def parse(cls, text: str) -> BucketCredentials:
        """The credentials of `key:secret:region`.

        Raises:
            DestinationError: They are not of this form.
        """
        parts = text.strip().split(":")
        if len(parts) != 3 or not all(parts):
            raise DestinationError("bucket credentials: expected <access key id>:<secret access key>:<region>")
        return cls(*parts)

    def reveal(self) -> str:
        """As Sinch takes them, in plain text: for the body of a request or an answer, and for nothing else."""
        return f"{self.access_key_id}:{self.secret_access_key}:{self.region}"
