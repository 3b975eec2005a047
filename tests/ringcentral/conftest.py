"""What the tests of the RingCentral client share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from one_process import REDIS_URL
from scripted_server import ScriptedServer

from voxlake.ringcentral.client import RingCentralClient
from voxlake.ringcentral.credentials import Credentials
from voxlake.ringcentral.shared_state import SharedState, open_state
from voxlake.ringcentral.sqlite_state import SqliteState


@pytest.fixture(params=["sqlite", *(["redis"] if REDIS_URL else [])])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedState]:
    """What processes share, empty."""
    if request.param == "sqlite":
        yield open_state("", tmp_path / "shared")
        return
    with redis.Redis.from_url(REDIS_URL) as server:
        server.flushdb()
        yield open_state(REDIS_URL, tmp_path)
        server.flushdb()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """The platform host."""
    with ScriptedServer().running() as running:
        yield running


@pytest.fixture
def media() -> Iterator[ScriptedServer]:
    """The media host."""
    with ScriptedServer().running() as running:
        yield running


@pytest.fixture
def foreign() -> Iterator[ScriptedServer]:
    """A host that the token must never reach."""
    with ScriptedServer().running() as running:
        yield running


@pytest.fixture
def credentials(server: ScriptedServer, media: ScriptedServer) -> Credentials:
    return Credentials(server.url, "the-client-id", "the-client-secret", "the.jwt.itself", media.url)


@pytest.fixture
def client(credentials: Credentials, tmp_path: Path) -> Iterator[RingCentralClient]:
    with RingCentralClient(credentials, SqliteState(tmp_path / "state"), timeout=(10, 10)) as connected:
        yield connected
