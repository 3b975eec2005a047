"""What the tests of the RingCentral client share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_server import ScriptedServer

from voxlake.ringcentral.auth import Credentials
from voxlake.ringcentral.client import RingCentralClient


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
    with RingCentralClient(credentials, tmp_path / "state", timeout=(10, 10)) as connected:
        yield connected
