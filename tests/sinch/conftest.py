"""A sandbox of Sinch, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.sinch import SinchSandbox, run_sinch_sandbox
from voxlake.sinch.client import SinchClient
from voxlake.sinch.signature import Application


@pytest.fixture
def sinch() -> Iterator[SinchSandbox]:
    with run_sinch_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def client(sinch: SinchSandbox) -> Iterator[SinchClient]:
    with SinchClient(Application(sinch.key, sinch.secret), sinch.url) as client:
        yield client
