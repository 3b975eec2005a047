"""Whether a place keeps the promise that a lake rests on: a write goes through only if nobody wrote in between."""

from __future__ import annotations

import uuid

from botocore.exceptions import ClientError

from voxlake.lake import layout
from voxlake.lake.storage import Storage, VersionConflictError

# What servers answer that do not have conditional writes, or have one of the two only.
_UNKNOWN = frozenset({"NotImplemented", "XNotImplemented", "InvalidArgument", "InvalidRequest", "MethodNotAllowed"})

_REMEDY = (
    "Two runs that write at a time would lose each other's rows there, so nothing was written. Put the lake into a "
    "bucket whose server has conditional writes (If-None-Match and If-Match of PutObject); docs/s3.md names some."
)


class ConditionalWritesError(ValueError):
    """The bucket refuses or ignores conditional writes; the text names it and says what to do."""


def check_conditional_writes(storage: Storage) -> None:
    """Writes, replaces and removes an object of its own, by the conditions that the lake is to be written by.

    Raises:
        ConditionalWritesError: A condition is refused, or ignored.
        ClientError: The bucket cannot be written to at all, such as with `AccessDenied` or `NoSuchBucket`.
    """
    path = f"{layout.OUTCOMES}/conditional-writes/{uuid.uuid4().hex}"
    _must_pass(storage, path, None, "If-None-Match")
    try:
        first = storage.version(path)
        _must_conflict(storage, path, None, "If-None-Match")
        _must_pass(storage, path, first, "If-Match")
        # There is another object now, so that the first version is a version no more.
        _must_conflict(storage, path, first, "If-Match")
    finally:
        storage.delete(path)


def _must_pass(storage: Storage, path: str, expected: str | None, header: str) -> None:
    try:
        storage.compare_and_swap(path, uuid.uuid4().bytes, expected)
    except VersionConflictError as error:
        raise ConditionalWritesError(
            f"{storage.url} refuses a write with {header} whose condition holds. {_REMEDY}"
        ) from error
    except ClientError as error:
        if error.response["Error"]["Code"] not in _UNKNOWN:
            raise
        raise ConditionalWritesError(f"{storage.url} refuses writes with {header}: {error}. {_REMEDY}") from error


def _must_conflict(storage: Storage, path: str, expected: str | None, header: str) -> None:
    try:
        storage.compare_and_swap(path, uuid.uuid4().bytes, expected)
    except VersionConflictError:
        return
    raise ConditionalWritesError(
        f"{storage.url} ignores {header}: a write whose condition does not hold went through. {_REMEDY}"
    )
