"""A sandbox with the day of `archived_day`, a client of it, and a lake to archive it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.ringcentral import Sandbox, run_sandbox
from tests.archive.archived_day import CONFIG
from voxlake.lake.local import LocalStorage
from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.sqlite_state import SqliteState

Connect = Callable[..., RingCentralClient]


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """One for all tests: encoding its recordings takes longer than all else."""
    with run_sandbox(CONFIG) as running:
        yield running


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """The day of `archived_day`, as if nothing had been asked of it yet."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Makes clients of a sandbox, each on a machine of its own: it shares no token and no quota with the others."""
    with ExitStack() as connected:

        def connect_to(
            sandbox: Sandbox,
            media_url: str | None = None,
            max_wait: float = 15,
            timeout: tuple[float, float] = (10, 60),
        ) -> RingCentralClient:
            credentials = Credentials(
                sandbox.platform_url,
                sandbox.client_id,
                sandbox.client_secret,
                sandbox.jwt,
                media_url or sandbox.media_url,
            )
            state_dir = tmp_path / f"machine-{len(list(tmp_path.glob('machine-*')))}"
            client = RingCentralClient(credentials, SqliteState(state_dir), max_wait=max_wait, timeout=timeout)
            return connected.enter_context(client)

        yield connect_to


@pytest.fixture
def client(sandbox: Sandbox, connect: Connect) -> RingCentralClient:
    return connect(sandbox)


@pytest.fixture
def lake(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")
