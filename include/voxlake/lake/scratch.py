"""Scratch files: what is written before it has its name in the lake."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

# Enough to tell them from other files of a folder for temporary ones.
SCRATCH_PREFIX = "voxlake-scratch-"


# The disk, the user's share of it, or the size that a file may have.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def gone_afterwards(file: Path) -> Iterator[Path]:
    """Removes a scratch file at the end of a block; an error that a disk is full says where, by the file's name."""
    try:
        yield file
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            error.filename = str(file)
        raise
    finally:
        file.unlink(missing_ok=True)


def remove_old_scratch(folder: Path, before: datetime) -> int:
    """Removes this user's scratch files that nobody has written to since `before`; how many.

    Their writers were killed: any other removes its scratch file itself.
    """
    removed = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(SCRATCH_PREFIX) and entry.is_file(follow_symlinks=False):
                # Gone meanwhile, where another does the same.
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_uid == os.getuid() and status.st_mtime < before.timestamp():
                        Path(entry.path).unlink()
                        removed += 1
    return removed
