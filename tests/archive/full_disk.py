"""A download in a process of its own, whose files may not grow beyond a limit: what a full disk is on any machine."""

from __future__ import annotations

import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.archive.archived_day import PATIENCE
from voxlake.archive.download import download_session
from voxlake.archive.plan import SessionRef
from voxlake.lake.local import LocalStorage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState


def download_with_room_for(limit: int, credentials: Credentials, folder: Path, session: SessionRef) -> None:
    """Downloads a session into the lake in `folder / "lake"`; raises what this raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        processes.submit(_download, limit, credentials, folder, session).result()


def _download(limit: int, credentials: Credentials, folder: Path, session: SessionRef) -> None:
    # Python ignores the signal that comes with it, so a write beyond the limit is an error like that of a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    with RingCentralClient(credentials, SqliteState(folder / "state of the process")) as client:
        download_session(client, LocalStorage(folder / "lake"), session, "run", 1, PATIENCE)
