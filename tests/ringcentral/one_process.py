"""What one of several processes does in the tests of what they share."""

from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

from voxlake.ringcentral.auth import Credentials
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.sqlite_state import SqliteState


@dataclass(frozen=True)
class Work:
    """Two rounds of requests, each begun by all processes together."""

    credentials: Credentials
    state_dir: Path
    path: str
    requests: int


def run(work: Work, start: Barrier) -> None:
    try:
        with RingCentralClient(work.credentials, SqliteState(work.state_dir)) as client:
            for _ in range(2):
                start.wait(60)
                for _ in range(work.requests):
                    client.get_json(work.path)
                start.wait(60)
    except BaseException:
        # The others need not wait for a process that has failed.
        start.abort()
        raise
