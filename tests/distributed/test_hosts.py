"""What processes of several hosts share by Redis. Run by `make test-distributed`, where there is a Redis server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from sandbox.ringcentral import QuotaLimit, Sandbox, SandboxConfig
from tests.ringcentral import one_process
from voxlake.ringcentral.credentials import Credentials

CALL_LOG = "/restapi/v1.0/account/~/call-log"

StartSandbox = Callable[[SandboxConfig], Sandbox]


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A database of a Redis server, empty."""
    url = os.environ["VOXLAKE_TEST_REDIS_URL"]
    with redis.Redis.from_url(url) as server:
        server.flushdb()
        yield url
        server.flushdb()


def statuses(sandbox: Sandbox, path: str) -> list[int]:
    return [entry.status for entry in sandbox.requests if entry.path == path]


def test_hosts_whose_clocks_differ_keep_one_quota_and_share_one_token(
    start_sandbox: StartSandbox, redis_url: str, tmp_path: Path
) -> None:
    sandbox = start_sandbox(SandboxConfig(quotas={"heavy": QuotaLimit(limit=5, window=1), "auth": QuotaLimit(5)}))
    credentials = Credentials(
        sandbox.platform_url, sandbox.client_id, sandbox.client_secret, sandbox.jwt, sandbox.media_url
    )
    works = [
        one_process.Work(credentials, redis_url, tmp_path / host, CALL_LOG, requests=2, clock_ahead=ahead)
        for host, ahead in (("one", 0.0), ("one", 0.0), ("two", 3600.0), ("three", -3600.0))
    ]

    with one_process.processes(*works) as barrier:
        for _ in range(4):
            barrier.wait(60)

    assert statuses(sandbox, CALL_LOG) == [200] * 16
    assert statuses(sandbox, "/restapi/oauth/token") == [200]
    assert not (tmp_path / "one").exists()
