"""Processes of their own, in the tests of what they share."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.shared_state import SharedState, open_state
from voxlake.ringcentral.sqlite_state import SqliteState

# An empty machine has no Redis server: there what processes share is tested with the file of one host.
REDIS_URL = os.environ.get("VOXLAKE_TEST_REDIS_URL", "")


def address_of(state: SharedState) -> tuple[str, Path]:
    """URL and folder by which another process opens a state."""
    return ("", state.path.parent) if isinstance(state, SqliteState) else (REDIS_URL, Path())


@dataclass(frozen=True)
class Work:
    """Two rounds of requests, each begun by all processes together.

    Attributes:
        credentials: Of the sandbox.
        state_url: Of the shared state; empty for a file.
        state_dir: Folder of that file.
        path: What is asked for.
        requests: How many times a round.
        clock_ahead: Seconds by which the clock of the process's host is wrong.
    """

    credentials: Credentials
    state_url: str
    state_dir: Path
    path: str
    requests: int
    clock_ahead: float = 0.0


@contextmanager
def processes(*works: Work) -> Iterator[Barrier]:
    """Runs each work in a process of its own; by the barrier the test takes part in each round's start and end."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(works) + 1)
    running = [context.Process(target=run, args=(work, barrier)) for work in works]
    for process in running:
        process.start()
    try:
        yield barrier
        for process in running:
            process.join(60)
        assert [process.exitcode for process in running] == [0] * len(works)
    finally:
        for process in running:
            process.kill()


def run(work: Work, start: Barrier) -> None:
    real_time = time.time
    # A process cannot have a clock of its own; all that is here asks this function for the time.
    time.time = lambda: real_time() + work.clock_ahead
    try:
        with RingCentralClient(work.credentials, open_state(work.state_url, work.state_dir)) as client:
            for _ in range(2):
                start.wait(60)
                for _ in range(work.requests):
                    client.get_json(work.path)
                start.wait(60)
    except BaseException:
        # The others need not wait for a process that has failed.
        start.abort()
        raise
