"""Writers of one object on one machine, one after the other: a courtesy that spares them conflicts."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 60
# filelock asks again and again; what it waits for here takes some milliseconds.
_ASK_EVERY_SECONDS = 0.005


@contextmanager
def turn(lake_url: str, path: str) -> Iterator[None]:
    """Waits until no other process of this machine is at the object.

    Without it, all but one of the contenders read, merge and encode a day for nothing. What is written is right without
    it too, by compare-and-swap, so one that waits too long, for a process that was stopped, just goes ahead.

    Args:
        lake_url: Which lake.
        path: The object in it.
    """
    folder = Path(tempfile.gettempdir()) / f"voxlake-turns-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    name = hashlib.sha256(f"{lake_url}\n{path}".encode()).hexdigest()[:32]
    lock = FileLock(folder / f"{name}.lock", timeout=_PATIENCE_SECONDS, poll_interval=_ASK_EVERY_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        log.warning("%s in %s: other processes were at it for %d s, going ahead", path, lake_url, _PATIENCE_SECONDS)
    try:
        yield
    finally:
        lock.release()
