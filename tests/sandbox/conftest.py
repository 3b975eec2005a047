"""Fixtures of the sandbox's own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from sandbox.ringcentral import CallMix, Sandbox, SandboxConfig, run_sandbox
from tests.conftest import NOON

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

LogIn = Callable[[Sandbox], requests.Session]


def _log_in(sandbox: Sandbox) -> requests.Session:
    answer = requests.post(
        f"{sandbox.platform_url}/restapi/oauth/token",
        data={"grant_type": JWT_BEARER, "assertion": sandbox.jwt},
        auth=(sandbox.client_id, sandbox.client_secret),
        timeout=10,
    )
    answer.raise_for_status()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


@pytest.fixture
def log_in() -> LogIn:
    """Logs in with the sandbox's JWT and returns a session that carries the token."""
    return _log_in


@pytest.fixture(scope="session")
def unlimited() -> Iterator[Sandbox]:
    """A sandbox without quotas, for the tests that only read."""
    config = SandboxConfig(now=NOON, quotas=None, parallel_sessions=1000, mix=CallMix(calls_per_day=250))
    with run_sandbox(config) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def api(unlimited: Sandbox) -> requests.Session:
    """A session of the user of `unlimited`."""
    return _log_in(unlimited)
