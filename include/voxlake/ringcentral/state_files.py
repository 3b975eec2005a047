"""Small files that all processes of this machine share: the access token and the count of requests."""

import os
from pathlib import Path

from filelock import FileLock

# A writer holds a lock for about a millisecond, except during a login; waiting processes look again this often.
_POLL_SECONDS = 0.005


class StateFile:
    """One file, readable by its owner only, replaced as a whole under a lock.

    Reading needs no lock: a reader sees the old content or the new, never a part.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / name
        self._new_path = directory / f"{name}.new"
        self._lock_path = directory / f"{name}.lock"

    def lock(self, timeout: float = -1) -> FileLock:
        """The lock of the file, to be used with `with`.

        Args:
            timeout: Seconds to wait for it; below 0 without limit.

        Raises:
            filelock.Timeout: On entering, when another process keeps the lock for longer.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(self._lock_path, timeout=timeout, mode=0o600, poll_interval=_POLL_SECONDS)

    def read(self) -> bytes | None:
        """The content, None if there is none yet."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, content: bytes) -> None:
        """Puts `content` in the place of the old content. The caller holds the lock."""
        # One fixed name: the lock admits one writer, and what a killed writer left is written over.
        descriptor = os.open(self._new_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self._new_path.replace(self.path)

    def remove(self) -> None:
        """Removes the content. The caller holds the lock."""
        self.path.unlink(missing_ok=True)
