"""A step of the archive in a process of its own, which may be killed before one of its changes of the lake."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import boto3

from tests.archive.archived_day import DAY, NEXT_DAY, PATIENCE
from tests.lake.contenders import Lake
from voxlake.archive.download import download_session
from voxlake.archive.extract import extract_call_log
from voxlake.archive.land import land_call_log
from voxlake.archive.merge import merge_session
from voxlake.archive.plan import SessionRef
from voxlake.archive.publish import publish_run
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState

# A process that has imported all of it, and used none of it, makes the others: pytest too, as each imports the main
# module.
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", __name__])

# What S3's requests are like is read once, and not by each process: it takes longer than most steps.
boto3.client("s3", region_name="us-east-1")

RUN = "run"


@dataclass(frozen=True)
class Place:
    """Where a step works; unlike a client and a storage, it can be sent to a process."""

    lake: Lake
    credentials: Credentials
    state_dir: Path

    def client(self) -> RingCentralClient:
        return RingCentralClient(self.credentials, SqliteState(self.state_dir))


Step = Callable[[Place, Any], Any]


def extract(place: Place, argument: None) -> list[str]:
    with place.client() as client:
        return extract_call_log(client, place.lake.open(), DAY, NEXT_DAY + timedelta(hours=1))


def land(place: Place, raw_folders: list[str]) -> None:
    land_call_log(place.lake.open(), raw_folders)


def download(place: Place, sessions: list[SessionRef]) -> None:
    with place.client() as client:
        for session in sessions:
            assert download_session(client, place.lake.open(), session, RUN, 1, PATIENCE) is None


def merge(place: Place, sessions: list[SessionRef]) -> None:
    for session in sessions:
        merge_session(place.lake.open(), session, RUN)


def publish(place: Place, sessions: list[SessionRef]) -> None:
    assert publish_run(place.lake.open(), sessions, RUN).failed == {}


def run(step: Step, place: Place, argument: Any, killed_before: int | None = None) -> tuple[bool, Any]:
    """Runs a step; whether it was killed, and what it returned.

    Args:
        step: One of the functions above.
        place: Where.
        argument: What the step before came to.
        killed_before: The number of the change before which it is killed, from 1; None for never.
    """
    here, there = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_work, args=(step, place, argument, killed_before, there))
    process.start()
    there.close()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), f"{step.__name__} ended with {process.exitcode}"
    return process.exitcode != 0, here.recv() if process.exitcode == 0 else None


def _work(step: Step, place: Place, argument: Any, killed_before: int | None, result: Connection) -> None:
    changes = 0

    def change() -> None:
        nonlocal changes
        changes += 1
        if changes == killed_before:
            os.kill(os.getpid(), signal.SIGKILL)

    if place.lake.endpoint is None:
        # A file gets its name and loses it by one of these: https://docs.python.org/3/library/audit_events.html
        sys.addaudithook(lambda event, _: change() if event in ("os.rename", "os.remove") else None)
    else:
        boto3.DEFAULT_SESSION.events.register(  # type: ignore[union-attr] # made above
            "before-send.s3", lambda request, **_: None if request.method in ("GET", "HEAD") else change()
        )
    result.send(step(place, argument))
