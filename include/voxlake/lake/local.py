"""A lake in a local folder (or one that every worker mounts)."""

from __future__ import annotations

import hashlib
import math
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from voxlake.lake.scratch import SCRATCH_PREFIX, gone_afterwards, remove_old_scratch
from voxlake.lake.storage import ObjectMissingError, ObjectStatus, StoredObject, VersionConflictError

# Beside the data and on its file system, so that `os.replace` is atomic; the dot keeps `**/*.parquet` away from it.
_SCRATCH = ".scratch"
_LOCKS = ".locks"
# Shared by the paths, as a lock file must stay for good: one that is removed while somebody waits for it locks nothing.
# Nobody holds two at a time, so that sharing them ends in no deadlock.
_LOCK_FILES = 256

_PIECE = 256 * 1024


class LocalStorage:
    """The `Storage` of a local folder; the folder is made when something is first written."""

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().absolute()

    @property
    def url(self) -> str:
        """The folder."""
        return str(self._root)

    def read(self, path: str) -> StoredObject:
        """See `Storage.read`."""
        with self._open(path) as file:
            # The version of what was opened, not of what has the name by now.
            return StoredObject(file.read(), _version(os.fstat(file.fileno())))

    def put(self, path: str, data: bytes) -> None:
        """See `Storage.put`."""
        with self.scratch() as scratch:
            scratch.write_bytes(data)
            self.publish(scratch, path)

    def compare_and_swap(self, path: str, data: bytes, expected: str | None) -> None:
        """See `Storage.compare_and_swap`."""
        with self.scratch() as scratch:
            scratch.write_bytes(data)
            self.publish_if(scratch, path, expected)

    def version(self, path: str) -> str | None:
        """See `Storage.version`."""
        try:
            return _version(self._file(path).stat())
        except FileNotFoundError:
            return None

    def status(self, path: str) -> ObjectStatus:
        """See `Storage.status`."""
        with self._open(path) as file:
            status = os.fstat(file.fileno())
        return ObjectStatus(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC), _version(status))

    def read_range(self, path: str, first: int, last: int, version: str) -> Iterator[bytes]:
        """See `Storage.read_range`."""
        file = self._open(path)
        if _version(os.fstat(file.fileno())) != version:
            file.close()
            raise VersionConflictError(f"{path} was replaced by another process")
        return _pieces(file, first, last)

    def list(self, prefix: str, before: datetime | None = None) -> Iterator[str]:
        """See `Storage.list`."""
        files = (file for file in self._file(prefix).rglob("*") if file.is_file())
        if before is not None:
            files = (file for file in files if _modified(file) < before.timestamp())
        yield from sorted(file.relative_to(self._root).as_posix() for file in files)

    def versions(self, folder: str, first: str, last: str) -> dict[str, str]:
        """See `Storage.versions`."""
        found: dict[str, str] = {}
        # One that is removed meanwhile is not there.
        with suppress(FileNotFoundError), os.scandir(self._file(folder)) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}"
                # A folder is looked into where paths in it, which go on with a slash, may lie between the two.
                if entry.is_dir() and f"{path}0" > first and path < last:
                    found |= self.versions(path, first, last)
                elif first <= path < last and entry.is_file():
                    with suppress(FileNotFoundError):
                        found[path] = _version(Path(entry.path).stat())
        return found

    def delete(self, path: str) -> None:
        """See `Storage.delete`."""
        self._file(path).unlink(missing_ok=True)

    @contextmanager
    def scratch(self, suffix: str = "") -> Iterator[Path]:
        """See `Storage.scratch`."""
        folder = self._root / _SCRATCH
        folder.mkdir(parents=True, exist_ok=True)
        # Not tempfile: its files are for their owner alone, and analysts and players read the lake too.
        file = folder / f"{SCRATCH_PREFIX}{uuid.uuid4().hex}{suffix}"
        file.touch(exist_ok=False)
        with gone_afterwards(file):
            yield file

    def publish(self, scratch: Path, path: str) -> None:
        """See `Storage.publish`."""
        target = self._file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("rb+") as file:
            # The file system's own clock ticks every few milliseconds, and a freed inode is soon used again: two
            # versions of the same size could look alike.
            now = time.time_ns()
            os.utime(file.fileno(), ns=(now, now))
            os.fsync(file.fileno())
        scratch.replace(target)
        _sync_folder(target.parent)

    def publish_if(self, scratch: Path, path: str, expected: str | None) -> None:
        """See `Storage.publish_if`."""
        with self._lock(path):
            if self.version(path) != expected:
                raise VersionConflictError(f"{path} was replaced by another process")
            self.publish(scratch, path)

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """See `Storage.local_copy`: the file itself."""
        file = self._file(path)
        if not file.is_file():
            raise ObjectMissingError(f"{path} is not in the lake {self.url}")
        yield file

    def sweep(self, before: datetime) -> int:
        """See `Storage.sweep`: scratch files."""
        return remove_old_scratch(self._root / _SCRATCH, before)

    def _file(self, path: str) -> Path:
        return self._root / path

    def _open(self, path: str) -> BinaryIO:
        try:
            return self._file(path).open("rb")
        except FileNotFoundError:
            raise ObjectMissingError(f"{path} is not in the lake {self.url}") from None

    def _lock(self, path: str) -> FileLock:
        folder = self._root / _LOCKS
        folder.mkdir(parents=True, exist_ok=True)
        number = int.from_bytes(hashlib.sha256(path.encode()).digest()) % _LOCK_FILES
        return FileLock(folder / f"{number:03d}.lock")


def _sync_folder(folder: Path) -> None:
    # The name of a file is data of its folder: without this a power failure may leave the file, but nothing to find it
    # by (fsync(2)).
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pieces(file: BinaryIO, first: int, last: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        left = last - first + 1
        while left and (piece := file.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece


def _modified(file: Path) -> float:
    # One that has gone meanwhile is not old.
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _version(status: os.stat_result) -> str:
    # Every replacement is a new file: no two versions of a path share all three.
    return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"
