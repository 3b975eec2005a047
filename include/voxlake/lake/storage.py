"""What the lake asks of the place it lies in: whole objects, replaced atomically, compared before they are swapped.

Paths are relative to the root of the lake, with `/` between their parts, in a local folder and in S3 alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class ObjectMissingError(LookupError):
    """There is no object at this path of the lake."""


class VersionConflictError(RuntimeError):
    """Somebody else replaced the object between our read and our write; read again and retry."""


@dataclass(frozen=True)
class StoredObject:
    """The bytes of an object and the version that a compare-and-swap names."""

    data: bytes
    version: str


@dataclass(frozen=True)
class ObjectStatus:
    """What is known of an object without reading it: its size in bytes, when it was written (UTC), its version."""

    size: int
    modified: datetime
    version: str


class Storage(Protocol):
    """A lake's place. Every write is atomic: readers see the old object or the new one, never a part."""

    @property
    def url(self) -> str:
        """The root, as a person would name it: a folder or `s3://bucket/prefix`."""

    def read(self, path: str) -> StoredObject:
        """The whole object.

        Raises:
            ObjectMissingError: There is none.
        """

    def put(self, path: str, data: bytes) -> None:
        """Writes the object, whatever was there."""

    def compare_and_swap(self, path: str, data: bytes, expected: str | None) -> None:
        """Writes the object if its version still is `expected` (None: if there still is none).

        Raises:
            VersionConflictError: It is not.
        """

    def version(self, path: str) -> str | None:
        """The object's version, or None where there is no object."""

    def status(self, path: str) -> ObjectStatus:
        """Size, time and version of the object.

        Raises:
            ObjectMissingError: There is none.
        """

    def read_range(self, path: str, first: int, last: int, version: str) -> Iterator[bytes]:
        """The bytes of an object from `first` to `last`, both included, in pieces; memory holds one of them at a time.

        What is wrong is raised before the first piece is asked for.

        Raises:
            ObjectMissingError: There is no object.
            VersionConflictError: It is another version by now.
        """

    def list(self, prefix: str, before: datetime | None = None) -> Iterator[str]:
        """The paths of all objects below a folder, sorted; with `before` only of those last written before then."""

    def versions(self, folder: str, first: str, last: str) -> dict[str, str]:
        """The versions of the objects below a folder whose paths, as text, are `first` or later and before `last`."""

    def delete(self, path: str) -> None:
        """Removes the object; removing what is not there is no error."""

    def scratch(self, suffix: str = "") -> AbstractContextManager[Path]:
        """A new local file to write to, gone at the end unless it was published."""

    def publish(self, scratch: Path, path: str) -> None:
        """Makes a finished scratch file the object at `path`, whatever was there."""

    def publish_if(self, scratch: Path, path: str, expected: str | None) -> None:
        """`publish`, if the object's version still is `expected` (None: if there still is none).

        Raises:
            VersionConflictError: It is not.
        """

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """The object as a local file, to read from only.

        Raises:
            ObjectMissingError: There is none.
        """

    def sweep(self, before: datetime) -> int:
        """Removes what writers that were killed before then left half-written; how many things that were."""
